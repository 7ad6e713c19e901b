"""BEGAN's networks for images of 32 or 64 pixels (Berthelot et al. 2017, https://arxiv.org/abs/1703.10717).

3x3 convolutions, ELU behind each, no normalisation; n = 64 channels. Encoder: one convolution, then pairs of n, 2 n,
3 n (and 4 n at 64 pixels) channels, between which one of stride 2 halves the side, down to 8 x 8; FC to as many numbers
as are asked, 64 in BEGAN. Generator: FC from z to 8 x 8 x n, pairs of n channels, the side doubled by nearest
neighbours between them, a convolution to the picture. Nothing follows the fully connected layers and the last
convolution. z ~ N(0, I_64). Weights are Xavier's, uniform; biases 0.

Departures: z is normal (uniform in [-1, 1] there); the vanishing skip connections, which the paper calls optional, are
not there. The picture has no tanh, as in the paper; in eval mode it is cut to [-1, 1], as it is judged anyway.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._init import initialise, xavier
from ganbench.nets._layers import Reshape, conv, linear

_INNER = 8  # the side at which convolutions end


def _stages(side: int) -> int:
    """Pairs of convolutions: 3 for 32 pixels, 4 for 64."""
    return (side // _INNER).bit_length()


def _elu(cin: int, cout: int, norm: Norm, *, stride: int = 1) -> list[nn.Module]:
    return [conv(cin, cout, 3, norm, stride=stride, padding=1), nn.ELU()]


class Cut(nn.Module):
    """x as it is in training, cut to [-1, 1] in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x if self.training else x.clamp(-1, 1)


class _Discriminator(Discriminator):
    def __init__(self, shape: Shape, width: int, norm: Norm, outputs: int) -> None:
        layers, cin = _elu(shape[0], width, norm), width
        stages = _stages(shape[1])
        for i in range(stages):
            cout = width * (i + 1)
            layers += [*_elu(cin, cout, norm), *_elu(cout, cout, norm)]
            if i < stages - 1:
                layers += _elu(cout, cout, norm, stride=2)
            cin = cout
        trunk = nn.Sequential(*layers, nn.Flatten())
        super().__init__(trunk, linear(cin * _INNER**2, outputs, norm))


class BeganNets(Backbone):
    """For images of 32 or 64 pixels; smaller ones are padded."""

    width: ClassVar[int] = 64  # channels, n
    z_dim: ClassVar[int] = 64
    grid: ClassVar[int] = 32
    sides: ClassVar[tuple[int, int]] = (32, 64)

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, z_dim + extra) to (n, c, h, w), in [-1, 1] in eval mode."""
        n = cls.width
        layers: list[nn.Module] = [nn.Linear(cls.z_dim + extra, n * _INNER**2), Reshape(n, _INNER, _INNER)]
        for i in range(_stages(shape[1])):
            doubled = [nn.Upsample(scale_factor=2.0, mode="nearest")] if i else []
            layers += [*doubled, *_elu(n, n, "none"), *_elu(n, n, "none")]
        return nn.Sequential(*layers, nn.Conv2d(n, shape[0], 3, 1, 1), Cut())

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, c, h, w) to (n, outputs)."""
        return _Discriminator(shape, cls.width, norm, outputs)

    @classmethod
    def initialise(cls, net: nn.Module, generator: torch.Generator) -> None:
        """Xavier's weights, biases 0."""
        initialise(net, generator, weights=xavier(1.0))
