"""Unrolled GAN: G answers to the D that K updates from now would be (Metz et al. 2017, for points).

With D(x; w) a logit, sp the softplus, x real and x~ = G(z):

    f(w) = E sp(-D(x; w)) + E sp(D(x~; w))
    w_0 = D's weights,   w_{k+1} = w_k - Adam(grad f(w_k))
    L_D = f(w_0),   L_G = E sp(-D(x~; w_K))

https://arxiv.org/abs/1611.02163. L_G is differentiated through all K updates, which go on from D's own Adam moments
and look at one batch, as in the published code: the reals of D's update and the fakes of G's. D itself keeps its one
real update. With K = 0 it is the non-saturating GAN.

Departures from the paper: the backbones (tanh layers of 128, z of 256 numbers there); the non-saturating L_G, where
its toy code has the saddle -f(w_K); D is updated before G, not together with it; Adam's root has 1e-16 added below
it, since it has no derivative at 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import softplus

from ganbench.variants._base import Problem, RealStream, Variant, adam, descend, frozen

Weights = dict[str, Tensor]


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x)) + E sp(D(x~))."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E sp(-D(x~))."""
    return softplus(-fake_logits).mean()


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Adam's memory: averages of the gradients and of their squares, and the number of updates that made them."""

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    updates: Tensor


def adam_update(
    weights: Weights, gradients: tuple[Tensor, ...], memory: Moments, *, lr: float, betas: tuple[float, float]
) -> tuple[Weights, Moments]:
    """One update by Adam that can be differentiated."""
    b1, b2 = betas
    t = memory.updates + 1
    first = tuple(b1 * m + (1 - b1) * g for m, g in zip(memory.first, gradients, strict=True))
    second = tuple(b2 * v + (1 - b2) * g.square() for v, g in zip(memory.second, gradients, strict=True))
    rate, scale = lr / (1 - b1**t), 1 / (1 - b2**t)
    moved = {
        name: w - rate * m / ((v * scale + 1e-16).sqrt() + 1e-8)
        for (name, w), m, v in zip(weights.items(), first, second, strict=True)
    }
    return moved, Moments(first=first, second=second, updates=t)


def unrolled(
    loss: Callable[[Weights], Tensor],
    weights: Weights,
    memory: Moments,
    *,
    k: int,
    lr: float,
    betas: tuple[float, float],
) -> Weights:
    """The weights after k updates down the gradient of `loss`, as a function of what the loss depends on."""
    for _ in range(k):
        gradients = torch.autograd.grad(loss(weights), tuple(weights.values()), create_graph=True)
        weights, memory = adam_update(weights, gradients, memory, lr=lr, betas=betas)
    return weights


class Unrolled(Variant):
    """See the top of this file."""

    points_only: ClassVar[bool] = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `unroll_steps` is K."""

        lr_G: float = 1e-3
        lr_D: float = 1e-4
        betas: tuple[float, float] = (0.5, 0.999)
        unroll_steps: int = 5

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.D = problem.discriminator()
        self.opt_G = adam(self.G, config.lr_G, config.betas)
        self.opt_D = adam(self.D, config.lr_D, config.betas)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D, then one of G against the D of K updates later."""
        x = real.draw(self.problem.batch_size)
        loss_D = self._update_D(x)
        with frozen(self.D):
            fake = self.G(self.latent(len(x)))
            weights = self._later(x, fake)
            loss_G = descend(self.opt_G, g_loss(fake_logits=functional_call(self.D, weights, (fake,))))
        return {"D": loss_D, "G": loss_G}

    def _update_D(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G(self.latent(len(x)))
        return descend(self.opt_D, d_loss(real_logits=self.D(x), fake_logits=self.D(fake)))

    def _later(self, x: Tensor, fake: Tensor) -> Weights:
        """D's weights after K more updates, as a function of G's; D itself stays."""
        config, states = self.config, [self.opt_D.state[weight] for weight in self.D.parameters()]
        memory = Moments(
            first=tuple(state["exp_avg"] for state in states),
            second=tuple(state["exp_avg_sq"] for state in states),
            updates=states[0]["step"],
        )
        weights = {name: w.detach().requires_grad_(True) for name, w in self.D.named_parameters()}

        def loss(weights: Weights) -> Tensor:
            real_logits = functional_call(self.D, weights, (x,))
            return d_loss(real_logits=real_logits, fake_logits=functional_call(self.D, weights, (fake,)))

        return unrolled(loss, weights, memory, k=config.unroll_steps, lr=config.lr_D, betas=config.betas)
