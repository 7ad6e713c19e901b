"""Image sources made from others: some of the images, or each of them changed."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ganbench.images.decode import decode
from ganbench.images.source import ImageSource, Item, Pixels


class Subset(ImageSource):
    """Some images of a source, in its order.

    Args:
        source: where they come from.
        indices: which, strictly ascending.
        name: what the subset is called.
    """

    def __init__(self, source: ImageSource, indices: Sequence[int] | NDArray[np.integer], name: str) -> None:
        self.name = name
        self._source = source
        self._indices = np.asarray(indices, dtype=np.int64)
        assert np.all(np.diff(self._indices) > 0), "indices must ascend"

    def __len__(self) -> int:
        return len(self._indices)

    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        """The items at `indices` of the subset."""
        return self._source.items([int(self._indices[index]) for index in indices])

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The class of each image, (n,), where the source knows it."""
        labels = self._source.labels
        return None if labels is None else labels[self._indices]


class Mapped(ImageSource):
    """Each image of a source, changed. What decoding notes about the originals is not passed on.

    Args:
        source: where they come from.
        name: what the changed images are called together.
        function: makes new pixels, uint8 (3, h, w), from the old ones and the index of the image. Called in any
            thread, more than once: equal arguments must give equal pixels.
    """

    def __init__(self, source: ImageSource, name: str, function: Callable[[Pixels, int], Pixels]) -> None:
        self.name = name
        self._source = source
        self._function = function

    def __len__(self) -> int:
        return len(self._source)

    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        """The items at `indices`; an original is decoded, and changed, when its item is read."""
        for index, item in zip(indices, self._source.items(indices), strict=True):
            yield Item(item.name, partial(self._read, item, index))

    def _read(self, item: Item, index: int) -> Pixels:
        return self._function(decode(item, index).pixels, index).transpose(1, 2, 0)

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The class of each image, (n,), where the source knows it."""
        return self._source.labels
