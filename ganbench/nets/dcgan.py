"""DCGAN's networks for images of 32 or 64 pixels (Radford et al. 2016, https://arxiv.org/abs/1511.06434).

G: z to 4 x 4 x 64 2^(n-1), then n deconvolutions 4x4 of stride 2, batch norm and ReLU, tanh; D: its mirror with
LeakyReLU 0.2, batch norm in all layers but the first and the last, where the variant leaves D as it is. n is 3 for 32
pixels and 4 for 64; z ~ N(0, I_100). Weights N(0, 0.02^2), the gains of batch norm N(1, 0.02^2). Departures: kernels
are 4x4 (5x5 there) and half as wide; z is normal (uniform there).
"""

from typing import ClassVar

import torch
from torch import nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._init import initialise, normal
from ganbench.nets._layers import Reshape, conv, linear
from ganbench.nets._straight import LeakyReLU

_WIDTH = 64
_SLOPE = 0.2


def _widths(side: int) -> list[int]:
    """Channels from the image's side to the innermost: 64, 128, 256 for 32 pixels."""
    return [_WIDTH << i for i in range((side // 4).bit_length() - 1)]


class _Discriminator(Discriminator):
    def __init__(self, shape: Shape, norm: Norm, outputs: int) -> None:
        batch, cin = norm == "native", shape[0]
        layers: list[nn.Module] = []
        for i, cout in enumerate(_widths(shape[1])):
            normed = batch and i > 0
            layers.append(conv(cin, cout, 4, norm, stride=2, padding=1, bias=not normed))
            layers += [*([nn.BatchNorm2d(cout)] if normed else []), LeakyReLU(_SLOPE)]
            cin = cout
        trunk = nn.Sequential(*layers, nn.Flatten())
        super().__init__(trunk, linear(cin * 16, outputs, norm))


class Dcgan(Backbone):
    """For images of 32 or 64 pixels; smaller ones are padded."""

    z_dim: ClassVar[int] = 100
    grid: ClassVar[int] = 32
    sides: ClassVar[tuple[int, int]] = (32, 64)

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, z_dim + extra) to (n, c, h, w) in [-1, 1]."""
        *outer, cin = _widths(shape[1])
        layers: list[nn.Module] = [nn.Linear(cls.z_dim + extra, cin * 16, bias=False), Reshape(cin, 4, 4)]
        layers += [nn.BatchNorm2d(cin), nn.ReLU()]
        for cout in reversed(outer):
            layers += [nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]
            cin = cout
        return nn.Sequential(*layers, nn.ConvTranspose2d(cin, shape[0], 4, 2, 1), nn.Tanh())

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, c, h, w) to (n, outputs)."""
        return _Discriminator(shape, norm, outputs)

    @classmethod
    def initialise(cls, net: nn.Module, generator: torch.Generator) -> None:
        """Weights N(0, 0.02^2), biases 0, batch norm N(1, 0.02^2) and 0."""
        initialise(net, generator, weights=normal(0.02), gamma_std=0.02)
