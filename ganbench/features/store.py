"""Features of samples kept for the next evaluation, found by content: the same images under the same protocol.

An entry is a folder `features/KEY/`: float32 rows in `HEAD.f32`, `used.i64`, what else a pass tells in `entry.json`
(with the sha256 of every file), and the scores made of them in `score-KEY.json`. It appears whole, by a rename, or not
at all. Where the entries outgrow the limit (`GANBENCH_STORE_LIMIT`, 8 GiB), those unused for longest go.
"""

import hashlib
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, CorruptFile, GanbenchError, UsageError
from ganbench.features.extract import Extraction, RowKeeper
from ganbench.features.stats import Features
from ganbench.files import sha256_file, write_text
from ganbench.places import home
from ganbench.progress import Warn, unheard
from ganbench.results import MetricResult
from ganbench.serialize import from_json, to_json

SCHEMA = "ganbench.features/1"
LIMIT = 8 << 30
_STALE = 24 * 3600  # seconds after which a half-written entry is taken to be abandoned
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
F32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of one pass: `entry.json`.

    Attributes:
        heads: width of each head whose rows are kept.
        sha256: of each file beside it.
        n: images used.
        fingerprint, skipped, notes, lossy, duplicates: as in Extraction.
        environment: what ran the network.
    """

    schema: str = SCHEMA
    heads: dict[str, int]
    sha256: dict[str, str]
    n: int
    fingerprint: str
    skipped: list[str]
    notes: dict[str, int]
    lossy: int
    duplicates: int
    environment: dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """What one metric gave: `score-KEY.json`."""

    results: dict[str, MetricResult]


@dataclass(frozen=True)
class Stored:
    """An entry and the folder that it lies in."""

    folder: Path
    entry: Entry
    warn: Warn = field(default=unheard, compare=False)

    def rows(self, head: str) -> F32:
        """The kept rows of a head, (n, width), checked against their sha256. Raises CorruptFile where they differ."""
        shape = (self.entry.n, self.entry.heads[head])
        return np.memmap(self._checked(f"{head}.f32"), dtype="<f4", mode="r", shape=shape)

    def extraction(self, heads: frozenset[str], *, seed: int) -> Extraction:
        """The pass as it was, with the features of some heads. Raises CorruptFile."""
        e = self.entry
        return Extraction(
            features={head: Features(self.rows(head), seed=seed) for head in sorted(heads)},
            fingerprint=e.fingerprint,
            used=np.fromfile(self._checked("used.i64"), dtype="<i8"),
            skipped=list(e.skipped),
            notes=Counter(e.notes),
            lossy=e.lossy,
            duplicates=e.duplicates,
        )

    def _checked(self, name: str) -> Path:
        path = self.folder / name
        try:
            found = sha256_file(path)
        except OSError as error:
            raise CorruptFile(f"{path} cannot be read ({error.strerror}).") from error
        if found != self.entry.sha256[name]:
            raise CorruptFile(f"{path} is corrupted: its sha256 is {found[:12]}..., another was written.")
        return path

    def score(self, key: str) -> dict[str, MetricResult] | None:
        """What a metric gave of these features before; None where it has not been asked, or cannot be read."""
        path = self.folder / f"score-{key}.json"
        try:
            return from_json(Scored, path.read_bytes(), where=str(path)).results
        except FileNotFoundError:
            return None
        except (OSError, BadInput) as error:
            self.warn(f"A stored score cannot be read and is made again ({error}).")
            return None

    def keep_score(self, key: str, results: Mapping[str, MetricResult]) -> None:
        """Keeps what a metric gave; where that cannot be done, it is said."""
        try:
            write_text(self.folder / f"score-{key}.json", to_json(Scored(dict(results))))
        except GanbenchError as error:
            self.warn(f"A score is not kept for the next run. {error}")


class FeatureStore:
    """The entries below one folder.

    Args:
        folder: `features/` in `GANBENCH_HOME` where None.
        warn: told of entries that are damaged.
    """

    def __init__(self, folder: Path | None = None, *, warn: Warn = unheard) -> None:
        self.folder = home() / "features" if folder is None else folder
        self.warn = warn

    def find(self, key: str) -> Stored | None:
        """The entry of that key, marked as used now; None where there is none that can be read."""
        folder = self.folder / key
        path = folder / "entry.json"
        try:
            entry = from_json(Entry, path.read_bytes(), where=str(path))
            if entry.schema != SCHEMA:
                return None
        except BadInput as error:
            self.drop(folder, f"{error}")
            return None
        except OSError:  # there is none, or it is not for us to read
            return None
        with suppress(OSError):  # another's store may be read without leave to write in it
            os.utime(folder)
        return Stored(folder, entry, self.warn)

    def drop(self, folder: Path, why: str) -> None:
        """Takes a damaged entry out."""
        self.warn(f"Stored features are damaged and made again: {why}")
        shutil.rmtree(folder, ignore_errors=True)

    def writer(self, key: str, heads: Mapping[str, int], *, n: int) -> "Writer | None":
        """Where the rows of a new entry go. None where n rows are beyond the limit, or the disk has no room for them.

        Raises UsageError where `GANBENCH_STORE_LIMIT` is no size.
        """
        need, most = 4 * n * sum(heads.values()), limit()
        if need > most or not most:
            if most:
                self.warn(f"The features ({need / 1e9:.1f} GB) are beyond the store's limit and will not be kept.")
            return None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            if free < 2 * need:
                self.warn(f"Features are not kept for the next run: {self.folder} has {free / 1e9:.1f} GB left.")
                return None
            self._clear_abandoned()
            self._make_room(most - need)
            return Writer(self, key, heads)
        except OSError as error:
            self.warn(f"Features are not kept for the next run: {self.folder} cannot be written ({error.strerror}).")
            return None

    def _clear_abandoned(self) -> None:
        for path in self.folder.glob(".part-*"):
            if time.time() - path.stat().st_mtime > _STALE:
                shutil.rmtree(path, ignore_errors=True)

    def _make_room(self, allowed: int) -> None:
        """Takes out the entries unused for longest until those that stay have `allowed` bytes or fewer."""
        entries = sorted(self._entries(), key=lambda found: found[1])
        total = sum(size for _, _, size in entries)
        for folder, _, size in entries:
            if total <= allowed:
                return
            shutil.rmtree(folder, ignore_errors=True)
            total -= size

    def _entries(self) -> Iterator[tuple[Path, float, int]]:
        """Folder, time of last use, bytes of each entry."""
        for path in self.folder.glob("*/entry.json"):
            files = [each.stat().st_size for each in path.parent.iterdir()]
            yield path.parent, path.parent.stat().st_mtime, sum(files)

    def usage(self) -> tuple[int, int]:
        """How many entries there are, and their bytes."""
        sizes = [size for _, _, size in self._entries()]
        return len(sizes), sum(sizes)


def limit() -> int:
    """Bytes that the entries may have together: `GANBENCH_STORE_LIMIT`, such as 20G; 0 keeps nothing.

    Raises UsageError where that is no size.
    """
    given = os.environ.get("GANBENCH_STORE_LIMIT", "").strip().upper()
    if not given:
        return LIMIT
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", given)
    if not found:
        raise UsageError(f"GANBENCH_STORE_LIMIT is {given!r}; wanted a size such as 500M or 20G, or 0 to keep nothing.")
    return int(float(found[1]) * _UNITS[found[2]])


class StoreFailed(GanbenchError):
    """Something could not be kept. The numbers can be had without the store."""


@contextmanager
def _keeping(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"Features are not kept for the next run: {path} could not be written ({error}).") from error


class Writer:
    """An entry in the making: rows by head, in order. As a context it leaves nothing behind of one without an end."""

    def __init__(self, store: FeatureStore, key: str, heads: Mapping[str, int]) -> None:
        self._store, self._key = store, key
        self._folder = store.folder / f".part-{token_hex(8)}"
        self._folder.mkdir()
        self.keepers = {head: _File(self._folder / f"{head}.f32", width) for head, width in heads.items()}

    def finish(self, extraction: Extraction, environment: Mapping[str, Any]) -> None:
        """Puts the entry in its place. Raises StoreFailed where that cannot be done."""
        with _keeping(self._folder):
            used = extraction.used.astype("<i8").tobytes()
            (self._folder / "used.i64").write_bytes(used)
            hashes = {f"{head}.f32": keeper.close() for head, keeper in self.keepers.items()}
            entry = Entry(
                heads={head: keeper.d for head, keeper in self.keepers.items()},
                sha256=hashes | {"used.i64": hashlib.sha256(used).hexdigest()},
                n=extraction.n,
                fingerprint=extraction.fingerprint,
                skipped=extraction.skipped,
                notes=dict(extraction.notes),
                lossy=extraction.lossy,
                duplicates=extraction.duplicates,
                environment=dict(environment),
            )
            (self._folder / "entry.json").write_text(to_json(entry), encoding="utf-8")
            target = self._store.folder / self._key
            if self._store.find(self._key) is None:
                shutil.rmtree(target, ignore_errors=True)  # what is left of one that was taken out, but not to its end
                try:
                    os.rename(self._folder, target)
                except FileExistsError:
                    pass  # another process was faster with the same
                except OSError:
                    if not target.exists():
                        raise

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self.abandon()

    def abandon(self) -> None:
        """Leaves nothing behind of an entry that did not get to its end."""
        for keeper in self.keepers.values():
            keeper.leave()
        shutil.rmtree(self._folder, ignore_errors=True)


class _File(RowKeeper):
    """Rows of one head in a file; hashed as they go by."""

    def __init__(self, path: Path, d: int) -> None:
        self.d, self.n = d, 0
        self._path = path
        self._file: IO[bytes] = path.open("w+b")
        self._digest = hashlib.sha256()

    def append(self, rows: NDArray[np.floating]) -> None:
        """Takes in (m, d) rows. Raises StoreFailed where the disk is full."""
        data = np.ascontiguousarray(rows, dtype="<f4").data
        with _keeping(self._path):
            self._file.write(data)
        self._digest.update(data)
        self.n += len(rows)

    def finish(self) -> F32:
        """All rows so far, (n, d), as a map of the file."""
        with _keeping(self._path):
            self._file.flush()
        return np.memmap(self._file, dtype="<f4", mode="r", shape=(self.n, self.d))

    def close(self) -> str:
        """Brings the rows to the disk. Returns their sha256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def leave(self) -> None:
        """Closes the file, if it is not yet; maps of it stay."""
        self._file.close()
