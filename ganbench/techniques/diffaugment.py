"""DiffAugment: D sees reals and fakes through the same differentiable augmentations (Zhao et al. 2020).

D(T(x)) stands for D(x) in all losses, in those of G, too, with T drawn anew for each datum:

    color        x + U(-.5, .5); saturation and contrast times U(0, 2) and U(.5, 1.5) about their means
    translation  by up to 1/8 of the side, zeros from outside
    cutout       of a square of half the side, to zero

https://arxiv.org/abs/2006.10738. Penalties on gradients are taken at x, through T.

Departures from the paper: none known.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.techniques._augment import scaled, shifted
from ganbench.techniques._base import Player, Technique
from ganbench.variants._base import Problem


class Diffaugment(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("D",)
    images_only = True
    augments = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings: which of the three are used."""

        color: bool = True
        translation: bool = True
        cutout: bool = True

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)

    def into_D(self, x: Tensor) -> Tensor:
        """T(x)."""
        if self.config.color:
            x = self._coloured(x)
        if self.config.translation:
            x = shifted(x, *(self._whole(len(x), x.shape[-1] / 8) for _ in range(2)))
        return self._cut(x) if self.config.cutout else x

    def _coloured(self, x: Tensor) -> Tensor:
        draws, column = self.problem.draws, (len(x), 1, 1, 1)
        x = x + draws.uniform(*column, low=-0.5, high=0.5)
        x = scaled(x, draws.uniform(*column, high=2.0), dims=[1])
        return scaled(x, draws.uniform(*column, low=0.5, high=1.5), dims=[1, 2, 3])

    def _whole(self, n: int, most: float) -> Tensor:
        """n whole numbers, evenly from -most to most, int64."""
        most = int(most + 0.5)
        return self.problem.draws.integers(n, 2 * most + 1) - most

    def _cut(self, x: Tensor) -> Tensor:
        """A square of half the side is zero; its middle lies anywhere in the image."""
        n, _, h, w = x.shape
        size = (h + 1) // 2
        kept = torch.ones(n, 1, 1, 1, dtype=torch.bool, device=x.device)
        inside = []
        for dim, side in ((2, h), (3, w)):
            middle = self.problem.draws.integers(n, side + 1 - size % 2).view(n, 1, 1, 1)
            place = torch.arange(side, device=x.device).view([-1 if i == dim else 1 for i in range(4)])
            inside.append((place >= middle - size // 2) & (place < middle - size // 2 + size))
        return x * (kept & ~(inside[0] & inside[1]))
