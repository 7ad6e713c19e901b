"""From uint8 images of any size to what a network takes: crop, one separable resize, then (x - shift) / scale.

Every filter is a pair of matrices, W_y X W_xᵀ, so one code path is exact on every device. Each image is resized by
itself: no result depends on which images share a batch. Pillow's arithmetic for 8-bit images is whole numbers alone;
its products and sums stay below 2^53, so float64 matrices give its very pixels, in whatever order they are added.
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
_Filter = Callable[[int, float, F64], F64]  # pixels before, pixels before per pixel after, which pixels after
Rows = tuple[int, int] | None  # of a matrix: the first, and the one after the last; None: all
_LARGE, _BAND = 512, 32  # from this many pixels on, so many rows of a matrix are kept apart
_FIXED = 2.0**22  # Pillow's weights for 8-bit images are multiples of 1 / this
CROPS, ROUNDINGS = ("none", "after", "before"), ("none", "pillow-uint8")


def resize_matrix(name: str, n_in: int, n_out: int, *, rows: Rows = None) -> F64:
    """The matrix W of a one-dimensional resize: out = W @ in.

    Args:
        name: the filter. `tf1-bilinear`: source position i * n_in / n_out, clamped at the end, as TensorFlow 1 does;
            `bilinear`: half-pixel centres, no antialiasing, as torch's `interpolate(align_corners=False)`;
            `bilinear-antialias` and `bicubic-antialias` (a = -0.5): half-pixel centres, the kernel widened when
            shrinking, weights normalised at the borders, as Pillow and torch's `antialias=True`.
        n_in: pixels before, >= 1.
        n_out: pixels after, >= 1.
        rows: make these rows only.

    Returns:
        float64, (n_out, n_in), rows sum to 1. The first two filters take their positions in float32, as the
        implementations that they stand for do.

    Raises:
        UsageError: unknown filter.
    """
    if name not in _FILTERS:
        raise UsageError(f"Unknown resize filter {name!r}. There are: {', '.join(_FILTERS)}.")
    return _FILTERS[name](n_in, n_in / n_out, _places(n_out, rows))


def _places(n_out: int, rows: Rows) -> F64:
    first, end = rows or (0, n_out)
    return np.arange(first, end, dtype=np.float64)


def _tf1(n_in: int, scale: float, places: F64) -> F64:
    return _two_taps(places.astype(np.float32) * np.float32(scale), n_in)


def _half_pixel(n_in: int, scale: float, places: F64) -> F64:
    step = np.float64(np.float32(scale))
    # Product and difference are rounded to float32 once, as the fused multiply-add that torch is compiled to.
    return _two_taps(((places + 0.5) * step - 0.5).astype(np.float32), n_in)


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


def _antialiased(kernel: Callable[[F64], F64], radius: float) -> _Filter:
    """The resize with a kernel that is zero from `radius` on."""

    def matrix(n_in: int, scale: float, places: F64) -> F64:
        width = max(scale, 1.0)
        centre = (places + 0.5) * scale
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


_KERNELS: dict[str, tuple[Callable[[F64], F64], float]] = {
    "bilinear-antialias": (_triangle, 1.0),
    "bicubic-antialias": (_cubic, 2.0),
}
_FILTERS: dict[str, _Filter] = {
    "tf1-bilinear": _tf1,
    "bilinear": _half_pixel,
    **{name: _antialiased(kernel, radius) for name, (kernel, radius) in _KERNELS.items()},
}


def pillow_matrix(name: str, n_in: int, n_out: int, *, rows: Rows = None) -> F64:
    """The weights with which Pillow resizes 8-bit images, times 2^22: whole numbers, as float64, (n_out, n_in).

    Every operation has the order that it has in Pillow, so that no weight lies on the other side of a rounding.

    Args:
        name: `bilinear-antialias` or `bicubic-antialias`.
        n_in: pixels before, >= 1.
        n_out: pixels after, >= 1.
        rows: make these rows only.
    """
    kernel, radius = _KERNELS[name]
    scale = n_in / n_out
    width = max(scale, 1.0)
    centre = ((_places(n_out, rows) + 0.5) * scale)[:, None]
    pixel = np.arange(n_in)
    first = np.maximum(np.trunc(centre - radius * width + 0.5), 0)
    last = np.minimum(np.trunc(centre + radius * width + 0.5), n_in)
    weights: F64 = np.where((pixel >= first) & (pixel < last), kernel((pixel - centre + 0.5) * (1.0 / width)), 0.0)
    weights /= np.cumsum(weights, axis=1)[:, -1:]  # summed from left to right
    fixed: F64 = np.trunc(weights * _FIXED + np.where(weights < 0, -0.5, 0.5))
    return fixed


@dataclass(frozen=True, eq=False)
class _Band:
    """Some rows of a resize matrix without the columns in which they are zero: they read pixels first to last - 1."""

    first: int
    last: int
    matrix: Tensor


@lru_cache(maxsize=64)
def _bands(name: str, axis: "_Axis", device: str, *, fixed: bool) -> tuple[_Band, ...]:
    """The rows of a matrix that an axis needs, on a device: in many bands where most of it is zero.

    None where they are the identity. Float32, or Pillow's whole numbers in float64.
    """
    make, dtype = (pillow_matrix, torch.float64) if fixed else (resize_matrix, torch.float32)
    matrix = make(name, axis.n_in, axis.n_out, rows=(axis.first, axis.first + axis.side))
    if axis.n_in == axis.n_out == axis.side and np.array_equal(matrix, np.eye(axis.side) * (_FIXED if fixed else 1)):
        return ()
    height = _BAND if axis.n_in >= _LARGE else axis.side
    bands = []
    for start in range(0, axis.side, height):
        rows = matrix[start : start + height]
        used = np.flatnonzero(rows.any(axis=0))
        first, last = int(used[0]), int(used[-1]) + 1
        bands.append(_Band(first, last, torch.tensor(rows[:, first:last], dtype=dtype, device=device)))
    return tuple(bands)


@dataclass(frozen=True)
class _Axis:
    """One side of an image: `n_in` pixels become `n_out`, of which `side` are kept, from the pixel `first` on."""

    n_in: int
    n_out: int
    first: int
    side: int


def _axes(height: int, width: int, *, side: int, crop: str) -> tuple[_Axis, _Axis]:
    if crop != "after":
        return _Axis(height, side, 0, side), _Axis(width, side, 0, side)
    short = min(height, width)
    # As torchvision: the longer side is cut off to whole pixels, the margin rounded half to even.
    longer = (int(side * n / short) for n in (height, width))
    first, second = (_Axis(n, m, round((m - side) / 2), side) for n, m in zip((height, width), longer, strict=True))
    return first, second


class Preprocess:
    """The steps of a protocol that stand before its network.

    Args:
        protocol: gives crop, filter, size, rounding, clamp, shift and scale.

    Raises:
        UsageError: a filter, crop or rounding that there is not.
    """

    def __init__(self, protocol: Protocol) -> None:
        resize_matrix(protocol.resize, 1, 1)  # an unknown filter is an error now, not at the first image
        _check("crop", protocol.crop, CROPS)
        _check("rounding", protocol.rounding, ROUNDINGS)
        self._fixed = protocol.rounding != "none"
        if self._fixed and protocol.resize not in _KERNELS:
            raise UsageError(
                f"The rounding {protocol.rounding!r} is Pillow's; it goes with the filters {', '.join(_KERNELS)}, "
                f"not with {protocol.resize!r}."
            )
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
        return out.sub_(_per_channel(self.protocol.shift, out)).div_(_per_channel(self.protocol.scale, out))

    def _resized(self, image: NDArray[np.uint8], device: str) -> Tensor:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise BadInput(f"An image must be uint8 of shape (3, h, w); found {image.dtype} {image.shape}.")
        _, height, width = image.shape
        if self.protocol.crop == "before":
            short = min(height, width)
            top, left = (height - short) // 2, (width - short) // 2
            image = image[:, top : top + short, left : left + short]
            height = width = short
        vertical, horizontal = _axes(height, width, side=self.protocol.size, crop=self.protocol.crop)
        if self._fixed:
            return self._as_pillow(image, vertical, horizontal, device=device)
        name = self.protocol.resize
        x = torch.tensor(np.ascontiguousarray(image), device=device).to(torch.float32)
        if W_y := _bands(name, vertical, device, fixed=False):
            x = torch.cat([band.matrix @ x[:, band.first : band.last] for band in W_y], dim=1)
        if W_x := _bands(name, horizontal, device, fixed=False):
            x = torch.cat([x[:, :, band.first : band.last] @ band.matrix.T for band in W_x], dim=2)
        return x

    def _as_pillow(self, image: NDArray[np.uint8], vertical: _Axis, horizontal: _Axis, *, device: str) -> Tensor:
        """Pillow's resize of an 8-bit image: first along the rows, then along the columns, rounded after each.

        Pillow 12.2 takes the columns of very tall images first, and Pillow 13 those of all whose height shrinks much
        more than their width. Here the order stays, so that no number depends on the installed Pillow.
        """
        name = self.protocol.resize
        device = "cpu" if device.startswith("mps") else device  # which has no float64
        x = torch.tensor(np.ascontiguousarray(image), device=device)
        if W_x := _bands(name, horizontal, device, fixed=True):
            x = _eight_bit([x[:, :, band.first : band.last].double() @ band.matrix.T for band in W_x], dim=2)
        if W_y := _bands(name, vertical, device, fixed=True):
            x = _eight_bit([band.matrix @ x[:, band.first : band.last].double() for band in W_y], dim=1)
        return x


def _check(what: str, found: str, known: Sequence[str]) -> None:
    if found not in known:
        raise UsageError(f"Unknown {what} {found!r}. There are: {', '.join(known)}.")


def _eight_bit(sums: list[Tensor], *, dim: int) -> Tensor:
    return torch.cat(sums, dim=dim).div_(_FIXED).add_(0.5).floor_().clamp_(0, 255).to(torch.uint8)


def _per_channel(value: float | tuple[float, float, float], like: Tensor) -> float | Tensor:
    if isinstance(value, float | int):
        return value
    return torch.tensor(value, dtype=torch.float32, device=like.device)[:, None, None]
