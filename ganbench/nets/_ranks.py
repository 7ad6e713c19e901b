"""Which part of one training this process is: `torchrun` splits each batch over several, called ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """One of the processes that share each batch of a training.

    Where there is only one, nothing is said to anyone and every mean is what it was.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
        local: its number on its machine, and of the GPU that it takes there.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def alone(self) -> bool:
        """Whether it is the only one."""
        return self.world == 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes, judges and decides."""
        return self.rank == 0

    def rows(self, n: int) -> slice:
        """Where its n rows are among the n world rows of all."""
        return slice(self.rank * n, (self.rank + 1) * n)

    def mean(self, x: Tensor) -> Tensor:
        """The mean over ranks of a tensor that all have in the same shape; gradients of any order go through it."""
        if self.alone:
            return x
        found: Tensor = _Mean.apply(x, self)
        return found

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Gives each tensor its mean over ranks, in place, in one exchange for all of a type."""
        if self.alone:
            return
        for dtype in dict.fromkeys(each.dtype for each in tensors):
            mine = [each for each in tensors if each.dtype == dtype]
            together = self._averaged(torch.cat([each.detach().reshape(-1) for each in mine]))
            with torch.no_grad():
                for each, part in zip(mine, torch.split(together, [each.numel() for each in mine]), strict=True):
                    each.copy_(part.view_as(each))

    def _averaged(self, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.div_(self.world)


ALONE = Ranks()


class _Mean(torch.autograd.Function):
    """The loss of the whole batch is the mean of the ranks' losses, so the gradient of a mean is the mean of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks._averaged(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.mean(gradients[0]), None
