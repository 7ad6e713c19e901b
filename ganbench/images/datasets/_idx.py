"""The IDX format of MNIST and its kin, plain or gzipped, read strictly; and what datasets in it share."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, cast

import numpy as np

from ganbench.errors import BadInput
from ganbench.images.datasets._base import Dataset, places, store
from ganbench.images.datasets._store import fetch, torchvision_class, verified
from ganbench.images.formats import MAX_PIXELS
from ganbench.images.indexed import IndexedSource, Labels, RowSource
from ganbench.images.reading import SharedFile
from ganbench.images.source import ImageSource, Pixels
from ganbench.places import data_folders
from ganbench.progress import Progress

_IMAGES, _LABELS = 0x0803, 0x0801  # unsigned bytes in three dimensions, in one
_IMAGE_HEADER, _LABEL_HEADER = 16, 8
_MOST_DEFLATE = 1032
_PARTS = {"train": "train", "test": "t10k"}


class IdxDataset(Dataset):
    """A dataset in MNIST's files. Subclasses add the names of its folders and where it comes from.

    Class attributes: the name, folders where it lies, torchvision's class of it, and the first ten labels of each
    split, which tell it from its kin in a folder whose name says nothing: the files of all are named alike.
    """

    name: ClassVar[str]
    folders: ClassVar[tuple[str, ...]]
    torchvision_name: ClassVar[str]
    first_labels: ClassVar[dict[str, tuple[int, ...]]]

    @classmethod
    def locate(cls, split: str) -> Path | None:
        """The file of the images."""
        for folder in places(*cls.folders):
            if (file := _file(folder, split, "images", 3)) is not None:
                return file
        for folder in data_folders():
            file, labels = _file(folder, split, "images", 3), _file(folder, split, "labels", 1)
            if file and labels and _first_labels(labels) == cls.first_labels[split]:
                return file
        return None

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        """The images of a split, 28 x 28 gray."""
        file = cls.locate(split)
        if file is None:
            return None
        labels = _file(file.parent, split, "labels", 1)
        return open_idx(verified(file), name=f"{cls.name}:{split}", labels=None if labels is None else verified(labels))

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:
        """Fetches images and labels from the addresses that torchvision knows, checked against its md5 sums."""
        origin = torchvision_class(cls.torchvision_name)
        for filename, md5 in origin.resources:
            if filename.startswith(_PARTS[split]):
                urls = [mirror + filename for mirror in origin.mirrors]
                fetch(urls, store() / cls.torchvision_name / "raw" / filename, md5=md5, progress=progress)


def _file(folder: Path, split: str, what: str, dimensions: int) -> Path | None:
    for joint in "-.":
        for packed in ("", ".gz"):
            path = folder / f"{_PARTS[split]}-{what}{joint}idx{dimensions}-ubyte{packed}"
            if path.is_file():
                return path
    return None


def _first_labels(path: Path) -> tuple[int, ...]:
    try:
        with _opened(path) as file:
            return tuple(file.read(_LABEL_HEADER + 10)[_LABEL_HEADER:])
    except (OSError, EOFError, zlib.error):  # not this dataset, whatever it is
        return ()


def _opened(path: Path) -> IO[bytes]:
    if path.suffix != ".gz":
        return path.open("rb")
    return cast("IO[bytes]", gzip.open(path))


@dataclass(frozen=True)
class _Shape:
    n: int
    height: int
    width: int

    @property
    def row(self) -> int:
        return self.height * self.width


def open_idx(images: Path, *, name: str, labels: Path | None) -> ImageSource:
    """The images of an IDX file.

    Args:
        images: the file, plain or .gz.
        name: what the source is called.
        labels: the file of their classes, read when first asked for.

    Raises:
        BadInput: the file is not what an IDX file of images must be, byte for byte.
    """
    shape = _image_header(images)

    def read_labels() -> Labels:
        assert labels is not None
        return _read_labels(labels, shape.n)

    read = None if labels is None else read_labels
    if images.suffix != ".gz":
        file = SharedFile(images)
        return IndexedSource(
            name,
            shape.n,
            read=lambda i: _pixels(file.read_at(_IMAGE_HEADER + i * shape.row, shape.row), shape, images),
            labels=read,
        )
    return RowSource(
        name,
        shape.n,
        open_rows=lambda: _rows(images),
        row_bytes=shape.row,
        to_pixels=lambda row, _: _pixels(row, shape, images),
        labels=read,
    )


def _pixels(row: bytes, shape: _Shape, path: Path) -> Pixels:
    if len(row) != shape.row:
        raise _bad(path, "it became shorter while it was read")
    return np.frombuffer(row, np.uint8).reshape(shape.height, shape.width)


@contextmanager
def _rows(path: Path) -> Iterator[IO[bytes]]:
    with _opened(path) as file:
        _read(file, _IMAGE_HEADER, path)
        yield file


def _image_header(path: Path) -> _Shape:
    with _opened(path) as file:
        magic, n, height, width = struct.unpack(">4I", _read(file, _IMAGE_HEADER, path))
    if magic != _IMAGES:
        raise _bad(path, f"it begins with {magic:#010x} instead of {_IMAGES:#010x}, the mark of images")
    if n < 1 or not 1 <= height * width <= MAX_PIXELS:
        raise _bad(path, f"it announces {n} images of {width} x {height} pixels")
    _check_length(path, _IMAGE_HEADER + n * height * width)
    return _Shape(n, height, width)


def _check_length(path: Path, wanted: int) -> None:
    """A plain file must have the length; a gzipped one must say so at its end, and be able to hold it."""
    size = path.stat().st_size
    if path.suffix != ".gz":
        if size != wanted:
            raise _bad(path, f"its header asks for {wanted:,} bytes, it has {size:,}")
        return
    with path.open("rb") as file:
        file.seek(-min(size, 4), 2)
        unpacked = int.from_bytes(file.read(4), "little")
    if unpacked != wanted % 2**32 or wanted > size * _MOST_DEFLATE:
        raise _bad(path, f"its header asks for {wanted:,} bytes, its end tells of {unpacked:,} unpacked ones")


def _read_labels(path: Path, n: int) -> Labels:
    with _opened(path) as file:
        magic, count = struct.unpack(">2I", _read(file, _LABEL_HEADER, path))
        if magic != _LABELS or count != n:
            raise _bad(path, f"it begins with {magic:#010x} and {count} labels; wanted {_LABELS:#010x} and {n}")
        _check_length(path, _LABEL_HEADER + n)
        return np.frombuffer(_read(file, n, path), np.uint8).astype(np.int64)


def _read(file: IO[bytes], size: int, path: Path) -> bytes:
    try:
        data = file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise _bad(path, str(error)) from error
    if len(data) < size:
        raise _bad(path, "it ends too early")
    return data


def _bad(path: Path, why: str) -> BadInput:
    return BadInput(f"{path} is no whole IDX file: {why}. Take it away, or put the original file in its place.")
