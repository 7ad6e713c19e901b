"""Networks for points: G four ReLU layers of 400 with batch norm, D three maxout layers of 200 (PacGAN's).

As in the code published with PacGAN (Lin et al. 2018, https://arxiv.org/abs/1712.04086): z and data may be of any
width; weights N(0, 0.02^2), biases 0. D has no normalisation of its own.
"""

from itertools import pairwise
from typing import ClassVar

from torch import nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._layers import Maxout, linear

_WIDTH, _DEPTH = 400, 4
_UNITS, _PIECES, _LAYERS = 200, 5, 3


class _Discriminator(Discriminator):
    def __init__(self, d: int, norm: Norm, outputs: int) -> None:
        widths = [d] + [_UNITS] * _LAYERS
        pairs = pairwise(widths)
        trunk = nn.Sequential(*(Maxout(cin, cout, _PIECES, norm) for cin, cout in pairs))
        super().__init__(trunk, linear(_UNITS, outputs, norm))


class Mlp2d(Backbone):
    """For points (d,)."""

    z_dim: ClassVar[int] = 2
    points: ClassVar[bool] = True

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, 2 + extra) to (n, d), unbounded."""
        layers: list[nn.Module] = []
        width = cls.z_dim + extra
        for _ in range(_DEPTH):
            layers += [nn.Linear(width, _WIDTH, bias=False), nn.BatchNorm1d(_WIDTH), nn.ReLU()]
            width = _WIDTH
        return nn.Sequential(*layers, nn.Linear(width, shape[0]))

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, d) to (n, outputs)."""
        return _Discriminator(shape[0], norm, outputs)
