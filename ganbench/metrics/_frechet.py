"""The Frechet distance of two Gaussians by symmetric eigenvalues, for the whole sample and without each group.

With Σ_real = R Rᵀ, the matrices Σ_real Σ_fake and Rᵀ Σ_fake R have the same non-zero eigenvalues, and the second
is symmetric: its eigenvalues are real, and they cost a tenth of those of a general matrix.

The columns of R ascend in length, so Rᵀ Σ_fake R is graded from small at the top to large at the bottom. Reduced
from the bottom (UPLO="U"), such a matrix keeps the small eigenvalues to a small error relative to themselves;
the other way round, each carries an error of √ε times the largest, which the square root makes visible.
(Wilkinson and Reinsch 1971, contribution II/2, tred2. At a condition of 1e8 the error of the trace is 1e-16
instead of 1e-9.)

Where n <= d and the features themselves are known, the trace is the nuclear norm of X_c R / √(n - 1), and comes
from the n x n Gram matrix, of which each group left out is a part.
"""

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64, GROUPS, Moments, group_of_each
from ganbench.features.stats import Features


def frechet(fake: Features, real: Features) -> tuple[float, list[float]]:
    """The squared Frechet distance, and its value without each random group of the fakes.

    The second is empty where only the moments of all the fakes are known, or where they are fewer than two a group.
    """
    traces = _gram_traces if _raw(fake) and fake.n <= real.factor.shape[1] else _moment_traces
    whole, *parts = traces(fake, real.factor)
    return _distance(*whole, real.moments), [_distance(*part, real.moments) for part in parts]


def group_sizes(features: Features) -> list[int]:
    """How many vectors each random group has; empty where only the moments of the whole are known."""
    if _raw(features):
        return [int(size) for size in np.bincount(group_of_each(0, features.n, features.seed)) if size]
    return [part.n for part in features.groups]


def _raw(features: Features) -> bool:
    """Whether the features themselves are known, and moments are still to be made of them."""
    return features.values is not None and not features.moments_given


def _distance(mean: F64, trace: float, cross: float, real: Moments) -> float:
    step = mean - real.mean
    return max(float(step @ step + trace + np.trace(real.cov) - 2.0 * cross), 0.0)


def trace_root(symmetric: F64, rank: int) -> float:
    """The trace of the square root of a positive semi-definite matrix, whose rank is known to be no more than `rank`.

    Rounding can only add to the eigenvalues beyond the rank, and push small ones below 0: both are left out.
    """
    eigenvalues = np.linalg.eigvalsh(symmetric, UPLO="U")
    return float(np.sqrt(np.clip(eigenvalues[max(len(eigenvalues) - rank, 0) :], 0.0, None)).sum())


def _moment_traces(fake: Features, factor: F64) -> list[tuple[F64, float, float]]:
    """Mean, trace and trace of the root: of all fakes, then without each group."""
    whole, projected = fake.moments, fake.moments.project(factor)
    traces = [_terms(whole, projected)]
    if fake.n >= 2 * GROUPS and len(fake.groups) > 1:
        traces += [_terms(whole.without(part), projected.without(part.project(factor))) for part in fake.groups]
    return traces


def _terms(moments: Moments, projected: Moments) -> tuple[F64, float, float]:
    return moments.mean, float(np.trace(moments.cov)), trace_root(projected.cov, moments.rank)


def _gram_traces(fake: Features, factor: F64) -> list[tuple[F64, float, float]]:
    """The same from the features of n <= r fakes."""
    x = np.asarray(fake.values, dtype=np.float64)
    origin = x.mean(axis=0)
    x = x - origin
    y = x @ factor
    gram = y @ y.T
    keeps: list[NDArray[np.bool_]] = [np.ones(len(x), dtype=bool)]
    if len(x) >= 2 * GROUPS:
        group = group_of_each(0, len(x), fake.seed)
        keeps += [group != g for g in np.unique(group)]
    return [_gram_terms(x[keep], gram[np.ix_(keep, keep)], origin) for keep in keeps]


def _gram_terms(x: F64, gram: F64, origin: F64) -> tuple[F64, float, float]:
    n, step = len(x), x.mean(axis=0)
    row = gram.mean(axis=0)
    centred = (gram - row - row[:, None] + row.mean()) / (n - 1)
    trace = (float(np.sum(x * x)) - n * float(step @ step)) / (n - 1)
    return origin + step, trace, trace_root(centred, n - 1)
