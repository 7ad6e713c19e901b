"""InfoGAN's networks for images of 28 or 32 pixels, as "Are GANs Created Equal?" compares losses on (6.6 M each).

Lucic et al. 2018, https://arxiv.org/abs/1711.10337, after Chen et al. 2016. G: FC 1024, FC 128 (s/4)^2, two 4x4
deconvolutions of stride 2; D: 4x4 convolutions 64 and 128 of stride 2, FC 1024; LeakyReLU 0.2; batch norm in G, and
in D where the variant leaves D as it is. Weights N(0, 0.02^2). Departures: G ends in tanh and data are in [-1, 1]
(sigmoid and [0, 1] there); z ~ N(0, I_64) (uniform there); batch norm has torch's momentum 0.1 and eps 1e-5.
"""

from typing import ClassVar

from torch import nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._layers import Reshape, conv, linear
from ganbench.nets._straight import LeakyReLU

_SLOPE = 0.2


def _block(layer: nn.Module, norm: nn.Module | None) -> list[nn.Module]:
    return [layer, *([norm] if norm is not None else []), LeakyReLU(_SLOPE)]


class _Discriminator(Discriminator):
    def __init__(self, shape: Shape, widths: tuple[int, int, int], norm: Norm, outputs: int) -> None:
        first, second, hidden = widths
        batch = norm == "native"
        flat = second * (shape[1] // 4) * (shape[2] // 4)
        trunk = nn.Sequential(
            *_block(conv(shape[0], first, 4, norm, stride=2, padding=1), None),
            *_block(
                conv(first, second, 4, norm, stride=2, padding=1, bias=not batch),
                nn.BatchNorm2d(second) if batch else None,
            ),
            nn.Flatten(),
            *_block(linear(flat, hidden, norm, bias=not batch), nn.BatchNorm1d(hidden) if batch else None),
        )
        super().__init__(trunk, linear(hidden, outputs, norm))


class Info28(Backbone):
    """For images whose sides are multiples of 4."""

    z_dim: ClassVar[int] = 64
    widths: ClassVar[tuple[int, int, int]] = (64, 128, 1024)  # channels of the outer and inner layer, hidden units

    @classmethod
    def generator(cls, shape: Shape, *, extra: int = 0) -> nn.Module:
        """(n, z_dim + extra) to (n, c, h, w) in [-1, 1]."""
        outer, inner, hidden = cls.widths
        h, w = shape[1] // 4, shape[2] // 4
        return nn.Sequential(
            *_block(nn.Linear(cls.z_dim + extra, hidden, bias=False), nn.BatchNorm1d(hidden)),
            *_block(nn.Linear(hidden, inner * h * w, bias=False), nn.BatchNorm1d(inner * h * w)),
            Reshape(inner, h, w),
            *_block(nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer)),
            nn.ConvTranspose2d(outer, shape[0], 4, 2, 1),
            nn.Tanh(),
        )

    @classmethod
    def discriminator(cls, shape: Shape, *, norm: Norm = "native", outputs: int = 1) -> Discriminator:
        """(n, c, h, w) to (n, outputs)."""
        return _Discriminator(shape, cls.widths, norm, outputs)
