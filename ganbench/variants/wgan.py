"""WGAN: a critic held Lipschitz by clipping its weights (Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875).

    L_D = E D(x~) - E D(x),   then every weight of D is clipped to [-c, c]
    L_G = -E D(x~)

RMSprop with 5e-5, c = 0.01, 5 updates of D for one of G, each with its clip.

Departures from the paper: the backbones; D has no batch norm, whose gains the clip would hold at 0.01; no phases of
100 updates of D for one of G (the published code has them in its first 25 updates of G and at each 500th); RMSprop
averages with alpha 0.99, torch's default, and eps 1e-8 (the paper says nothing of either).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench.variants._base import Problem, RealStream, Variant, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E D(x~) - E D(x)."""
    return fake_logits.mean() - real_logits.mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """-E D(x~)."""
    return -fake_logits.mean()


def clip(net: nn.Module, c: float) -> None:
    """Brings every parameter into [-c, c], in place."""
    with torch.no_grad():
        for weight in net.parameters():
            weight.clamp_(-c, c)


class Wgan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 5e-5
        lr_D: float = 5e-5
        alpha: float = 0.99
        n_critic: int = 5
        clip: float = 0.01

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm="none")
        self.opt_G = torch.optim.RMSprop(self.G.parameters(), lr=config.lr_G, alpha=config.alpha, eps=1e-8)
        self.opt_D = torch.optim.RMSprop(self.D.parameters(), lr=config.lr_D, alpha=config.alpha, eps=1e-8)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, each with its clip, then one of G."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.G(self.latent(n)))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        loss = descend(self.opt_D, d_loss(real_logits=self.D(x), fake_logits=self.D(fake)))
        clip(self.D, self.config.clip)
        return loss
