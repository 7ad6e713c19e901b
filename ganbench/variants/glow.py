"""Glow: an invertible network, whose likelihood is exact (Kingma and Dhariwal 2018, https://arxiv.org/abs/1807.03039).

With k the 8-bit image, u uniform noise, x = (k + u) / 256 - 1/2, z = f(x), d numbers in an image:

    log p(x) = log N(z; 0, I) + log |det dz/dx|
    L = -E log p(x)
    bits per dimension = -log p(x) / (d ln 2) + 8,   a bound above -log2 P(k) / d

f: levels of squeeze, then steps of actnorm, a mix of channels by one matrix, and an affine coupling (as in RealNVP,
Dinh et al. 2017, https://arxiv.org/abs/1605.08803); half of the channels leave after each level but the last. Samples
are f^-1(z), z ~ N(0, I) at temperature 1, rounded down to k. No data are generated in training: its fakes are 0. Its
networks are its own, whatever the backbone.

Departures from the paper: 2 levels of 4 steps with 64 channels inside couplings (3 to 6 levels of 32 steps with 512
there); actnorm begins as the identity, not from the first batch; the scale of a coupling is sigmoid(2 + 6 tanh(a / 6)),
above 0.018 (sigmoid(2 + a) there, whose inverse has no bound); a Gaussian with fixed mean and variance for the channels
that leave; a constant rate without warm-up.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganbench.nets._flow import Flow
from ganbench.variants._base import LikelihoodVariant, Problem, RealStream, adam, descend


def log_density(*, z: Tensor, logdet: Tensor) -> Tensor:
    """log N(z; 0, I) + log |det dz/dx| in nats, (n,), for z (n, d)."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1) + logdet


def dequantised(x: Tensor, u: Tensor) -> Tensor:
    """Images of the 256 values in [-1, 1], and noise in [0, 1), to numbers in [-1/2, 1/2)."""
    return (((x + 1) * 127.5).round() + u) / 256 - 0.5


class Glow(LikelihoodVariant):
    """See the top of this file."""

    judged: ClassVar[tuple[str, ...]] = ("flow",)
    images_only: ClassVar[bool] = True
    own_networks: ClassVar[bool] = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr: float = 1e-3
        betas: tuple[float, float] = (0.9, 0.999)
        levels: int = 2
        steps: int = 4
        hidden: int = 64

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.flow = problem.built(
            lambda: Flow(problem.shape, levels=config.levels, steps=config.steps, hidden=config.hidden)
        )
        self.opt = adam(self.flow, config.lr, config.betas)

    @property
    def z_dim(self) -> int:
        """As many numbers as an image has."""
        return math.prod(self.problem.shape)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update."""
        x = real.draw(self.problem.batch_size)
        bits = self.bits_per_dim(x, self.problem.draws.uniform(*x.shape))
        loss = descend(self.opt, bits.mean() * (self.z_dim * math.log(2)))
        return {"loss": loss, "bits_per_dim": bits.detach().mean()}

    def bits_per_dim(self, x: Tensor, u: Tensor) -> Tensor:
        """A bound above -log2 P(k) / d, (n,)."""
        z, logdet = self.flow(dequantised(x, u))
        return -log_density(z=z, logdet=logdet) / (self.z_dim * math.log(2)) + 8

    def generate(self, z: Tensor) -> Tensor:
        """f^-1(z), as the 8-bit image that it is a dequantisation of."""
        x = (self.flow.back(z) + 0.5) * 256
        return x.floor().clamp(0, 255) / 127.5 - 1
