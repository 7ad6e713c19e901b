"""Feature matching: G makes the mean of D's features on fakes that on reals (Salimans et al. 2016).

With f(x) what D's last layer reads, x the reals of D's last update and x~ = G(z), G descends

    L_G = || E f(x) - E f(x~) ||_2^2

in the place of the variant's own loss; L_D stays. https://arxiv.org/abs/1606.03498, section 3.1. f is D in eval mode,
so that it is a function of one datum: a batch norm over each batch would make the means of both the same, whatever G
made.

Departures from the paper: the reals are those that D has just learnt from, so that none are drawn that others pay for
and do not get (the authors' code draws more, takes the mean of the absolute differences, and has no batch norm in D).
`adversarial` keeps as much of the variant's own loss beside it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.nets._base import Discriminator
from ganbench.techniques._base import Player, Technique, Update
from ganbench.variants._base import LabelledVariant, Problem, Variant


def matching_loss(*, real_mean: Tensor, fake_mean: Tensor) -> Tensor:
    """|| E f(x) - E f(x~) ||^2 of means (width,)."""
    return (real_mean - fake_mean).square().sum()


@contextmanager
def at_rest(D: Discriminator) -> Iterator[Discriminator]:
    """Within it D is in eval mode: its norms have their running statistics, and nothing of it moves."""
    modes = [(module, module.training) for module in D.modules()]
    D.eval()
    try:
        yield D
    finally:
        for module, mode in modes:
            module.training = mode


class FeatureMatching(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("D",)
    splits = False  # the loss is of means over the batch

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        weight: float = 1.0
        adversarial: float = 0.0

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self._D: list[Discriminator] = []  # in a list: it is no part of this module
        self._real: Tensor | None = None

    @classmethod
    def misfit(cls, kind: type[Variant], config: Config) -> str | None:
        """It would take away what else G's loss says, of classes or of codes."""
        says_more = issubclass(kind, LabelledVariant) or kind.z_dim is not Variant.z_dim
        if says_more and not config.adversarial:
            return "takes the place of the loss of G, which here says more; keep it by feature-matching.adversarial=1"
        return None

    def begin(self, variant: Variant) -> None:
        """Learns which network gives the features."""
        self._D = [found for found in variant.modules() if isinstance(found, Discriminator)]

    def loss(self, loss: Tensor, update: Update) -> Tensor:
        """The loss of G otherwise."""
        if update.player == "D":
            self._real = update.seen[0].x.detach()
            return loss
        assert self._real is not None, "D learns first"
        fake = update.seen[-1].x
        with at_rest(self._D[0]) as D:
            with torch.no_grad():
                real_mean = D.features(self._real).mean(0)
            matched = matching_loss(real_mean=real_mean, fake_mean=D.features(fake).mean(0))
        weight, adversarial = float(self.config.weight), float(self.config.adversarial)
        return weight * matched + adversarial * loss if adversarial else weight * matched
