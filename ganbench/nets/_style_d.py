"""StyleGAN's discriminator: that of progressive growing (Karras et al. 2018, https://arxiv.org/abs/1710.10196).

1x1 convolution from the picture, pairs of 3x3 convolutions, behind each pair the mean of 2 x 2; at the smallest side
the standard deviation over the minibatch as one more channel, a 3x3 convolution, FC, FC. LeakyReLU 0.2, no norms.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganbench.nets._base import Discriminator, Shape
from ganbench.nets._equalised import EqualConv2d, EqualLinear, leaky
from ganbench.nets._growing import channels, first_image, shrunk, sides, split

_EPS = 1e-8


def deviation(x: Tensor, group: int) -> Tensor:
    """x (n, c, h, w) and one more channel: the standard deviation within groups of the batch, its mean over channels.

    A group is `group` data that follow each other, or as many as divide it and the batch. Of one datum alone it is 0.
    """
    n, _, h, w = x.shape
    size = math.gcd(group, n)
    groups = x.view(n // size, size, -1)
    spread = (groups.var(1, unbiased=False) + _EPS).sqrt().mean(1) if size > 1 else groups.new_zeros(n // size)
    column = spread.repeat_interleave(size, output_size=n)[:, None, None, None].expand(n, 1, h, w)
    return torch.cat([x, column], dim=1)


class _End(nn.Module):
    """(n, c, inner, inner) to (n, c)."""

    def __init__(self, c: int, inner: int, group: int, equalised: bool) -> None:
        super().__init__()
        self.group = group
        self.conv = EqualConv2d(c + (group > 0), c, 3, equalised=equalised)
        self.fc = EqualLinear(c * inner**2, c, equalised=equalised)

    def forward(self, h: Tensor) -> Tensor:
        if self.group:
            h = deviation(h, self.group if self.training else 1)
        return leaky(self.fc(leaky(self.conv(h)).flatten(1)))


class StyleDiscriminator(Discriminator):
    """(n, c, h, w) to (n, 1). Larger images than its level is for are shrunk first.

    In eval mode each datum is a group of its own, so that what it makes of one does not depend on the others.

    Args:
        shape: of an image.
        width: channels at its side.
        group: of the standard deviation over the minibatch; 0 leaves it out.
        equalised: all layers learn at an equalised rate.
        grows: as in the generator; `level` likewise.
    """

    level: Tensor

    def __init__(self, shape: Shape, *, width: int, group: int, equalised: bool, grows: bool) -> None:
        widths, inner = channels(shape[1], width), sides(shape[1])[0]
        c = widths[0]
        super().__init__(_End(c, inner, group, equalised), EqualLinear(c, 1, gain=1.0, equalised=equalised))
        self.sides = sides(shape[1])
        self.first = first_image(shape[1]) if grows else len(self.sides) - 1
        self.rgb = nn.ModuleList(EqualConv2d(shape[0], each, 1, equalised=equalised) for each in widths[self.first :])
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [EqualConv2d(outer, outer, 3, equalised=equalised), EqualConv2d(outer, inside, 3, equalised=equalised)]
            )
            for inside, outer in pairwise(widths)
        )

    @property
    def width(self) -> int:
        """Numbers that the last layer reads."""
        assert isinstance(self.last, EqualLinear)
        return self.last.in_features

    def features(self, x: Tensor) -> Tensor:
        """What the last layer reads, (n, width)."""
        k, alpha = split(float(self.level))
        at = self.first + k
        x = shrunk(x, self.sides[at])
        h = leaky(self.rgb[k](x))
        for i in range(at - 1, -1, -1):
            for conv in self.blocks[i].children():
                h = leaky(conv(h))
            h = shrunk(h, self.sides[i])
            if i == at - 1 and alpha < 1:
                h = leaky(self.rgb[k - 1](shrunk(x, self.sides[i]))).lerp(h, alpha)
        found: Tensor = self.trunk(h)
        return found
