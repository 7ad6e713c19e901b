"""SGAN: a classifier that learns from few labels, many data without them and fakes (Salimans et al. 2016).

D gives k logits l(x), the classes' alone, and with them D(x) = log sum_k exp l_k(x), the logit of real against fake.
With (x_l, y) of the few data whose class is known, x of all data, x~ = G(z), sp the softplus, h(x) what the last layer
reads:

    L = L_D = E CE(l(x_l), y) + 1/2 (E sp(-D(x)) + E sp(D(x~)))
    L_G = ||E h(x) - E h(x~)||^2  (`match` "features": the better classifier), or E sp(-D(x~))  ("logits")

https://arxiv.org/abs/1606.03498; Odena 2016, https://arxiv.org/abs/1606.01583, has the same with k + 1 logits, one of
which is superfluous. The known data, `labels` in all, are as many of each class, and the run's seed decides which. The
update of G draws reals of its own. `classify` gives l(x); the weights of D are averaged as G's are, so that a
classifier of averaged weights is there, as in the published code. Samples have no class.

Departures from the paper: the backbones without normalisation in D (weight norm and dropout or noise there); a constant
learning rate; the squared distance of its text where its published code has the mean absolute one; z ~ N(0, I).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from ganbench.variants._base import Known, Problem, RealStream, Variant, adam, descend, frozen


def real_or_fake(logits: Tensor) -> Tensor:
    """D(x) = log sum_k exp l_k(x), (n,), the logit of being real, for class logits (n, k)."""
    return logits.logsumexp(1)


def class_loss(*, class_logits: Tensor, y: Tensor) -> Tensor:
    """E CE(l(x_l), y)."""
    return cross_entropy(class_logits, y)


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """1/2 (E sp(-D(x)) + E sp(D(x~))), for class logits (n, k)."""
    return 0.5 * (softplus(-real_or_fake(real_logits)).mean() + softplus(real_or_fake(fake_logits)).mean())


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~)), for class logits (n, k)."""
    return softplus(-real_or_fake(fake_logits)).mean()


def feature_loss(*, real_mean: Tensor, fake_mean: Tensor) -> Tensor:
    """||E h(x) - E h(x~)||^2."""
    return (real_mean - fake_mean).square().sum()


class SGan(Variant):
    """See the top of this file."""

    judged = ("G", "D")

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `labels` are the data whose class is known, of all classes together."""

        lr_G: float = 3e-4
        lr_D: float = 3e-4
        betas: tuple[float, float] = (0.5, 0.999)
        labels: int = 100
        match: Literal["features", "logits"] = "features"
        d_norm: Literal["native", "none", "spectral"] = "none"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator(norm=config.d_norm, outputs=problem.class_count)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    @classmethod
    def known(cls, config: Any) -> Known:
        """Of `labels` data."""
        return int(config.labels)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, with as many data of known class as of all, then one of G."""
        n = self.problem.batch_size
        known, x = real.draw_few(n), real.draw(n)
        losses = self._update_D(*known, x)
        loss_G = self._match_features(real.draw(n)) if self.config.match == "features" else self._match_logits()
        return {**losses, "G": loss_G}

    def _update_D(self, x_known: Tensor, y: Tensor, x: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        of_class = class_loss(class_logits=self.D(x_known), y=y)
        loss = descend(self.opt_D, of_class + d_loss(real_logits=self.D(x), fake_logits=self.D(fake)))
        return {"D": loss, "class": of_class.detach()}

    def _match_features(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            real_mean = self._mean_features(x)
        with frozen(self.D):
            fake_mean = self._mean_features(self.G(self.latent(len(x))))
            return descend(self.opt_G, feature_loss(real_mean=real_mean, fake_mean=fake_mean))

    def _mean_features(self, x: Tensor) -> Tensor:
        """E h(x) over the rows of all ranks, since its square is no mean over rows."""
        return self.problem.ranks.mean(self.D.features(x).mean(0))

    def _match_logits(self) -> Tensor:
        with frozen(self.D):
            fake_logits = self.D(self.G(self.latent(self.problem.batch_size)))
            return descend(self.opt_G, g_loss(fake_logits=fake_logits))

    def classify(self, x: Tensor) -> Tensor:
        """l(x), (n, k)."""
        found: Tensor = self.D(x)
        return found
