"""Vendi score: the effective number of different images among the fakes.

    VS = exp( - Σ λ_i log λ_i ),   λ = the eigenvalues of K/n,   K_ij = cosine of the features x_i and x_j

Of order q it is exp(log(Σ λ_i^q)/(1 - q)); q = "inf" gives 1/max λ. It lies between 1 (all alike) and min(n, d)
(all orthogonal), and looks at no real image: noise is diverse too. It grows with n, so compare at equal n.

The eigenvalues other than 0 are those of the d x d matrix XᵀX/n of the normalised features, which is what is
computed where d < n, in float64; so 50,000 images of width 2048 do. A vector of length 0 has no direction and adds
nothing, as in the authors' code.

Paper: Friedman and Dieng 2023, "The Vendi score: a diversity evaluation metric for machine learning",
https://arxiv.org/abs/2210.02410.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np

from ganbench.errors import UsageError
from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Need, values_of
from ganbench.metrics._screen import Array, tiles
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class Vendi(Metric):
    """The Vendi score.

    Attributes:
        q: order of the entropy, a positive number or "inf"; below 1 rare images count for more, above it for less.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"vendi": "higher"}
    needs_real: ClassVar[Need] = "nothing"

    q: float | str = 1.0

    def __post_init__(self) -> None:
        if self.q == inf:
            object.__setattr__(self, "q", "inf")  # as JSON can hold it
        if self.q == "inf" or (isinstance(self.q, int | float) and 0 < self.q < inf):
            return
        raise UsageError(f'Vendi: q must be a positive number or "inf"; found {self.q!r}.')

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:  # noqa: ARG002
        """The score, in 1..min(n, d). Raises UsageError where only the moments of the fakes are known."""
        from scipy.linalg import eigvalsh

        spectrum = eigvalsh(_kernel(values_of(fake, "fake")), check_finite=False, overwrite_a=True)
        return {"vendi": Score(float(np.exp(_entropy(spectrum[spectrum > 0], self.q))))}


def _kernel(x: Array) -> F64:
    """The smaller one of X Xᵀ/n and Xᵀ X/n, X having rows of length 1 or 0; float64."""
    n, d = x.shape
    if n <= d:
        rows = _directions(x)
        kernel: F64 = rows @ rows.T
    else:
        kernel = np.zeros((d, d))
        for part in tiles(n):
            rows = _directions(x[part])
            kernel += rows.T @ rows
    kernel /= n
    return kernel


def _directions(x: Array) -> F64:
    wide = np.asarray(x, dtype=np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    rows: F64 = wide / np.where(length > 0, length, 1)
    return rows


def _entropy(p: F64, q: float | str) -> float:
    if not len(p):
        return 0.0
    if isinstance(q, str):
        return -float(np.log(p.max()))
    if q == 1:
        return -float(np.sum(p * np.log(p)))
    return float(np.log(np.sum(p**q)) / (1 - q))
