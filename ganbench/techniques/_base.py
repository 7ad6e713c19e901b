"""What a training technique is: a change to networks, losses or steps that suits more than one variant."""

import sys
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ganbench.errors import UsageError
from ganbench.nets._base import Discriminator, Norm
from ganbench.variants._base import Problem, Variant

Player = Literal["G", "D"]


@dataclass(frozen=True)
class Seen:
    """A batch that D saw: in an update of D the reals come first, in one of G the fakes come last.

    Attributes:
        x: the batch as the variant gave it, (n, *shape).
        features: what D's last layer read of it, (n, width).
    """

    x: Tensor
    features: Tensor


@dataclass(frozen=True)
class Update:
    """One update of one player.

    Attributes:
        player: whose.
        optimiser: its.
        seen: what D saw since the update before.
        logits: what D said of each, in the same order, float (n, outputs).
    """

    player: Player
    optimiser: torch.optim.Optimizer
    seen: list[Seen]
    logits: list[Tensor]


class Technique(nn.Module, ABC):
    """One technique, as one training has it. Each method leaves things as they are where it is not overridden.

    Its state is its buffers; they lie in the checkpoint beside the variant's.

    Class attributes:
        Config: a frozen dataclass of its settings.
        needs: the players whose networks it changes or watches: they must be the backbone's own.
        one_logit: D must say one number of a datum.
        images_only: it is for images alone.
        augments: D sees altered data (`into_D`), which makes another track of a board's.
        splits: as `Variant.splits`.
    """

    Config: ClassVar[type]
    needs: ClassVar[tuple[Player, ...]] = ()
    one_logit: ClassVar[bool] = False
    images_only: ClassVar[bool] = False
    augments: ClassVar[bool] = False
    splits: ClassVar[bool] = True

    def __init__(self, config: Any, problem: Problem) -> None:
        super().__init__()
        self.config, self.problem = config, problem

    @classmethod
    def misfit(cls, _kind: type[Variant], _config: Any) -> str | None:
        """Why it does not suit a variant, as the end of a sentence; None where it does."""
        return None

    def d_norm(self, norm: Norm) -> Norm:
        """How D is normalised, where the variant asks for `norm`."""
        return norm

    def changed_D(self, D: Discriminator) -> Discriminator:
        """D otherwise; it has no weights yet and gets its first ones by the backbone's rules."""
        return D

    def changed_G(self, G: nn.Module) -> nn.Module:
        """G otherwise, as `changed_D`."""
        return G

    def begin(self, variant: Variant) -> None:
        """Told once that the variant is built."""

    def into_D(self, x: Tensor) -> Tensor:
        """What D sees of data (n, *shape), real or fake, one by one; what it sees beside them is not changed."""
        return x

    def loss(self, loss: Tensor, _update: Update) -> Tensor | None:
        """The loss that is descended in the place of `loss`; None leaves the update out."""
        return loss

    def stepped(self, update: Update) -> None:
        """Told that the update was made."""


def d_loss_of(kind: type[Variant]) -> Callable[..., Tensor] | None:
    """The function of logits that a variant's file names `d_loss`; None where it has none."""
    found: Callable[..., Tensor] | None = getattr(sys.modules[kind.__module__], "d_loss", None)
    return found


def players(variant: Variant, name: str) -> dict[Player, torch.optim.Optimizer]:
    """The optimisers of the two players. Raises UsageError where the variant is no game of G and D."""
    found = variant.optimisers()
    if "opt_G" not in found or "opt_D" not in found:
        raise UsageError(f"{name} is for a G and a D that learn by turns; {type(variant).__name__} has none.")
    return {"G": found["opt_G"], "D": found["opt_D"]}
