"""Stacked MNIST: three handwritten digits as red, green and blue, 32 x 32; 1,000 classes."""

from typing import ClassVar

from ganbench.images.datasets._base import Dataset
from ganbench.images.datasets._stacked import StackedDataset
from ganbench.images.datasets.mnist import Mnist


class StackedMnist(StackedDataset):
    """128,000 triples of the 60,000 images for training; PacGAN (Lin et al. 2018) draws from the test images too."""

    title: ClassVar[str] = "Stacked MNIST"
    licence: ClassVar[str] = Mnist.licence
    homepage: ClassVar[str] = Mnist.homepage
    ways: ClassVar[tuple[str, ...]] = Mnist.ways

    name: ClassVar[str] = "stacked-mnist"
    base: ClassVar[type[Dataset]] = Mnist
