"""MNIST: 70,000 gray handwritten digits, 28 x 28, ten classes (LeCun, Cortes and Burges 1998)."""

from typing import ClassVar

from ganbench.images.datasets._idx import IdxDataset


class Mnist(IdxDataset):
    """60,000 for training, 10,000 for testing, in the order of the files."""

    title: ClassVar[str] = "MNIST"
    licence: ClassVar[str] = "CC BY-SA 3.0"
    homepage: ClassVar[str] = "http://yann.lecun.com/exdb/mnist/"

    name: ClassVar[str] = "mnist"
    folders: ClassVar[tuple[str, ...]] = ("MNIST/raw", "mnist", "MNIST")
    torchvision_name: ClassVar[str] = "MNIST"
    first_labels: ClassVar[dict[str, tuple[int, ...]]] = {
        "train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
        "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9),
    }
