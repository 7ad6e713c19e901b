"""Realism: how deep within the reals' manifold the fakes lie, on average.

    realism(x) = max over reals y of r_k(y) / ‖x - y‖,   r_k(y) = the distance of y to its k-th nearest other real
    realism = mean over fakes x of realism(x)

The maximum is taken over those half of the reals whose r_k is not above the median, since few large radii would
pass anything for real, and 10⁻⁵ is added to distances, both as the authors' code does. So an exact copy of a real
scores r_k x 10⁵, and a few copies carry the mean away: `details` has the median, and the share of fakes at 1 or
above, which lie within a ball.

Given the reference this is a mean over independent fakes: normal interval.

Paper: Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models", section 5,
https://arxiv.org/abs/1904.06991.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._nearest import search
from ganbench.metrics._neighbours import radii
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution
_EPS = 1e-5  # keeps copies finite


@dataclass(frozen=True)
class Realism(Metric):
    """The mean realism score.

    Attributes:
        k: which neighbour's distance is the radius.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"realism": "higher"}
    unranked: ClassVar[Mapping[str, str]] = {"realism": "a few copies of the reference carry the mean away"}
    readings: ClassVar[Mapping[str, str]] = {
        "realism": "Copies carry the mean away. The median is {median}; a share of {share_within} lies within the "
        "reals' manifold (realism of 1 or more)."
    }

    k: int = 3

    def __post_init__(self) -> None:
        require_at_least(self, k=1)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The mean realism, >= 0.

        Raises BadInput where the widths differ, TooFewImages where there are fewer than k + 1 reals, UsageError where
        only the moments of one are known.
        """
        assert real is not None
        each = realism_of_each(fake=fake, real=real, k=self.k)
        value, stderr = float(each.mean()), float(each.std(ddof=1)) / sqrt(len(each))
        details = {"median": float(np.median(each)), "share_within": float(np.mean(each >= 1))}
        interval = (max(value - _Z * stderr, 0.0), value + _Z * stderr)
        return {"realism": Score(value, stderr=stderr, ci95=interval, details=details)}


def realism_of_each(*, fake: Features, real: Features, k: int) -> F64:
    """The realism of each fake, float64 (n_fake,). Raises as `Realism.compute` does."""
    same_width(fake, real)
    x, y = values_of(fake, "fake"), values_of(real, "real")
    radius = radii(real, k, "real")[:, k - 1]
    kept = (radius <= np.median(radius)) & (radius > 0)
    if not kept.any():  # most reals have k doubles: no ball has any size
        return np.zeros(len(x))
    radius = radius[kept]
    found = search(x, y[kept], reach=radius)
    realism: F64 = radius[found.index] / (found.distance + _EPS)
    return realism
