"""BEGAN: D is an auto-encoder whose errors on reals and fakes are held at a ratio (Berthelot et al. 2017).

With D(v) what is left of v behind a code, l(v) the mean of |v - D(v)| over the numbers of v, x real and x~ = G(z):

    L_D = E l(x) - k E l(x~)
    L_G = E l(G(z'))
    k <- min(1, max(0, k + lambda_k (gamma E l(x) - E l(G(z')))))
    M = E l(x) + |gamma E l(x) - E l(G(z'))|

https://arxiv.org/abs/1703.10717. k begins at 0. gamma is what is asked of E l(x~) / E l(x): the smaller, the better
the pictures and the less they differ. M, the paper's measure of convergence, is logged with k and both errors. D is
made of the backbone: its discriminator without normalisation gives codes as wide as z, and the form of its generator,
without normalisation too, decodes them. The backbone `began` has the paper's own networks.

Departures from the paper: the backbone where another than `began` is named, G with the norms that it has there; z ~
N(0, I) (uniform in [-1, 1] there); a constant rate (halved there when M stalls); D is updated before G, with codes of
its own; for points codes are as wide as the data, so only k keeps D from copying all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.nets._autoencoder import auto_encoder
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def error(*, v: Tensor, rebuilt: Tensor) -> Tensor:
    """E l(v), l(v) the mean of |v - D(v)| over the numbers of a datum."""
    return (v - rebuilt).abs().mean()


def d_loss(*, real_error: Tensor, fake_error: Tensor, k: Tensor) -> Tensor:
    """E l(x) - k E l(x~)."""
    return real_error - k * fake_error


def g_loss(*, fake_error: Tensor) -> Tensor:
    """E l(x~)."""
    return fake_error


def balance(*, real_error: Tensor, fake_error: Tensor, gamma: float) -> Tensor:
    """gamma E l(x) - E l(x~)."""
    return gamma * real_error - fake_error


def next_k(*, k: Tensor, balance: Tensor, lambda_k: float) -> Tensor:
    """k + lambda_k balance, in [0, 1]."""
    return (k + lambda_k * balance).clamp(0, 1)


class Began(Variant):
    """See the top of this file."""

    own_networks: ClassVar[bool] = True
    k: Tensor

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 1e-4
        lr_D: float = 1e-4
        betas: tuple[float, float] = (0.9, 0.999)
        gamma: float = 0.5
        lambda_k: float = 1e-3

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.built(lambda: auto_encoder(problem.backbone, problem.shape))
        self.register_buffer("k", torch.zeros((), device=problem.device))
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, one of G, and k's."""
        loss_D, real_error = self._update_D(real.draw(self.problem.batch_size))
        with frozen(self.D):
            fake = self.G(self.latent(self.problem.batch_size))
            fake_error = descend(self.opt_G, g_loss(fake_error=error(v=fake, rebuilt=self.D(fake))))
        losses = {"D": loss_D, "G": fake_error, "real": real_error}
        return {**losses, **self._update_k(real_error=real_error, fake_error=fake_error)}

    def _update_D(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns L_D and E l(x)."""
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        real_error, fake_error = error(v=x, rebuilt=self.D(x)), error(v=fake, rebuilt=self.D(fake))
        loss = descend(self.opt_D, d_loss(real_error=real_error, fake_error=fake_error, k=self.k))
        return loss, real_error.detach()

    @torch.no_grad()
    def _update_k(self, *, real_error: Tensor, fake_error: Tensor) -> dict[str, Tensor]:
        """Returns the new k and M, by the errors on the whole batch, which ranks may share."""
        real_error, fake_error = self.problem.ranks.mean(torch.stack([real_error, fake_error])).unbind()
        off = balance(real_error=real_error, fake_error=fake_error, gamma=self.config.gamma)
        self.k.copy_(next_k(k=self.k, balance=off, lambda_k=self.config.lambda_k))
        return {"k": self.k.clone(), "M": real_error + off.abs()}
