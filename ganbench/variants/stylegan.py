"""StyleGAN: z becomes a style that each layer of G is given anew (Karras et al. 2019, https://arxiv.org/abs/1812.04948).

With w = f(z sqrt(d) / |z|), f a mapping that learns 100 times slower, and in each layer of G, in this order,
convolution, noise, LeakyReLU and AdaIN(x, w) = y_s (x - mu(x)) / sigma(x) + y_b, (y_s, y_b) = A w + (1, 0):

    L_D = E sp(-D(x)) + E sp(D(x~)) + r1_gamma/2 E ||grad D(x)||^2
    L_G = E sp(-D(x~))

Of a share `mixing` of the fakes in training the layers from a drawn one on have the w of another z. The penalty is
taken once in `r1_every` updates, that many times as large, in a step of its own, with D's rate times c and its betas to
the power c, c = r1_every / (r1_every + 1), as in StyleGAN2 (https://arxiv.org/abs/1912.04958). With `grow` images begin
at 7 or 8 pixels and larger ones are faded in over `grow_until` of all steps, half of it for fading, reals likewise
(https://arxiv.org/abs/1710.10196): a smaller image costs less, so equal FLOPs are more updates. Every part can be
switched off: `mapping=0`, `constant`, `adain`, `noise`, `mixing=0`, `equalised`, `mbstd=0`, `r1_gamma=0`.

A code holds z and behind it the noise of all layers: each sample has noise of its own, and depends on nothing else.
`truncated` draws w towards its mean over training. Networks are its own, whatever the backbone.

Departures from the paper: images of 28 to 64 pixels, 16 channels at their side, w of 64 numbers by 2 layers (8 of
512); rate and penalty of StyleGAN2-ADA's CIFAR-10 (2.5e-3, 0.01 each 16 updates; 1e-3, 10 at each there); growing is
off by default; a constant that begins as noise; bilinear enlarging without a further blur, means of 2 x 2 on the way
down; the crossover is drawn for each sample; the judged average is the board's; rates do not change with the side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.errors import UsageError
from ganbench.nets._base import Shape
from ganbench.nets._growing import faded, levels, split
from ganbench.nets._init import normal
from ganbench.nets._style import Parts, StyleGenerator
from ganbench.nets._style_d import StyleDiscriminator
from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen
from ganbench.variants._schedule import Schedule


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~))."""
    return softplus(-fake_logits).mean()


