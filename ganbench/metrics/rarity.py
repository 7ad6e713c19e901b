"""Rarity: how uncommon are the fakes among those that look real, by the smallest ball of a real that holds them.

    rarity(x) = min over reals y with ‖x - y‖ < r_k(y) of r_k(y),   r_k(y) = distance of y to its k-th nearest other
    rarity = mean over fakes x that lie in a ball of rarity(x)

Sparse regions have large balls. A fake in no ball has no rarity; `details` has the share that lies in one (`inside`),
without which the mean says little: fakes may be rare because most of them are wrong. Distances are exact and
compared strictly. The unit is that of the features' distances, so compare only within one extractor and reference.

Given the reference this is a mean over independent fakes: normal interval.

Paper: Han et al. 2023, "Rarity score: a new metric to evaluate the uncommonness of synthesized images",
https://arxiv.org/abs/2206.08549.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._neighbours import radii
from ganbench.metrics._smallest_balls import smallest_balls
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Rarity(Metric):
    """The mean rarity score.

    Attributes:
        k: which neighbour's distance is the radius.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"rarity": "higher"}
    unranked: ClassVar[Mapping[str, str]] = {"rarity": "images at the rim of the data score high, good or bad"}

    k: int = 3

    def __post_init__(self) -> None:
        require_at_least(self, k=1)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The mean rarity, > 0; None where no fake lies in a ball.

        Raises BadInput where the widths differ, TooFewImages where there are fewer than k + 1 reals, UsageError where
        only the moments of one are known.
        """
        assert real is not None
        same_width(fake, real)
        each = smallest_balls(
            values_of(fake, "fake"), values_of(real, "real"), radii(real, self.k, "real")[:, self.k - 1]
        )
        inside = each[np.isfinite(each)]
        details = {"inside": len(inside) / len(each)}
        if not len(inside):
            reason = f"none of {len(each)} fakes lies in a ball of a real; fakes off the data have no rarity"
            return {"rarity": Score(None, reason=reason, details=details)}
        value = float(inside.mean())
        if len(inside) == 1:
            return {"rarity": Score(value, details=details)}
        stderr = float(inside.std(ddof=1)) / sqrt(len(inside))
        interval = (max(value - _Z * stderr, 0.0), value + _Z * stderr)
        return {"rarity": Score(value, stderr=stderr, ci95=interval, details=details)}
