"""Pictures of samples: grids of images, points in the plane, and how they changed over a training."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganbench.files import write_bytes

U8 = NDArray[np.uint8]
_ROWS = 8
_LEAST = 56  # pixels: smaller images are enlarged without smoothing
_GAP = 8  # pixels between groups of rows
_CAPTIONED = 4  # in a row
_LETTERS = 11  # pixels
_PLANE = 384  # pixels of a picture of points


def grid(samples: Tensor) -> U8:
    """The first 64 images, uint8 (n, c, h, w), eight by eight: uint8 (h', w', 3)."""
    images = samples[: _ROWS * _ROWS].permute(0, 2, 3, 1).numpy()
    n, h, w, c = images.shape
    scale = max(1, -(-_LEAST // max(h, w)))
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    h, w = h * scale, w * scale
    rows = -(-n // _ROWS)
    out = np.full((rows * (h + 2) + 2, min(n, _ROWS) * (w + 2) + 2, 3), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        y, x = 2 + (i // _ROWS) * (h + 2), 2 + (i % _ROWS) * (w + 2)
        out[y : y + h, x : x + w] = image if c == 3 else image.repeat(3, axis=2)
    return out


def rows_of_three(sources: Tensor, samples: Tensor, truth: Tensor | None) -> U8:
    """What was translated, below it what came out, below that the truth where it is known, eight side by side.

    Args:
        sources, samples, truth: uint8 (n, c, h, w), of 1 or 3 channels each.
    """
    n = len(samples)
    parts = [_coloured(part) for part in (sources, samples, truth) if part is not None]
    rows = []
    for at in range(0, n, _ROWS):
        rows += [grid(part[at : at + _ROWS]) for part in parts]
        rows.append(np.full((_GAP, rows[0].shape[1], 3), 255, dtype=np.uint8))
    widest = rows[0].shape[1]  # the last rows may be shorter
    full = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0)), constant_values=255) for row in rows[:-1]]
    return np.concatenate(full)


def captioned(samples: Tensor, truth: Tensor, captions: Sequence[str]) -> U8:
    """Each sample beside the image that had its caption, and the caption below, four side by side.

    Args:
        samples, truth: uint8 (n, c, h, w).
        captions: one for each.
    """
    font, cells = ImageFont.load_default(_LETTERS), []
    for made, wanted, caption in zip(_coloured(samples), _coloured(truth), captions, strict=True):
        both = grid(torch.stack([made, wanted]))
        below = Image.new("RGB", (both.shape[1], _LETTERS + 6), "white")
        ImageDraw.Draw(below).text((2, 1), caption, fill="black", font=font)
        cells.append(np.concatenate([both, np.asarray(below)]))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % _CAPTIONED)
    rows = [np.concatenate(cells[at : at + _CAPTIONED], axis=1) for at in range(0, len(cells), _CAPTIONED)]
    return np.concatenate(rows)


def _coloured(images: Tensor) -> Tensor:
    return images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1)


def plane(samples: Tensor, reals: Tensor) -> U8:
    """Points (n, d) by their first two coordinates over those of the data: uint8 (384, 384, 3)."""
    x, y = samples[:, :2].double().numpy(), reals[:, :2].double().numpy()
    low, high = y.min(axis=0), y.max(axis=0)
    margin = 0.25 * (high - low).max()
    low, high = low - margin, high + margin
    out = np.full((_PLANE, _PLANE, 3), 255, dtype=np.uint8)
    for points, colour in ((y, (225, 225, 225)), (x, (200, 60, 30))):
        at = ((points - low) / (high - low) * (_PLANE - 1)).round()
        at = at[((at >= 0) & (at < _PLANE)).all(axis=1)].astype(int)
        for dy in (0, 1):
            for dx in (0, 1):
                rows, columns = _PLANE - 1 - at[:, 1] - dy, at[:, 0] + dx
                inside = (rows >= 0) & (columns < _PLANE)
                out[rows[inside], columns[inside]] = colour
    return out


def save_png(path: Path, pixels: U8) -> None:
    """Writes uint8 (h, w, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def _frame(png: Path) -> Image.Image:
    with Image.open(png) as image:
        return image.convert("P", palette=Image.Palette.ADAPTIVE, colors=64)


def save_gif(path: Path, pngs: list[Path]) -> None:
    """Writes pictures of equal size as one that moves; the last stays for two seconds."""
    frames = [_frame(png) for png in pngs]
    times = [300] * (len(frames) - 1) + [2000]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    write_bytes(path, buffer.getvalue())
