"""An .npz with an array of images, read row by row."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from ganbench.errors import BadInput
from ganbench.images.arrays import Layout
from ganbench.images.classes import Labels, checked
from ganbench.images.containers._npy import Header, read_header
from ganbench.images.containers.zip_archive import directory
from ganbench.images.indexed import RowSource
from ganbench.images.source import Container, ImageSource, Pixels

_MOST_DEFLATE = 1032  # bytes that one byte of deflate can stand for, at the very most


class Npz(Container):
    """Images in `arr_0` of an .npz, or in its only array. Pickled objects are never read.

    Beside `arr_0`, `labels` gives the classes, or `arr_1` as samplers of diffusion models write it.
    """

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .npz."""
        return path.suffix.lower() == ".npz"

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """Reads the array's header. Raises BadInput where it is damaged, lies, or is no array of images."""
        infos = directory(path)
        info = _chosen(path, infos)
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
            labels=_labels(path, infos, layout.n),
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


def _labels(path: Path, infos: list[zipfile.ZipInfo], n: int) -> Callable[[], Labels] | None:
    arrays = {info.filename: info for info in infos}
    names = [name for name in ("labels.npy", "arr_1.npy") if name in arrays and "arr_0.npy" in arrays]
    return partial(_read_labels, path, arrays[names[0]], n) if names else None


def _read_labels(path: Path, info: zipfile.ZipInfo, n: int) -> Labels:
    where = f"{path}[{info.filename.removesuffix('.npy')}]"
    try:
        _check_sizes(info, path, where)
        with _entry(path, info, where) as file:
            header = read_header(file, info.file_size, where, check=_check_whole)
            if header.shape != (n,):
                raise BadInput(f"{where} has the shape {header.shape}; wanted one label for each of {n} images.")
            data = file.read(n * header.dtype.itemsize + 1)  # one byte more: the end also checks the checksum there
        return checked(np.frombuffer(data, header.dtype, n), n, where, of=str(path))
    except (BadInput, ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        why = str(error) if isinstance(error, BadInput) else f"{where} is damaged: {error}."
        raise BadInput(f"{why} Save whole numbers from 0 on, or, where they are no classes, no array there.") from error


def _check_whole(dtype: np.dtype[Any], where: str) -> None:
    if dtype.kind not in "iu":
        raise BadInput(f"{where} holds {dtype}; wanted whole numbers, one for each image.")


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
