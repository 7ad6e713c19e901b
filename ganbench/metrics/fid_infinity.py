"""Frechet distance extrapolated to endless fakes: FID∞.

    FD(N) = FD∞ + slope / N,  a line by least squares through FD(N) at 15 sizes N from min(5000, n/10) to n

The fakes of each size are the first N of one order drawn by `seed`, so each part holds the last; the paper, and
dgm-eval, whose sizes these are, draw anew for each. Sums then grow from size to size, nothing is computed twice, and
the value varies no more from seed to seed. The paper's other half, generating from Sobol points, is the generator's
affair. Only the bias from finite fakes goes; what the finite reference adds stays.

Where the smallest size is not well above the width d of the features, FD(N) is no line and the value is too low, even
below 0: of the bias of FD(n), on Gaussians with equal variances, half too much is taken away at n = 5d, 0.4 at 10d, 0.1
at 20d, 0.03 at 50d. The `bias_estimate` of `fid` needs no such n. `series` has the sizes and FD(N), `details` the
slope.

`stderr` is the noise of the fakes at this n by the delta method: a fake x moves FD by
f(x) = 2 (μ - μ_real)·(x - μ) + ‖x - μ‖² - (x - μ)ᵀ R (RᵀΣR)^-½ Rᵀ (x - μ), Σ_real = R Rᵀ, and has in the line the
weight of the sizes that hold it. It leaves out the noise of second order, which the line magnifies: on Gaussians it was
0.75 to 1.05 of the truth. So there is no interval; and no `stderr` for fewer than 2d fakes.

Paper: Chong and Forsyth 2020, "Effectively unbiased FID and Inception Score and where to find them",
https://arxiv.org/abs/1911.07023.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Need, TooFewImages, require_at_least, same_width, values_of
from ganbench.metrics._prefixes import Prefixes
from ganbench.results import Direction, Score

_LEAST = 20  # fakes: the smallest size is then 2


@dataclass(frozen=True)
class FidInfinity(Metric):
    """The extrapolated distance.

    Attributes:
        points: how many sizes the line goes through.
        seed: of the order of the fakes.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"fid_infinity": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"fid_infinity": "FD∞"}
    needs_real: ClassVar[Need] = "moments"

    points: int = 15
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, points=2, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The distance at n → ∞.

        Raises BadInput where the widths differ, TooFewImages for fewer than 20 fakes, UsageError where only the
        moments of the fakes are known.
        """
        assert real is not None
        same_width(fake, real)
        x = values_of(fake, "fake")
        n = len(x)
        if n < _LEAST:
            raise TooFewImages(f"fake has {n} images; the extrapolation needs at least {_LEAST}. Give more.")
        sizes = np.linspace(min(5000, n // 10), n, self.points).astype(np.intp)
        prefixes = Prefixes(x[self.generator(self.seed).permutation(n)], real)
        found = np.array([prefixes.distance(size) for size in sizes.tolist()])
        weights = _intercept(1.0 / sizes)
        value = float(weights @ found)
        details = {"slope": float((found - value) @ (1.0 / sizes) / np.sum(1.0 / sizes**2))}
        series = {"n": sizes.astype(float).tolist(), "distance": found.tolist()}
        if n < 2 * fake.d:
            return {"fid_infinity": Score(value, details=details, series=series)}
        holds = np.arange(n) < sizes[:, None]
        share = weights / sizes @ holds * n  # the weight of each fake in the intercept, relative to that in FD(n)
        stderr = float(np.std(prefixes.influence() * share) / sqrt(n))
        return {"fid_infinity": Score(value, stderr=stderr, details=details, series=series)}


def _intercept(h: F64) -> F64:
    """The weights of the points in the intercept of the least-squares line over h."""
    gap = h - h.mean()
    weights: F64 = 1 / len(h) - h.mean() * gap / (gap @ gap)
    return weights
