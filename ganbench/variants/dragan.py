"""DRAGAN: the non-saturating loss, with D's slope held near 1 around the data (Kodali et al. 2017).

    L_D = E sp(-D(x)) + E sp(D(x~)) + lambda E (||grad D(x_p)||_2 - 1)^2,   x_p = x + eps 0.5 std(x) u
    L_G = E sp(-D(x~))

https://arxiv.org/abs/1705.07215. D(x) is a logit and the slope is the logit's; std is over all numbers of the batch;
u is uniform in [0, 1) for each number, and eps for each sample: x_p lies on the way from x to the disturbed x. Fakes
have no part in the penalty. D has no batch norm, under which no slope would be of one sample.

Departures from the paper: the backbones; noise u in [0, 1) and eps as in the published code (the paper disturbs by
N(0, c I); `noise` and `interpolate` say otherwise where wanted); beta2 0.999 (0.9 in the published code).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~))."""
    return softplus(-fake_logits).mean()


def disturbed(*, real: Tensor, noise: Tensor, eps: Tensor) -> Tensor:
    """x + eps 0.5 std(x) u for data and noise (n, ...) and eps (n,)."""
    return real + eps.view(-1, *[1] * (real.dim() - 1)) * 0.5 * real.std(correction=0) * noise


def gradient_penalty(D: nn.Module, *, x_p: Tensor) -> Tensor:
    """E (||grad D(x_p)||_2 - 1)^2 for data (n, ...)."""
    # The product makes x_p no leaf: operations are counted for those alone (pytorch issue 131753).
    x_p = x_p.detach().requires_grad_(True) * 1.0
    (gradient,) = torch.autograd.grad(D(x_p).sum(), x_p, create_graph=True)
    norm = (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()  # at 0 the root has no gradient
    return (norm - 1).square().mean()


class Dragan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `noise` is the range of u, and without `interpolate` eps is 1."""

        lr_G: float = 1e-4
        lr_D: float = 1e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        lambda_gp: float = 10.0
        noise: tuple[float, float] = (0.0, 1.0)
        interpolate: bool = True

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
        loss = d_loss(real_logits=self.D(x), fake_logits=self.D(fake))
        penalty = gradient_penalty(self.D, x_p=self._around(x))
        descend(self.opt_D, loss + self.config.lambda_gp * penalty)
        return {"D": loss.detach(), "penalty": penalty.detach()}

    def _around(self, x: Tensor) -> Tensor:
        low, high = self.config.noise
        draws = self.problem.draws
        noise = draws.uniform(*x.shape, low=low, high=high)
        eps = draws.uniform(len(x)) if self.config.interpolate else torch.ones(len(x), device=x.device)
        return disturbed(real=x, noise=noise, eps=eps)
