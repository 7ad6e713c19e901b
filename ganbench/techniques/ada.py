"""Adaptive discriminator augmentation: as much augmentation as keeps D from knowing the reals (Karras et al. 2020).

D(T_p(x)) stands for D(x) in all losses, in those of G, too; each change of T_p happens to a datum with probability p.
Every `interval` updates of D

    r_t = E sign(D(x))        over the reals since the last time,
    p  += sign(r_t - target) batch interval / (1000 kimg),     within 0..1.

https://arxiv.org/abs/2006.06676. T_p: mirroring, turning by quarters, moving by up to 1/8 of the side, then brightness
N(0, .2^2), contrast exp2 N(0, .5^2) and, in colour, saturation exp2 N(0, 1).

Departures from the paper: of its changes those that need no resampling (its "pixel blitting" and colour; no scaling,
no turning by other angles, no hue, no filters, noise or cutout); saturation is about the mean of the channels.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.techniques._augment import scaled, shifted, turned, where
from ganbench.techniques._base import Player, Technique, Update
from ganbench.variants._base import Problem


class Ada(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("D",)
    one_logit = True
    images_only = True
    augments = True
    splits = False  # p follows a sum over the whole batch

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings: p goes from 0 to 1 in `kimg` thousand reals at the fastest."""

        target: float = 0.6
        interval: int = 4
        kimg: float = 500.0

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.p: Tensor
        self.signs: Tensor
        for name in ("p", "signs", "reals", "updates"):
            self.register_buffer(name, torch.zeros((), device=problem.device))

    def into_D(self, x: Tensor) -> Tensor:
        """T_p(x)."""
        n, most = len(x), max(1, x.shape[-1] // 8)
        integers = self.problem.draws.integers
        x = where(self._chosen(n), where(integers(n, 2) == 1, x.flip(3), x), x)
        x = where(self._chosen(n), turned(x, integers(n, 4)), x)
        x = where(self._chosen(n), shifted(x, *(integers(n, 2 * most + 1) - most for _ in range(2))), x)
        normal, column = self.problem.draws.normal, (n, 1, 1, 1)
        x = where(self._chosen(n), x + 0.2 * normal(*column), x)
        x = where(self._chosen(n), x * torch.exp2(0.5 * normal(*column)), x)
        return where(self._chosen(n), scaled(x, torch.exp2(normal(*column)), dims=[1]), x) if x.shape[1] > 1 else x

    def _chosen(self, n: int) -> Tensor:
        return self.problem.draws.uniform(n) < self.p

    @torch.no_grad()
    def stepped(self, update: Update) -> None:
        """Counts how well D knows the reals, and moves p."""
        if update.player == "G":
            return
        logits = update.logits[0]
        self.signs += logits.sign().sum()
        reals = self.get_buffer("reals").add_(len(logits))
        due = self.get_buffer("updates").add_(1) % self.config.interval == 0
        moved = self.p + (self.signs / reals - self.config.target).sign() * reals / (1000 * self.config.kimg)
        self.p.copy_(torch.where(due, moved.clamp(0, 1), self.p))
        for sum_ in (self.signs, reals):
            sum_.copy_(torch.where(due, torch.zeros_like(sum_), sum_))
