"""Frechet distance divided by how near the fakes are to the reals: MiFID, which punishes copies.

    MiFID = FD / m where m < ε, else FD;   m = mean over fakes x of min over reals y of 1 - |x·y| / (‖x‖ ‖y‖)

As the competition that it was made for computes it: 1e-14 is added to m, FD up to 1e-8 gives 0, and rows whose sum is 0
are left out of m. torchmetrics has the same functions, and hands them the reals first: its m is the mean over reals,
which copies of a few of them hardly lower. Ours is the paper's, over fakes. `details` has FD and m. FD takes the
moments of all reals, m the nearest of those whose features are known; with fewer of them m is larger.

The interval is that of the fakes at this n: a delete-a-group jackknife over 10 random groups, t with 9 degrees of
freedom, cut at 0. There is none where m is so near ε that a group decides on which side it lies.

Paper: Bai et al. 2021, "On training sample memorization: lessons from benchmarking generative modeling with a
large-scale competition", https://arxiv.org/abs/2106.03062.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.errors import UsageError
from ganbench.features.moments import F64, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, same_width, values_of
from ganbench.metrics._frechet import frechet, group_sizes
from ganbench.metrics._jackknife import jackknife
from ganbench.metrics._screen import Array, tiles
from ganbench.results import Direction, Score

_TINY = 1e-14  # added to the distance, so that copies do not divide by 0
_NONE = 1e-8  # a Frechet distance up to this is none


@dataclass(frozen=True)
class Mifid(Metric):
    """The memorisation-informed distance.

    Attributes:
        eps: the mean cosine distance from which on nothing counts as copied.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"mifid": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"mifid": "MiFD"}

    eps: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.eps <= 1:
            raise UsageError(f"Mifid: eps must be a number from 0 to 1; found {self.eps!r}.")

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The distance, >= 0.

        Raises BadInput where the widths differ, UsageError where only the moments of one set are known.
        """
        assert real is not None
        same_width(fake, real)
        x = values_of(fake, "fake")
        near = nearest_cosine(x, values_of(real, "real"))
        whole, without = frechet(fake, real)
        mean = _mean(near)
        value = self._ratio(whole, mean)
        details = {"frechet_distance": whole, "cosine_distance": mean}
        group = group_of_each(0, len(x), fake.seed)
        parts = [_mean(near[group != g]) for g in np.unique(group)]
        if len(parts) != len(without) or any((part < self.eps) != (mean < self.eps) for part in parts):
            return {"mifid": Score(value, details=details)}
        each = [self._ratio(distance, part) for distance, part in zip(without, parts, strict=True)]
        spread = jackknife(value, each, sizes=group_sizes(fake), least=0.0)
        return {"mifid": Score(value, stderr=spread.stderr, ci95=spread.ci95, details=details)}

    def _ratio(self, distance: float, near: float) -> float:
        if distance <= _NONE:
            return 0.0
        return distance / ((near if near < self.eps else 1.0) + _TINY)


def _mean(near: F64) -> float:
    """The mean of those that have a direction; 1 where none has."""
    known = near[~np.isnan(near)]
    return float(known.mean()) if len(known) else 1.0


def nearest_cosine(x: Array, y: Array) -> F64:
    """For each row of `x` the least of 1 - |cosine| to a row of `y`, in 0..1; NaN where the sum of a row is 0, (n,).

    Rows of `y` whose sum is 0 are left out as well.
    """
    largest = np.zeros(len(x))
    for b in tiles(len(y)):
        other = _directions(y[b])
        other = other[~np.isnan(other[:, 0])]
        for a in tiles(len(x)) if len(other) else []:
            np.maximum(largest[a], np.abs(_directions(x[a]) @ other.T).max(axis=1), out=largest[a])
    found: F64 = np.maximum(1.0 - largest, 0.0)
    return found


def _directions(rows: Array) -> F64:
    """The rows divided by their length, in float64; NaN where their sum is 0."""
    wide = np.asarray(rows, dtype=np.float64)
    length = np.where(wide.sum(axis=1) == 0, np.nan, np.linalg.norm(wide, axis=1))
    unit: F64 = wide / length[:, None]
    return unit
