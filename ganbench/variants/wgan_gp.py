"""WGAN-GP: a critic held near slope 1 by a penalty (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028).

    L_D = E D(x~) - E D(x) + lambda E (||grad D(x_hat)||_2 - 1)^2,   x_hat = eps x + (1 - eps) x~
    L_G = -E D(x~)

eps ~ U(0, 1) for each sample; the norm is over all numbers of a sample; D has no batch norm; 5 updates of D for one
of G. Departures from the paper: the backbones; G's batch is as large as D's (the published ResNet code doubles it);
a constant learning rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E D(x~) - E D(x)."""
    return fake_logits.mean() - real_logits.mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """-E D(x~)."""
    return -fake_logits.mean()


def gradient_penalty(D: nn.Module, *, real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    """E (||grad D(x_hat)||_2 - 1)^2 for data (n, ...) and eps (n,) in [0, 1]."""
    eps = eps.view(-1, *[1] * (real.dim() - 1))
    # The product makes x_hat no leaf: operations are counted for those alone (pytorch issue 131753).
    x_hat = (eps * real + (1 - eps) * fake).detach().requires_grad_(True) * 1.0
    (gradient,) = torch.autograd.grad(D(x_hat).sum(), x_hat, create_graph=True)
    norm = (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()  # at 0 the root has no gradient
    return (norm - 1).square().mean()


class WganGp(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 1e-4
        lr_D: float = 1e-4
        betas: tuple[float, float] = (0.5, 0.9)
        n_critic: int = 5
        lambda_gp: float = 10.0

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm="none")
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            losses = self._update_D(real.draw(n))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.G(self.latent(n)))))
        return {**losses, "G": loss_G}

    def _update_D(self, x: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        critic = d_loss(real_logits=self.D(x), fake_logits=self.D(fake))
        eps = self.problem.draws.uniform(len(x))
        penalty = gradient_penalty(self.D, real=x, fake=fake, eps=eps)
        descend(self.opt_D, critic + self.config.lambda_gp * penalty)
        return {"D": critic.detach(), "penalty": penalty.detach()}
