"""One entry of the store of features: what lies in its folder, each file checked when it is read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, CorruptFile, GanbenchError
from ganbench.features.extract import Extraction
from ganbench.features.stats import Features
from ganbench.files import sha256_file, write_text
from ganbench.progress import Warn, unheard
from ganbench.results import MetricResult
from ganbench.serialize import from_json, to_json

SCHEMA = "ganbench.features/1"
F32 = NDArray[np.float32]


class CorruptEntry(CorruptFile):
    """Rows of an entry are not those that were written, or are gone: another process may have taken them out.

    Attributes:
        folder: the entry.
    """

    def __init__(self, message: str, *, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


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
    """An entry and the folder that it lies in.

    Attributes:
        folder: where its files are.
        entry: what `entry.json` says.
        warn: told of a score that cannot be read.
        refused: told of a score that cannot be kept.
    """

    folder: Path
    entry: Entry
    warn: Warn = field(default=unheard, compare=False)
    refused: Warn = field(default=unheard, compare=False)

    def rows(self, head: str) -> F32:
        """The kept rows of a head, (n, width), checked against their sha256. Raises CorruptEntry where they differ."""
        shape = (self.entry.n, self.entry.heads[head])
        path = self._checked(f"{head}.f32")
        try:
            return np.memmap(path, dtype="<f4", mode="r", shape=shape)
        except OSError as error:
            raise self._gone(path, error) from error

    def extraction(self, heads: frozenset[str], *, seed: int) -> Extraction:
        """The pass as it was, with the features of some heads. Raises CorruptEntry."""
        e = self.entry
        return Extraction(
            features={head: Features(self.rows(head), seed=seed) for head in sorted(heads)},
            fingerprint=e.fingerprint,
            used=self._used(),
            skipped=list(e.skipped),
            notes=Counter(e.notes),
            lossy=e.lossy,
            duplicates=e.duplicates,
        )

    def _used(self) -> NDArray[np.int64]:
        path = self._checked("used.i64")
        try:
            return np.fromfile(path, dtype="<i8")
        except OSError as error:
            raise self._gone(path, error) from error

    def _checked(self, name: str) -> Path:
        path = self.folder / name
        try:
            found = sha256_file(path)
        except OSError as error:
            raise self._gone(path, error) from error
        if found != self.entry.sha256[name]:
            message = f"{path} is corrupted: its sha256 is {found[:12]}..., another was written."
            raise CorruptEntry(message, folder=self.folder)
        return path

    def _gone(self, path: Path, error: OSError) -> CorruptEntry:
        return CorruptEntry(f"{path} cannot be read ({error.strerror}).", folder=self.folder)

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
        if not self.folder.is_dir():  # taken out meanwhile: a score alone would be an entry that nobody counts
            return
        try:
            write_text(self.folder / f"score-{key}.json", to_json(Scored(dict(results))))
        except GanbenchError as error:
            self.refused(f"Scores are not kept for the next run. {error}")
