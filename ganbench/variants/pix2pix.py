"""Pix2Pix: a U-Net that translates images, and a D that sees patches of pairs (Isola et al. 2017).

With (y, x) a source image and its target, x~ = G(y, z), D(y, x) a map of logits of patches, sp the softplus, and means
over batch, places and channels:

    L_D = 1/2 (E sp(-D(y, x)) + E sp(D(y, x~)))
    L_G = E sp(-D(y, x~)) + lambda_l1 E |x - x~|

https://arxiv.org/abs/1611.07004. z is the dropout of G, in training and in samples alike: of each number that the three
innermost layers of its decoder make, whether it is kept (half of them are) and doubled. So sample i is decided by its
source image and a code of its own. D reads both images as one with the channels of both; patches are of 16 pixels
in each direction under 64 pixels, of 34 from there, of 70 from 128 (`layers` 1, 2, 3; 0 chooses). Networks are its own,
whatever the backbone.

Departures from the paper: the U-Net has as many layers as halve the side to one pixel (8 from 256 pixels there), norms
are over one channel of one image (batch norm in batches of one there, and with the statistics of that one image when
sampled, which is the same; other batches make no difference here), D's patches are smaller, a constant learning rate
(it falls to 0 over the second half there), the average of weights is judged. The update of G has a fresh z.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.nets._init import normal
from ganbench.nets._patchgan import PatchGan, layers_for
from ganbench.nets._skips import SkipUNet
from ganbench.variants._base import Problem, RealStream, adam, descend, frozen
from ganbench.variants._given import PairedVariant


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """1/2 (E sp(-D(y, x)) + E sp(D(y, x~))), of maps of logits."""
    return 0.5 * (softplus(-real_logits).mean() + softplus(fake_logits).mean())


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(y, x~))."""
    return softplus(-fake_logits).mean()


def distance(*, wanted: Tensor, made: Tensor) -> Tensor:
    """E |x - x~|."""
    return (wanted - made).abs().mean()


class Pix2Pix(PairedVariant):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `width` and `d_width` are the channels of the outermost layers of G and D."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        lambda_l1: float = 100.0
        dropout: bool = True
        width: int = 64
        d_width: int = 64
        layers: int = 0

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        cin, (cout, side, _) = self.source_shape[0], problem.shape
        layers, weights = layers_for(side, config.layers), normal(0.02)
        self.G = problem.built(
            lambda: SkipUNet(cin, cout, side, width=config.width, dropout=config.dropout), weights=weights
        )
        self.D = problem.built(
            lambda: PatchGan(cin + cout, width=config.d_width, layers=layers, affine=True), weights=weights
        )
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    @property
    def z_dim(self) -> int:
        """A number for each that dropout may take."""
        assert isinstance(self.G, SkipUNet)
        return self.G.z_dim

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, then one of G, on the same pairs."""
        y, x = real.draw_pairs(self.problem.batch_size)
        return {"D": self._update_D(y, x), **self._update_G(y, x)}

    def _update_D(self, y: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.generate_as(self.latent(len(y)), y)
        return descend(self.opt_D, d_loss(real_logits=self.judged_as(y, x), fake_logits=self.judged_as(y, fake)))

    def _update_G(self, y: Tensor, x: Tensor) -> dict[str, Tensor]:
        with frozen(self.D):
            fake = self.generate_as(self.latent(len(y)), y)
            far = distance(wanted=x, made=fake)
            loss = g_loss(fake_logits=self.judged_as(y, fake)) + self.config.lambda_l1 * far
            return {"G": descend(self.opt_G, loss), "l1": far.detach()}

    def judged_as(self, y: Tensor, x: Tensor) -> Tensor:
        """D(y, x), (n, 1, h', w')."""
        found: Tensor = self.D(torch.cat([y, x], dim=1))
        return found

    def generate_as(self, z: Tensor, y: Tensor) -> Tensor:
        """G(y, z)."""
        found: Tensor = self.G(y, z)
        return found
