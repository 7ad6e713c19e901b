"""An .npz with an array of images, read row by row."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, ClassVar

import numpy as np

from ganbench.errors import BadInput
from ganbench.images.arrays import Layout
from ganbench.images.containers._npy import Header, read_header
from ganbench.images.containers.zip_archive import directory
from ganbench.images.indexed import RowSource
from ganbench.images.source import Container, ImageSource, Pixels

_MOST_DEFLATE = 1032  # bytes that one byte of deflate can stand for, at the very most


class Npz(Container):
    """Images in `arr_0` of an .npz, or in its only array. Pickled objects are never read."""

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .npz."""
        return path.suffix.lower() == ".npz"

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """Reads the array's header. Raises BadInput where it is damaged, lies, or is no array of images."""
        info = _chosen(path, directory(path))
        where = f"{path}[{info.filename.removesuffix('.npy')}]"
        _check_sizes(info, path, where)
        with _entry(path, info, where) as file:
            header = read_header(file, info.file_size, where)
        layout = Layout.of(header.shape, where)
        if header.fortran:
            raise BadInput(
                f"{where} is stored in Fortran order, in which no image can be read alone. "
                f"Save numpy.ascontiguousarray(x)."
            )

        def to_pixels(row: bytes, index: int) -> Pixels:
            array = np.frombuffer(row, header.dtype).reshape(layout.shape[1:])
            return layout.pixels(array, index, value_range)

        return RowSource(
            str(path),
            layout.n,
            open_rows=lambda: _rows(path, info, header, where),
            row_bytes=layout.row_size * header.dtype.itemsize,
            to_pixels=to_pixels,
        )


def _chosen(path: Path, infos: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    arrays = {info.filename: info for info in infos if info.filename.endswith(".npy")}
    if "arr_0.npy" in arrays:
        return arrays["arr_0.npy"]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    names = [name.removesuffix(".npy") for name in arrays]
    if {"mu", "sigma"} <= set(names):
        raise BadInput(
            f"{path} holds statistics (mu, sigma), no images. Statistics can be the reference: --ref, with --protocol."
        )
    raise BadInput(
        f"{path} holds the arrays {', '.join(sorted(names)[:8]) or '(none)'}; wanted the images as arr_0, "
        f"or as the only array. Save them with numpy.savez(path, images)."
    )


def _check_sizes(info: zipfile.ZipInfo, path: Path, where: str) -> None:
    """Refuses an entry that announces more than its packed bytes can hold."""
    most = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _MOST_DEFLATE}.get(info.compress_type)
    if info.flag_bits & 1 or most is None:
        raise BadInput(f"{where} is encrypted or packed by an unusual method. Save it again with numpy.savez.")
    if info.compress_size > path.stat().st_size or info.file_size > most * info.compress_size:
        raise BadInput(
            f"{where} announces {info.file_size:,} bytes, which {info.compress_size:,} packed bytes in a file of "
            f"{path.stat().st_size:,} cannot hold. Get or make the file again."
        )


@contextmanager
def _entry(path: Path, info: zipfile.ZipInfo, where: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        try:
            file = archive.open(info)
        except Exception as error:  # zipfile raises nearly anything on hostile bytes
            raise BadInput(f"{where} is damaged: {error}. Get or make the file again.") from error
        with file:
            yield file


@contextmanager
def _rows(path: Path, info: zipfile.ZipInfo, header: Header, where: str) -> Iterator[IO[bytes]]:
    with _entry(path, info, where) as file:
        if read_header(file, info.file_size, where) != header:
            raise BadInput(f"{path} changed while it was being read. Start again.")
        yield file
