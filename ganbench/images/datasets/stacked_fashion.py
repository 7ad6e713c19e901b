"""Stacked Fashion-MNIST: three pictures of clothes as red, green and blue, 32 x 32; 1,000 classes."""

from typing import ClassVar

from ganbench.images.datasets._base import Dataset
from ganbench.images.datasets._stacked import StackedDataset
from ganbench.images.datasets.fashion_mnist import FashionMnist


class StackedFashion(StackedDataset):
    """128,000 triples of the 60,000 images for training: stacked MNIST's protocol on Fashion-MNIST."""

    title: ClassVar[str] = "Stacked Fashion-MNIST"
    licence: ClassVar[str] = FashionMnist.licence
    homepage: ClassVar[str] = FashionMnist.homepage
    ways: ClassVar[tuple[str, ...]] = FashionMnist.ways

    name: ClassVar[str] = "stacked-fashion"
    base: ClassVar[type[Dataset]] = FashionMnist
