"""SN-GAN: the hinge loss with the spectral norm of every layer of D at 1 (Miyato et al. 2018).

    L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(x~))
    L_G = -E D(x~)

https://arxiv.org/abs/1802.05957. Every layer of D, the last and the shortcuts too, has W / sigma(W), with one power
iteration at each forward in training; D has no other normalisation.

Departures from the paper: the backbones where others than sndcgan and resnet are named; settings of its standard CNN
(Adam 2e-4, betas 0.5 and 0.999, one update of D) for all, where its ResNets had betas 0 and 0.9, five updates of D
and a rate that falls to 0; a constant learning rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(x~))."""
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """-E D(x~)."""
    return -fake_logits.mean()


class SnGan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm="spectral")
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
