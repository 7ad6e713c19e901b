"""EBGAN: D is an auto-encoder, its error an energy that fakes are to have above a margin (Zhao et al. 2017).

With s = Enc(v) a code, E(v) = ||Dec(Enc(v)) - v||_2 over all numbers of v, x real, x~ = G(z), n in a batch:

    L_D = mean E(x) + mean max(0, m - E(x~))
    L_G = mean E(x~) + lambda PT
    PT = 1 / (n (n - 1)) sum_{i != j} (<s_i, s_j> / (||s_i|| ||s_j||))^2,   s_i = Enc(x~_i)

https://arxiv.org/abs/1609.03126. PT, the pull-away term, drives the codes of a batch to be orthogonal; lambda is 0.1.
m is 10, the paper's for MNIST (80 for LSUN and 20 for CelebA, both of 64 pixels): E grows with the root of the number
of pixels, and for points a margin of about their spread is wanted. D is made of the backbone: its discriminator without
normalisation gives codes as wide as z, and the form of its generator, without normalisation too, decodes them. PT is
of pairs, so a batch cannot be split over ranks.

Departures from the paper: the backbones; D has no batch norm; Adam with DCGAN's 2e-4 and beta1 0.5 (a grid of rates and
optimisers there); z ~ N(0, I); for points codes are as wide as the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu

from ganbench.nets._autoencoder import auto_encoder
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen


def energy(*, v: Tensor, rebuilt: Tensor) -> Tensor:
    """||Dec(Enc(v)) - v||_2 of each datum, (n,)."""
    return ((rebuilt - v).flatten(1).square().sum(1) + 1e-12).sqrt()  # at 0 the root has no gradient


def d_loss(*, real_energy: Tensor, fake_energy: Tensor, margin: float) -> Tensor:
    """Mean E(x) + mean max(0, m - E(x~))."""
    return real_energy.mean() + relu(margin - fake_energy).mean()


def g_loss(*, fake_energy: Tensor) -> Tensor:
    """Mean E(x~)."""
    return fake_energy.mean()


def pull_away(*, fake_codes: Tensor) -> Tensor:
    """The mean of cos^2 over ordered pairs of different rows, for codes (n, width)."""
    n = len(fake_codes)
    unit = normalize(fake_codes, dim=1)
    others = 1 - torch.eye(n, device=fake_codes.device)
    return ((unit @ unit.t()).square() * others).sum() / max(n * (n - 1), 1)


class EbGan(Variant):
    """See the top of this file."""

    own_networks: ClassVar[bool] = True
    splits: ClassVar[bool] = False

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `lambda_pt` weighs PT."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        margin: float = 10.0
        lambda_pt: float = 0.1

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.built(lambda: auto_encoder(problem.backbone, problem.shape))
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, then one of G."""
        loss_D = self._update_D(real.draw(self.problem.batch_size))
        with frozen(self.D):
            return {"D": loss_D, **self._update_G()}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        real_energy, fake_energy = energy(v=x, rebuilt=self.D(x)), energy(v=fake, rebuilt=self.D(fake))
        return descend(self.opt_D, d_loss(real_energy=real_energy, fake_energy=fake_energy, margin=self.config.margin))

    def _update_G(self) -> dict[str, Tensor]:
        fake = self.G(self.latent(self.problem.batch_size))
        codes = self.D.encode(fake)
        loss = g_loss(fake_energy=energy(v=fake, rebuilt=self.D.decode(codes)))
        pt = pull_away(fake_codes=codes)
        descend(self.opt_G, loss + self.config.lambda_pt * pt)
        return {"G": loss.detach(), "pull_away": pt.detach()}
