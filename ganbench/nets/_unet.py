"""The U-Net of diffusion models, narrow, told the time of its input (Ho et al. 2020, https://arxiv.org/abs/2006.11239)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganbench.nets._init import with_init, zeros

_GROUPS = 8


def sinusoids(t: Tensor, width: int) -> Tensor:
    """Times (n,) as sines and cosines of `width` / 2 wavelengths from 2 pi to 10,000 * 2 pi: (n, width)."""
    half = width // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / (half - 1))
    angles = t.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Residual(nn.Module):
    """x + conv(SiLU(norm(conv(SiLU(norm(x))) + time))); the last convolution begins at 0."""

    def __init__(self, cin: int, cout: int, time: int) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.GroupNorm(_GROUPS, cin), nn.SiLU(), nn.Conv2d(cin, cout, 3, 1, 1))
        self.time = nn.Linear(time, cout)
        last = with_init(nn.Conv2d(cout, cout, 3, 1, 1), zeros())
        self.out = nn.Sequential(nn.GroupNorm(_GROUPS, cout), nn.SiLU(), last)
        self.past = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(n, cin, h, w) and (n, time) to (n, cout, h, w)."""
        h = self.into(x) + self.time(functional.silu(time))[:, :, None, None]
        found: Tensor = self.past(x) + self.out(h)
        return found


class Attention(nn.Module):
    """x + self-attention over all pixels with one head; it begins as the identity."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.norm, self.qkv = nn.GroupNorm(_GROUPS, c), nn.Conv2d(c, 3 * c, 1)
        self.out = with_init(nn.Conv2d(c, c, 1), zeros())

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same."""
        q, k, v = (part.flatten(2) for part in self.qkv(self.norm(x)).chunk(3, dim=1))
        weights = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(x.shape[1]), dim=2)  # (n, to, from)
        found: Tensor = x + self.out((v @ weights.transpose(1, 2)).view_as(x))
        return found


class UNet(nn.Module):
    """From noisy images and their times to images of the same shape.

    Args:
        channels: of an image.
        width: of the outermost level; the inner ones have twice as many.
        mults: width of each level as a multiple; between levels sides are halved.
    """

    def __init__(self, channels: int, *, width: int, mults: tuple[int, ...]) -> None:
        super().__init__()
        time, widths = 4 * width, [width * mult for mult in mults]
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.first = nn.Conv2d(channels, width, 3, 1, 1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        c, passed = width, [width]
        for level, cout in enumerate(widths):
            self.down.append(nn.ModuleList([Residual(c, cout, time), Residual(cout, cout, time)]))
            c = cout
            passed += [c, c]
            if level < len(widths) - 1:
                self.shrink.append(nn.Conv2d(c, c, 3, 2, 1))
                passed.append(c)
        self.middle = nn.ModuleList([Residual(c, c, time), Residual(c, c, time)])
        self.attention = Attention(c)
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, cout in reversed(list(enumerate(widths))):
            blocks = nn.ModuleList()
            for _ in range(3):
                blocks.append(Residual(c + passed.pop(), cout, time))
                c = cout
            self.up.append(blocks)
            if level > 0:
                self.grow.append(nn.Conv2d(c, c, 3, 1, 1))
        last = with_init(nn.Conv2d(c, channels, 3, 1, 1), zeros())
        self.last = nn.Sequential(nn.GroupNorm(_GROUPS, c), nn.SiLU(), last)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(n, channels, h, w) and times (n,) to (n, channels, h, w)."""
        time = self.time(sinusoids(t, self.width))
        h = self.first(x)
        passed = [h]
        for level, blocks in enumerate(self.down):
            for block in blocks.children():
                h = block(h, time)
                passed.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)
                passed.append(h)
        h = self.middle[1](self.attention(self.middle[0](h, time)), time)
        for level, blocks in enumerate(self.up):
            for block in blocks.children():
                h = block(torch.cat([h, passed.pop()], dim=1), time)
            if level < len(self.grow):
                h = self.grow[level](functional.interpolate(h, scale_factor=2.0, mode="nearest"))
        found: Tensor = self.last(h)
        return found
