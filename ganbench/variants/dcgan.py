"""DCGAN: a GAN of convolutions with batch norm that trains (Radford et al. 2016, https://arxiv.org/abs/1511.06434).

With D(x) a logit, sp the softplus, x real and x~ = G(z):

    L_D = E sp(-D(x)) + E sp(D(x~))
    L_G = E sp(-D(x~))

Adam 2e-4, beta1 0.5. The paper is about networks and settings, and its loss is that of `ns-gan`: what makes it a row of
its own where each variant brings its own networks is the backbone `dcgan`. On a shared backbone it is `ns-gan` with its
defaults, number for number.

Departures from the paper: the backbone where another than `dcgan` is named, and those of that backbone (kernels of 4 x
4, half as many channels, one stage less at 32 pixels); z ~ N(0, I) (uniform there); batches as the track has them (128
there).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~))."""
    return softplus(-fake_logits).mean()


class Dcgan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G, self.D = problem.generator(), problem.discriminator()
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, then one of G."""
        n = self.problem.batch_size
        loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.G(self.latent(n)))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        return descend(self.opt_D, d_loss(real_logits=self.D(x), fake_logits=self.D(fake)))
