"""The only extraction loop: a stream of images through the network once, and all that any metric needs out of it."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadImage, BadInput
from ganbench.features.moments import MomentsStream
from ganbench.features.rows import Rows
from ganbench.features.stats import Features
from ganbench.images.source import Image, ImageSource, fingerprint_of
from ganbench.images.stream import stream
from ganbench.progress import Progress, silent

BATCH = 32


class Extracts(Interface):
    """What the loop asks of an extractor."""

    @property
    def heads(self) -> Mapping[str, int]:
        """Width of each head."""
        ...

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> Mapping[str, NDArray[np.float32]]:
        """uint8 RGB images (3, h, w), sizes mixed, to float32 (n, width) for each head."""
        ...


class NoNetwork(Extracts):
    """For passes that only look at the images: their fingerprint, what is equal, what had to be converted."""

    heads: Mapping[str, int] = MappingProxyType({})

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> Mapping[str, NDArray[np.float32]]:  # noqa: ARG002
        """Nothing."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be kept of a pass.

    Attributes:
        values: heads whose float32 features are kept.
        moments: heads of which float64 moments are accumulated. Where there are fewer images than features
            the values are kept instead: they are smaller, and the exact form needs them.
        rows: positions in the pass whose features are kept; all where None.
        pictures: positions in the source whose decoded images are kept.
        seed: decides the random parts for the jackknife.
    """

    values: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()
    rows: frozenset[int] | None = None
    pictures: frozenset[int] = frozenset()
    seed: int = 2020


@dataclass(kw_only=True)
class Extraction:
    """The outcome of one pass.

    Attributes:
        features: by head.
        fingerprint: of the images that were used, in order.
        used: positions in the source, in the order of the rows.
        skipped: names of images passed over because they could not be read.
        notes: conversions with the number of images concerned: {"RGBA laid over white": 12}.
        lossy: number of images that came from lossy files.
        duplicates: number of images whose pixels are those of an earlier one.
        pictures: the images that were to be kept, by position.
    """

    features: dict[str, Features]
    fingerprint: str
    used: NDArray[np.int64]
    skipped: list[str]
    notes: Counter[str]
    lossy: int
    duplicates: int
    pictures: dict[int, Image] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of images used."""
        return len(self.used)


class RowKeeper(ABC):
    """Where rows of one head go, in order, and come back from."""

    d: int

    @abstractmethod
    def append(self, rows: NDArray[np.floating]) -> None:
        """Takes in (m, d) rows."""

    @abstractmethod
    def finish(self) -> NDArray[np.float32]:
        """All rows so far, (n, d)."""


class Pass:
    """One pass in progress: takes decoded images in, gives an Extraction at the end.

    Args:
        extractor: the network.
        wanted: what to keep for the metrics.
        keepers: by head, where all rows go besides.
    """

    def __init__(self, extractor: Extracts, wanted: Wanted, *, keepers: Mapping[str, RowKeeper] | None = None) -> None:
        self.extractor, self.wanted = extractor, wanted
        self._keepers = dict(keepers or {})
        heads = sorted(wanted.values | wanted.moments)
        self._sinks = {head: _Sink(extractor.heads[head], head, wanted, self._keepers.get(head)) for head in heads}
        self._digests: list[bytes] = []
        self._used: list[int] = []
        self._notes: Counter[str] = Counter()
        self._lossy = 0
        self._pictures: dict[int, Image] = {}
        self.skipped: list[str] = []

    @property
    def n(self) -> int:
        """Images taken in so far."""
        return len(self._used)

    def take(self, images: Sequence[Image]) -> None:
        """Runs one batch through the network and keeps what is wanted.

        Raises BadInput where the network gives values that are not finite.
        """
        features = self.extractor([image.pixels for image in images])
        for head, keeper in self._keepers.items():
            keeper.append(features[head])
        for head, sink in self._sinks.items():
            sink.take(features[head])
        for image in images:
            self._digests.append(image.digest)
            self._used.append(image.index)
            self._notes.update(image.notes)
            self._lossy += image.lossy
            if image.index in self.wanted.pictures:
                self._pictures[image.index] = image

    def finish(self, name: str, *, final: bool = True) -> Extraction:
        """The outcome so far. Raises BadInput where fewer than two images came; `name` is theirs.

        With `final` false more may be taken in afterwards; the sums are then copied.
        """
        if self.n < 2:
            raise BadInput(
                f"{name}: found {self.n} usable image(s); at least 2 are needed, and thousands for a steady number."
            )
        return Extraction(
            features={head: sink.finish(final) for head, sink in self._sinks.items()},
            fingerprint=fingerprint_of(iter(self._digests)),
            used=np.array(self._used, dtype=np.int64),
            skipped=list(self.skipped),
            notes=self._notes.copy(),
            lossy=self._lossy,
            duplicates=len(self._digests) - len(set(self._digests)),
            pictures=dict(self._pictures),
        )