def squared_slope(*, logits: Tensor, x: Tensor) -> Tensor:
    """E ||grad D(x)||^2, the norm over all numbers of a sample; x is no leaf, and has led to the logits."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


class StyleGan(Variant):
    """See the top of this file."""

    images_only: ClassVar[bool] = True
    own_networks: ClassVar[bool] = True
    splits: ClassVar[bool] = False  # the minibatch's standard deviation is over groups of the batch
    G: StyleGenerator
    D: StyleDiscriminator
    done: Tensor

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `mapping` is its number of layers, `mbstd` the size of groups, `r1_every` 1 is at each update."""

        lr_G: float = 2.5e-3
        lr_D: float = 2.5e-3
        betas: tuple[float, float] = (0.0, 0.99)
        z_dim: int = 64
        width: int = 16
        mapping: int = 2
        mapping_rate: float = 0.01
        constant: bool = True
        adain: bool = True
        noise: bool = True
        mixing: float = 0.9
        equalised: bool = True
        mbstd: int = 4
        r1_gamma: float = 0.01
        r1_every: int = 16
        grow: bool = False
        grow_until: float = 0.5

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self._check(config)
        parts = Parts(**{name: getattr(config, name) for name in Parts.__dataclass_fields__})
        shape, width, grows = problem.shape, config.width, config.grow
        self.G = problem.built(lambda: StyleGenerator(shape, parts, grows=grows), weights=normal(1.0))
        self.D = problem.built(
            lambda: StyleDiscriminator(shape, width=width, group=config.mbstd, equalised=config.equalised, grows=grows),
            weights=normal(1.0),
        )
        for name, net in (("done", self), ("level", self.G), ("level", self.D)):  # read at each step: on the CPU
            net.register_buffer(name, torch.zeros((), dtype=torch.float64, device="cpu"))
        self.seek(0)
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        lazy = config.r1_every / (config.r1_every + 1) if config.r1_gamma and config.r1_every > 1 else 1.0
        beta1, beta2 = config.betas
        self.opt_D = adam(self.D, config.lr_D * lazy, (beta1**lazy, beta2**lazy))

    def _check(self, config: Config) -> None:
        """Raises UsageError where the parts do not go together."""
        if config.constant and not config.adain:
            raise UsageError("Without AdaIN w enters by the first map alone. Say --set constant=false, too.")
        if config.mixing and not config.adain:
            raise UsageError("Without AdaIN there are no layers whose styles could be mixed. Say --set mixing=0.")
        if not 0 < config.grow_until < 1 or config.r1_every < 1:
            raise UsageError(
                f"grow_until must lie between 0 and 1 and r1_every be at least 1; found {config.grow_until:g} and "
                f"{config.r1_every}."
            )
        steps, plan = self.problem.steps, self.schedule(config, self.problem.shape)
        if config.grow and (steps is None or plan.first(len(plan.starts) - 1, steps) >= steps):
            raise UsageError(
                f"Growing follows the number of steps, and {'a clock' if steps is None else steps} is no length that "
                "it fits into. Give a budget in flop, kimg or steps, a larger one, or --set grow=false."
            )

    @classmethod
    def schedule(cls, config: Any, shape: Shape) -> Schedule:
        """A stage for each side, and before each but the first one for its fading in, all as long but the last."""
        period = config.r1_every if config.r1_gamma else 1
        pieces = 2 * levels(shape[1]) if config.grow else 0
        starts = tuple(config.grow_until * i / max(pieces, 1) for i in range(pieces + 1))
        return Schedule(period=period, alike=max(period - 1, 1), starts=starts)

    def seek(self, step: int) -> None:
        """Sets the level of both networks for a step."""
        self.done.fill_(step)
        level = 0.0
        if self.config.grow:
            assert self.problem.steps is not None
            stage, share = self.schedule(self.config, self.problem.shape).place(step, self.problem.steps)
            level = stage / 2 if stage % 2 == 0 else (stage - 1) / 2 + share
        self.G.level.fill_(level)
        self.D.level.fill_(level)

    @property
    def z_dim(self) -> int:
        """Numbers in a code: z, and the noise of all layers."""
        return int(self.config.z_dim + self.G.noise_dim)

    @property
    def walked(self) -> int:
        """Numbers of z alone."""
        return int(self.config.z_dim)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, the penalty's where it is due, one of G."""
        self.seek(int(self.done))
        n, config = self.problem.batch_size, self.config
        k, alpha = split(float(self.D.level))
        x = faded(real.draw(n), self.D.sides[self.D.first + k], alpha)
        losses = self._update_D(x)
        if config.r1_gamma and config.r1_every > 1 and int(self.done) % config.r1_every == config.r1_every - 1:
            descend(self.opt_D, config.r1_every * self._penalty(x))
        with frozen(self.D):
            loss_G = descend(self.opt_G, g_loss(fake_logits=self.D(self.fake(n))))
        self.done.add_(1)
        return {**losses, "G": loss_G}

    def _update_D(self, x: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.fake(len(x))
        loss = d_loss(real_logits=self.D(x), fake_logits=self.D(fake))
        at_once = self.config.r1_gamma and self.config.r1_every == 1
        descend(self.opt_D, loss + self._penalty(x) if at_once else loss)
        return {"D": loss.detach()}

    def _penalty(self, x: Tensor) -> Tensor:
        """r1_gamma/2 E ||grad D(x)||^2."""
        x = x.detach().requires_grad_(True) * 1.0  # no leaf: operations are counted for those alone (pytorch 131753)
        found: Tensor = 0.5 * self.config.r1_gamma * squared_slope(logits=self.D(x), x=x)
        return found

    def fake(self, n: int) -> Tensor:
        """n fakes at the side of the level, styles mixed, (n, c, s, s)."""
        G, draws, code = self.G, self.problem.draws, self.latent(n)
        z, depth = code[:, : self.config.z_dim], self.G.depth
        ws = G.mapping(z)[:, None].expand(-1, depth, -1)
        if self.config.mixing:
            other = G.mapping(draws.normal(*z.shape))[:, None]
            crossover = torch.where(draws.uniform(n) < self.config.mixing, 1 + draws.integers(n, depth - 1), depth)
            later = torch.arange(depth, device=z.device) >= crossover[:, None]
            ws = torch.where(later[:, :, None], other, ws)
        return G.synthesis(ws, code[:, self.config.z_dim :])

    def truncated(self, z: Tensor, psi: float) -> Tensor:
        """G of w_mean + psi (w - w_mean), for codes z (n, z_dim); called as `generate` is."""
        found: Tensor = self.G(z, psi)
        return found
