"""Writing a source of images out: a folder or a .zip of PNG, or an .npz."""

import csv
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from PIL import Image as Pillow

from ganbench.errors import BadInput, UsageError
from ganbench.files import atomic_write, writing
from ganbench.images.source import Image, ImageSource, Pixels
from ganbench.progress import Progress, silent

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say: equal images, equal bytes
_UNWRITTEN = (".tar", ".npy", ".pt", ".pth", ".safetensors", ".gz", ".tgz", ".7z", ".rar", ".png", ".jpg", ".jpeg")
_DIGITS = 5


def export(source: ImageSource, out: Path, *, num: int | None = None, progress: Progress = silent) -> int:
    """Writes the first `num` images of a source, in its order.

    A name that ends in .zip or .npz becomes such a file, whole or not at all; any other name becomes a folder. Folder
    and zip hold 8-bit RGB PNG named 00000.png, 00001.png, ..., and labels.csv (`name,label`) where the source knows
    labels. The .npz holds `arr_0`, uint8 (n, h, w, 3). Equal images give equal pixels in all three, and equal bytes
    where Pillow and its zlib are the same.

    Args:
        source: the images.
        out: where they go.
        num: how many; None is all.
        progress: told of the images written.

    Returns:
        How many images were written.

    Raises:
        UsageError: `num` cannot be had, the folder is not empty, or the name is of a kind that is not written.
        BadInput: an .npz is wanted and the images differ in size.
        GanbenchError: the disk is full.
    """
    n = _count(source, num)
    suffix = out.suffix.lower()
    if suffix in _UNWRITTEN:
        raise UsageError(f"{out} would be a {suffix} file, which is not written. Give a folder, FILE.zip or FILE.npz.")
    images = _counted(source, n, progress)
    if suffix == ".npz":
        _to_npz(images, out, n)
    elif suffix == ".zip":
        _to_zip(_files(source, images, n), out)
    else:
        _to_folder(_files(source, images, n), out)
    return n


def _count(source: ImageSource, num: int | None) -> int:
    if num is None:
        return len(source)
    if not 1 <= num <= len(source):
        raise UsageError(f"{num} images were asked for; {source.name} has {len(source)}. Give 1 to {len(source)}.")
    return num


def _counted(source: ImageSource, n: int, progress: Progress) -> Iterator[Image]:
    for done, image in enumerate(source.images(range(n))):
        progress("writing", done, n)
        yield image
    progress("writing", n, n)


def _files(source: ImageSource, images: Iterator[Image], n: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of a folder or zip."""
    names = file_names(n)
    for name, image in zip(names, images, strict=True):
        yield name, png(image.pixels)
    if source.labels is not None:
        yield "labels.csv", _labels_csv(names, source.labels)


def file_names(n: int) -> list[str]:
    """The names of n images, which sort in the order of the images: 00000.png, 00001.png, ..."""
    width = max(_DIGITS, len(str(n - 1)))
    return [f"{index:0{width}}.png" for index in range(n)]


def png(pixels: Pixels) -> bytes:
    """The PNG of uint8 RGB (3, h, w)."""
    file = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(file, "PNG")
    return file.getvalue()


def _labels_csv(names: list[str], labels: NDArray[np.int64]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "label"])
    table.writerows((name, int(label)) for name, label in zip(names, labels, strict=False))
    return text.getvalue().encode()


def _to_folder(files: Iterator[tuple[str, bytes]], out: Path) -> None:
    """Writes into a new or empty folder; what was begun is taken away when it cannot be finished."""
    created = not out.exists()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(f"The folder {out} is not empty. Give a new one, or empty it first.")
    written: list[Path] = []
    try:
        for name, content in files:
            written.append(out / name)
            with writing(out / name):
                (out / name).write_bytes(content)
    except BaseException:  # an interrupt too
        for path in written:
            path.unlink(missing_ok=True)
        if created:
            shutil.rmtree(out, ignore_errors=True)
        raise


def _to_zip(files: Iterator[tuple[str, bytes]], out: Path) -> None:
    with atomic_write(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(_entry(name), content)


def _to_npz(images: Iterator[Image], out: Path, n: int) -> None:
    with (
        atomic_write(out) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
        archive.open(_entry("arr_0.npy"), "w", force_zip64=True) as array,
    ):
        _write_rows(array, images, n)


def _write_rows(array: IO[bytes], images: Iterator[Image], n: int) -> None:
    first: Image | None = None
    for image in images:
        if first is None:
            first = image
            header = {"descr": "|u1", "fortran_order": False, "shape": (n, *image.pixels.shape[1:], 3)}
            npy_format.write_array_header_1_0(array, header)
        if image.pixels.shape != first.pixels.shape:
            raise BadInput(
                f"{image.name} is {_size(image)}, {first.name} is {_size(first)}; an .npz holds images of one size. "
                f"Export to a folder or a .zip."
            )
        array.write(np.ascontiguousarray(image.pixels.transpose(1, 2, 0)).data)


def _size(image: Image) -> str:
    return f"{image.pixels.shape[2]} x {image.pixels.shape[1]} pixels"


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # Unix, whatever this system is
    info.external_attr = 0o644 << 16
    return info
