"""Two ways to be an image source: images that can be read one by one, and images that come as one long stream."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.images.source import ImageSource, Item, Pixels

Labels = NDArray[np.int64]
_SKIP = 1 << 20


class _Labelled(ImageSource):
    def __init__(self, name: str, n: int, labels: Callable[[], Labels] | None) -> None:
        self.name = name
        self._n = n
        self._read_labels = labels

    def __len__(self) -> int:
        return self._n

    @cached_property
    def _labels(self) -> Labels | None:
        return self._read_labels() if self._read_labels else None

    @property
    def labels(self) -> Labels | None:
        """The class of each image, (n,), where the source knows it."""
        return self._labels


class IndexedSource(_Labelled):
    """Images that can be read in any order, from any thread.

    Args:
        name: what the source is called.
        names: the name of each image, for messages; or how many there are, named NAME[i].
        read: gives image i as the bytes of an image file or as pixels.
        labels: gives the class of each image, (n,), when first asked.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str] | int,
        *,
        read: Callable[[int], bytes | Pixels],
        labels: Callable[[], Labels] | None = None,
    ) -> None:
        super().__init__(name, names if isinstance(names, int) else len(names), labels)
        self._names = names
        self._read = read

    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        """The items at `indices`."""
        for index in indices:
            name = f"{self.name}[{index}]" if isinstance(self._names, int) else self._names[index]
            yield Item(name, partial(self._read, index))


class RowSource(_Labelled):
    """Images of equal size in a stream that can only be read from its beginning: a compressed file.

    Never more than one image is read at a time.

    Args:
        name: what the source is called.
        n: how many images there are.
        open_rows: opens the stream at its first image.
        row_bytes: bytes of one image.
        to_pixels: makes pixels of the bytes of image i. Called in any thread.
        labels: gives the class of each image, (n,), when first asked.
    """

    def __init__(
        self,
        name: str,
        n: int,
        *,
        open_rows: Callable[[], AbstractContextManager[IO[bytes]]],
        row_bytes: int,
        to_pixels: Callable[[bytes, int], Pixels],
        labels: Callable[[], Labels] | None = None,
    ) -> None:
        super().__init__(name, n, labels)
        self._open_rows, self._row_bytes, self._to_pixels = open_rows, row_bytes, to_pixels

    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        """The items at `indices`, which ascend. Raises BadInput where the stream is damaged or of another length."""
        with self._open_rows() as rows:
            at = 0
            for index in indices:
                assert index >= at, "indices must ascend"
                self._skip(rows, (index - at) * self._row_bytes)
                row = self._exactly(rows, self._row_bytes)
                at = index + 1
                yield Item(f"{self.name}[{index}]", partial(self._to_pixels, row, index))
            if at == self._n and self._some(rows, 1):  # reading the end also checks the checksum there
                raise BadInput(f"{self.name} holds more than the {self._n} images it announces. Make the file again.")

    def _skip(self, rows: IO[bytes], size: int) -> None:
        while size:
            size -= len(self._exactly(rows, min(size, _SKIP)))

    def _exactly(self, rows: IO[bytes], size: int) -> bytes:
        data = self._some(rows, size)
        if len(data) < size:
            raise BadInput(f"{self.name} ends before the {self._n} images it announces. Get or make the file again.")
        return data

    def _some(self, rows: IO[bytes], size: int) -> bytes:
        try:
            data = rows.read(size)
            while len(data) < size and (more := rows.read(size - len(data))):
                data += more
        except Exception as error:  # zlib, gzip and zipfile each have errors of their own
            raise BadInput(f"{self.name} is damaged: {error}. Get or make the file again.") from error
        return data
