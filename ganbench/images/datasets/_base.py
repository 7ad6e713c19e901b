"""What a dataset is, and how one is opened by its name."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from ganbench.errors import BadInput, CorruptFile, Unavailable
from ganbench.images.captions import Captioned
from ganbench.images.pairs import Pairs
from ganbench.images.source import ImageSource
from ganbench.places import data_folders, home
from ganbench.progress import Progress, silent
from ganbench.registry import Registry, unknown

DEFAULT_SPLIT = "train"


class Dataset(ABC):
    """One dataset: its facts, where its files lie on this machine, and how they come here.

    Class attributes: the title as in print, the splits, the licence, the homepage, and the ways to get the files
    beside a download, each as half a sentence: "on Debian and Ubuntu: apt install ...", and whether it can be
    downloaded.
    """

    title: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    licence: ClassVar[str]
    homepage: ClassVar[str]
    ways: ClassVar[tuple[str, ...]] = ()
    downloads: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def locate(cls, split: str) -> Path | None:
        """The file or folder on this machine that holds the split; None where there is none. No image is read."""

    @classmethod
    @abstractmethod
    def find(cls, split: str) -> ImageSource | None:
        """The images of a split, named NAME:SPLIT, with labels, in the dataset's own order; None where it is not here.

        Raises:
            CorruptFile: a file in our own store no longer has the bytes that were written.
            BadInput: a file elsewhere is not what its name says.
        """

    @classmethod
    @abstractmethod
    def download(cls, split: str, *, progress: Progress) -> None:
        """Fetches the files that hold the split into our own store. Raises Unavailable where the network fails."""


class PairedDataset(Dataset):
    """A dataset of images in two domains. Its images are those of the domain that is to be reached, the targets.

    The images of the split `test` are pairs, to be held out.
    """

    @classmethod
    @abstractmethod
    def pairs(cls, split: str) -> Pairs | None:
        """Sources and targets of a split; None where they are not here. Raises as `find` does."""

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        """The targets."""
        found = cls.pairs(split)
        return None if found is None else found.targets


class CaptionedDataset(Dataset):
    """A dataset of images whose captions are known."""

    @classmethod
    @abstractmethod
    def captioned(cls, split: str) -> Captioned | None:
        """Images and captions of a split; None where they are not here. Raises as `find` does."""

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        """The images."""
        found = cls.captioned(split)
        return None if found is None else found.images


DATASETS = Registry("dataset", "ganbench.images.datasets", Dataset, dashes=True)


def unsaid(message: str) -> None:
    """The warnings of someone who does not want to know."""


def open_dataset(
    name: str,
    split: str | None = None,
    *,
    offline: bool = False,
    download: bool = True,
    progress: Progress = silent,
    warn: Callable[[str], None] = unsaid,
) -> ImageSource:
    """Opens a dataset: found on this machine, else downloaded.

    Args:
        name: as in `ganbench list datasets`.
        split: one of its splits; None is "train".
        offline: use no network.
        download: False does not download either, whatever `offline` says.
        progress: told of the download.
        warn: told of a file in our store that was damaged, and removed.

    Raises:
        UsageError: no such dataset or split.
        Unavailable: it is not here and cannot be fetched; the message names the ways to get it.
        BadInput: a file of it, not from our store, is damaged.
    """
    dataset = DATASETS.get(name)
    split = check_split(name, split)
    source = _found(dataset, split, warn)
    if source is not None:
        return source
    if not dataset.downloads:
        raise unavailable(name, split, "was not found on this machine")
    if offline or not download:
        why = "--offline forbids to fetch it" if offline else "it was not to be fetched"
        raise unavailable(name, split, f"was not found on this machine, and {why}")
    try:
        dataset.download(split, progress=progress)
    except Unavailable as error:
        raise unavailable(name, split, f"was not found on this machine and could not be fetched: {error}") from error
    source = dataset.find(split)
    if source is None:
        raise unavailable(name, split, f"was fetched into {store()} and is not to be found there")
    return source


def check_split(name: str, split: str | None) -> str:
    """The split, or the default one. Raises UsageError where the dataset has no such split, or there is no dataset."""
    splits = DATASETS.get(name).splits
    chosen = DEFAULT_SPLIT if split is None else split
    if chosen not in splits:
        raise unknown(f"split of {name}", chosen, list(splits))
    return chosen


def _found(dataset: type[Dataset], split: str, warn: Callable[[str], None]) -> ImageSource | None:
    try:
        return dataset.find(split)
    except CorruptFile as error:  # it was removed, so the dataset is not here any more
        warn(str(error))
        return None
    except OSError as error:
        raise BadInput(f"{error.filename} cannot be read ({error.strerror}). Check its permissions.") from error


def store() -> Path:
    """The folder that downloads go to, in torchvision's layout."""
    return home() / "datasets"


def places(*layouts: str) -> Iterator[Path]:
    """Existing folders where a dataset may lie, most particular first.

    Args:
        layouts: relative folders, "FashionMNIST/raw"; each is looked for in every data folder, in any letter case
            of its name, and a data folder that itself ends so counts too.
    """
    for base in data_folders():
        for layout in layouts:
            if (base / layout).is_dir():
                yield base / layout
            parts = [part.lower() for part in layout.split("/")]
            if [part.lower() for part in base.parts[-len(parts) :]] == parts and base.is_dir():
                yield base


def unavailable(name: str, split: str, problem: str) -> Unavailable:
    """The error for a dataset that cannot be had, with the ways to get it."""
    looked = ", ".join(str(folder) for folder in data_folders())
    dataset = DATASETS.get(name)
    ways = [
        *([f"with a network: ganbench data get {name}"] if dataset.downloads else []),
        "put its files into a folder and name that folder in the environment variable GANBENCH_DATA",
        *dataset.ways,
    ]
    listed = "".join(f"\n  - {way}" for way in ways)
    return Unavailable(f"The dataset {name}:{split} {problem.rstrip('.')}.\nLooked in: {looked}.\nTo get it:{listed}")
