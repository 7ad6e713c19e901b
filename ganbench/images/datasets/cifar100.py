"""CIFAR-100: 60,000 colour photographs, 32 x 32, a hundred classes (Krizhevsky 2009)."""

from typing import ClassVar

from ganbench.images.datasets._cifar import CifarDataset


class Cifar100(CifarDataset):
    """50,000 for training, 10,000 for testing, in the order of the files, with the fine labels."""

    title: ClassVar[str] = "CIFAR-100"

    name: ClassVar[str] = "cifar100"
    torchvision_name: ClassVar[str] = "CIFAR100"
    binary_folder: ClassVar[str] = "cifar-100-binary"
    binary_files: ClassVar[dict[str, tuple[str, ...]]] = {"train": ("train.bin",), "test": ("test.bin",)}
    label_bytes: ClassVar[int] = 2
    python_folder: ClassVar[str] = "cifar-100-python"
    python_files: ClassVar[dict[str, tuple[str, ...]]] = {"train": ("train",), "test": ("test",)}
    label_key: ClassVar[str] = "fine_labels"
