"""InfoGAN: codes of G that can be read again from what it makes, learnt without labels (Chen et al. 2016).

G is given noise, a category c of k and m numbers u; Q, a head on D's trunk, guesses both. With sp the softplus:

    log Q(c | x) = log softmax(q_c(x))_c,    log Q(u | x) = sum_j (-(u_j - q_u(x)_j)^2 / 2 - log(2 pi) / 2)
    L_I = lambda_category (log k + E log Q(c | x~)) + lambda_continuous (m log 2 + E log Q(u | x~))
    L_D = E sp(-D(x)) + E sp(D(x~)) - L_I
    L_G = E sp(-D(x~)) - L_I

https://arxiv.org/abs/1606.03657. L_I, a lower bound of the mutual information, is descended by D with Q and by G. Q's
Gaussian has the fixed deviation 1: a learnt one falls to 0. As in the published code for MNIST, all lambdas are 1, G
learns faster than D, and Q is FC 128, batch norm, LeakyReLU, FC behind D's features.

A code z ~ N(0, I) of `generate` holds everything: c is the largest of its first k numbers, each as likely; u = 2 Phi(z)
- 1 of the next m, uniform in (-1, 1), Phi being the normal's distribution function; the rest is noise. `codes` reads c
and u of a code, `coded` sets them.

Departures from the paper: the backbones, whose z is the noise, N(0, I) (62 numbers U(-1, 1) there); LeakyReLU
has the slope 0.2 (0.01 in the published code); the batch of the board (128 there).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, softplus

from ganbench.nets._base import Norm
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen

_HIDDEN, _SLOPE = 128, 0.2
_NEAR_ONE = 1 - 1e-6  # the inverse of the distribution function is infinite at 1


class Codes(NamedTuple):
    """What a code says: categories int64 (n,), continuous codes (n, m) in [-1, 1], noise."""

    category: Tensor
    continuous: Tensor
    noise: Tensor


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~))."""
    return softplus(-fake_logits).mean()


def category_information(*, category: Tensor, logits: Tensor) -> Tensor:
    """log k + E log Q(c | x~), for classes int64 (n,) and logits (n, k)."""
    return math.log(logits.shape[1]) - cross_entropy(logits, category)


def continuous_information(*, continuous: Tensor, means: Tensor) -> Tensor:
    """m log 2 + E log Q(u | x~), for codes and means (n, m): summed over codes, mean over the batch."""
    m = continuous.shape[1]
    nll = 0.5 * (continuous - means).square().sum(1).mean() + 0.5 * m * math.log(2 * math.pi)
    return m * math.log(2) - nll


class DiscriminatorAndQ(nn.Module):
    """D and Q on one trunk."""

    def __init__(self, problem: Problem, norm: Norm, outputs: int) -> None:
        super().__init__()
        D = problem.discriminator(norm=norm)
        self.D, self.Q = D, problem.built(
            lambda: nn.Sequential(
                nn.Linear(D.width, _HIDDEN, bias=False),
                nn.BatchNorm1d(_HIDDEN),
                nn.LeakyReLU(_SLOPE),
                nn.Linear(_HIDDEN, outputs),
            )
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data (n, *shape) to the logit (n, 1) and what Q says (n, outputs)."""
        h = self.D.features(x)
        return self.D.last(h), self.Q(h)


class InfoGan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `categories` is k and `continuous` m."""

        lr_G: float = 1e-3
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        categories: int = 10
        continuous: int = 2
        lambda_category: float = 1.0
        lambda_continuous: float = 1.0
        d_norm: Literal["native", "none", "spectral"] = "native"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        told = config.categories + config.continuous
        self.G = problem.generator(extra=told)
        self.D = DiscriminatorAndQ(problem, config.d_norm, told)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)
        self._told = told

    @property
    def z_dim(self) -> int:
        """Numbers in a code: of the category, of the continuous codes, of the noise."""
        return self._told + self.problem.backbone.z_dim

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D and Q, then one of G."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            z = self.latent(n)
            fake_logits, said = self.D(self.generate(z))
            information = self.information(z, said)
            loss_G = descend(self.opt_G, g_loss(fake_logits=fake_logits) - information)
        return {"D": loss_D, "G": loss_G, "information": information.detach()}

    def _update_D(self, x: Tensor) -> Tensor:
        z = self.latent(len(x))
        with torch.no_grad():
            fake = self.generate(z)
        real_logits = self.D.D(x)
        fake_logits, said = self.D(fake)
        loss = d_loss(real_logits=real_logits, fake_logits=fake_logits) - self.information(z, said)
        return descend(self.opt_D, loss)

    def information(self, z: Tensor, said: Tensor) -> Tensor:
        """L_I of codes z, and of what Q says of what G made of them."""
        k, config = self.config.categories, self.config
        told = self.codes(z)
        category = category_information(category=told.category, logits=said[:, :k])
        continuous = continuous_information(continuous=told.continuous, means=said[:, k:])
        weighted: Tensor = config.lambda_category * category + config.lambda_continuous * continuous
        return weighted

    def codes(self, z: Tensor) -> Codes:
        """What codes z (n, z_dim) say."""
        k, told = self.config.categories, self._told
        return Codes(z[:, :k].argmax(1), torch.erf(z[:, k:told] / math.sqrt(2)), z[:, told:])

    def coded(self, z: Tensor, *, category: Tensor | None = None, continuous: Tensor | None = None) -> Tensor:
        """z with other categories, int64 (n,), or continuous codes (n, m) in [-1, 1], and all else as it was."""
        k, z = self.config.categories, z.clone()
        if category is not None:
            old, new = z[:, :k].argmax(1, keepdim=True), category[:, None]
            largest, other = z.gather(1, old), z.gather(1, new)
            z.scatter_(1, old, other).scatter_(1, new, largest)
        if continuous is not None:
            z[:, k : self._told] = torch.erfinv(continuous.clamp(-_NEAR_ONE, _NEAR_ONE)) * math.sqrt(2)
        return z

    def generate(self, z: Tensor) -> Tensor:
        """G(noise, c, u) for codes z (n, z_dim)."""
        category, continuous, noise = self.codes(z)
        found: Tensor = self.G(
            torch.cat([noise, one_hot(category, self.config.categories).to(z.dtype), continuous], dim=1)
        )
        return found
