"""RpGAN + R1 + R2, the loss of R3GAN: each fake is judged against one real (Huang et al. 2024).

    L_D = E sp(-(D(x) - D(x~))) + gamma/2 E ||grad D(x)||^2 + gamma/2 E ||grad D(x~)||^2
    L_G = E sp(-(D(x~) - D(x)))

https://arxiv.org/abs/2501.05441. x and x~ are paired by their place in the batch; the update of G draws reals of its
own, which the budget is charged for; both penalties are taken at every update. D has no normalisation.

Departures from the paper: the backbones, not R3GAN's own networks; constant settings, where its recipe lets the rate
fall from 2e-4, gamma from 0.05 to 0.005 and beta2 rise from 0.9 to 0.99 (here the first, the first and the last); no
augmentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-(D(x) - D(x~))), of pairs in their order."""
    return softplus(fake_logits - real_logits).mean()


def g_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-(D(x~) - D(x))), of pairs in their order."""
    return softplus(real_logits - fake_logits).mean()


def squared_slope(*, logits: Tensor, x: Tensor) -> Tensor:
    """E ||grad D(x)||^2, the norm over all numbers of a sample; x is no leaf, and has led to the logits."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


def _followed(x: Tensor) -> Tensor:
    # The product makes it no leaf: operations are counted for those alone (pytorch issue 131753).
    return x.detach().requires_grad_(True) * 1.0


class RpGan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.0, 0.99)
        n_critic: int = 1
        gamma: float = 0.05

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm="none")
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G, each with reals of its own."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            losses = self._update_D(real.draw(n))
        return {**losses, "G": self._update_G(real.draw(n))}

    def _update_D(self, x: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        x, fake = _followed(x), _followed(fake)
        real_logits, fake_logits = self.D(x), self.D(fake)
        loss = d_loss(real_logits=real_logits, fake_logits=fake_logits)
        r1, r2 = squared_slope(logits=real_logits, x=x), squared_slope(logits=fake_logits, x=fake)
        descend(self.opt_D, loss + 0.5 * self.config.gamma * (r1 + r2))
        return {"D": loss.detach(), "r1": r1.detach(), "r2": r2.detach()}

    def _update_G(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            real_logits = self.D(x)
        with frozen(self.D):
            fake_logits = self.D(self.G(self.latent(len(x))))
            return descend(self.opt_G, g_loss(real_logits=real_logits, fake_logits=fake_logits))
