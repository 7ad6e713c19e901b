"""Invertible layers for images (Dinh et al. 2017, https://arxiv.org/abs/1605.08803; Kingma and Dhariwal 2018,
https://arxiv.org/abs/1807.03039): each gives y and log |det dy/dx| of each sample, (n,), and goes back.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganbench.nets._init import with_init, zeros

Moved = tuple[Tensor, Tensor]
_REACH = 6.0  # of the logit of a coupling's scale, to both sides of where it begins


class ActNorm(nn.Module):
    """y = exp(s) (x + b), a number of each for every channel; it begins as the identity."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.s, self.b = nn.Parameter(torch.empty(c, 1, 1)), nn.Parameter(torch.empty(c, 1, 1))

    def reset(self, _: torch.Generator) -> None:
        """s = b = 0."""
        self.s.zero_()
        self.b.zero_()

    def forward(self, x: Tensor) -> Moved:
        """(n, c, h, w) to the same and (n,)."""
        return self.s.exp() * (x + self.b), (self.s.sum() * x.shape[2] * x.shape[3]).expand(len(x))

    def back(self, y: Tensor) -> Tensor:
        """x."""
        return y * (-self.s).exp() - self.b


class Mix(nn.Module):
    """y = W x over the channels of each pixel, W a matrix that begins as a random rotation."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c, c))

    def reset(self, generator: torch.Generator) -> None:
        """W = Q of a matrix of N(0, 1)."""
        drawn = torch.randn(self.weight.shape, generator=generator, device=generator.device)
        self.weight.copy_(torch.linalg.qr(drawn.double())[0])

    def forward(self, x: Tensor) -> Moved:
        """(n, c, h, w) to the same and (n,)."""
        logdet = torch.linalg.slogdet(self.weight)[1] * x.shape[2] * x.shape[3]
        return functional.conv2d(x, self.weight[:, :, None, None]), logdet.expand(len(x))

    def back(self, y: Tensor) -> Tensor:
        """x."""
        return functional.conv2d(y, torch.linalg.inv(self.weight)[:, :, None, None])


class Coupling(nn.Module):
    """The second half of the channels moves as a network of the first half says: y2 = s (x2 + t).

    s = sigmoid(2 + 6 tanh(a / 6)), a what the network says: between 0.018 and 1. Of sigmoid(2 + a) the way back has no
    bound: one number far out makes s 0 in the next coupling, and the sample no number any more. The network's last
    layer begins at 0, so that s = sigmoid(2) and t = 0.
    """

    def __init__(self, c: int, hidden: int) -> None:
        super().__init__()
        self.kept = c // 2
        moved = c - self.kept
        self.net = nn.Sequential(
            nn.Conv2d(self.kept, hidden, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            with_init(nn.Conv2d(hidden, 2 * moved, 3, 1, 1), zeros()),
        )

    def _told(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        t, a = self.net(kept).chunk(2, dim=1)
        return t, 2 + _REACH * torch.tanh(a / _REACH)

    def forward(self, x: Tensor) -> Moved:
        """(n, c, h, w) to the same and (n,)."""
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        t, s = self._told(kept)
        return torch.cat([kept, torch.sigmoid(s) * (moved + t)], dim=1), functional.logsigmoid(s).flatten(1).sum(1)

    def back(self, y: Tensor) -> Tensor:
        """x."""
        kept, moved = y[:, : self.kept], y[:, self.kept :]
        t, s = self._told(kept)
        return torch.cat([kept, moved / torch.sigmoid(s) - t], dim=1)


class Level(nn.Module):
    """Squeezes 2 x 2 pixels into channels, then moves them `steps` times: ActNorm, Mix, Coupling."""

    def __init__(self, c: int, steps: int, hidden: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            layer for _ in range(steps) for layer in (ActNorm(4 * c), Mix(4 * c), Coupling(4 * c, hidden))
        )

    def forward(self, x: Tensor) -> Moved:
        """(n, c, h, w) to (n, 4 c, h / 2, w / 2) and (n,)."""
        y = functional.pixel_unshuffle(x, 2)
        total = torch.zeros((), device=x.device)
        for step in self.steps:
            y, logdet = step(y)
            total = total + logdet
        return y, total

    def back(self, y: Tensor) -> Tensor:
        """x."""
        for step in reversed(self.steps):
            y = step.back(y)  # type: ignore[operator]
        return functional.pixel_shuffle(y, 2)


class Flow(nn.Module):
    """Levels one after the other; after each but the last, half of the channels are done and leave.

    Args:
        shape: of an image, (c, h, w); its sides are multiples of 2^levels.
        levels, steps, hidden: how many, steps of each, channels inside a coupling.
    """

    def __init__(self, shape: tuple[int, ...], *, levels: int, steps: int, hidden: int) -> None:
        super().__init__()
        c, h, w = shape
        made, self.parts = [], []
        for level in range(levels):
            made.append(Level(c, steps, hidden))
            c, h, w = 4 * c, h // 2, w // 2
            if level < levels - 1:
                c //= 2
            self.parts.append((c, h, w))  # what leaves after this level
        self.levels = nn.ModuleList(made)

    def forward(self, x: Tensor) -> Moved:
        """Images (n, c, h, w) to z (n, c h w) and log |det dz/dx|, (n,)."""
        parts, total = [], torch.zeros((), device=x.device)
        for number, level in enumerate(self.levels):
            x, logdet = level(x)
            total = total + logdet
            if number < len(self.levels) - 1:
                done, x = x.chunk(2, dim=1)
                parts.append(done.flatten(1))
        return torch.cat([*parts, x.flatten(1)], dim=1), total

    def back(self, z: Tensor) -> Tensor:
        """z (n, c h w) to images (n, c, h, w)."""
        sizes = [c * h * w for c, h, w in self.parts]
        parts: list[Tensor] = [
            part.view(len(z), *size) for part, size in zip(torch.split(z, sizes, dim=1), self.parts, strict=True)
        ]
        x = parts.pop()
        for number in reversed(range(len(self.levels))):
            if number < len(self.levels) - 1:
                x = torch.cat([parts.pop(), x], dim=1)
            level = self.levels[number]
            assert isinstance(level, Level)
            x = level.back(x)
        return x
