"""Kernel distance: squared maximum mean discrepancy under a cubic kernel, KID on Inception.

    k(x, y) = (γ x·y + c)^degree,  γ = 1/d
    MMD² = mean over i≠j of k(x_i, x_j) + mean over i≠j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j)

The value is the mean over 100 subsets of 1,000 fakes and 1,000 reals (fewer where there are fewer), drawn without
replacement by `RandomState(2020)`, fakes first: the draws of torch-fidelity. Each term is unbiased, so values a
little below 0 are right. All is float64: the three means nearly cancel.

`subset_std` is the spread over the subsets (ddof 0) that other tools print behind the sign ±; it is no standard
error, as it depends on the size of the subsets alone. `stderr` and the interval are the noise of the fakes at
this n: a delete-a-group jackknife over 10 random groups of them, taken out of every subset, t with 9 degrees of
freedom. Where fakes and reals are alike the statistic is nearly degenerate and the jackknife errs on the wide side.

Paper: Bińkowski et al. 2018, "Demystifying MMD GANs", https://arxiv.org/abs/1801.01401.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from ganbench.errors import UsageError
from ganbench.features.moments import F64, GROUPS, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._jackknife import jackknife
from ganbench.metrics._kernel import Index, Polynomial, means_within, subset_distances
from ganbench.results import Direction, Score

# Of the reals' subsets, by what decides them: the metric and the number of fakes. For as long as the reals live.
_found: "WeakKeyDictionary[Features, dict[tuple[Kid, int], F64]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Kid(Metric):
    """The kernel distance.

    Attributes:
        subsets: how many pairs of subsets are drawn.
        subset_size: their size; n where there are fewer.
        degree: of the kernel.
        gamma: factor of the inner product; 1/d where None.
        coef0: constant of the kernel.
        seed: of the draws.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"kernel_distance": "lower"}

    subsets: int = 100
    subset_size: int = 1000
    degree: int = 3
    gamma: float | None = None
    coef0: float = 1.0
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, subsets=1, subset_size=2, degree=1, seed=0)
        if self.gamma is not None and not 0 < self.gamma < inf:
            raise UsageError(f"Kid: gamma must be a positive number, or None for 1/d; found {self.gamma!r}.")

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
        size = min(self.subset_size, len(x), len(y))
        draws = self._draws(len(x), len(y), size)
        known = _found.setdefault(real, {})
        if (self, len(x)) not in known:
            known[self, len(x)] = means_within(y, [j for _, j in draws], kernel)
        each = subset_distances(x, y, draws, kernel=kernel, seed=fake.seed, real=known[self, len(x)])
        value, *without = each.mean(axis=0).tolist()
        details = {"subset_std": float(each[:, 0].std()), "subset_size": float(size)}
        if len(x) < 2 * GROUPS or not np.isfinite(each).all():
            return {"kernel_distance": Score(value, details=details)}
        sizes = np.bincount(group_of_each(0, len(x), fake.seed), minlength=GROUPS)
        spread = jackknife(value, without, sizes=sizes.tolist())
        return {"kernel_distance": Score(value, stderr=spread.stderr, ci95=spread.ci95, details=details)}

    def _draws(self, n_fake: int, n_real: int, size: int) -> list[tuple[Index, Index]]:
        rng = np.random.RandomState(self.seed)
        return [
            (rng.choice(n_fake, size, replace=False), rng.choice(n_real, size, replace=False))
            for _ in range(self.subsets)
        ]
