"""From uint8 images of any size to what a network takes: one exact separable resize, then (x - shift) / scale.

Every filter is a pair of matrices, W_y X W_xᵀ, so one code path is exact on every device. Each image is resized by
itself: no result depends on which images share a batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.errors import BadInput, UsageError
from ganbench.protocol import Protocol

F64 = NDArray[np.float64]
_LARGE, _BAND = 512, 32  # from this many pixels on, so many rows of a matrix are kept apart


def resize_matrix(name: str, n_in: int, n_out: int) -> F64:
    """The matrix W of a one-dimensional resize: out = W @ in.

    Args:
        name: the filter. `tf1-bilinear`: source position i * n_in / n_out, clamped at the end, as TensorFlow 1 does;
            `bilinear`: half-pixel centres, no antialiasing, as torch's `interpolate(align_corners=False)`;
            `bilinear-antialias` and `bicubic-antialias` (a = -0.5): half-pixel centres, the kernel widened when
            shrinking, weights normalised at the borders, as Pillow and torch's `antialias=True`.
        n_in: pixels before, >= 1.
        n_out: pixels after, >= 1.

    Returns:
        float64, (n_out, n_in), rows sum to 1. The first two filters take their positions in float32, as the
        implementations that they stand for do.

    Raises:
        UsageError: unknown filter.
    """
    if name not in _FILTERS:
        raise UsageError(f"Unknown resize filter {name!r}. There are: {', '.join(_FILTERS)}.")
    return _FILTERS[name](n_in, n_out)


def _tf1(n_in: int, n_out: int) -> F64:
    step = np.float32(n_in / n_out)
    return _two_taps(np.arange(n_out, dtype=np.float32) * step, n_in)


def _half_pixel(n_in: int, n_out: int) -> F64:
    step = np.float64(np.float32(n_in / n_out))
    # Product and difference are rounded to float32 once, as the fused multiply-add that torch is compiled to.
    return _two_taps(((np.arange(n_out) + 0.5) * step - 0.5).astype(np.float32), n_in)


def _two_taps(position: NDArray[np.float32], n_in: int) -> F64:
    """Linear interpolation at positions that are clamped to the first and last pixel."""
    position = np.clip(position, 0, n_in - 1)
    low = np.floor(position).astype(np.intp)
    part = (position - low.astype(np.float32)).astype(np.float64)
    matrix = np.zeros((len(position), n_in))
    rows = np.arange(len(position))
    matrix[rows, low] = 1 - part
    matrix[rows, np.minimum(low + 1, n_in - 1)] += part
    return matrix


def _antialiased(kernel: Callable[[F64], F64], radius: float) -> Callable[[int, int], F64]:
    """The resize with a kernel that is zero from `radius` on."""

    def matrix(n_in: int, n_out: int) -> F64:
        scale = n_in / n_out
        width = max(scale, 1.0)
        centre = (np.arange(n_out) + 0.5) * scale
        pixel = np.arange(n_in) + 0.5
        # A pixel counts where it lies in the window that Pillow rounds to whole pixels.
        first = np.maximum(np.trunc(centre - radius * width + 0.5), 0)
        last = np.minimum(np.trunc(centre + radius * width + 0.5), n_in)
        inside = (pixel > first[:, None]) & (pixel < last[:, None])
        weights: F64 = np.where(inside, kernel((pixel - centre[:, None]) / width), 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    return matrix


def _triangle(x: F64) -> F64:
    weights: F64 = np.maximum(1 - np.abs(x), 0.0)
    return weights


def _cubic(x: F64, a: float = -0.5) -> F64:
    """Keys' cubic convolution kernel (1981)."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    weights: F64 = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return weights


_FILTERS: dict[str, Callable[[int, int], F64]] = {
    "tf1-bilinear": _tf1,
    "bilinear": _half_pixel,
    "bilinear-antialias": _antialiased(_triangle, 1.0),
    "bicubic-antialias": _antialiased(_cubic, 2.0),
}


@dataclass(frozen=True, eq=False)
class _Band:
    """Some rows of a resize matrix without the columns in which they are zero: they read pixels first to last - 1."""

    first: int
    last: int
    matrix: Tensor


@lru_cache(maxsize=64)
def _bands(name: str, n_in: int, n_out: int, device: str) -> tuple[_Band, ...]:
    """The matrix in float32 on a device; none where it is the identity, in many bands where most of it is zero."""
    matrix = resize_matrix(name, n_in, n_out)
    if n_in == n_out and np.array_equal(matrix, np.eye(n_in)):
        return ()
    height = _BAND if n_in >= _LARGE else n_out
    bands = []
    for start in range(0, n_out, height):
        rows = matrix[start : start + height]
        used = np.flatnonzero(rows.any(axis=0))
        first, last = int(used[0]), int(used[-1]) + 1
        bands.append(_Band(first, last, torch.tensor(rows[:, first:last], dtype=torch.float32, device=device)))
    return tuple(bands)


class Preprocess:
    """The steps of a protocol that stand before its network.

    Args:
        protocol: gives filter, size, clamp, shift and scale.
    """

    def __init__(self, protocol: Protocol) -> None:
        resize_matrix(protocol.resize, 1, 1)  # an unknown filter is an error now, not at the first image
        self.protocol = protocol

    def __call__(self, images: Sequence[NDArray[np.uint8]], device: str) -> Tensor:
        """Uint8 RGB images (3, h, w), sizes mixed, to float32 (n, 3, size, size) on the device, normalised.

        Raises BadInput where an image is of another type or shape.
        """
        side = self.protocol.size
        out = torch.empty((len(images), 3, side, side), dtype=torch.float32, device=device)
        for place, image in zip(out, images, strict=True):
            place.copy_(self._resized(image, device))
        if self.protocol.clamp:
            out.clamp_(0.0, 255.0)
        return out.sub_(self.protocol.shift).div_(self.protocol.scale)

    def _resized(self, image: NDArray[np.uint8], device: str) -> Tensor:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise BadInput(f"An image must be uint8 of shape (3, h, w); found {image.dtype} {image.shape}.")
        _, height, width = image.shape
        name, side = self.protocol.resize, self.protocol.size
        x = torch.tensor(np.ascontiguousarray(image), device=device).to(torch.float32)
        if W_y := _bands(name, height, side, device):
            x = torch.cat([band.matrix @ x[:, band.first : band.last] for band in W_y], dim=1)
        if W_x := _bands(name, width, side, device):
            x = torch.cat([x[:, :, band.first : band.last] @ band.matrix.T for band in W_x], dim=2)
        return x
