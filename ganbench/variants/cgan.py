"""Conditional GAN: G is told a class and D asked about it (Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784).

With D(x, y) a logit, sp the softplus, (x, y) real, y~ drawn as often as the reals have each class, x~ = G(z, y~):

    L_D = E sp(-D(x, y)) + E sp(D(x~, y~))
    L_G = E sp(-D(x~, y~))

y is a one-hot vector behind z. `condition` says how D sees it: "concat": a learned map of the class, one channel
behind those of x; "projection": D(x, y) = D(x) + <e(y), h(x)>, h(x) being what the last layer reads and e learned
(Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).

Departures from the paper: the backbones (its networks were layers of linear, ReLU and maxout units with dropout);
Adam with DCGAN's 2e-4 and beta1 0.5 instead of momentum; z ~ N(0, I).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganbench.nets._base import Norm
from ganbench.nets._layers import linear
from ganbench.variants._base import LabelledVariant, Problem, RealStream, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x, y)) + E sp(D(x~, y~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~, y~))."""
    return softplus(-fake_logits).mean()


class Concat(nn.Module):
    """D(x, y) of x with a learned map of y behind its channels."""

    def __init__(self, problem: Problem, norm: Norm) -> None:
        super().__init__()
        self.D = problem.discriminator(norm=norm, extra=1)
        self.maps = problem.built(lambda: linear(problem.class_count, math.prod(problem.shape[1:]), norm, bias=False))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Data (n, *shape) and one-hot classes (n, k) to (n, 1)."""
        found: Tensor = self.D(torch.cat([x, self.maps(y).view(len(x), 1, *x.shape[2:])], dim=1))
        return found


class Projection(nn.Module):
    """D(x, y) = D(x) + <e(y), h(x)>."""

    def __init__(self, problem: Problem, norm: Norm) -> None:
        super().__init__()
        D = problem.discriminator(norm=norm)
        self.D, self.e = D, problem.built(lambda: linear(problem.class_count, D.width, norm, bias=False))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Data (n, *shape) and one-hot classes (n, k) to (n, 1)."""
        h = self.D.features(x)
        found: Tensor = self.D.last(h) + (self.e(y) * h).sum(1, keepdim=True)
        return found


class Cgan(LabelledVariant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        condition: Literal["concat", "projection"] = "concat"
        d_norm: Literal["native", "none", "spectral"] = "native"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator(extra=problem.class_count)
        D = {"concat": Concat, "projection": Projection}[config.condition]
        self.D = D(problem, config.d_norm)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G, each with classes of its own."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(*real.draw_labelled(n))
        y = self.labels(n)
        with frozen(self.D):
            fake = self.generate_as(self.latent(n), y)
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(fake, self.one_hot(y))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor, y: Tensor) -> Tensor:
        y_fake = self.labels(len(x))
        with torch.no_grad():
            fake = self.generate_as(self.latent(len(x)), y_fake)
        real_logits = self.D(x, self.one_hot(y))
        return descend(self.opt_D, d_loss(real_logits=real_logits, fake_logits=self.D(fake, self.one_hot(y_fake))))

    def generate_as(self, z: Tensor, y: Tensor) -> Tensor:
        """G(z, y)."""
        found: Tensor = self.G(torch.cat([z, self.one_hot(y)], dim=1))
        return found
