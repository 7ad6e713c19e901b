"""DDPM: a network that takes noise away, step by step (Ho et al. 2020, https://arxiv.org/abs/2006.11239).

With beta_t from 1e-4 to 0.02, t = 1..T, abar_t = prod (1 - beta_s), eps ~ N(0, I), t uniform, for each image:

    x_t = sqrt(abar_t) x + sqrt(1 - abar_t) eps
    L = E ||eps - eps_net(x_t, t)||^2 / d,   d numbers in an image

Samples by DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502) without noise, over `sampling_steps` of the times:
x_T = z ~ N(0, I), and from t to the next time s before it

    x0 = clip((x_t - sqrt(1 - abar_t) eps_net) / sqrt(abar_t), -1, 1)
    x_s = sqrt(abar_s) x0 + sqrt(1 - abar_s) (x_t - sqrt(abar_t) x0) / sqrt(1 - abar_t),   the last one being x0

No data are generated in training: its fakes are 0. Its network is its own, whatever the backbone; what a sample costs
stands in the record (`sampling_flops`).

Departures from the paper: a network of 32 channels and three levels, with attention at the innermost alone (128
channels, four levels, attention at 16 x 16 there), without dropout; DDIM instead of its own sampler of T steps; a
constant rate without warm-up, no clipping of gradients.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.nets._init import xavier
from ganbench.nets._unet import UNet
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend


def kept_shares(steps: int, low: float = 1e-4, high: float = 0.02) -> Tensor:
    """abar_t for t = 1..T, float32 (T,), computed in float64."""
    return (1 - torch.linspace(low, high, steps, dtype=torch.float64)).cumprod(0).float()


def noised(*, x: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """x_t for images (n, c, h, w) and abar (n,)."""
    abar = abar.view(-1, 1, 1, 1)
    return abar.sqrt() * x + (1 - abar).sqrt() * eps


def clean(*, x_t: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """x0, clipped to [-1, 1], for a scalar abar."""
    return ((x_t - (1 - abar).sqrt() * eps) / abar.sqrt()).clamp(-1, 1)


def before(*, x_t: Tensor, x0: Tensor, abar_t: Tensor, abar_s: Tensor) -> Tensor:
    """x_s, for scalars abar."""
    direction = (x_t - abar_t.sqrt() * x0) / (1 - abar_t).sqrt()
    return abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * direction


class Ddpm(Variant):
    """See the top of this file."""

    judged: ClassVar[tuple[str, ...]] = ("net",)
    images_only: ClassVar[bool] = True
    own_networks: ClassVar[bool] = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; T is `times`."""

        lr: float = 2e-4
        betas: tuple[float, float] = (0.9, 0.999)
        times: int = 1000
        sampling_steps: int = 50
        width: int = 32
        mults: tuple[int, ...] = (1, 2, 2)

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.net = problem.built(
            lambda: UNet(problem.shape[0], width=config.width, mults=config.mults), weights=xavier(1.0)
        )
        self.abar = kept_shares(config.times).to(problem.device)  # decided by the settings: no state
        self.opt = adam(self.net, config.lr, config.betas)

    @property
    def z_dim(self) -> int:
        """As many numbers as an image has."""
        return math.prod(self.problem.shape)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update."""
        x, draws = real.draw(self.problem.batch_size), self.problem.draws
        t = draws.integers(len(x), self.config.times)  # 0..T-1 for the paper's 1..T
        eps = draws.normal(*x.shape)
        found = self.net(noised(x=x, eps=eps, abar=self.abar[t]), t)
        return {"loss": descend(self.opt, (eps - found).square().mean())}

    def generate(self, z: Tensor) -> Tensor:
        """DDIM from x_T = z (n, c h w)."""
        x = z.view(len(z), *self.problem.shape)
        times = [round(t) for t in torch.linspace(self.config.times - 1, 0, self.config.sampling_steps).tolist()]
        for t, s in zip(times, [*times[1:], None], strict=True):
            eps = self.net(x, torch.full((len(x),), t, device=x.device))
            x0 = clean(x_t=x, eps=eps, abar=self.abar[t])
            x = x0 if s is None else before(x_t=x, x0=x0, abar_t=self.abar[t], abar_s=self.abar[s])
        return x
