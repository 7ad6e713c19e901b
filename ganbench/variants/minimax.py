"""Minimax GAN: the game as it is stated, whose G saturates (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661).

With D(x) a logit, sp the softplus, x real and x~ = G(z):

    L_D = E sp(-D(x)) + E sp(D(x~))
    L_G = -E sp(D(x~))                (that is, E log(1 - sigmoid D(x~)))

Where D is sure of the fakes the gradient for G vanishes; that is the method and is left as it is.

Departures from the paper: the backbones (its maxout networks had dropout), Adam instead of momentum, with DCGAN's
2e-4 and beta1 0.5 (Radford et al. 2016, https://arxiv.org/abs/1511.06434).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~)), of logits of any shape."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """-E sp(D(x~)), of logits of any shape."""
    return -softplus(fake_logits).mean()


class Minimax(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
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
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.G(self.latent(n)))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        return descend(self.opt_D, d_loss(real_logits=self.D(x), fake_logits=self.D(fake)))
