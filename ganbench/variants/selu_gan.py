"""SELU-GAN: self-normalising networks in the place of batch norm (Klambauer et al. 2017).

With selu(t) = lambda t for t > 0 and lambda alpha (exp(t) - 1) elsewhere, sp the softplus, D(x) a logit, S(x) = (x -
mean) / std, x real and x~ = G(z):

    L_D = E sp(-D(S(x))) + E sp(D(S(x~)))
    L_G = E sp(-D(S(x~)))

https://arxiv.org/abs/1706.02515. G and D are the backbone's with SELU for every activation between layers, no norm at
all, weights N(0, 1 / fan-in) and biases 0 at first; maxout layers become linear ones of as many units; the tanh that
bounds pictures stays. D has alpha-dropout behind each SELU (`alpha_dropout`, 0: none). S gives D inputs of mean 0 and
variance 1: mean and std are, channel by channel, those of all reals of the training so far, and fakes go through the
same map. It is no part of what is learnt.

Departures from the paper: it has classifiers and no GAN; the loss and the settings of Adam are those of `ns-gan`. The
sums of residual blocks, which SELU does not keep at variance 1, are left as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.nets._selu import Standardised, selu_form
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D) + E sp(D~)."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D~)."""
    return softplus(-fake_logits).mean()


class SeluGan(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        n_critic: int = 1
        alpha_dropout: float = 0.05

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        nets, shape, rate, mask = problem.backbone, problem.shape, config.alpha_dropout, problem.draws.uniform
        self.G = problem.built(lambda: selu_form(nets.generator(shape)))
        self.D = problem.built(lambda: selu_form(nets.discriminator(shape, norm="none"), dropout=rate, uniform=mask))
        self.S = problem.built(lambda: Standardised(shape[0], problem.ranks))
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.S(self.G(self.latent(n))))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        self.S.follow(x)
        real_logits, fake_logits = self.D(self.S(x)), self.D(self.S(fake))
        return descend(self.opt_D, d_loss(real_logits=real_logits, fake_logits=fake_logits))
