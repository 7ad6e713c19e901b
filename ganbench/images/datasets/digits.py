"""scikit-learn's digits: 1,797 gray handwritten digits, 8 x 8 enlarged to 32 x 32, ten classes; always at hand."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from ganbench.images.datasets._base import Dataset
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import ImageSource, Pixels
from ganbench.progress import Progress

_SIDE = 32
_START = {"train": 0, "test": 1}


class Digits(Dataset):
    """The test part of the UCI optical recognition digits (Alpaydin and Kaynak 1998) as scikit-learn carries it.

    The split train is the images of even index, 899; test those of odd index, 898.
    """

    title: ClassVar[str] = "Optical Recognition of Handwritten Digits"
    licence: ClassVar[str] = "CC BY 4.0"
    homepage: ClassVar[str] = "https://archive.ics.uci.edu/dataset/80"

    @classmethod
    def locate(cls, split: str) -> Path | None:  # noqa: ARG003 - both lie in one file
        """The folder of scikit-learn's own data."""
        from importlib.util import find_spec

        spec = find_spec("sklearn")
        return None if spec is None or spec.origin is None else Path(spec.origin).parent / "datasets" / "data"

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        """The images of a split. Needs no file but scikit-learn's own."""
        table = _table(cls.locate(split))[_START[split] :: 2]
        values, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
        return IndexedSource(
            f"digits:{split}", len(values), read=lambda index: enlarged(values[index]), labels=lambda: labels.copy()
        )

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:
        """There is nothing to fetch."""


def _table(folder: Path | None) -> NDArray[np.float64]:
    """All digits, (1797, 65): 64 values in 0..16, and the class."""
    path = None if folder is None else folder / "digits.csv.gz"
    if path is not None and path.is_file():  # read as scikit-learn reads it, without two seconds for its import
        return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target]).astype(np.float64)


def enlarged(values: NDArray[np.float64]) -> Pixels:
    """0..16 as (8, 8) to uint8 (32, 32): x 255 / 16 in float32, Pillow's bicubic, clamped, rounded half up."""
    small = Pillow.fromarray((values * (255 / 16)).astype(np.float32))  # mode F
    large = np.asarray(small.resize((_SIDE, _SIDE), Pillow.Resampling.BICUBIC))
    rounded: Pixels = np.floor(np.clip(large, 0, 255) + np.float32(0.5)).astype(np.uint8)
    return rounded
