"""Residual networks for images of 32 or 64 pixels, as of SN-GAN (Miyato et al. 2018).

https://arxiv.org/abs/1802.05957. G: FC to 4 x 4, blocks that double the side, batch norm, ReLU, 3x3 convolution, tanh.
32 pixels: three blocks of 256; D: blocks of 128, two that halve the side and two that keep it (4.28 M and 1.05 M
parameters in three channels). 64 pixels: FC to 1024 channels, blocks of 512, 256, 128, 64; D: five blocks that halve,
64 to 1024. z ~ N(0, I_128).

D's own form has no normalisation. Its features are summed over the places of the image with the spectral norm, as in
SN-GAN, and averaged otherwise, as in WGAN-GP. Images are enlarged by their nearest neighbours; the shortcut's 1x1
convolution comes after enlarging and after averaging. No ReLU is in place: as the first in a block it would cut the
shortcut too. Weights are Xavier's, uniform, with a gain of sqrt 2 in the 3x3 convolutions of blocks and 1 elsewhere,
whatever the loss (WGAN-GP's code has He's).
"""

import math
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._init import initialise, with_init, xavier
from ganbench.nets._layers import Reshape, conv, linear
from ganbench.nets._straight import ReLU

_RESIDUAL = xavier(math.sqrt(2))
_UP = {32: (256, 256, 256, 256), 64: (1024, 512, 256, 128, 64)}
# Channels of D's blocks, and how many of the first halve the side.
_DOWN = {32: ((128, 128, 128, 128), 2), 64: ((64, 128, 256, 512, 1024), 5)}


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")


class UpBlock(nn.Module):
    """(n, cin, h, w) to (n, cout, 2 h, 2 w): BN, ReLU, enlarge, 3x3, BN, ReLU, 3x3, beside a 1x1 shortcut.

    Args:
        cin: channels that come.
        cout: channels that go.
        norm: of the convolutions, "spectral" or none.
    """

    def __init__(self, cin: int, cout: int, norm: Norm = "none") -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(cin), nn.BatchNorm2d(cout)
        self.conv1 = with_init(conv(cin, cout, 3, norm, padding=1), _RESIDUAL)
        self.conv2 = with_init(conv(cout, cout, 3, norm, padding=1), _RESIDUAL)
        self.shortcut, self.act = conv(cin, cout, 1, norm), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Leaves x as it is."""
        h = self.conv1(_doubled(self.act(self.norm1(x))))
        h = self.conv2(self.act(self.norm2(h)))
        found: Tensor = h + self.shortcut(_doubled(x))
        return found


class DownBlock(nn.Module):
    """(n, cin, h, w) to (n, cout, h', w'): ReLU, 3x3, ReLU, 3x3, halve, beside a shortcut.

    Args:
        cin: channels that come.
        cout: channels that go.
        norm: of D.
        halve: the side, by averaging.
        first: the block reads the image, which no ReLU is to cut.
    """

    def __init__(self, cin: int, cout: int, norm: Norm, *, halve: bool, first: bool) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1 = with_init(conv(cin, cout, 3, norm, padding=1), _RESIDUAL)
        self.conv2 = with_init(conv(cout, cout, 3, norm, padding=1), _RESIDUAL)
        learnt = halve or cin != cout
        self.shortcut = conv(cin, cout, 1, norm) if learnt else nn.Identity()
        self.act = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Leaves x as it is."""
        h = self.conv2(self.act(self.conv1(x if self.first else self.act(x))))
        if self.halve:
            h, x = avg_pool2d(h, 2), avg_pool2d(x, 2)
        found: Tensor = h + self.shortcut(x)
        return found


class _Pooled(nn.Module):
    """(n, c, h, w) to (n, c): the sum over places, or their mean."""

    def __init__(self, *, summed: bool) -> None:
        super().__init__()
        self.summed = summed

    def forward(self, h: Tensor) -> Tensor:
        return h.sum((2, 3)) if self.summed else h.mean((2, 3))


class _Discriminator(Discriminator):
    def __init__(self, shape: Shape, norm: Norm, outputs: int) -> None:
        widths, halving = _DOWN[shape[1]]
        pairs = pairwise((shape[0], *widths))
        trunk = nn.Sequential(
            *(DownBlock(cin, cout, norm, halve=i < halving, first=i == 0) for i, (cin, cout) in enumerate(pairs)),
            ReLU(),
            _Pooled(summed=norm == "spectral"),
        )
        super().__init__(trunk, linear(widths[-1], outputs, norm))


class Resnet(Backbone):
    """For images of 32 or 64 pixels; smaller ones are padded."""

    z_dim: ClassVar[int] = 128
    grid: ClassVar[int] = 32
    sides: ClassVar[tuple[int, int]] = (32, 64)

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, z_dim + extra) to (n, c, h, w) in [-1, 1]."""
        widths = _UP[shape[1]]
        return nn.Sequential(
            nn.Linear(cls.z_dim + extra, widths[0] * 16),
            Reshape(widths[0], 4, 4),
            *(UpBlock(cin, cout) for cin, cout in pairwise(widths)),
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(),
            nn.Conv2d(widths[-1], shape[0], 3, 1, 1),
            nn.Tanh(),
        )

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, c, h, w) to (n, outputs)."""
        return _Discriminator(shape, norm, outputs)

    @classmethod
    def initialise(cls, net: nn.Module, generator: torch.Generator) -> None:
        """Xavier's weights, biases 0, batch norm 1 and 0."""
        initialise(net, generator, weights=xavier(1.0))
