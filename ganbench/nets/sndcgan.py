"""The standard CNN on which SN-GAN compares normalisations (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).

G: FC to (s/8)^2 x 512, deconvolutions 4x4 of stride 2 to 256, 128 and 64, batch norm and ReLU, 3x3 convolution, tanh.
D: seven convolutions, 3x3 of stride 1 and 4x4 of stride 2 in turn, 64, 128, 128, 256, 256, 512, 512, LeakyReLU 0.1,
FC. z ~ N(0, I_128), weights N(0, 0.02^2); 3.8 M and 5.9 M parameters at 32 pixels. D's own form has no normalisation:
which one it gets is what the paper compares.
"""

from typing import ClassVar

from torch import nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._layers import Reshape, conv, linear
from ganbench.nets._straight import LeakyReLU

_SLOPE = 0.1
_INNER = 512
_UP = (256, 128, 64)
_DOWN = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))  # channels, stride


class _Discriminator(Discriminator):
    def __init__(self, shape: Shape, norm: Norm, outputs: int) -> None:
        layers: list[nn.Module] = []
        cin = shape[0]
        for cout, stride in _DOWN:
            layers += [conv(cin, cout, 2 + stride, norm, stride=stride, padding=1), LeakyReLU(_SLOPE)]
            cin = cout
        trunk = nn.Sequential(*layers, nn.Flatten())
        super().__init__(trunk, linear(cin * (shape[1] // 8) * (shape[2] // 8), outputs, norm))


class SnDcgan(Backbone):
    """For images of 32 or 64 pixels; smaller ones are padded."""

    z_dim: ClassVar[int] = 128
    grid: ClassVar[int] = 32
    sides: ClassVar[tuple[int, int]] = (32, 64)

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, z_dim + extra) to (n, c, h, w) in [-1, 1]."""
        h, w, cin = shape[1] // 8, shape[2] // 8, _INNER
        layers: list[nn.Module] = [nn.Linear(cls.z_dim + extra, cin * h * w, bias=False), Reshape(cin, h, w)]
        layers += [nn.BatchNorm2d(cin), nn.ReLU()]
        for cout in _UP:
            layers += [nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]
            cin = cout
        return nn.Sequential(*layers, nn.Conv2d(cin, shape[0], 3, 1, 1), nn.Tanh())

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, c, h, w) to (n, outputs)."""
        return _Discriminator(shape, norm, outputs)
