"""Density (how thickly reals surround the fakes) and coverage (reals that have a fake nearby).

    B(y) = the open ball around the real y that reaches to its k-th nearest other real
    density  = mean over fakes of (number of reals y whose B(y) holds the fake) / k
    coverage = share of reals y whose B(y) holds a fake

Distances are Euclidean, compared as distance < radius, exactly (see `_neighbours.py`). For equal distributions
density is 1 in expectation, and coverage 1 - Π_{i=1..k} (N - i)/(2N - i) ≈ 1 - 2⁻ᵏ with N images each. Density has no
upper bound. A real with k equal copies has an open ball of radius 0, which holds nothing.

Given the reference, density is a mean over independent fakes: normal interval. Coverage: delete-a-group jackknife
over 10 random groups of the fakes, t with 9 degrees of freedom, cut to 0..1. It falls with fewer fakes.

Paper: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models",
https://arxiv.org/abs/2002.09797.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import GROUPS, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._balls import balls
from ganbench.metrics._base import Metric, require_at_least, values_of
from ganbench.metrics._jackknife import jackknife
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class DensityCoverage(Metric):
    """Density and coverage.

    Attributes:
        k: which neighbour's distance is the radius.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"density": "higher", "coverage": "higher"}

    k: int = 5

    def __post_init__(self) -> None:
        require_at_least(self, k=1)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """Density, >= 0, and coverage in 0..1.

        Raises BadInput where the widths differ, TooFewImages where a set has fewer than k + 1, UsageError where only
        the moments of one are known.
        """
        assert real is not None
        found = balls(fake=fake, real=real, k=self.k)
        each = found.covering[:, self.k - 1] / self.k
        density, stderr = float(each.mean()), float(each.std(ddof=1)) / sqrt(len(each))
        interval = (max(density - _Z * stderr, 0.0), density + _Z * stderr)
        return {
            "density": Score(density, stderr=stderr, ci95=interval),
            "coverage": _coverage(found.real_covers <= self.k, _sizes(fake) if len(each) >= 2 * GROUPS else None),
        }


def _sizes(fake: Features) -> list[int]:
    """How many fakes each of the GROUPS has."""
    found: list[int] = np.bincount(group_of_each(0, len(values_of(fake, "fake")), fake.seed), minlength=GROUPS).tolist()
    return found


def _coverage(holds: NDArray[np.bool_], sizes: list[int] | None) -> Score:
    """Coverage from which groups of fakes each real's ball holds any of, (n_real, GROUPS). No sizes, no interval."""
    groups = holds.sum(axis=1)
    value = float(np.mean(groups > 0))
    if sizes is None:
        return Score(value)
    without = [float(np.mean(groups > holds[:, g])) for g in range(GROUPS)]
    spread = jackknife(value, without, sizes=sizes, least=0.0)
    interval = None if spread.ci95 is None else (spread.ci95[0], min(spread.ci95[1], 1.0))
    return Score(value, stderr=spread.stderr, ci95=interval)
