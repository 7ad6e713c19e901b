"""PacGAN: D judges m data at once, so it sees where G repeats itself (Lin et al. 2018).

With D(x_1, ..., x_m) a logit, sp the softplus, all m real or all m generated:

    L_D = E sp(-D(x_1, ..., x_m)) + E sp(D(x~_1, ..., x~_m))
    L_G = E sp(-D(x~_1, ..., x~_m))

https://arxiv.org/abs/1712.04086. The m independent data are joined along the channels (or coordinates); but for the
width of D's first layer the networks are those of the plain GAN. The batch size counts D's inputs, as in the paper:
an update of D draws m times as many reals and generates m times as many fakes, and is charged for them.

Departures from the paper: the backbones for images; beta2 is Adam's 0.999; one update of G for one of D, as its text
says (its published code makes two).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~)), x being m data."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~)), x~ being m data."""
    return softplus(-fake_logits).mean()


def joined(x: Tensor, m: int) -> Tensor:
    """Data (n m, c, ...) to (n, m c, ...): row i has the data i m to i m + m - 1, one after the other."""
    return x.reshape(-1, m * x.shape[1], *x.shape[2:])


class PacGan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; m data are judged at once."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        m: int = 2
        d_norm: Literal["native", "none", "spectral"] = "native"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm=config.d_norm, pac=config.m)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G."""
        n = self.problem.batch_size * self.config.m
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self._judged(self.G(self.latent(n)))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        return descend(self.opt_D, d_loss(real_logits=self._judged(x), fake_logits=self._judged(fake)))

    def _judged(self, x: Tensor) -> Tensor:
        found: Tensor = self.D(joined(x, self.config.m))
        return found
