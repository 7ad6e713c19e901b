"""An image source: a finite, ordered, re-iterable set of RGB images, read as a stream."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """One image before decoding.

    Attributes:
        name: where it stands in its source, for messages: "cat/0001.png".
        read: gives the bytes of an image file, or pixels as uint8 (h, w) or (h, w, 1|3|4). Safe in any thread.
    """

    name: str
    read: Callable[[], bytes | Pixels]


@dataclass(frozen=True)
class Image:
    """One decoded image.

    Attributes:
        index: position in its source.
        name: where it stands in its source.
        pixels: uint8 RGB, (3, h, w), contiguous.
        digest: sha256 over height, width and pixels, 32 bytes.
        notes: what was converted on the way: "RGBA laid over white".
        lossy: it came from a file format that discards information.
    """

    index: int
    name: str
    pixels: Pixels
    digest: bytes
    notes: tuple[str, ...] = ()
    lossy: bool = False


class ImageSource(ABC):
    """A finite, ordered, re-iterable set of images.

    The order is that of the names (folders, archives) or of the array, and is the same on every machine.
    """

    name: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        """The items at `indices`, which ascend. Cheap: nothing is decoded here."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The class of each image, (n,), where the source knows it.

        Read when it is asked for. Raises BadInput where what should say the classes does not fit the images.
        """
        return None

    def images(self, indices: Sequence[int] | None = None, *, workers: int | None = None) -> Iterator[Image]:
        """Decoded images in order, decoded ahead in threads. Raises BadImage at the first that cannot be read."""
        from ganbench.images.stream import stream

        return stream(self, range(len(self)) if indices is None else indices, workers=workers)

    def batches(self, size: int) -> Iterator[Any]:
        """uint8 RGB tensors (n, 3, h, w), n <= size, in order. A batch ends early where the image size changes."""
        import torch

        pending: list[Pixels] = []
        for image in self.images():
            if pending and (len(pending) == size or image.pixels.shape != pending[0].shape):
                yield torch.from_numpy(np.stack(pending))
                pending = []
            pending.append(image.pixels)
        if pending:
            yield torch.from_numpy(np.stack(pending))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over content and order: pixels, never names, paths or encodings. Reads the whole source once."""
        return fingerprint_of(image.digest for image in self.images())


def fingerprint_of(digests: Iterator[bytes]) -> str:
    """The fingerprint of a set of images, from their digests in order."""
    total = hashlib.sha256(b"ganbench.images/1\n")
    for digest in digests:
        total.update(digest)
    return total.hexdigest()


class Container(ABC):
    """One kind of place where images lie: a folder, an archive, an array file. One file per kind in `containers/`."""

    # Tried in ascending order; a folder before files, a suffix before a guess.
    priority: ClassVar[int] = 0

    @classmethod
    @abstractmethod
    def accepts(cls, path: Path) -> bool:
        """Whether this container reads `path`, judged by name and type, without reading content."""

    @classmethod
    @abstractmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """Opens it. Raises BadInput with what was found, wanted and what to do."""


def open_images(spec: str | Path, *, value_range: tuple[float, float] | None = None) -> ImageSource:
    """Opens a folder, `.zip`, `.tar`, `.npz`, `.npy`, `.pt` or `.safetensors` as a source of images.

    Args:
        spec: the path.
        value_range: what float arrays hold, (0, 1), (-1, 1) or (0, 255). Without it only [0, 1] is taken.

    Raises:
        BadInput: there is no such path, it is of no known kind, or it holds no images.

    Example:
        >>> source = open_images("samples.zip")  # doctest: +SKIP
        >>> len(source), source.fingerprint  # doctest: +SKIP
    """
    from ganbench.images.opening import open_path

    if not str(spec):
        raise UsageError("An empty path was given for images; name a folder or file (. is the present folder).")
    return open_path(Path(spec), value_range=value_range)
