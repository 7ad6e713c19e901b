"""Features of samples kept for the next evaluation, found by content: the same images under the same protocol.

An entry is a folder `features/KEY/`: float32 rows in `HEAD.f32`, `used.i64`, what else a pass tells in `entry.json`
(with the sha256 of every file), and the scores made of them in `score-KEY.json`. It appears whole, by a rename, or not
at all. Where the entries outgrow the limit (`GANBENCH_STORE_LIMIT`, 8 GiB), those unused for longest go.

Several processes share the folder without a lock, so whatever is listed may be gone when it is looked at.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ganbench.errors import BadInput, UsageError
from ganbench.features.store_entry import SCHEMA, Entry, Stored
from ganbench.features.store_writing import PART, Writer
from ganbench.places import home
from ganbench.progress import Warn, unheard
from ganbench.serialize import from_json

LIMIT = 8 << 30
_STALE = 24 * 3600  # seconds after which a half-written entry is taken to be abandoned
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class FeatureStore:
    """The entries below one folder.

    Args:
        folder: `features/` in `GANBENCH_HOME` where None.
        warn: told of entries that are damaged, and once where nothing can be written.
    """

    def __init__(self, folder: Path | None = None, *, warn: Warn = unheard) -> None:
        self.folder = home() / "features" if folder is None else folder
        self.warn = warn
        self._refused = False

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
        return Stored(folder, entry, self.warn, self._refuse)

    def drop(self, folder: Path, why: str) -> None:
        """Takes a damaged entry out."""
        self.warn(f"Stored features are damaged and made again: {why}")
        shutil.rmtree(folder, ignore_errors=True)

    def writer(self, key: str, heads: Mapping[str, int], *, n: int) -> Writer | None:
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
            return Writer(self.folder / key, heads, there=lambda: self.find(key) is not None)
        except OSError as error:
            self._refuse(f"Features are not kept for the next run: {self.folder} cannot be written ({error.strerror}).")
            return None

    def _refuse(self, message: str) -> None:
        """Says that something is not kept. The first such note says it for all: each set and metric meets the same."""
        if not self._refused:
            self._refused = True
            self.warn(message)

    def _clear_abandoned(self) -> None:
        for path in self._listed(f"{PART}*"):
            with suppress(OSError):
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
        for path in self._listed("*/entry.json"):
            with suppress(OSError):  # taken out since it was listed, or not for us to read
                yield path.parent, path.parent.stat().st_mtime, _bytes_in(path.parent)

    def _listed(self, pattern: str) -> list[Path]:
        try:
            return list(self.folder.glob(pattern))
        except FileNotFoundError:
            return []

    def usage(self) -> tuple[int, int]:
        """How many entries there are, and their bytes."""
        sizes = [size for _, _, size in self._entries()]
        return len(sizes), sum(sizes)


def _bytes_in(folder: Path) -> int:
    """Bytes of the files in a folder; one that goes while they are counted has none."""
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


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
