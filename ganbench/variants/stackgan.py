"""StackGAN: from a caption a small picture, and from that a large one (Zhang et al. 2017).

A caption is a vector t, made by `text` (a bag of words, or sentence embeddings), which no training changes. Each stage
has mu(t) and log sigma(t), linear maps of it, and sees c = mu + sigma eps, eps ~ N(0, I). With (x, t) real, t' the
vector of another caption than x's, x~ made of t, D(x, t) a logit, sp the softplus, for each stage alike

    L_D = E sp(-D(x, t)) + 1/2 (E sp(D(x~, t)) + E sp(D(x, t')))
    L_G = E sp(-D(x~, t)) + lambda_kl KL,   KL = E (mu^2 + sigma^2 - 1 - 2 log sigma) / 2, over batch and numbers

https://arxiv.org/abs/1612.03242. Stage I makes pictures of half the side out of c and noise N(0, I), and is trained in
the first half of the steps with x averaged over 2 x 2 pixels; stage II makes the whole ones out of stage I's and a c of
its own, without noise, and is trained in the second half, when stage I stays as it is, its batch norm included. Before
that a sample is stage I's with every pixel four times. Networks are its own, whatever the backbone.

Departures from the paper: half the side and the side of the data (64 and 256 pixels there), and networks to match; KL
is a mean over numbers with weight 2, as in its published code (a sum in the text); log sigma is free (a ReLU keeps it
above 0 in that code); a constant learning rate (halved every 100 epochs there); a bag of words or an embedding of the
sentence (a char-CNN-RNN learnt with images there); t' is never the datum's own caption, where the code takes that of
another image, whatever it says; the average of weights is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, softplus

from ganbench.errors import UsageError
from ganbench.nets._init import normal
from ganbench.nets._stack import Stack, TextDiscriminator
from ganbench.variants._base import Problem, RealStream, adam, descend, frozen
from ganbench.variants._given import CaptionedVariant


def d_loss(*, real_logits: Tensor, fake_logits: Tensor, mismatched_logits: Tensor) -> Tensor:
    """E sp(-D(x, t)) + 1/2 (E sp(D(x~, t)) + E sp(D(x, t')))."""
    wrong = softplus(fake_logits).mean() + softplus(mismatched_logits).mean()
    return softplus(-real_logits).mean() + 0.5 * wrong


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~, t))."""
    return softplus(-fake_logits).mean()


def kl(*, mu: Tensor, log_sigma: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)), its mean over batch and numbers."""
    return 0.5 * (mu.square() + (2 * log_sigma).exp() - 1 - 2 * log_sigma).mean()


class StackGan(CaptionedVariant):
    """See the top of this file."""

    period: ClassVar[int] = 2  # one step of each stage, as a training has as many of both

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `noise` and `told` are the widths of z and c, `width` the channels of the outermost layers."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        lambda_kl: float = 2.0
        text: str = "words"
        noise: int = 100
        told: int = 128
        width: int = 64
        d_width: int = 64
        blocks: int = 2

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        if problem.steps is None:
            raise UsageError(
                "stackgan trains its second stage in the second half of its steps, and a budget of time does not tell "
                "how many there are. Give another, such as --budget 2e13flop, 200kimg or 5000steps."
            )
        (c, side, _), text, weights = problem.shape, self.text_dim, normal(0.02)
        if side % 2:
            raise UsageError(
                f"stackgan makes pictures of half the side first, and these have {side} pixels. Scale them."
            )
        self.G = problem.built(
            lambda: Stack(
                problem.shape, text, noise=config.noise, told=config.told, width=config.width, blocks=config.blocks
            ),
            weights,
        )

        def discriminator(side: int) -> TextDiscriminator:
            return problem.built(
                lambda: TextDiscriminator(c, side, text, told=config.told, width=config.d_width), weights
            )

        self.D_1, self.D_2 = discriminator(side // 2), discriminator(side)
        self.opt_G_1, self.opt_G_2 = (adam(part, config.lr_G, config.betas) for part in self._learnt())
        self.opt_D_1, self.opt_D_2 = (adam(D, config.lr_D, config.betas) for D in (self.D_1, self.D_2))
        self.taken = 0  # steps

    def _learnt(self) -> tuple[torch.nn.ModuleList, torch.nn.ModuleList]:
        """What each stage learns of G."""
        G = self.stack
        return torch.nn.ModuleList([G.told[0], G.first]), torch.nn.ModuleList([G.told[1], G.second])

    @property
    def stack(self) -> Stack:
        """G, with its stages."""
        assert isinstance(self.G, Stack)
        return self.G

    @property
    def z_dim(self) -> int:
        """The noise, and eps of both stages."""
        return int(self.config.noise + 2 * self.config.told)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of the present stage's D, then one of its G."""
        x, t, other = real.draw_captioned(self.problem.batch_size)
        assert self.problem.steps is not None
        second = 2 * self.taken >= self.problem.steps
        self.taken += 1
        self.stack.first.train(not second)
        self.stack.both.fill_(second)
        if second:
            return self._update(2, x, t, other)
        return self._update(1, avg_pool2d(x, 2), t, other)

    def _update(self, stage: int, x: Tensor, t: Tensor, other: Tensor) -> dict[str, Tensor]:
        D = self.D_1 if stage == 1 else self.D_2
        opt_D, opt_G = (self.opt_D_1, self.opt_G_1) if stage == 1 else (self.opt_D_2, self.opt_G_2)
        with torch.no_grad():
            fake, _, _ = self._made(stage, t)
        loss_D = descend(opt_D, d_loss(real_logits=D(x, t), fake_logits=D(fake, t), mismatched_logits=D(x, other)))
        with frozen(D):
            fake, mu, log_sigma = self._made(stage, t)
            far = kl(mu=mu, log_sigma=log_sigma)
            loss = g_loss(fake_logits=D(fake, t)) + self.config.lambda_kl * far
            return {"D": loss_D, "G": descend(opt_G, loss), "kl": far.detach()}

    def _made(self, stage: int, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures of a stage, mu and log sigma, for fresh noise."""
        z = self.latent(len(t))
        if stage == 1:
            return self.stack.small(z, t)
        with torch.no_grad():
            small, _, _ = self.stack.small(z, t)
        return self.stack.large(small, z, t)

    def generate_as(self, z: Tensor, y: Tensor) -> Tensor:
        """G(z, t)."""
        found: Tensor = self.G(z, y)
        return found

    def training_state(self) -> dict[str, Any]:
        """With the steps that are taken."""
        return {**super().training_state(), "taken": self.taken}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes back to where `training_state` was taken."""
        super().restore(state)
        self.taken = int(state["taken"])
