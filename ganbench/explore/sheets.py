"""Sheets of pictures: rows and columns with words beside them."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganbench.explore.scene import U8, to_pixels

_LEAST = 48  # pixels: smaller pictures are enlarged without smoothing
_GAP, _TEXT = 2, 12
_INK, _PAPER = (40, 40, 40), (255, 255, 255)


def sheet(pictures: Tensor, *, rows: Sequence[str], columns: Sequence[str], title: str) -> U8:
    """Pictures (r * c, channels, h, w), row by row, under a title: uint8 (h', w', 3).

    Args:
        pictures: in [-1, 1].
        rows: a word for each row.
        columns: a word for each column.
        title: above all of it.
    """
    assert len(pictures) == len(rows) * len(columns)
    pixels = to_pixels(pictures).transpose(0, 2, 3, 1)
    scale = max(1, math.ceil(_LEAST / pixels.shape[1]))
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    h, w = pixels.shape[1] + _GAP, pixels.shape[2] + _GAP
    font = ImageFont.load_default(size=_TEXT)
    left = max((math.ceil(font.getlength(word)) for word in rows), default=0) + 8
    top = 2 * (_TEXT + 6)
    width = max(left + w * len(columns), math.ceil(font.getlength(title)) + 8)
    canvas = Image.new("RGB", (width, top + h * len(rows)), _PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((4, 2), title, fill=_INK, font=font)
    for j, word in enumerate(columns):
        draw.text((left + j * w + (w - _GAP) / 2, top - 4), word, fill=_INK, font=font, anchor="ms")
    for i, word in enumerate(rows):
        draw.text((left - 5, top + i * h + (h - _GAP) / 2), word, fill=_INK, font=font, anchor="rm")
    for number, picture in enumerate(pixels):
        i, j = divmod(number, len(columns))
        canvas.paste(Image.fromarray(np.ascontiguousarray(picture)), (left + j * w, top + i * h))
    return np.asarray(canvas)
