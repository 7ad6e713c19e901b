"""Arrays of images: which shapes and number types are taken, and how floats become uint8."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.images.decode import from_pixels
from ganbench.images.formats import MAX_PIXELS
from ganbench.images.source import Image, Pixels
from ganbench.mixtures import mixture_names

ValueRange = tuple[float, float]
CHANNELS = (1, 3, 4)
WANTED = "uint8 or float images as (n, h, w, c), (n, c, h, w) or (n, h, w) with c = 1, 3 or 4"


@dataclass(frozen=True)
class Layout:
    """How the images lie in an array.

    Where both the last and the second axis could be the channels, the last is: (n, 3, h, 3) is n images of 3 x h
    pixels. A single image without its axis n is refused.

    Attributes:
        shape: of the whole array.
        channels_first: the second axis is the channels.
        where: what messages call the array.
    """

    shape: tuple[int, ...]
    channels_first: bool
    where: str

    @staticmethod
    def of(shape: tuple[int, ...], where: str) -> "Layout":
        """The layout of an array of this shape. Raises BadInput where it holds no images."""
        shape = tuple(int(side) for side in shape)
        first = len(shape) == 4 and shape[3] not in CHANNELS
        fits = len(shape) == 3 or (len(shape) == 4 and (shape[3] in CHANNELS or shape[1] in CHANNELS))
        if len(shape) == 3 and shape[2] in CHANNELS:
            raise BadInput(
                f"{where} has the shape {shape}, which looks like one single image; wanted {WANTED}. "
                f"Stack the images: numpy.stack([...])."
            )
        if len(shape) == 2:
            raise BadInput(
                f"{where} has the shape {shape}; wanted {WANTED}. Points (n, d) are scored against a mixture by its "
                f"name: --ref {', --ref '.join(mixture_names())}."
            )
        if not fits:
            raise BadInput(f"{where} has the shape {shape}; wanted {WANTED}.")
        height, width = shape[2:] if first else shape[1:3]
        if min(shape) < 1:
            raise BadInput(f"{where} has the shape {shape}: it holds no images. Was it written whole?")
        if height * width > MAX_PIXELS:
            raise BadInput(
                f"{where} holds images of {width} x {height} pixels; at most {MAX_PIXELS:,} pixels are read."
            )
        return Layout(shape, first, where)

    @property
    def n(self) -> int:
        """Number of images."""
        return self.shape[0]

    @property
    def row_size(self) -> int:
        """Numbers in one image."""
        size = 1
        for side in self.shape[1:]:
            size *= side
        return size

    def pixels(self, row: NDArray[Any], index: int, value_range: ValueRange | None) -> Pixels:
        """uint8 (h, w) or (h, w, c) of one image as it lies in the array. Raises BadInput for values out of range."""
        if row.dtype != np.uint8:
            row = quantised(row, f"{self.where}[{index}]", value_range)
        return row.transpose(1, 2, 0) if self.channels_first else row


def check_dtype(dtype: np.dtype[Any], where: str) -> None:
    """Raises BadInput unless numbers of this type can be pixels: uint8 or floats of 16, 32 or 64 bits."""
    if dtype.hasobject:
        raise BadInput(
            f"{where} holds pickled objects, which are never read, since reading them would run code. "
            f"Save a plain array of {WANTED}."
        )
    if dtype != np.uint8 and dtype.newbyteorder("=") not in (np.float16, np.float32, np.float64):
        raise BadInput(
            f"{where} holds {dtype}; wanted {WANTED}. Convert it to uint8, or to floats and say their --value-range."
        )


def quantised(row: NDArray[np.floating], where: str, value_range: ValueRange | None) -> Pixels:
    """Floats to uint8: floor(255 (x - low) / (high - low) + 1/2), in float64.

    Args:
        row: floats of any shape.
        where: what messages call it.
        value_range: (low, high); None is (0, 1).

    Raises:
        BadInput: a value is NaN, infinite or outside the range.
    """
    low, high = value_range or (0.0, 1.0)
    values = row.astype(np.float64)
    least, most = float(values.min()), float(values.max())
    if not (np.isfinite(least) and np.isfinite(most)):
        raise BadInput(f"{where} holds NaN or infinite values. Look at how the images were made.")
    if least < low or most > high:
        raise BadInput(
            f"{where} holds values from {least:.6g} to {most:.6g}; wanted {low:g} to {high:g}. {_cure(least, most)}"
        )
    return np.floor((values - low) * (255 / (high - low)) + 0.5).astype(np.uint8)


def _cure(least: float, most: float) -> str:
    for low, high in ((0, 1), (-1, 1), (0, 255)):
        if low <= least and most <= high:
            return f"If they mean black to white from {low} to {high}, say --value-range {low},{high}."
    return "Scale them to 0..1, or save uint8; --value-range takes 0,1 or -1,1 or 0,255."


def images_of_batch(array: NDArray[Any], *, start: int, value_range: ValueRange | None) -> list[Image]:
    """The images of one batch of a training loop.

    Args:
        array: uint8 or floats, (n, c, h, w), c = 1, 3 or 4.
        start: the index of the first image.
        value_range: what floats hold; None is (0, 1).

    Raises:
        BadInput: another type, or a value out of range.
    """
    check_dtype(array.dtype, "The batch")
    assert array.ndim == 4
    assert array.shape[1] in CHANNELS
    layout = Layout(array.shape, channels_first=True, where="The batch")
    return [
        from_pixels(layout.pixels(row, i, value_range), f"images[{start + i}]", start + i)
        for i, row in enumerate(array)
    ]
