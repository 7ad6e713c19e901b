"""VAE: a variational auto-encoder, the baseline that is no GAN (Kingma and Welling 2014).

With E(x) = (mu, log s^2) the encoder, z = mu + s eps, G the decoder, d numbers in a datum:

    -log p(x | z) = ||x - G(z)||^2 / (2 sigma^2) + d log sigma + d/2 log 2 pi
    KL = 1/2 sum_j (mu_j^2 + s_j^2 - 1 - log s_j^2)
    L = E (-log p(x | z) + KL)

https://arxiv.org/abs/1312.6114. Sums over all numbers of a datum and all latents, means over the batch alone, so L
is the negative evidence bound. sigma is one learnt number (Rybkin et al. 2021, https://arxiv.org/abs/2006.13202).
The encoder is the backbone's discriminator with 2 z_dim outputs, the decoder its generator, and a sample is the mean
G(z), z ~ N(0, I), without the noise of sigma. No data are generated in training: its fakes are 0.

Departures from the paper: the backbones; Adam with 1e-3 instead of Adagrad; sigma learnt for all data, where the
paper's decoder gives one for each number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend


def kl(*, mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mu, s^2) || N(0, I)) in nats: summed over latents, mean over the batch."""
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1).mean()


def nll(*, x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """-log N(x; mean, sigma^2 I) in nats: summed over a datum, mean over the batch."""
    squared = (x - mean).flatten(1).square().sum(1).mean()
    d = math.prod(x.shape[1:])
    return 0.5 * squared * (-2 * log_sigma).exp() + d * (log_sigma + 0.5 * math.log(2 * math.pi))


class Vae(Variant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `norm` is the encoder's."""

        lr: float = 1e-3
        betas: tuple[float, float] = (0.9, 0.999)
        norm: Literal["native", "none", "spectral"] = "native"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.E = problem.discriminator(norm=config.norm, outputs=2 * problem.backbone.z_dim)
        self.log_sigma = nn.Parameter(torch.zeros((), device=problem.device))
        self.opt = adam(self, config.lr, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of encoder, decoder and sigma."""
        x = real.draw(self.problem.batch_size)
        mu, log_var = self.E(x).chunk(2, dim=1)
        z = mu + (0.5 * log_var).exp() * self.problem.draws.normal(*mu.shape)
        reconstruction = nll(x=x, mean=self.G(z), log_sigma=self.log_sigma)
        divergence = kl(mu=mu, log_var=log_var)
        loss = descend(self.opt, reconstruction + divergence)
        return {"loss": loss, "nll": reconstruction.detach(), "kl": divergence.detach()}
