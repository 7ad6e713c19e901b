"""One-sided label smoothing: for D a real is real with `target` 0.9, a fake with 0 (Salimans et al. 2016).

With D(x) a logit and sp the softplus, the part of the reals in the cross entropy of D becomes

    target sp(-D(x)) + (1 - target) sp(D(x)) = sp(-D(x)) + (1 - target) D(x),

and the best D is target p / (p + q). https://arxiv.org/abs/1606.03498, section 3.4. Fakes are not smoothed: where p is
small, a wrong sample of q would not be pulled to the data.

Departures from the paper: none known.
"""

import inspect
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.techniques._base import Player, Technique, Update, d_loss_of
from ganbench.variants._base import Variant


def smoothing(*, real_logits: Tensor, target: float) -> Tensor:
    """What smoothing adds to the loss of D: (1 - target) E D(x)."""
    return (1 - target) * real_logits.mean()


def is_cross_entropy(kind: type[Variant]) -> bool:
    """Whether the variant's `d_loss` is E sp(-D(x)) + E sp(D(x~)): asked of the function itself."""
    d_loss = d_loss_of(kind)
    if d_loss is None or set(inspect.signature(d_loss).parameters) != {"real_logits", "fake_logits"}:
        return False
    real, fake = torch.tensor([[-3.0], [-0.5], [0.7]]), torch.tensor([[2.0], [-1.0], [0.1]])
    expected = softplus(-real).mean() + softplus(fake).mean()
    return bool(torch.allclose(d_loss(real_logits=real, fake_logits=fake), expected))


class LabelSmoothing(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("D",)
    one_logit = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        target: float = 0.9

    @classmethod
    def misfit(cls, kind: type[Variant], _config: object) -> str | None:
        """There must be labels to smooth."""
        return None if is_cross_entropy(kind) else "smooths the labels of a cross entropy of D, and here is none"

    def loss(self, loss: Tensor, update: Update) -> Tensor:
        """The loss of D with smoothed reals."""
        if update.player == "G":
            return loss
        return loss + smoothing(real_logits=update.logits[0], target=self.config.target)
