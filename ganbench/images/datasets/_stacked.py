"""Three gray images as the red, green and blue of one: 1,000 modes out of ten classes, for counting the modes reached.

PacGAN's stacked MNIST with two departures: the images come from the train split alone (there also from the test
split), and are padded to 32 x 32. Their number, 128,000, is PacGAN's.
"""

from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.images.datasets._base import Dataset
from ganbench.images.indexed import IndexedSource, Labels
from ganbench.images.source import ImageSource, Pixels
from ganbench.progress import Progress

N = 128_000
BORDER = 2  # black pixels on each side
_SEED = 2020


class StackedDataset(Dataset):
    """A dataset of triples. Subclasses name the dataset of gray images, 28 x 28 in ten classes, that they come from.

    Class attributes: the name, and the dataset.
    """

    splits: ClassVar[tuple[str, ...]] = ("train",)
    name: ClassVar[str]
    base: ClassVar[type[Dataset]]

    @classmethod
    def locate(cls, split: str) -> Path | None:
        """The file of the gray images."""
        return cls.base.locate(split)

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        """The triples, in the order in which they were drawn. Needs no file of its own."""
        source = cls.base.find(split)
        return None if source is None else stacked(source, name=f"{cls.name}:{split}")

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:
        """Fetches the gray images."""
        cls.base.download(split, progress=progress)


def triples(n: int) -> NDArray[np.int64]:
    """Which three of n images are the channels of each stacked one, (128000, 3): always the same draw."""
    return np.random.default_rng([_SEED, n]).integers(n, size=(N, 3))


def stacked(source: ImageSource, *, name: str) -> ImageSource:
    """Triples of a source's images, 3 x 32 x 32; of the classes a, b, c the class is 100 a + 10 b + c."""
    draw = triples(len(source))
    gray = _Gray(source)

    def labels() -> Labels:
        if source.labels is None:
            raise BadInput(
                f"{source.name} comes without labels, from which the classes of {name} are made. Get it anew."
            )
        classes: Labels = source.labels[draw] @ np.array([100, 10, 1])
        return classes

    return IndexedSource(name, N, read=partial(_stack, gray, draw), labels=labels)


def _stack(gray: "_Gray", draw: NDArray[np.int64], index: int) -> Pixels:
    channels = gray.pixels[draw[index]]
    return np.pad(channels.transpose(1, 2, 0), ((BORDER, BORDER), (BORDER, BORDER), (0, 0)))


class _Gray:
    """All images of a source in memory, read once when the first is wanted: a gzipped file has no order but its own."""

    def __init__(self, source: ImageSource) -> None:
        self._source, self._lock = source, Lock()

    @property
    def pixels(self) -> Pixels:
        """uint8 (n, 28, 28)."""
        with self._lock:
            return self._read

    @cached_property
    def _read(self) -> Pixels:
        return np.stack([image.pixels[0] for image in self._source.images(workers=1)])
