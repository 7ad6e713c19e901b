"""Pictures that a study makes itself: masks of noise, and attention checks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.hype import Kind

Pixels = NDArray[np.uint8]
CHECK_PX = 320


def mask_of(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A texture with the spectrum and the colours of a picture, and nothing of what it shows.

    One random phase for all channels is added to the picture's own: x̂(ω) = |X(ω)| exp(i (arg X(ω) + φ(ω))), φ that of
    white noise (Galerne, Gousseau and Morel 2011, "Random Phase Textures: Theory and Synthesis"). Then each channel's
    values are replaced, rank by rank, by those of the picture.

    Args:
        pixels: uint8 (3, h, w).
        rng: of the noise.

    Returns:
        uint8 (3, h, w).
    """
    values = pixels.astype(np.float64)
    noise = np.fft.fft2(rng.standard_normal(values.shape[1:]))
    phase = noise / np.maximum(np.abs(noise), 1e-12)
    mixed = np.fft.ifft2(np.fft.fft2(values) * phase).real
    out = np.empty_like(pixels)
    for channel in range(3):
        order = np.argsort(mixed[channel], axis=None, kind="stable")
        out[channel].flat[order] = np.sort(pixels[channel], axis=None)
    return out


def read(path: Path) -> Pixels:
    """The pixels of a picture that a study wrote: uint8 (3, h, w)."""
    from PIL import Image

    with Image.open(path) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def check_of(kind: Kind) -> Pixels:
    """An attention check: a picture of the word that tells what to answer. uint8 (3, 320, 320)."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (CHECK_PX, CHECK_PX), (236, 236, 232))
    draw = ImageDraw.Draw(image)
    middle = CHECK_PX / 2
    draw.text((middle, 110), "Please answer", fill=(60, 60, 64), font=ImageFont.load_default(28), anchor="mm")
    draw.text((middle, 180), kind.upper(), fill=(20, 20, 22), font=ImageFont.load_default(84), anchor="mm")
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
