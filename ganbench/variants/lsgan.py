"""LSGAN: least squares instead of the log loss (Mao et al. 2017, https://arxiv.org/abs/1611.04076).

With D(x) a number of any size, x real and x~ = G(z):

    L_D = 1/2 E (D(x) - b)^2 + 1/2 E (D(x~) - a)^2
    L_G = 1/2 E (D(x~) - c)^2

(a, b, c) = (0, 1, 1); with (-1, 1, 0) the game minimises Pearson's chi^2, as the paper shows.

Departures from the paper: the backbones; Adam with DCGAN's 2e-4 (1e-3 there on LSUN, 2e-4 on characters).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """1/2 E (D(x) - b)^2 + 1/2 E (D(x~) - a)^2."""
    return 0.5 * (real_logits - b).square().mean() + 0.5 * (fake_logits - a).square().mean()


def g_loss(*, fake_logits: Tensor, c: float = 1.0) -> Tensor:
    """1/2 E (D(x~) - c)^2."""
    return 0.5 * (fake_logits - c).square().mean()


class LsGan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; a, b and c are what D is to say of fakes and reals, and what G wants it to say of fakes."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        a: float = 0.0
        b: float = 1.0
        c: float = 1.0
        d_norm: Literal["native", "none", "spectral"] = "native"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm=config.d_norm)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            fake_logits = self.D(self.G(self.latent(n)))
            loss_G = descend(self.opt_G, g_loss(fake_logits=fake_logits, c=self.config.c))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        loss = d_loss(real_logits=self.D(x), fake_logits=self.D(fake), a=self.config.a, b=self.config.b)
        return descend(self.opt_D, loss)
