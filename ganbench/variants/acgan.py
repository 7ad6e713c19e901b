"""AC-GAN: D tells the class of what it sees beside real from fake (Odena et al. 2017).

D gives a logit D(x) and k class logits l(x) out of one trunk. With (x, y) real, y~ drawn as often as the reals have
each class, x~ = G(z, y~), sp the softplus and CE the cross entropy of softmax(l):

    L_S = E sp(-D(x)) + E sp(D(x~))
    L_C = E CE(l(x), y) + E CE(l(x~), y~)
    L_D = L_S + L_C
    L_G = E sp(-D(x~)) + lambda_G E CE(l(x~), y~)

https://arxiv.org/abs/1610.09585. y is a one-hot vector behind z; the class of a fake is the one that it was made for,
and D learns from it, too. Class logits are not normalised.

Departures from the paper: the backbones (its D was six convolutions with dropout); z ~ N(0, I).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from ganbench.variants._base import LabelledVariant, Problem, RealStream, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """L_S = E sp(-D(x)) + E sp(D(x~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~))."""
    return softplus(-fake_logits).mean()


def class_loss(*, class_logits: Tensor, y: Tensor) -> Tensor:
    """E CE(l, y) for logits (n, k), which no softmax has seen, and classes int64 (n,)."""
    return cross_entropy(class_logits, y)


class AcGan(LabelledVariant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        lambda_G: float = 1.0
        d_norm: Literal["native", "none", "spectral"] = "native"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator(extra=problem.class_count)
        self.D = problem.discriminator(norm=config.d_norm, outputs=1 + problem.class_count)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G, each with classes of its own."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            losses = self._update_D(*real.draw_labelled(n))
        return {**losses, "G": self._update_G(n)}

    def _update_D(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        y_fake = self.labels(len(x))
        with torch.no_grad():
            fake = self.generate_as(self.latent(len(x)), y_fake)
        real_logits, real_classes = self.judged_as(x)
        fake_logits, fake_classes = self.judged_as(fake)
        of_real = class_loss(class_logits=real_classes, y=y)
        of_fake = class_loss(class_logits=fake_classes, y=y_fake)
        loss = descend(self.opt_D, d_loss(real_logits=real_logits, fake_logits=fake_logits) + of_real + of_fake)
        return {"D": loss, "class_real": of_real.detach(), "class_fake": of_fake.detach()}

    def _update_G(self, n: int) -> Tensor:
        y = self.labels(n)
        with frozen(self.D):
            fake_logits, class_logits = self.judged_as(self.generate_as(self.latent(n), y))
            loss = g_loss(fake_logits=fake_logits) + self.config.lambda_G * class_loss(class_logits=class_logits, y=y)
            return descend(self.opt_G, loss)

    def judged_as(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """D(x) (n, 1) and l(x) (n, k)."""
        found: Tensor = self.D(x)
        return found[:, :1], found[:, 1:]

    def generate_as(self, z: Tensor, y: Tensor) -> Tensor:
        """G(z, y)."""
        found: Tensor = self.G(torch.cat([z, self.one_hot(y)], dim=1))
        return found
