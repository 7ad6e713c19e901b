"""SAGAN's networks without classes: residual, the spectral norm in both, attention at half the side of the image.

Zhang et al. 2019, https://arxiv.org/abs/1805.08318. G: FC to the smallest map, blocks that double the side, batch norm,
ReLU, 3x3 convolution, tanh; D: blocks that halve it, one that keeps it, ReLU, the sum over places, FC. The smallest
map has 4 x 4 places for images of 32 or 64 pixels and 7 x 7 for 28. Attention stands before G's last block and behind
D's first: at 16 x 16 for 32 pixels, at 32 x 32 for 64. Channels double from one side to its half. Weights are Xavier's.
"""

import math
from itertools import pairwise

from torch import Tensor, nn

from ganbench.nets._attention import SelfAttention
from ganbench.nets._base import Discriminator, Shape
from ganbench.nets._init import Fill, xavier
from ganbench.nets._layers import Reshape, conv, linear
from ganbench.nets.resnet import DownBlock, UpBlock

_LEAST = 4  # the side of the smallest map, at least
_MOST = 16  # channels at most, as a multiple of those at the image
WEIGHTS: Fill = xavier(1.0)


def smallest(side: int) -> int:
    """The side of the smallest map: halved as often as it is a whole number of at least 4."""
    while side % 2 == 0 and side // 2 >= _LEAST:
        side //= 2
    return side


def channels(side: int, width: int) -> list[int]:
    """Channels by side, from the image inward: `width` at the image, twice as many at each half."""
    halvings = int(math.log2(side // smallest(side)))
    return [width * min(2**i, _MOST) for i in range(halvings + 1)]


def generator(shape: Shape, *, z_dim: int, width: int) -> nn.Module:
    """(n, z_dim) to (n, c, h, w) in [-1, 1]."""
    inner, widths = smallest(shape[1]), channels(shape[1], width)[::-1]
    blocks: list[nn.Module] = [UpBlock(cin, cout, "spectral") for cin, cout in pairwise(widths)]
    blocks.insert(len(blocks) - 1, SelfAttention(widths[-2], "spectral"))
    return nn.Sequential(
        linear(z_dim, widths[0] * inner**2, "spectral"),
        Reshape(widths[0], inner, inner),
        *blocks,
        nn.BatchNorm2d(widths[-1]),
        nn.ReLU(),
        conv(widths[-1], shape[0], 3, "spectral", padding=1),
        nn.Tanh(),
    )


class SaganDiscriminator(Discriminator):
    """(n, c, h, w) to (n, 1).

    Args:
        shape: of an image.
        width: channels at the side of the image.
    """

    def __init__(self, shape: Shape, *, width: int) -> None:
        widths = channels(shape[1], width)
        first, *rest = (
            DownBlock(cin, cout, "spectral", halve=True, first=i == 0)
            for i, (cin, cout) in enumerate(pairwise([shape[0], *widths[1:]]))
        )
        kept = DownBlock(widths[-1], widths[-1], "spectral", halve=False, first=False)
        trunk = nn.Sequential(first, SelfAttention(widths[1], "spectral"), *rest, kept)
        super().__init__(trunk, linear(widths[-1], 1, "spectral"))
        self.act = nn.ReLU()

    def features(self, x: Tensor) -> Tensor:
        """The sum over places of what the last block gives, (n, channels)."""
        h: Tensor = self.act(self.trunk(x))
        return h.sum((2, 3))
