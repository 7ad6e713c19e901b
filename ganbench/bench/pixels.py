"""Images in memory as networks learn from them: read once, padded, told apart by a sha256."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ganbench.errors import BadInput
from ganbench.images.source import ImageSource, Pixels
from ganbench.nets._base import Shape
from ganbench.progress import Progress

_LARGEST = 16 << 30  # bytes of images that are taken into memory
_TOLD = 1000


def read(source: ImageSource, progress: Progress) -> tuple[Pixels, bool]:
    """All images, uint8 (n, 3, h, w), and whether all are gray. Raises BadInput: of several sizes, or too many."""
    n, gray = len(source), True
    out: Pixels | None = None
    for done, image in enumerate(source.images()):
        if out is None:
            if n * image.pixels.nbytes > _LARGEST:
                raise BadInput(
                    f"{source.name} has {n} images of {image.pixels.shape[2]} x {image.pixels.shape[1]} pixels, "
                    f"{n * image.pixels.nbytes / 1e9:.0f} GB; at most {_LARGEST >> 30} GiB are kept in memory. Give "
                    "fewer or smaller ones."
                )
            out = np.empty((n, *image.pixels.shape), dtype=np.uint8)
        if image.pixels.shape != out.shape[1:]:
            raise BadInput(
                f"{source.name} holds images of several sizes: {out.shape[3]} x {out.shape[2]} and, {image.name}, "
                f"{image.pixels.shape[2]} x {image.pixels.shape[1]}. A network makes one size: scale them first."
            )
        out[done] = image.pixels
        gray = gray and bool((image.pixels[0] == image.pixels[1]).all() and (image.pixels[0] == image.pixels[2]).all())
        if done % _TOLD == 0:
            progress("reading", done, n)
    assert out is not None, "no source is empty"
    progress("reading", n, n)
    return out, gray


def one_channel(pixels: Pixels) -> Pixels:
    """Gray images (n, 3, h, w) as (n, 1, h, w)."""
    return np.ascontiguousarray(pixels[:, :1])


def padded(pixels: Pixels, shape: Shape) -> Pixels:
    """Images (n, c, h, w) in the middle of black ones of a shape (c, h', w')."""
    true = pixels.shape[1:]
    if shape == true:
        return pixels
    out = np.zeros((len(pixels), *shape), dtype=np.uint8)
    out[(..., *window(true, shape))] = pixels
    return out


def window(inner: tuple[int, ...] | list[int], outer: tuple[int, ...] | list[int]) -> tuple[slice, slice]:
    """Where an image of shape `inner` is in the one that it was padded to."""
    rows, columns = ((big - small) // 2 for small, big in zip(inner[1:], outer[1:], strict=True))
    return slice(rows, rows + inner[1]), slice(columns, columns + inner[2])


def digest(values: NDArray[np.generic]) -> str:
    """sha256 over numbers, their type and shape."""
    total = hashlib.sha256(f"ganbench.training/1 {values.dtype} {values.shape}\n".encode())
    total.update(np.ascontiguousarray(values).data)
    return total.hexdigest()


def as_floats(values: Tensor) -> Tensor:
    """Images uint8 as float32 in [-1, 1]; other numbers as they are."""
    return values if values.is_floating_point() else values.float().div_(127.5).sub_(1)
