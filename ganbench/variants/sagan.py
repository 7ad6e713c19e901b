"""SAGAN: self-attention in both networks, whose layers all have the spectral norm 1 (Zhang et al. 2019).

    L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(x~))
    L_G = -E D(x~)
    y = x + gamma o(x),   o_i = W_o sum_j softmax_j <theta(x)_i, phi(x)_j> g(x)_j

https://arxiv.org/abs/1805.08318. In y x is a map of features at half the side of the image, i and j are its places, and
gamma begins at 0. All weights of G, too, are W / sigma(W), with one power iteration at each forward in training. D
learns four times as fast as G, with one update of each. Networks are its own, whatever the backbone: they take images
as the backbone pads them.

Departures from the paper: no classes, so batch norm in G is not conditional and D has no projection; 16 channels at the
side of the image and images of 28 to 64 pixels (64, at 128 pixels there); the 1x1 convolutions of theta, phi, g and
W_o and the halved maps of phi and g as in the published code (c / 2 channels for g where the paper's text has c / 8);
Xavier's first weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganbench.nets._sagan import WEIGHTS, SaganDiscriminator, generator
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(x~))."""
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """-E D(x~)."""
    return -fake_logits.mean()


class Sagan(Variant):
    """See the top of this file."""

    images_only: ClassVar[bool] = True
    own_networks: ClassVar[bool] = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `width` is the number of channels at the side of the image, which doubles at each half of it."""

        lr_G: float = 1e-4
        lr_D: float = 4e-4
        betas: tuple[float, float] = (0.0, 0.9)
        n_critic: int = 1
        z_dim: int = 128
        width: int = 16

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        shape, width = problem.shape, config.width
        self.G = problem.built(lambda: generator(shape, z_dim=config.z_dim, width=width), weights=WEIGHTS)
        self.D = problem.built(lambda: SaganDiscriminator(shape, width=width), weights=WEIGHTS)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    @property
    def z_dim(self) -> int:
        """Numbers in a code, a setting."""
        return int(self.config.z_dim)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """`n_critic` updates of D, then one of G."""
        n = self.problem.batch_size
        for _ in range(self.config.n_critic):
            loss_D = self._update_D(real.draw(n))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.G(self.latent(n)))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        return descend(self.opt_D, d_loss(real_logits=self.D(x), fake_logits=self.D(fake)))
