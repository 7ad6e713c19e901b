"""References as files: `NAME-SPLIT-PROTOCOL.npz` with the numbers and a `.json` side-car with where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, CorruptFile
from ganbench.features.moments import F64, Moments
from ganbench.features.npz import NpzFile, open_npz, write_npz
from ganbench.features.reference_content import content_sha256, packed, unpacked
from ganbench.features.references import Factors, Reference, ReferenceFeatures, root
from ganbench.features.stats import Features
from ganbench.files import atomic_write, locked, sha256_file, write_text
from ganbench.progress import Warn
from ganbench.serialize import from_json, to_json

SCHEMA = "ganbench.reference/1"
MAX_WIDTH = 16_384  # of features; their covariance then takes 2 GiB
_MAX_ROWS_BYTES = 1 << 36
_MAX_SIDECAR = 1 << 20


@dataclass(frozen=True, kw_only=True)
class HeadRecord:
    """What a file holds of one head: the width, whether moments are stored, and how many feature rows."""

    width: int
    moments: bool
    rows: int
    dtype: str
    neighbours: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """The side-car of a file of statistics.

    Attributes:
        sha256: of the npz beside it; `size` is its length in bytes.
        content_sha256: of the numbers in it, whatever file holds them.
        fingerprint, n, name, split: as in Reference.
        info: where the numbers come from, as in Reference.
    """

    schema: str = SCHEMA
    name: str
    split: str
    n: int | None
    fingerprint: str
    content_sha256: str
    sha256: str
    size: int
    heads: dict[str, HeadRecord]
    info: dict[str, Any]

    @property
    def protocol(self) -> tuple[str, str]:
        """Name and fingerprint of the protocol that made it."""
        return str(self.info["protocol"]["name"]), str(self.info["protocol"]["fingerprint"])


@dataclass(frozen=True)
class Stored:
    """A file of statistics and its side-car."""

    path: Path
    record: Record


def stem(name: str, split: str, protocol: Mapping[str, object]) -> str:
    """The file name, without suffix. Weights of the user's own get a name apart from the published ones."""
    apart = "" if protocol["weights_verified"] else f"-{str(protocol['fingerprint'])[:8]}"
    return f"{name}-{split}-{protocol['name']}{apart}"


def save(reference: Reference, folder: Path) -> Path:
    """Writes a reference into a folder, atomically, and returns the path of the npz.

    The same reference gives the same bytes. Features that float16 holds exactly are stored so.

    Raises:
        GanbenchError: the disk is full. UsageError: the folder cannot be written.
    """
    assert reference.protocol_fingerprint is not None
    assert reference.split is not None
    path = folder / f"{stem(reference.name, reference.split, reference.info['protocol'])}.npz"
    arrays = _arrays(reference)
    with locked(path):
        with atomic_write(path) as file:
            write_npz(file, arrays)
        record = Record(
            name=reference.name,
            split=reference.split,
            n=reference.n,
            fingerprint=reference.fingerprint,
            content_sha256=content_sha256(reference.heads, reference.n),
            sha256=sha256_file(path),
            size=path.stat().st_size,
            heads={name: _described(name, head, arrays) for name, head in reference.heads.items()},
            info=dict(reference.info),
        )
        write_text(path.with_suffix(".json"), to_json(record) + "\n")
    return path


def _arrays(reference: Reference) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"n": np.array(reference.n or 0, dtype="<i8")}
    if reference.indices is not None:
        arrays["indices"] = reference.indices.astype("<i8")
    if reference.labels is not None:
        arrays["labels"] = reference.labels.astype("<i8")
    for name, head in sorted(reference.heads.items()):
        if head.moments_given:
            arrays[f"{name}_mean"] = head.moments.mean.astype("<f8")
            arrays[f"{name}_cov"] = packed(head.moments.cov).astype("<f8")
        if head.values is not None:
            arrays[f"{name}_features"] = _smallest(head.values)
            if head.neighbours is not None:
                arrays[f"{name}_neighbours"] = head.neighbours.astype("<f8")
    return arrays


