"""A .npy array of images, mapped into memory."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.images.arrays import Layout
from ganbench.images.containers._npy import read_header
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import Container, ImageSource


class Npy(Container):
    """Images in a .npy, in the order of the array. Pickled objects are never read."""

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .npy."""
        return path.suffix.lower() == ".npy"

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """Maps the array. Raises BadInput where it is damaged or no array of images."""
        with path.open("rb") as file:
            header = read_header(file, path.stat().st_size, str(path))
        layout = Layout.of(header.shape, str(path))
        array: NDArray[Any] = np.memmap(
            path, header.dtype, "r", offset=header.start, shape=header.shape, order="F" if header.fortran else "C"
        )
        return IndexedSource(str(path), layout.n, read=lambda i: layout.pixels(np.array(array[i]), i, value_range))
