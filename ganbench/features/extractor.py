"""What an extractor is: a network with named heads, and the weights that make its features what they are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of weights: how it is called, what bytes it must have, where it can be had.

    Attributes:
        filename: the name under which it is stored and published.
        sha256: of the whole file.
        size: bytes, for progress and for a check before downloading.
        licence: under which it may be used.
        urls: where it is published; empty where it comes with an installed package.
        aliases: other names under which the same bytes are published.
        package: the installed distribution's import name that carries it, or "".
        package_path: its place inside that package.
    """

    filename: str
    sha256: str
    size: int
    licence: str
    urls: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    package: str = ""
    package_path: str = ""


class Network(nn.Module, ABC):
    """A feature network: one file per network in `extractors/`.

    Resizing and normalising stand before it and belong to the protocol (`preprocess.py`).
    """

    heads: ClassVar[Mapping[str, int]]  # name of a head -> its width
    weights: ClassVar[Weights]

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> "Network":
        """The network in eval mode with the weights of that file, read without unpickling code.

        Raises BadInput where the file is no state-dict of this network.
        """

    @abstractmethod
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Float32 (n, 3, size, size), normalised, to one float32 (n, width) for each head."""


# A network made ready for a device by a back-end: normalised float32 input (n, 3, s, s) -> heads.
Runner = Callable[[Tensor], Mapping[str, Tensor]]


class Backend(ABC):
    """A way to run a network: one file per way in `backends/`."""

    @classmethod
    @abstractmethod
    def available(cls, device: str) -> str | None:
        """None where it can run on the device ("cpu", "cuda:0", "mps"), else the reason, with the cure."""

    @classmethod
    @abstractmethod
    def prepare(cls, network: Network, device: str, *, size: int) -> Runner:
        """Makes the network ready for inputs of side `size`, pixels.

        The runner takes any n, gives the same features, to float32 rounding, as the plain network, and gives an
        image the same features bit for bit whatever images come with it.
        """