class _Sink:
    """Where the features of one head go: into moments, into rows, or both.

    A keeper of all rows, where there is one, gives them back at the end: they are not held twice.
    """

    def __init__(self, d: int, head: str, wanted: Wanted, keeper: RowKeeper | None) -> None:
        self.d, self.seed = d, wanted.seed
        self.n = 0
        self.chosen = wanted.rows
        self.keeper = keeper if head in wanted.values and wanted.rows is None else None
        self.rows: Rows | None = Rows(d) if head in wanted.values and self.keeper is None else None
        self.early: list[NDArray[np.float32]] = []  # until there are as many rows as columns
        self.moments = MomentsStream(d, seed=self.seed) if head in wanted.moments else None

    def take(self, rows: NDArray[np.float32]) -> None:
        if not np.isfinite(rows).all():
            raise BadInput(
                "The network gave features that are NaN or infinite. Images hold only integers: check the weights."
            )
        if self.moments is not None:
            self.moments.update(rows)
            if self.n < self.d:
                self.early.append(rows)
        if self.rows is not None:
            mine = [i for i in range(len(rows)) if self.chosen is None or self.n + i in self.chosen]
            self.rows.append(rows[mine])
        self.n += len(rows)
        if self.n >= self.d:
            self.early.clear()

    def finish(self, final: bool) -> Features:
        if self.early and self.n < self.d:
            return Features(np.concatenate(self.early), seed=self.seed)
        rows = self.rows or self.keeper
        values = rows.finish() if rows is not None else None
        if self.moments is None:
            return Features(values, seed=self.seed)
        stream = self.moments if final else deepcopy(self.moments)
        moments, groups = stream.finish()
        return Features(values, moments=moments, groups=groups, seed=self.seed)


def extract(
    source: ImageSource,
    extractor: Extracts,
    wanted: Wanted,
    *,
    indices: Sequence[int] | None = None,
    batch_size: int | None = None,
    on_bad: Callable[[BadImage], None] | None = None,
    progress: Progress = silent,
    stage: str = "extracting",
    keepers: Mapping[str, RowKeeper] | None = None,
) -> Extraction:
    """Runs the images of a source through the network, once, decoding ahead in threads.

    Memory does not grow with the number of images where only moments are wanted; features beyond 512 MiB lie
    in a temporary file. Rows are in the order of the source whatever the batch size.

    Args:
        source: the images.
        extractor: the network with its preprocessing.
        wanted: what to keep.
        indices: positions to use, ascending; all where None.
        batch_size: images per network call; no result depends on it beyond float32 rounding.
        on_bad: called with each image that cannot be read, which is then left out; None raises at the first.
        progress: told the number of images done.
        stage: what to call the work.
        keepers: by head, where all rows go besides.

    Raises:
        BadInput: fewer than two images can be used, or the network gave values that are not finite.
        BadImage: an image cannot be read and `on_bad` is None.
    """
    positions = range(len(source)) if indices is None else indices
    running = Pass(extractor, wanted, keepers=keepers)

    def passed_over(error: BadImage) -> None:
        assert on_bad is not None
        running.skipped.append(str(error))
        on_bad(error)

    images = stream(source, positions, on_bad=passed_over if on_bad else None)
    progress(stage, 0, len(positions))
    for batch in _batches(images, batch_size or BATCH):
        running.take(batch)
        progress(stage, running.n + len(running.skipped), len(positions))
    return running.finish(source.name)


def _batches(images: Iterable[Image], size: int) -> Iterator[list[Image]]:
    iterator = iter(images)
    while batch := list(islice(iterator, size)):
        yield batch
