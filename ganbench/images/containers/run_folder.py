"""The folder of a training run: the samples that it was judged by, `samples/final.npz`."""

from pathlib import Path
from typing import ClassVar

from ganbench.errors import BadInput
from ganbench.images.containers.npz import Npz
from ganbench.images.source import Container, ImageSource

_MARKS = ("config.json", "checkpoints", "samples")


class RunFolder(Container):
    """A folder that `ganbench train` made."""

    priority: ClassVar[int] = 0  # before folders of images: its pictures are no samples

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether it has what a run's folder has."""
        return path.is_dir() and all((path / mark).exists() for mark in _MARKS)

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """The samples of its last checkpoint. Raises BadInput where it has not come to its end, or made points."""
        file = path / "samples" / "final.npz"
        if not file.is_file():
            raise BadInput(
                f"{path} is a training run without samples of images: it has not come to its end, or it makes points. "
                f"Make some of its newest checkpoint: ganbench sample {path} -n 10000 --out FILE.npz"
            )
        return Npz.open(file, value_range=value_range)
