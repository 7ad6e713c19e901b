"""An entry of the store of features in the making: written beside its place, and put there whole."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import GanbenchError
from ganbench.features.extract import Extraction, RowKeeper
from ganbench.features.store_entry import F32, Entry
from ganbench.serialize import to_json

PART = ".part-"  # what the names of entries in the making begin with


class StoreFailed(GanbenchError):
    """Something could not be kept. The numbers can be had without the store."""


@contextmanager
def _keeping(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"Features are not kept for the next run: {path} could not be written ({error}).") from error


class Writer:
    """An entry in the making: rows by head, in order. As a context it leaves nothing behind of one without an end.

    Args:
        target: the folder that the entry becomes.
        heads: width of each head.
        there: whether the entry can be read there already: another process may have been faster.
    """

    def __init__(self, target: Path, heads: Mapping[str, int], *, there: Callable[[], bool]) -> None:
        self._target, self._there = target, there
        self._folder = target.with_name(f"{PART}{token_hex(8)}")
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
            if not self._there():
                self._put()

    def _put(self) -> None:
        shutil.rmtree(self._target, ignore_errors=True)  # what is left of one that was taken out, but not to its end
        try:
            os.rename(self._folder, self._target)
        except FileExistsError:
            pass  # another process was faster with the same
        except OSError:
            if not self._target.exists():
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
