"""StackGAN's networks, small: a picture of half the side from a caption, then the whole one from that picture (Zhang et
al. 2017, https://arxiv.org/abs/1612.03242). Blocks that double the side are nearest neighbours, 3x3, batch norm, ReLU.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganbench.nets._layers import Reshape

_SLOPE = 0.2
_SMALLEST = 4


def halvings(side: int) -> int:
    """How often a side can be halved before it is odd, or under 8 pixels: 2 from 16, 3 from 32."""
    count = 0
    while side % 2 == 0 and side > _SMALLEST:
        side, count = side // 2, count + 1
    return count


def _conv(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(cin, cout, kernel, stride, 1, bias=False), nn.BatchNorm2d(cout)]


def _up(cin: int, cout: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2.0, mode="nearest"), *_conv(cin, cout), nn.ReLU()]


class Conditioning(nn.Module):
    """Conditioning augmentation: c = mu + sigma eps, with mu and log sigma linear maps of a caption's vector.

    Args:
        text: width of a caption's vector.
        width: of c.
    """

    def __init__(self, text: int, width: int) -> None:
        super().__init__()
        self.told = nn.Linear(text, 2 * width)

    def forward(self, t: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """c, mu and log sigma, (n, width) each, for vectors (n, text) and N(0, I) of c's shape."""
        mu, log_sigma = self.told(t).chunk(2, dim=1)
        return mu + log_sigma.exp() * eps, mu, log_sigma


class First(nn.Module):
    """Stage I: c and noise (n, inputs) to pictures (n, channels, side, side) in [-1, 1]."""

    def __init__(self, inputs: int, channels: int, side: int, width: int) -> None:
        super().__init__()
        ups, least = halvings(side), side >> halvings(side)
        widths = [width << i for i in range(ups, -1, -1)]
        flat = widths[0] * least**2
        self.layers = nn.Sequential(
            nn.Linear(inputs, flat, bias=False),
            nn.BatchNorm1d(flat),
            nn.ReLU(),
            Reshape(widths[0], least, least),
            *(layer for cin, cout in pairwise(widths) for layer in _up(cin, cout)),
            nn.Conv2d(widths[-1], channels, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, c: Tensor) -> Tensor:
        """The pictures."""
        found: Tensor = self.layers(c)
        return found


class Residual(nn.Module):
    """ReLU(x + norm(3x3(ReLU(norm(3x3(x))))))."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.layers, self.act = nn.Sequential(*_conv(c, c), nn.ReLU(), *_conv(c, c)), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        found: Tensor = self.act(x + self.layers(x))
        return found


class Second(nn.Module):
    """Stage II: pictures (n, channels, s, s) and c (n, told) to pictures of twice the side in [-1, 1]."""

    def __init__(self, told: int, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        inner = 2 * width
        self.seen = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1), nn.ReLU(), *_conv(width, inner, 4, 2), nn.ReLU())
        self.layers = nn.Sequential(
            *_conv(inner + told, inner),
            nn.ReLU(),
            *(Residual(inner) for _ in range(blocks)),
            *_up(inner, width),
            *_up(width, width),
            nn.Conv2d(width, channels, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """The larger pictures."""
        found: Tensor = self.layers(beside(self.seen(x), c))
        return found


class Stack(nn.Module):
    """Both stages, each with its own conditioning, and whether the second one is used.

    Args:
        shape: of the pictures in the end, (c, s, s).
        text: width of a caption's vector.
        noise, told: width of the noise and of c.
        width: channels of the outermost layers.
        blocks: residual blocks of stage II.
    """

    both: Tensor

    def __init__(self, shape: tuple[int, ...], text: int, *, noise: int, told: int, width: int, blocks: int) -> None:
        super().__init__()
        self.widths = [noise, told, told]
        self.told = nn.ModuleList(Conditioning(text, told) for _ in range(2))
        self.first = First(noise + told, shape[0], shape[1] // 2, width)
        self.second = Second(told, shape[0], width, blocks)
        self.register_buffer("both", torch.zeros((), dtype=torch.bool))

    def reset(self, _: torch.Generator) -> None:
        """Stage I alone."""
        self.both.zero_()

    def small(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Stage I's pictures with mu and log sigma."""
        noise, eps, _ = torch.split(z, self.widths, dim=1)
        c, mu, log_sigma = self.told[0](t, eps)
        return self.first(torch.cat([noise, c], dim=1)), mu, log_sigma

    def large(self, small: Tensor, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Stage II's pictures with mu and log sigma."""
        c, mu, log_sigma = self.told[1](t, torch.split(z, self.widths, dim=1)[2])
        return self.second(small, c), mu, log_sigma

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """Pictures (n, *shape): stage II's where it is used, before that stage I's with every pixel four times."""
        small = self.small(z, t)[0]
        return torch.where(self.both, self.large(small, z, t)[0], interpolate(small, scale_factor=2.0, mode="nearest"))


class TextDiscriminator(nn.Module):
    """Pictures (n, channels, side, side) and vectors of captions (n, text) to logits (n, 1)."""

    def __init__(self, channels: int, side: int, text: int, *, told: int, width: int) -> None:
        super().__init__()
        downs, least = halvings(side), side >> halvings(side)
        widths = [width << i for i in range(downs + 1)]
        slope = nn.LeakyReLU(_SLOPE)
        self.seen = nn.Sequential(
            nn.Conv2d(channels, width, 3, 1, 1),
            slope,
            *(layer for cin, cout in pairwise(widths) for layer in (*_conv(cin, cout, 4, 2), slope)),
        )
        self.told = nn.Sequential(nn.Linear(text, told), slope)
        last = widths[-1]
        joint = nn.Conv2d(last + told, last, 1, bias=False)
        self.last = nn.Sequential(joint, nn.BatchNorm2d(last), slope, nn.Conv2d(last, 1, least))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Logits, never probabilities."""
        found: Tensor = self.last(beside(self.seen(x), self.told(t))).flatten(1)
        return found


def beside(x: Tensor, c: Tensor) -> Tensor:
    """(n, k, h, w) with (n, d) as d further channels, the same at each place."""
    return torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
