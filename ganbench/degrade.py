"""Images made worse in known ways, to see that a metric notices."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """A Gaussian blur, cut at four standard deviations, edge pixels continued outwards.

    Args:
        pixels: uint8, (3, h, w).
        sigma: standard deviation, pixels; 0 changes nothing.

    Returns:
        uint8, (3, h, w), rounded half up.
    """
    from scipy.ndimage import gaussian_filter

    return _rounded(gaussian_filter(pixels.astype(np.float64), sigma=(0, sigma, sigma), mode="nearest", truncate=4.0))


def noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Gaussian noise, independent from pixel to pixel and equal in the three channels, so that gray stays gray.

    Args:
        pixels: uint8, (3, h, w).
        sigma: standard deviation, grey levels of 255; 0 changes nothing.
        rng: where the noise comes from; one for each image keeps an image's noise independent of the others.

    Returns:
        uint8, (3, h, w), rounded half up and clamped to 0..255.
    """
    return _rounded(pixels + rng.normal(0.0, sigma, size=(1, *pixels.shape[1:])))


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
