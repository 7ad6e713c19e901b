"""Kernel distance over all pairs: the unbiased squared MMD under KID's cubic kernel, without subsets.

    MMD² = mean over i≠j of k(x_i, x_j) + mean over i≠j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j)
    k(x, y) = (γ x·y + c)^degree,  γ = 1/d

What KID estimates, from every pair of images once and therefore with the least noise and nothing drawn. Unbiased:
values a little below 0 are right. All is float64.

`stderr` and the normal interval are the noise of the fakes at this n with the reference as it is, from the variance
of a U-statistic (see `_mmd.py`). `details` has `two_sample_stderr`, what the literature prints: the noise of both
samples, Var given y + Var given x - 4 Var(interaction of x and y)/(nm), the last being in both of the first two.

Paper: Bińkowski et al. 2018, "Demystifying MMD GANs", https://arxiv.org/abs/1801.01401; the estimator: Gretton et al.
2012, "A kernel two-sample test", JMLR 13; its variance: Sutherland et al. 2017, https://arxiv.org/abs/1611.04488.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, sqrt
from typing import ClassVar

from ganbench.errors import UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._kernel import Polynomial
from ganbench.metrics._mmd import across, noise, within
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class KidFull(Metric):
    """The kernel distance over all pairs.

    Attributes:
        degree: of the kernel.
        gamma: factor of the inner product; 1/d where None.
        coef0: constant of the kernel.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"kid_full": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"kid_full": "KD (all images)"}

    degree: int = 3
    gamma: float | None = None
    coef0: float = 1.0

    def __post_init__(self) -> None:
        require_at_least(self, degree=1)
        if self.gamma is not None and not 0 < self.gamma < inf:
            raise UsageError(f"KidFull: gamma must be a positive number, or None for 1/d; found {self.gamma!r}.")

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The kernel distance, which may be a little below 0.

        Raises BadInput where the widths differ, UsageError where only the moments of one set are known.
        """
        assert real is not None
        same_width(fake, real)
        x, y = values_of(fake, "fake"), values_of(real, "real")
        kernel = Polynomial(
            degree=self.degree, gamma=1.0 / fake.d if self.gamma is None else self.gamma, coef0=self.coef0
        )
        own, theirs, between = within(x, kernel), within(y, kernel), across(x, y, kernel)
        value = own.mean + theirs.mean - 2 * between.mean
        stderr, of_real = noise(own, between.rows / len(y)), noise(theirs, between.columns / len(x))
        if stderr is None or of_real is None:
            return {"kid_full": Score(value)}
        twice = 4 * between.interaction / (len(x) * len(y))
        both = sqrt(max(stderr**2 + of_real**2 - twice, stderr**2, of_real**2))
        interval = (value - _Z * stderr, value + _Z * stderr)
        return {"kid_full": Score(value, stderr=stderr, ci95=interval, details={"two_sample_stderr": both})}
