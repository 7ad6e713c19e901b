"""Precision (fakes that look real) and recall (reals that the fakes reach), by balls to the k-th neighbour.

    B(X, k) = ∪ over x in X of the closed ball around x that reaches to its k-th nearest other in X
    precision = share of fakes in B(real, k)        recall = share of reals in B(fake, k)

Distances are Euclidean, compared as distance <= radius, exactly (see `_neighbours.py`).

Given the reference, precision is a share of independent fakes, and has their binomial error and Wilson's interval
(1927). Recall has none: each fake moves the radii of others, and its noise is that of the reals as much.

Paper: Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models",
https://arxiv.org/abs/1904.06991.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.stats import Features
from ganbench.metrics._balls import balls
from ganbench.metrics._base import Metric, require_at_least
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class PrecisionRecall(Metric):
    """Improved precision and recall.

    Attributes:
        k: which neighbour's distance is the radius.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"precision": "higher", "recall": "higher"}

    k: int = 3

    def __post_init__(self) -> None:
        require_at_least(self, k=1)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """Precision and recall, each in 0..1.

        Raises BadInput where the widths differ, TooFewImages where a set has fewer than k + 1, UsageError where only
        the moments of one are known.
        """
        assert real is not None
        found = balls(fake=fake, real=real, k=self.k)
        precision = float(np.mean(found.fake_in_real <= self.k))
        n = len(found.fake_in_real)
        return {
            "precision": Score(precision, stderr=sqrt(precision * (1 - precision) / n), ci95=wilson(precision, n)),
            "recall": Score(float(np.mean(found.real_in_fake <= self.k))),
        }


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share that was seen in n independent draws."""
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2)
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)
