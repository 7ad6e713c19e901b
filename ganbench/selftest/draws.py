"""What the checks are made of: random numbers that are the same everywhere, and pictures made by formulas.

NumPy promises that the streams of its old generator never change; those of the new one may.
"""

import numpy as np
from numpy.typing import NDArray

from ganbench.images.datasets._base import open_dataset
from ganbench.images.source import ImageSource

Pixels = NDArray[np.uint8]


def normal(seed: int, n: int, d: int) -> NDArray[np.float32]:
    """Standard normal float32 features, (n, d)."""
    return np.random.RandomState(seed).standard_normal((n, d)).astype(np.float32)


def logits(seed: int, n: int, classes: int, *, sure: float) -> NDArray[np.float32]:
    """Logits of `classes` classes in turn, (n, classes); with `sure` 0 they say nothing."""
    return (normal(seed, n, classes) + sure * np.eye(classes)[np.arange(n) % classes]).astype(np.float32)


def noise(n: int, side: int) -> list[Pixels]:
    """Images of uniform noise, uint8 (3, side, side) each."""
    rng = np.random.RandomState(12)
    return list(rng.randint(0, 256, size=(n, 3, side, side), dtype=np.uint8))


def pictures() -> list[Pixels]:
    """Eight pictures of mixed sizes, uint8 (3, h, w), by integer arithmetic alone."""
    sizes = ((32, 32), (28, 28), (64, 48), (48, 64), (224, 224), (299, 299), (301, 173), (96, 500))
    return [_picture(i, h, w) for i, (h, w) in enumerate(sizes)]


def _picture(i: int, h: int, w: int) -> Pixels:
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    stripes = 255 * (((x * (i + 1) + y * 3) // (w // 6 + i + 1)) % 2)
    ramp = (255 * (x + 2 * y)) // (w + 2 * h - 2)
    cx, cy = w * (i + 2) // 12, h * (10 - i) // 12
    disc = np.where((x - cx) ** 2 * 9 < (min(h, w) ** 2) - (y - cy) ** 2 * 9, 255 - 20 * i, 30 * i)
    planes = np.stack([stripes, ramp, disc])
    return np.roll(planes, i, axis=0).astype(np.uint8)


def digits(split: str) -> ImageSource:
    """The embedded digits."""
    return open_dataset("digits", split, offline=True)
