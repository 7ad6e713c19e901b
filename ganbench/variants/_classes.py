"""The classes of labelled data, as a variant that learns from them knows them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Classes:
    """How many there are and how often each is found among the reals.

    Attributes:
        shares: of each class, summing to 1.
    """

    shares: tuple[float, ...]

    @property
    def count(self) -> int:
        """Number of classes, k."""
        return len(self.shares)

    def of(self, u: Tensor) -> Tensor:
        """For numbers u in [0, 1), (n,), classes in 0..k-1, int64 (n,): evenly spread u give each its share."""
        ends = torch.tensor(self.shares, dtype=torch.float64, device=u.device).cumsum(0)[:-1]
        return torch.bucketize(u.double(), ends, right=True)
