"""The U-Net that translates images (Isola et al. 2017, https://arxiv.org/abs/1611.07004): down to one pixel and back.

Each layer of the decoder is told what the encoder knew at its side. Convolutions are 4x4 of stride 2; from an odd side,
as 7, they are 3x3 and give (side + 1) / 2, so that the way back meets the same sides.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.2
_WIDEST = 8  # times the width of the first layer
_DROPPED = 3  # innermost layers of the decoder that have dropout


def sides(side: int) -> list[int]:
    """The sides on the way down: 28, 14, 7, 4, 2, 1."""
    found = [side]
    while found[-1] > 1:
        found.append((found[-1] + 1) // 2)
    return found


class SkipUNet(nn.Module):
    """Images (n, cin, s, s) and codes (n, z_dim) to images (n, cout, s, s) in [-1, 1].

    The codes are the dropout: a number that the innermost layers of the decoder make is kept, and doubled, where its
    own number in the code is positive, which N(0, 1) is half of the time, and else 0.

    Args:
        cin, cout, side: of the images.
        width: channels of the outermost layer; inner ones have up to eight times as many.
        dropout: whether there is any; without it codes are empty.
    """

    def __init__(self, cin: int, cout: int, side: int, *, width: int, dropout: bool) -> None:
        super().__init__()
        ways = list(pairwise(sides(side)))
        widths = [cin, *(width * min(1 << i, _WIDEST) for i in range(len(ways)))]
        innermost = len(ways) - 1
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (outer, _) in enumerate(ways):
            normed = 0 < i < innermost  # with a single pixel in each channel a norm would leave nothing of the image
            layer = nn.Conv2d(widths[i], widths[i + 1], 4 - outer % 2, 2, 1, bias=not normed)
            self.down.append(nn.Sequential(layer, _norm(widths[i + 1])) if normed else layer)
        for i, (outer, _) in reversed(list(enumerate(ways))):
            told = widths[i + 1] * (1 if i == innermost else 2)
            back = nn.ConvTranspose2d(told, widths[i] if i else cout, 4 - outer % 2, 2, 1, bias=not i)
            self.up.append(nn.Sequential(back, _norm(widths[i])) if i else back)
        inner = [(widths[i], ways[i][0], ways[i][0]) for i in range(innermost, 0, -1)]
        self.dropped = inner[:_DROPPED] if dropout else []
        self.z_dim = sum(math.prod(shape) for shape in self.dropped)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """The translated images."""
        known: list[Tensor] = []
        h = x
        for number, layer in enumerate(self.down):
            h = layer(functional.leaky_relu(h, _SLOPE) if number else h)
            known.append(h)
        h = known.pop()
        masks = self._masks(z)
        for number, layer in enumerate(self.up):
            h = layer(functional.relu(h))
            if number < len(masks):
                h = h * masks[number]
            if known:
                h = torch.cat([h, known.pop()], dim=1)
        return torch.tanh(h)

    def _masks(self, z: Tensor) -> list[Tensor]:
        parts = torch.split(z, [math.prod(shape) for shape in self.dropped], dim=1) if self.dropped else []
        return [
            2 * (part > 0).to(z.dtype).view(len(z), *shape) for part, shape in zip(parts, self.dropped, strict=True)
        ]


def _norm(c: int) -> nn.GroupNorm:
    """Over one channel of one image: what batch norm is in a batch of one."""
    return nn.GroupNorm(c, c)
