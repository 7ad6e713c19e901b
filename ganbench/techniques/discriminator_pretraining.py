"""Pre-training of D: for the first `updates` of G, G does not learn and D alone does.

Goodfellow 2016, https://arxiv.org/abs/1701.00160, section 4.4, on balancing the players, says why it is doubtful: with
a saturating loss a D that is far ahead leaves G no gradient. It is here so that a board can show what it does.

Departures from the paper: no paper gives a recipe; a step without an update of G is charged as a whole one, since
its loss is computed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.techniques._base import Technique, Update
from ganbench.variants._base import Problem


class DiscriminatorPretraining(Technique):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        updates: int = 100

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.left: Tensor
        counted = problem.device.type == "meta"  # the cost is that of a step which leaves nothing out
        self.register_buffer("left", torch.tensor(0 if counted else config.updates, dtype=torch.int64, device="cpu"))

    def loss(self, loss: Tensor, update: Update) -> Tensor | None:
        """None for G until D is ready."""
        if update.player == "G" and self.left:
            self.left -= 1
            return None
        return loss
