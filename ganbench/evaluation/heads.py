"""Features by head, read from the store when a metric first asks for them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ganbench.features.extract import Extraction
from ganbench.features.stats import Features
from ganbench.features.store_entry import Stored


class Heads(Mapping[str, Features]):
    """The features of one pass by head: those that it kept in memory, and those in the store.

    Args:
        extraction: the pass.
        stored: what the store has of it.
        seed: decides the random parts for the jackknife.
    """

    def __init__(self, extraction: Extraction, stored: Sequence[Stored], *, seed: int) -> None:
        self._found = dict(extraction.features)
        self._places = {head: each for each in stored for head in each.entry.heads}
        self._seed = seed

    def __getitem__(self, head: str) -> Features:
        if head not in self._found:
            self._found[head] = Features(self._places[head].rows(head), seed=self._seed)
        return self._found[head]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._found, *self._places}))

    def __len__(self) -> int:
        return len({*self._found, *self._places})

    @property
    def folders(self) -> list[Path]:
        """Where the store has them."""
        return [each.folder for each in self._places.values()]
