"""Gated PixelCNN: each number of an image from those before it (van den Oord et al. 2016).

With k_1, ..., k_d the 8-bit numbers of an image in raster order, the channels of a pixel one after the other:

    log P(k) = sum_i log P(k_i | k_1, ..., k_{i-1}),   each a softmax over 256 values
    L = -E log P(k)
    bits per dimension = -log P(k) / (d ln 2), exact

https://arxiv.org/abs/1606.05328. A sample is drawn number by number: number i is the value at which its distribution
function passes Phi(z_i), z ~ N(0, I), Phi the normal's. No data are generated in training: its fakes are 0. Its
networks are its own, whatever the backbone.

Departures from the paper: 5 layers of 32 channels behind the first (15 of 128 or more there); 3 x 3 instead of 5 x 5
kernels; channels are told those before them by linear maps behind the stacks, not by masks inside them; Adam with 1e-3
and a constant rate instead of RMSprop.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganbench.nets._init import xavier
from ganbench.nets._pixelcnn import PixelCnn
from ganbench.variants._base import LikelihoodVariant, Problem, RealStream, adam, descend


def nats(*, logits: Tensor, k: Tensor) -> Tensor:
    """-log P(k), (n,), for logits (n, c, 256, h, w) and values (n, c, h, w), int64 in 0..255."""
    return cross_entropy(logits.transpose(1, 2), k, reduction="none").flatten(1).sum(1)


class PixelCnnVariant(LikelihoodVariant):
    """See the top of this file."""

    judged: ClassVar[tuple[str, ...]] = ("net",)
    images_only: ClassVar[bool] = True
    own_networks: ClassVar[bool] = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `width` channels, `layers` behind the first."""

        lr: float = 1e-3
        betas: tuple[float, float] = (0.9, 0.999)
        width: int = 32
        layers: int = 5

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.net = problem.built(
            lambda: PixelCnn(problem.shape, width=config.width, layers=config.layers), weights=xavier(1.0)
        )
        self.opt = adam(self.net, config.lr, config.betas)

    @property
    def z_dim(self) -> int:
        """As many numbers as an image has."""
        return math.prod(self.problem.shape)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update."""
        x = real.draw(self.problem.batch_size)
        loss = descend(self.opt, nats(logits=self.net(x), k=_values(x)).mean())
        return {"loss": loss, "bits_per_dim": loss / (self.z_dim * math.log(2))}

    def bits_per_dim(self, x: Tensor, u: Tensor) -> Tensor:
        """-log2 P(k) / d, (n,); u has no part in it."""
        del u
        return nats(logits=self.net(x), k=_values(x)) / (self.z_dim * math.log(2))

    def generate(self, z: Tensor) -> Tensor:
        """Images (n, c, h, w), number by number."""
        u = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
        return self.net.drawn(u.view(len(z), *self.problem.shape))


def _values(x: Tensor) -> Tensor:
    """Images in [-1, 1] as the values 0..255, int64."""
    return ((x + 1) * 127.5).round().long().clamp(0, 255)
