"""How many different images the generator knows of, by near duplicates among its fakes: the birthday test.

    support = n (n - 1)/2 / (m + 1),   m = pairs of fakes no farther apart than T

T is the distance to the nearest other that 1 % of the reals keep within (`quantile`): few real images are duplicates
by that measure. Arora and Zhang look at the closest pairs themselves; `series` lists them: each fake's nearest other,
closest first, positions in the source and distance.

If images are drawn with probabilities p from a finite number of them, a pair is equal with probability Σp², so what is
estimated is 1/Σp²: the number of images if all are equally likely. The 1 in the denominator is Chapman's (1951): it
keeps the estimate finite without duplicates, and all but unbiased. `details` has m, T, the lower bound at 95 % that
these fakes prove (`at_least`; without duplicates it is the rule of three), and what the reals score (`of_reals`): a
generator that reaches it shows no lack by this test. The interval is that of Poisson's counts, widened by how far the
duplicates share images (none without duplicates). T falls with more reals, so compare at one reference.

Paper: Arora and Zhang 2017, "Do GANs actually learn the distribution? An empirical study",
https://arxiv.org/abs/1706.08224; Chapman 1951.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError
from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._near_pairs import closest_pairs, near_others
from ganbench.metrics._neighbours import radii
from ganbench.metrics.nearest import positions
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class Birthday(Metric):
    """The support of the generator by its duplicates.

    Attributes:
        quantile: the share of the reals that would count as having a duplicate.
        pairs: how many pairs are listed.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"birthday": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"birthday": "Birthday support"}

    quantile: float = 0.01
    pairs: int = 20

    def __post_init__(self) -> None:
        require_at_least(self, pairs=0)
        if not 0 <= self.quantile < 1:
            raise UsageError(f"Birthday: quantile must lie in 0..1; found {self.quantile!r}.")

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The support, > 0.

        Raises BadInput where the widths differ, UsageError where only the moments of one are known.
        """
        assert real is not None
        same_width(fake, real)
        apart, own = (radii(each, 1, side)[:, 0] for each, side in ((fake, "fake"), (real, "real")))
        limit = float(np.quantile(own, self.quantile, method="lower"))
        found = support(_duplicates(fake, apart, limit))
        reals = support(_duplicates(real, own, limit))
        i, j, gap = closest_pairs(values_of(fake, "fake"), apart, self.pairs)
        series = {
            "first": positions(fake, i).tolist(),
            "second": positions(fake, j).tolist(),
            "distance": gap.tolist(),
        }
        details = {**found.details, "threshold": limit, "of_reals": float(reals)}
        return {"birthday": Score(found.value, stderr=found.stderr, ci95=found.ci95, details=details, series=series)}


def _duplicates(features: Features, apart: F64, limit: float) -> NDArray[np.int64]:
    """How many duplicates each image has. Only images whose nearest other is within the limit can have any."""
    found = np.zeros(len(apart), dtype=np.int64)
    rows = np.flatnonzero(apart <= limit)
    if len(rows):
        found[rows] = near_others(values_of(features, "images")[rows], limit)
    return found


def support(duplicates: NDArray[np.int64]) -> Score:
    """The estimate from how many duplicates each image has, (n,)."""
    from scipy.special import gammaincinv

    n = len(duplicates)
    slots, m = n * (n - 1) / 2, float(duplicates.sum() / 2)
    value = slots / (m + 1)
    # Pairs that share an image are equal together where some images are likelier than others.
    shared = float(np.sum(duplicates * (duplicates - 1)) / 2) - slots * (n - 2) * (m / slots) ** 2
    variance = m * (1 - m / slots) + 2 * max(shared, 0.0)
    wide = max(variance / m, 1.0) if m else 1.0
    details = {"duplicate_pairs": m, "at_least": slots / min(wide * float(gammaincinv(m / wide + 1, 0.95)), slots)}
    if m / wide < 1 or not variance:
        return Score(value, details=details)
    most, least = (wide * float(gammaincinv(m / wide + more, p)) for more, p in ((1, 0.975), (0, 0.025)))
    interval = slots / max(most, m + 1), slots / least
    return Score(value, stderr=value * sqrt(variance) / m, ci95=interval, details=details)
