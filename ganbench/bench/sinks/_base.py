"""What a sink is: it is shown a run's losses, scores and pictures, and decides nothing of the run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.bench.spec import RunSpec
from ganbench.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one process does of a run.

    Attributes:
        folder: of the run; it is there.
        spec: the run.
        done: steps that are done. Those after it may have been shown already, by a process that was killed.
        offline: use no network.
    """

    folder: Path
    spec: RunSpec
    done: int
    offline: bool


class Sink(ABC):
    """A place that a run is shown in.

    Class attributes: the name, as in `--log`, which is also the extra that brings its package.

    Args:
        part: what will be shown.
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, part: Part) -> None: ...

    @classmethod
    @abstractmethod
    def check(cls) -> None:
        """Raises Unavailable where its package is not installed."""

    @abstractmethod
    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Shows numbers, by names such as `loss/D`."""

    @abstractmethod
    def picture(self, pixels: NDArray[np.uint8], step: int) -> None:
        """Shows samples, uint8 (h, w, 3)."""

    @abstractmethod
    def flush(self) -> None:
        """What was shown survives the end of the process. Called before a checkpoint is written."""

    @abstractmethod
    def close(self) -> None:
        """The run, or this part of it, has come to its end."""


def package(module: str, extra: str) -> Any:
    """The module of a package that an extra brings. Raises Unavailable where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise Unavailable(
            f"--log {extra} needs the package {extra}, which is not installed. Install it: pip install "
            f"'ganbench[{extra}]'"
        ) from error
