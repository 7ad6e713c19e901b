"""A reference: what is known of the real images under one protocol, so that they need not be looked at again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.stats import F64, Features, Moments
from ganbench.images.classes import labels_sha256
from ganbench.protocol import Protocol
from ganbench.provenance import versions
from ganbench.serialize import canonical_sha256

MAX_FEATURES = 10_000
NEIGHBOURS = 5  # of each kept row; k = 3 and k = 5 are what the metrics ask for by default
SEED = 2020
_BLOCK = 4096

# moments -> R, float64 (d, r), with cov = R Rᵀ
Factors = Callable[[Moments], F64]
# (m, d) features and k -> float64 (m, k), distances to the k nearest other rows, ascending
Neighbours = Callable[[NDArray[np.floating], int], F64]


class ReferenceFeatures(Features):
    """Features of a reference at one head. The factor of the covariance may come from a cache.

    Args:
        values: as in Features.
        moments: as in Features; None only where `values` are of all images.
        neighbours: as in Features.
        factors: gives the factor of these moments, from a cache or by making it.
    """

    def __init__(
        self,
        values: NDArray[np.floating] | None = None,
        *,
        moments: Moments | None = None,
        neighbours: F64 | None = None,
        factors: Factors | None = None,
    ) -> None:
        super().__init__(values, moments=moments, neighbours=neighbours)
        self._factors = factors or root

    @cached_property
    def factor(self) -> F64:
        """R, (d, r), with cov = R Rᵀ, as in Features."""
        return self._factors(self.moments)


def root(moments: Moments) -> F64:
    """R, (d, r), with cov = R Rᵀ, as Features makes it: the making that a cache saves."""
    return Features(moments=moments).factor


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of real images under one protocol.

    Attributes:
        name: how it is asked for.
        split: part of the dataset, or None where there are no parts.
        n: images behind the moments; None where a file does not say.
        protocol_fingerprint: of the protocol that made it; None where a file does not say and the user asserts it.
        heads: what is known, by head of the network.
        fingerprint: of the images, the protocol and what was kept, where the images were at hand: the same on
            every machine. Of the numbers themselves where a file is all there is.
        indices: int64 (m,), positions among the n images whose features are kept; None for all of them.
        labels: int64 (m,), the class of each kept row, where the images had classes.
        info: where it comes from. Among the keys: `protocol`, `source`, `source_fingerprint`, `lossy`, `command`, and
            `labels_sha256` where there are labels.
        used: int64 (n,), positions of the images in their source, where some of it was passed over; None for all.
    """

    name: str
    split: str | None
    n: int | None
    protocol_fingerprint: str | None
    heads: Mapping[str, Features]
    fingerprint: str
    indices: NDArray[np.int64] | None = None
    labels: NDArray[np.int64] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    used: NDArray[np.int64] | None = None

    @property
    def spec(self) -> str:
        """NAME:SPLIT, as `--ref` takes it."""
        return f"{self.name}:{self.split}" if self.split else self.name

    @property
    def protocol_name(self) -> str | None:
        """The name of the protocol that made it, where that is known."""
        protocol = self.info.get("protocol")
        return protocol["name"] if protocol else None

    def check_protocol(self, protocol: Protocol) -> "Reference":
        """Returns itself if it was made with `protocol`, or says nothing of its protocol. Raises UsageError else."""
        if self.protocol_fingerprint in (None, protocol.fingerprint):
            return self
        raise other_protocol(self.spec, [(self.protocol_name, self.protocol_fingerprint)], protocol)

    def asserted(self, name: str, split: str, *, protocol: Protocol, made: str) -> "Reference":
        """The same statistics under a name and a protocol that the user, or who published them, vouches for."""
        return replace(
            self,
            name=name,
            split=split,
            protocol_fingerprint=protocol.fingerprint,
            info={**self.info, "protocol": protocol.record(), "made": made},
        )


def other_protocol(spec: str, found: Sequence[tuple[str | None, str | None]], wanted: Protocol) -> UsageError:
    """The error for statistics that exist, and were made with another protocol."""
    those = ", ".join(f"{name or 'unnamed'} ({(fingerprint or '?')[:12]})" for name, fingerprint in found)
    names = [name for name, _ in found if name and name != wanted.name]
    cure = f"Give --protocol {names[0]}, or make" if names else "Make"
    return UsageError(
        f"{spec!r} has statistics of another protocol: found {those}, wanted {wanted.name} "
        f"({wanted.fingerprint[:12]}). {cure} them from the images: "
        f"ganbench ref make {spec.partition(':')[0]} --from IMAGES --protocol {wanted.name}"
    )


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


def content_sha256(heads: Mapping[str, Features], n: int | None) -> str:
    """sha256 over the numbers of a reference: equal statistics, equal digest, whatever file holds them."""
    digest = hashlib.sha256(b"ganbench.reference/1\n")
    for name in sorted(heads):
        head = heads[name]
        digest.update(f"{name} n={n} d={head.d}\n".encode())
        if head.moments_given:
            digest.update(head.moments.mean.astype("<f8").tobytes())
            digest.update(packed(head.moments.cov).astype("<f8").tobytes())
        if head.values is not None:
            for start in range(0, len(head.values), _BLOCK):
                digest.update(head.values[start : start + _BLOCK].astype("<f4").tobytes())
    return digest.hexdigest()


def packed(cov: F64) -> F64:
    """The upper triangle of a symmetric (d, d) matrix, row by row, (d (d + 1) / 2,)."""
    return np.concatenate([cov[i, i:] for i in range(len(cov))])


def unpacked(triangle: F64, d: int) -> F64:
    """The symmetric (d, d) matrix of an upper triangle."""
    full = np.empty((d, d))
    start = 0
    for i in range(d):
        row = triangle[start : start + d - i]
        full[i, i:] = row
        full[i:, i] = row
        start += d - i
    return full
