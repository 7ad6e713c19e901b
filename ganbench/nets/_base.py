"""What a backbone is: it builds a generator and a discriminator for data of a given shape."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ganbench.errors import UsageError
from ganbench.nets._init import initialise, normal

Shape = tuple[int, ...]  # of one datum: (c, h, w) of an image, (d,) of a point
# How D is normalised: as the backbone's source has it, not at all, or by its spectral norm in every layer.
Norm = Literal["native", "none", "spectral"]


class Discriminator(nn.Module):
    """A network from data (n, *shape) to numbers (n, outputs): logits, never probabilities.

    Args:
        trunk: from data to (n, width).
        last: from there to (n, outputs).
    """

    def __init__(self, trunk: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.trunk, self.last = trunk, last

    @property
    def width(self) -> int:
        """Numbers that the last layer reads."""
        assert isinstance(self.last, nn.Linear)
        return self.last.in_features

    def features(self, x: Tensor) -> Tensor:
        """What the last layer reads, (n, width)."""
        found: Tensor = self.trunk(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """float (n, outputs)."""
        found: Tensor = self.last(self.features(x))
        return found


class Backbone(ABC):
    """A pair of networks that belong together.

    Class attributes:
        z_dim: width of z, whose prior is N(0, I).
        points: it is for points (d,), not for images (c, h, w).
        grid: the sides of images are multiples of this; others are padded with black and cut again when judged.
    """

    z_dim: ClassVar[int]
    points: ClassVar[bool] = False
    grid: ClassVar[int] = 4
    sides: ClassVar[tuple[int, int]] = (8, 1 << 14)  # the smallest and the largest image

    @classmethod
    @abstractmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """From z, with `extra` numbers behind it, (n, z_dim + extra), to data (n, *shape), images in [-1, 1]."""

    @classmethod
    @abstractmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """From data (n, *shape) to (n, outputs)."""

    @classmethod
    def initialise(cls, net: nn.Module, generator: torch.Generator) -> None:
        """The first weights of a network of this backbone: N(0, 0.02^2), biases 0, batch norm 1 and 0."""
        initialise(net, generator, weights=normal(0.02))

    @classmethod
    def fitted(cls, shape: Shape) -> Shape:
        """The shape that the networks are built for: `shape`, its sides rounded up to the grid.

        Raises UsageError where the backbone is not for such data.
        """
        name = cls.__module__.rpartition(".")[2].replace("_", "-")
        if cls.points != (len(shape) == 1):
            wanted = "points" if cls.points else "images"
            raise UsageError(f"The backbone {name} is for {wanted}; the data are {described(shape)}. Name another.")
        if cls.points:
            return shape
        side = cls.grid * math.ceil(max(shape[1:]) / cls.grid)
        least, most = cls.sides
        if shape[1] != shape[2] or not least <= side <= most:
            raise UsageError(
                f"The backbone {name} is for square images of {least} to {most} pixels; the data are "
                f"{described(shape)}. Name another: ganbench list backbones"
            )
        return (shape[0], side, side)


def described(shape: Shape) -> str:
    """The shape of a datum in words."""
    if len(shape) == 1:
        return f"points in {shape[0]} dimensions"
    return f"images of {shape[2]} x {shape[1]} pixels in {shape[0]} channel{'s' if shape[0] > 1 else ''}"
