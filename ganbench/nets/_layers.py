"""Layers that backbones share: those of D with or without the spectral norm, and small reshapes."""

from torch import Tensor, nn

from ganbench.nets._base import Norm
from ganbench.nets._spectral import SpectralConv2d, SpectralLinear


def linear(cin: int, cout: int, norm: Norm, *, bias: bool = True) -> nn.Linear:
    """A linear layer of D."""
    return SpectralLinear(cin, cout, bias=bias) if norm == "spectral" else nn.Linear(cin, cout, bias)


def conv(
    cin: int, cout: int, kernel: int, norm: Norm, *, stride: int = 1, padding: int = 0, bias: bool = True
) -> nn.Conv2d:
    """A convolution of D."""
    if norm == "spectral":
        return SpectralConv2d(cin, cout, kernel, stride=stride, padding=padding, bias=bias)
    return nn.Conv2d(cin, cout, kernel, stride, padding, bias=bias)


class Reshape(nn.Module):
    """(n, c h w) to (n, c, h, w)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers in another shape."""
        return x.view(len(x), *self.shape)


class Maxout(nn.Module):
    """The largest of `pieces` linear maps, unit by unit (Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389)."""

    def __init__(self, cin: int, cout: int, pieces: int, norm: Norm) -> None:
        super().__init__()
        self.units, self.pieces = cout, pieces
        self.linear = linear(cin, cout * pieces, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(n, cin) to (n, cout)."""
        pieces = self.linear(x).view(len(x), self.units, self.pieces)
        largest: Tensor = pieces.max(dim=2).values  # the backward of `amax` counts ties: a tenth of a step
        return largest
