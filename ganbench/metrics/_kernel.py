"""Kernel matrices over subsets of two samples, and the unbiased squared MMD from them.

Where a whole kernel matrix is small, it is computed once and the subsets are looked up in it; else each subset's
block is computed for itself. Memory beside the features: three such matrices of at most 128 MiB.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64, GROUPS, group_of_each

Array = NDArray[np.floating]
Index = NDArray[np.intp]
Block = Callable[[Index, Index], F64]
_WHOLE = 1 << 24  # entries of a kernel matrix that is kept
_ROWS = 32  # raised to a power at once, so that they stay in cache


@dataclass(frozen=True)
class Polynomial:
    """The kernel (γ x·y + c)^degree."""

    degree: int
    gamma: float
    coef0: float

    def __call__(self, x: Array, y: Array) -> F64:
        """The kernel matrix of the rows of x and y, float64 (n, m)."""
        left, right = (np.asarray(each, dtype=np.float64) for each in (x, y))
        inner: F64 = left @ (left if x is y else right).T  # BLAS does half the work where both are one array
        for start in range(0, len(inner), _ROWS):
            part = inner[start : start + _ROWS]
            part *= self.gamma
            part += self.coef0
            power = part.copy()
            for _ in range(self.degree - 1):  # numpy's own power takes ten times as long
                part *= power
        return inner


def subset_distances(x: Array, y: Array, draws: Sequence[tuple[Index, Index]], *, kernel: Polynomial, seed: int) -> F64:
    """The unbiased squared MMD of each drawn pair of subsets, and the same without each random group of x.

    Args:
        x, y: (n, d) and (m, d).
        draws: indices into x and into y for each subset, as many of each, 2 or more.
        kernel: the kernel.
        seed: decides the random groups of x.

    Returns:
        (subsets, 1 + GROUPS): of the whole subsets, then without each group. NaN where fewer than two of x stay.
    """
    group = group_of_each(0, len(x), seed)
    xx, yy, xy = _blocks(x, x, kernel), _blocks(y, y, kernel), _blocks(x, y, kernel)
    found = np.empty((len(draws), 1 + GROUPS))
    for row, (i, j) in zip(found, draws, strict=True):
        stays = np.column_stack([np.ones(len(i)), group[i][:, None] != np.arange(GROUPS)])
        real = _mean_of_pairs(yy(j, j), np.ones((len(j), 1)))
        between = xy(i, j).mean(axis=1) @ stays / np.maximum(stays.sum(axis=0), 1)
        row[:] = _mean_of_pairs(xx(i, i), stays) + real - 2 * between
    return found


def _mean_of_pairs(block: F64, stays: F64) -> F64:
    """The mean over pairs of two different rows: one number for each column of 0 and 1, those that stay being 1."""
    n = stays.sum(axis=0)
    total: F64 = np.sum(stays * (block @ stays), axis=0) - np.diagonal(block) @ stays
    mean: F64 = np.divide(total, n * (n - 1), out=np.full_like(total, np.nan), where=n > 1)
    return mean


def _blocks(x: Array, y: Array, kernel: Polynomial) -> Block:
    """How to get the kernel between subsets of x and of y, given by their indices."""
    if len(x) * len(y) <= _WHOLE:
        whole = kernel(x, y)
        return lambda i, j: whole[np.ix_(i, j)]
    if x is y:
        return lambda i, _: kernel(part := x[i], part)
    return lambda i, j: kernel(x[i], y[j])
