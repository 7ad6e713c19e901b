"""The networks of linear layers with which tutorials begin (Keras-GAN's `gan.py`), for images of any size.

G: z to 256, 512 and 1024 units, each LeakyReLU 0.2 and then batch norm, and a linear layer to all pixels, tanh. D: all
pixels to 512 and 256 units, LeakyReLU 0.2, and a linear layer; it has no normalisation of its own. z ~ N(0, I_100).
At 28 x 28 pixels in one channel G has 1.49 M parameters and D 0.53 M. Batch norm's "momentum 0.8" is Keras's: the
part of the running statistics that stays, so torch's momentum is 0.2 here, and eps Keras's 1e-3. Weights are Xavier's,
uniform, Keras's own; biases 0. Departure: D gives a logit (a sigmoid there).
"""

import math
from typing import ClassVar

import torch
from torch import nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._init import initialise, xavier
from ganbench.nets._layers import Reshape, linear
from ganbench.nets._straight import LeakyReLU

_SLOPE = 0.2
_UP = (256, 512, 1024)
_DOWN = (512, 256)
_FORGOTTEN, _EPS = 0.2, 1e-3


class _Discriminator(Discriminator):
    def __init__(self, shape: Shape, norm: Norm, outputs: int) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        width = math.prod(shape)
        for units in _DOWN:
            layers += [linear(width, units, norm), LeakyReLU(_SLOPE)]
            width = units
        super().__init__(nn.Sequential(*layers), linear(width, outputs, norm))


class Mlp(Backbone):
    """For square images of any size."""

    z_dim: ClassVar[int] = 100
    grid: ClassVar[int] = 1
    sides: ClassVar[tuple[int, int]] = (1, 1 << 14)

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, z_dim + extra) to (n, c, h, w) in [-1, 1]."""
        layers: list[nn.Module] = []
        width = cls.z_dim + extra
        for units in _UP:
            layers += [nn.Linear(width, units), LeakyReLU(_SLOPE), nn.BatchNorm1d(units, _EPS, _FORGOTTEN)]
            width = units
        return nn.Sequential(*layers, nn.Linear(width, math.prod(shape)), nn.Tanh(), Reshape(*shape))

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, c, h, w) to (n, outputs)."""
        return _Discriminator(shape, norm, outputs)

    @classmethod
    def initialise(cls, net: nn.Module, generator: torch.Generator) -> None:
        """Xavier's weights, biases 0, batch norm 1 and 0."""
        initialise(net, generator, weights=xavier(1.0))