def _smallest(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """float16 where that changes no value, else float32."""
    with np.errstate(over="ignore"):
        half = values.astype("<f2")
    return half if np.array_equal(half.astype(np.float32), values) else values.astype("<f4")


def _described(name: str, head: Features, arrays: Mapping[str, NDArray[Any]]) -> HeadRecord:
    values, near = arrays.get(f"{name}_features"), arrays.get(f"{name}_neighbours")
    return HeadRecord(
        width=head.d,
        moments=f"{name}_mean" in arrays,
        rows=0 if values is None else len(values),
        dtype="" if values is None else values.dtype.name,
        neighbours=0 if near is None else near.shape[1],
    )


def read_record(path: Path) -> Record:
    """The side-car of an npz. Raises CorruptFile where it is absent or not as it was written."""
    sidecar = path.with_suffix(".json")
    try:
        if sidecar.stat().st_size > _MAX_SIDECAR:
            raise CorruptFile(f"{sidecar} is larger than any side-car of statistics. Make the reference again.")
        record = from_json(Record, sidecar.read_bytes(), where=str(sidecar))
        _ = record.protocol
    except (BadInput, KeyError, TypeError) as error:
        raise CorruptFile(f"{sidecar} is no side-car of statistics ({error}). Make the reference again.") from error
    except OSError as error:
        raise CorruptFile(f"{path} has no readable side-car {sidecar.name} ({error.strerror}).") from error
    if record.schema != SCHEMA:
        raise CorruptFile(f"{sidecar} is of schema {record.schema!r}, this ganbench reads {SCHEMA!r}. Make it again.")
    return record


def stored_in(folder: Path, *, warn: Warn) -> list[Stored]:
    """All statistics in a folder, by file name. A side-car that cannot be read is told and passed over."""
    found = []
    for sidecar in sorted(folder.glob("*.json")):
        try:
            found.append(Stored(sidecar.with_suffix(".npz"), read_record(sidecar.with_suffix(".npz"))))
        except CorruptFile as error:
            warn(str(error))
    return found


def check_bytes(path: Path) -> Record:
    """Compares a file with the sha256 in its side-car, which it returns. Raises CorruptFile where they differ."""
    record = read_record(path)
    try:
        size = path.stat().st_size
        found = sha256_file(path) if size == record.size else ""
    except OSError as error:
        raise CorruptFile(f"{path} cannot be read ({error.strerror}), and its side-car is there.") from error
    if size != record.size:
        raise CorruptFile(f"{path} is corrupted: it has {size} bytes, {record.size} were written.")
    if found != record.sha256:
        raise CorruptFile(f"{path} is corrupted: its sha256 is {found[:12]}..., {record.sha256[:12]}... was written.")
    return record


def load(path: Path, *, factors: Factors = root) -> Reference:
    """Reads a reference back, checked against its side-car.

    Args:
        path: the npz.
        factors: gives the factor of a covariance when it is asked for: a FactorCache, or `root` to make it each time.

    Raises:
        CorruptFile: the bytes are not those that were written, or the arrays do not fit each other.
    """
    record = check_bytes(path)
    try:
        with open_npz(path) as file:
            indices, labels = _whole_numbers(file, "indices"), _whole_numbers(file, "labels")
            heads = {name: _head(file, name, head, record, factors) for name, head in record.heads.items()}
    except BadInput as error:
        raise CorruptFile(f"{error} Its side-car does not describe it: make the reference again.") from error
    return Reference(
        name=record.name,
        split=record.split,
        n=record.n,
        protocol_fingerprint=record.protocol[1],
        heads=heads,
        fingerprint=record.fingerprint,
        indices=indices,
        labels=labels,
        info=record.info,
    )


def _whole_numbers(file: NpzFile, name: str) -> NDArray[np.int64] | None:
    if name not in file.names:
        return None
    return file.read(name, kind="iu", shape=(None,), limit=_MAX_ROWS_BYTES).astype(np.int64)


def _head(file: NpzFile, name: str, head: HeadRecord, record: Record, factors: Factors) -> ReferenceFeatures:
    d = head.width
    if not 1 <= d <= MAX_WIDTH:
        raise BadInput(f"{file.path}: features of width {d}; at most {MAX_WIDTH} are read.")
    moments = values = neighbours = None
    if head.moments:
        mean: F64 = file.read(f"{name}_mean", kind="f", shape=(d,), limit=8 * d).astype(np.float64)
        half = d * (d + 1) // 2
        triangle = file.read(f"{name}_cov", kind="f", shape=(half,), limit=8 * half).astype(np.float64, copy=False)
        moments = Moments(record.n or 0, mean, unpacked(triangle, d))
    if head.rows:
        limit = 4 * head.rows * d
        stored = file.read(f"{name}_features", kind="f", shape=(head.rows, d), limit=limit)
        values = stored.astype(np.float32, copy=False)
    if head.neighbours:
        shape = (head.rows, head.neighbours)
        neighbours = file.read(f"{name}_neighbours", kind="f", shape=shape, limit=8 * shape[0] * shape[1])
    if moments is None and values is None:
        raise BadInput(f"{file.path}: head {name!r} has neither moments nor features.")
    return ReferenceFeatures(values, moments=moments, neighbours=neighbours, factors=factors)


def content_matches(reference: Reference, record: Record) -> bool:
    """Whether the numbers are those that the side-car's `content_sha256` names."""
    return content_sha256(reference.heads, reference.n) == record.content_sha256
