"""Fashion-MNIST: 70,000 gray pictures of clothes, 28 x 28, ten classes (Xiao, Rasul and Vollgraf 2017)."""

from typing import ClassVar

from ganbench.images.datasets._idx import IdxDataset


class FashionMnist(IdxDataset):
    """60,000 for training, 10,000 for testing, in the order of the files."""

    title: ClassVar[str] = "Fashion-MNIST"
    licence: ClassVar[str] = "MIT"
    homepage: ClassVar[str] = "https://github.com/zalandoresearch/fashion-mnist"
    ways: ClassVar[tuple[str, ...]] = ("on Debian and Ubuntu: apt install dataset-fashion-mnist",)

    name: ClassVar[str] = "fashion-mnist"
    folders: ClassVar[tuple[str, ...]] = ("FashionMNIST/raw", "fashion-mnist", "FashionMNIST", "fashion_mnist")
    torchvision_name: ClassVar[str] = "FashionMNIST"
    first_labels: ClassVar[dict[str, tuple[int, ...]]] = {
        "train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
        "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7),
    }
