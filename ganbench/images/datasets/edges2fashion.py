"""Edges of Fashion-MNIST's clothes and the clothes themselves, 28 x 28: 70,000 pairs."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.images.datasets._base import PairedDataset
from ganbench.images.datasets.fashion_mnist import FashionMnist
from ganbench.images.derived import Mapped
from ganbench.images.pairs import Pairs
from ganbench.images.source import Pixels
from ganbench.progress import Progress

_LEAST = 64  # of a gradient's length in gray levels per pixel: shorter ones are no edge


class Edges2Fashion(PairedDataset):
    """60,000 pairs for training, 10,000 for testing, in the order of Fashion-MNIST's files."""

    title: ClassVar[str] = "Edges of Fashion-MNIST"
    licence: ClassVar[str] = FashionMnist.licence
    homepage: ClassVar[str] = FashionMnist.homepage
    ways: ClassVar[tuple[str, ...]] = FashionMnist.ways

    @classmethod
    def locate(cls, split: str) -> Path | None:
        """The file of the images."""
        return FashionMnist.locate(split)

    @classmethod
    def pairs(cls, split: str) -> Pairs | None:
        """The edges of each image, and the image."""
        source = FashionMnist.find(split)
        return None if source is None else Pairs(Mapped(source, f"edges2fashion:{split}", _edges), source)

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:
        """Fetches the images."""
        FashionMnist.download(split, progress=progress)


def _edges(pixels: Pixels, _: int) -> Pixels:
    return np.repeat(edges(pixels[0])[None], 3, axis=0)


def edges(gray: Pixels) -> Pixels:
    """White where the gray values of an image (h, w) change by 64 or more per pixel, by Sobel's filters; else black.

    (S_x * g / 8)^2 + (S_y * g / 8)^2 >= 64^2, with S_x = (1, 2, 1)^T (1, 0, -1), S_y its transpose; the border repeats.
    """
    g: NDArray[np.int64] = np.pad(gray.astype(np.int64), 1, mode="edge")
    across, down = g[:, 2:] - g[:, :-2], g[2:] - g[:-2]
    x = across[:-2] + 2 * across[1:-1] + across[2:]
    y = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    found: Pixels = np.where(x * x + y * y >= (8 * _LEAST) ** 2, 255, 0).astype(np.uint8)
    return found
