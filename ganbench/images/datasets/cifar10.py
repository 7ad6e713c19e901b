"""CIFAR-10: 60,000 colour photographs, 32 x 32, ten classes (Krizhevsky 2009)."""

from typing import ClassVar

from ganbench.images.datasets._cifar import CifarDataset

_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))


class Cifar10(CifarDataset):
    """50,000 for training, 10,000 for testing, in the order of the files."""

    title: ClassVar[str] = "CIFAR-10"

    name: ClassVar[str] = "cifar10"
    torchvision_name: ClassVar[str] = "CIFAR10"
    binary_folder: ClassVar[str] = "cifar-10-batches-bin"
    binary_files: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": tuple(f"{name}.bin" for name in _TRAIN),
        "test": ("test_batch.bin",),
    }
    label_bytes: ClassVar[int] = 1
    python_folder: ClassVar[str] = "cifar-10-batches-py"
    python_files: ClassVar[dict[str, tuple[str, ...]]] = {"train": _TRAIN, "test": ("test_batch",)}
    label_key: ClassVar[str] = "labels"
