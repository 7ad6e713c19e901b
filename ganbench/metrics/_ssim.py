"""The multi-scale structural similarity of two images, in float64, as torchmetrics defines it.

Wang, Simoncelli and Bovik 2003, https://doi.org/10.1109/ACSSC.2003.1292216.
"""

import numpy as np

from ganbench.features.image_set import Pixels
from ganbench.features.moments import F64

SCALES = 5
_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
_RADIUS = 5
_WINDOW = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / 1.5) ** 2)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def scales_of(side: int) -> int:
    """How many of the five scales are at least as large as the window, for images whose shorter side is given."""
    return sum(side >> s > 2 * _RADIUS for s in range(SCALES))


def ms_ssim(a: Pixels, b: Pixels) -> float:
    """The multi-scale similarity of two images of one shape (channels, h, w) in 0..255, at least 11 x 11; 0..1."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    weights = _WEIGHTS[: scales_of(min(x.shape[1:]))]
    weights = weights * (_WEIGHTS.sum() / weights.sum())
    found = 1.0
    for weight in weights[:-1]:
        contrast = _maps(x, y)[1][:, _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
        found *= max(float(contrast.mean()), 0.0) ** weight
        x, y = _halved(x), _halved(y)
    luminance, contrast = _maps(x, y)
    return float(found * max(float((luminance * contrast).mean()), 0.0) ** weights[-1])


def ssim(a: Pixels, b: Pixels) -> float:
    """The similarity at the full size alone, of two images of one shape (channels, h, w) in 0..255; at most 1.

    Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861: the mean over pixels and channels, the border reflected.
    """
    luminance, contrast = _maps(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return float((luminance * contrast).mean())


def _maps(x: F64, y: F64) -> tuple[F64, F64]:
    """Luminance and contrast at each pixel."""
    from scipy.ndimage import correlate1d

    kernel = _WINDOW / _WINDOW.sum()
    stack = np.stack([x, y, x * x + y * y, x * y])
    for axis in (-2, -1):
        stack = correlate1d(stack, kernel, axis=axis, mode="mirror")
    mean_x, mean_y, squares, product = stack
    both = mean_x**2 + mean_y**2
    cross = mean_x * mean_y
    contrast = (2 * (product - cross) + _C2) / (np.maximum(squares - both, 0) + _C2)
    return (2 * cross + _C1) / (both + _C1), contrast


def _halved(x: F64) -> F64:
    c, h, w = x.shape
    halved: F64 = x[:, : h - h % 2, : w - w % 2].reshape(c, h // 2, 2, w // 2, 2).mean(axis=(2, 4))
    return halved
