"""From one pass over real images to a reference: which rows stay, how they are kept, and what it is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.moments import F64
from ganbench.features.references import Reference, ReferenceFeatures
from ganbench.features.stats import Features
from ganbench.images.classes import labels_sha256
from ganbench.protocol import Protocol
from ganbench.provenance import versions
from ganbench.serialize import canonical_sha256

MAX_FEATURES = 10_000
NEIGHBOURS = 5  # of each kept row; k = 3 and k = 5 are what the metrics ask for by default
SEED = 2020

# (m, d) features and k -> float64 (m, k), distances to the k nearest other rows, ascending
Neighbours = Callable[[NDArray[np.floating], int], F64]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The images that a reference is made from.

    Attributes:
        name: of the reference.
        split: of the dataset, or None.
        source: the images as the user names them.
        source_fingerprint: sha256 over their content and order.
        lossy: how many came from lossy files.
        command: what the user ran.
        notes: conversions on the way, images left out.
    """

    name: str
    split: str | None
    source: str
    source_fingerprint: str
    lossy: int = 0
    command: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Keep:
    """What a reference keeps beside its moments.

    Attributes:
        features: at most so many feature rows, drawn with `seed`; None for all, 0 for none.
        dtype: "float32", or "float16" to halve the file; 11 bits of each value then remain.
        neighbours: distances to so many nearest rows are kept for each row.
        seed: of the draw.
    """

    features: int | None = MAX_FEATURES
    dtype: str = "float32"
    neighbours: int = NEIGHBOURS
    seed: int = SEED


def drawn(n: int, keep: Keep) -> NDArray[np.int64] | None:
    """Which of n images' features are kept, ascending, int64 (m,); None for all."""
    if keep.features is None or n <= keep.features:
        return None
    rows = np.random.default_rng([keep.seed, 0x5EF]).choice(n, keep.features, replace=False)
    return np.sort(rows).astype(np.int64)


def build_reference(
    origin: Origin,
    heads: Mapping[str, Features],
    *,
    protocol: Protocol,
    keep: Keep | None = None,
    indices: NDArray[np.int64] | None = None,
    labels: NDArray[np.int64] | None = None,
    neighbours: Neighbours | None = None,
) -> Reference:
    """Makes a reference of what one pass over the real images gave.

    Args:
        origin: the images.
        heads: features by head: values of all n images, or of those at `indices`, or moments only.
        protocol: under which they were extracted.
        keep: what to keep; the defaults are those of references in the user's store.
        indices: positions of the rows that `heads` hold, where they are not all: what `drawn` gave.
        labels: the class of each of the n images, where they have any.
        neighbours: finds the nearest rows of the kept features of the protocol's head. Without it none are kept.

    Raises:
        BadInput: a feature is too large for float16.
    """
    keep = keep or Keep()
    n = heads.get(protocol.head, next(iter(heads.values()))).n
    chosen = indices if indices is not None else drawn(n, keep)
    finders = {protocol.head: neighbours}
    kept = {name: _kept(head, chosen, keep, finders.get(name)) for name, head in heads.items()}
    fingerprint, info = described(origin, n, protocol=protocol, keep=keep, chosen=chosen)
    has_rows = any(head.values is not None for head in kept.values())
    classes = labels if labels is None or chosen is None else labels[chosen]
    if classes is not None and has_rows:
        info["labels_sha256"] = labels_sha256(classes)
    return Reference(
        origin.name,
        origin.split,
        n,
        protocol.fingerprint,
        kept,
        fingerprint,
        indices=chosen if has_rows else None,
        labels=classes if has_rows else None,
        info=info,
    )


def described(
    origin: Origin, n: int, *, protocol: Protocol, keep: Keep, chosen: NDArray[np.int64] | None
) -> tuple[str, dict[str, Any]]:
    """Fingerprint and info of the reference that n images give, before there is one."""
    recipe = {
        "images": origin.source_fingerprint,
        "n": n,
        "protocol": protocol.fingerprint,
        "features": n if chosen is None else len(chosen),
        "dtype": keep.dtype,
        "seed": None if chosen is None else keep.seed,
    }
    info = {
        "protocol": protocol.record(),
        "source": origin.source,
        "source_fingerprint": origin.source_fingerprint,
        "lossy": origin.lossy,
        "notes": list(origin.notes),
        "drawn": recipe["features"],
        "seed": recipe["seed"],
        "versions": versions(),
        "command": origin.command,
    }
    return canonical_sha256(recipe), info


def _kept(
    head: Features, chosen: NDArray[np.int64] | None, keep: Keep, neighbours: Neighbours | None
) -> ReferenceFeatures:
    n, values = head.n, head.values
    if values is not None and chosen is not None and len(values) == n:
        # Moments of all images must not come from the rows that stay.
        head, values = Features(values, moments=head.moments), values[chosen]
    assert values is None or chosen is None or len(values) == len(chosen), "as many rows as indices"
    if values is None or keep.features == 0:
        return ReferenceFeatures(moments=head.moments)
    moments = None if chosen is None and n <= head.d and keep.dtype == "float32" else head.moments
    if keep.dtype == "float16":
        values = _halved(values)
    near = None
    if neighbours is not None and len(values) > keep.neighbours:
        near = neighbours(values, keep.neighbours)
    return ReferenceFeatures(values, moments=moments, neighbours=near)


def _halved(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """The values as they come back from float16, float32 (m, d)."""
    if np.abs(values).max() > np.finfo(np.float16).max:
        raise BadInput("A feature is beyond the range of float16 (65504). Keep this reference as float32.")
    return values.astype(np.float16).astype(np.float32)
