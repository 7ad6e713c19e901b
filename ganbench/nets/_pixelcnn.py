"""The gated PixelCNN: what is known of each number of an image from those before it, in raster order.

van den Oord et al. 2016, https://arxiv.org/abs/1606.05328. The vertical stack sees all rows above, the horizontal one
the pixels to the left in the same row, so no part of the past is out of sight. The channels of a pixel come one after
the other: the logits of each are told those before it by linear maps behind the stacks.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

VALUES = 256


def _gate(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class Block(nn.Module):
    """One layer of both stacks.

    Args:
        cin: channels of what comes in.
        width: channels of what leaves.
        reach: rows above and columns to both sides that a layer sees, r.
        first: it reads the image itself.
    """

    def __init__(self, cin: int, width: int, reach: int, *, first: bool) -> None:
        super().__init__()
        self.reach, self.first = reach, first
        r = reach
        # Rows i - r .. i - 1 of the image, or i - r .. i of what the layers before made of rows above those.
        self.vertical = nn.Conv2d(cin, 2 * width, (r if first else r + 1, 2 * r + 1))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        # Columns j - r .. j - 1 of the image, or j - r .. j.
        self.horizontal = nn.Conv2d(cin, 2 * width, (1, r if first else r + 1))
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks (n, cin, rows, columns) to (n, width, rows, columns) of each."""
        r, rows, columns = self.reach, v.shape[2], v.shape[3]
        down = self.vertical(functional.pad(v, (r, r, r, 0)))[:, :, :rows]
        left = self.horizontal(functional.pad(h, (r, 0, 0, 0)))[:, :, :, :columns]
        new = self.out(_gate(left + self.across(down)))
        return _gate(down), new if self.first else new + h

    def down(self, rows: Tensor) -> Tensor:
        """The vertical part of one row: the rows that it sees, (n, cin, k, columns), to (n, 2 width, 1, columns)."""
        found: Tensor = self.vertical(functional.pad(rows, (self.reach, self.reach, 0, 0)))
        return found

    def pixel(self, left: Tensor, across: Tensor) -> Tensor:
        """The horizontal part of one pixel: what it sees to its left, (n, cin, k), and the other stack's word for it,
        (n, 2 width), to (n, width).
        """
        told = functional.linear(left.flatten(1), self.horizontal.weight.flatten(1), self.horizontal.bias)
        new = functional.linear(_gate(told + across), self.out.weight.flatten(1), self.out.bias)
        return new if self.first else new + left[:, :, -1]


class PixelCnn(nn.Module):
    """Logits of the 256 values of every number of an image.

    Args:
        shape: of an image, (c, h, w).
        width, layers: channels and number of the layers behind the first.
    """

    def __init__(self, shape: tuple[int, ...], *, width: int, layers: int) -> None:
        super().__init__()
        self.c = shape[0]
        self.first = Block(self.c, width, 3, first=True)
        self.layers = nn.ModuleList(Block(width, width, 1, first=False) for _ in range(layers))
        self.told = nn.ModuleList(nn.Conv2d(number, width, 1, bias=False) for number in range(1, self.c))
        self.last = nn.ModuleList(nn.Conv2d(width, VALUES, 1) for _ in range(self.c))

    def context(self, x: Tensor) -> Tensor:
        """What is known of each pixel from those before it: (n, c, h, w) in [-1, 1] to (n, width, h, w)."""
        v, h = self.first(x, x)
        for layer in self.layers:
            v, h = layer(v, h)
        return functional.relu(h)

    def channel(self, known: Tensor, before: Tensor, number: int) -> Tensor:
        """Logits (n, 256, h, w) of one channel, given the context and the channels before it (n, number, h, w)."""
        if number:
            known = known + self.told[number - 1](before)
        found: Tensor = self.last[number](known)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) in [-1, 1] to logits (n, c, 256, h, w)."""
        known = self.context(x)
        return torch.stack([self.channel(known, x[:, :number], number) for number in range(self.c)], dim=1)

    def drawn(self, u: Tensor) -> Tensor:
        """Images (n, c, h, w) in [-1, 1]: each number is the value at which its distribution function passes u.

        Every layer's last row and the pixels of its present one are kept, so that the whole costs about one pass.

        Args:
            u: U[0, 1), (n, c, h, w).
        """
        n, c, h, w = u.shape
        x = torch.zeros(n, c, h + 3, w + 3, device=u.device)  # three rows above and columns to the left are 0
        above = [torch.zeros(n, layer.out.out_channels, 1, w, device=u.device) for layer in self._blocks()]
        for i in range(h):
            across, above = self._row(x[:, :, i : i + 3, 3:], above)
            made = [torch.zeros(n, each.shape[1], w + 1, device=u.device) for each in above]
            for j in range(w):
                known = self._pixel(x[:, :, i + 3, j : j + 3], [each[:, :, j] for each in across], made, j)
                for number in range(c):
                    before = x[:, :number, i + 3, j + 3, None, None]
                    logits = self.channel(known[:, :, None, None], before, number)[:, :, 0, 0]
                    x[:, number, i + 3, j + 3] = quantile(logits=logits, u=u[:, number, i, j]).float() / 127.5 - 1
        return x[:, :, 3:, 3:]

    def _blocks(self) -> list[Block]:
        blocks = [self.first, *self.layers]
        assert all(isinstance(block, Block) for block in blocks)
        return blocks

    def _row(self, rows: Tensor, above: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the vertical stack says to each layer's pixels of a row, (n, 2 width, w), and its own row of each."""
        across: list[Tensor] = []
        row: list[Tensor] = []
        for block, before in zip(self._blocks(), [rows, *above[:-1]], strict=True):
            sees = before if block.first else torch.cat([before, row[-1]], dim=2)
            down = block.down(sees)
            across.append(block.across(down)[:, :, 0])
            row.append(_gate(down))
        return across, row

    def _pixel(self, left: Tensor, across: list[Tensor], made: list[Tensor], j: int) -> Tensor:
        """The context of pixel j of a row, (n, width); `made` has a column of 0 before those of each layer."""
        for block, told, kept in zip(self._blocks(), across, made, strict=True):
            kept[:, :, j + 1] = block.pixel(left, told)
            left = kept[:, :, j : j + 2]
        return functional.relu(left[:, :, -1])


def quantile(*, logits: Tensor, u: Tensor) -> Tensor:
    """For logits (n, 256) and u (n,) in [0, 1) the value at which the distribution function passes u, int64 (n,)."""
    passed = torch.softmax(logits.double(), dim=1).cumsum(1) <= u.double()[:, None]
    return passed.sum(1).clamp(max=logits.shape[1] - 1)
