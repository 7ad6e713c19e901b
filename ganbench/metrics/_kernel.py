"""Kernel matrices over subsets of two samples, and the unbiased squared MMD from them.

Subsets that together have as many pairs as the samples themselves share them: the kernel of each pair is then computed
once, tile by tile, and counted in every subset that has it. Else each subset's block is computed for itself. Memory
beside the features: a few blocks of 8 MiB, or of a subset's size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64, GROUPS, group_of_each

Array = NDArray[np.floating]
Index = NDArray[np.intp]
_TILE = 1024  # rows and columns of a block
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


def subset_distances(
    x: Array, y: Array, draws: Sequence[tuple[Index, Index]], *, kernel: Polynomial, seed: int, real: F64
) -> F64:
    """The unbiased squared MMD of each drawn pair of subsets, and the same without each random group of x.

    Args:
        x, y: (n, d) and (m, d).
        draws: indices into x and into y for each subset, as many of each, 2 or more.
        kernel: the kernel.
        seed: decides the random groups of x.
        real: what `means_within` gives for the subsets of y.

    Returns:
        (subsets, 1 + GROUPS): of the whole subsets, then without each group. NaN where fewer than two of x stay.
    """
    of_x = [i for i, _ in draws]
    group = group_of_each(0, len(x), seed)
    sizes = np.stack([np.bincount(group[i], minlength=GROUPS) for i in of_x])
    stay = np.column_stack([sizes.sum(axis=1), sizes.sum(axis=1, keepdims=True) - sizes])
    own = _without_each(_pairs_within(x, of_x, group, kernel, groups=GROUPS))
    between = _pairs_across(x, y, draws, group, kernel)
    between = np.column_stack([between.sum(axis=0), (between.sum(axis=0) - between).T])
    each = np.array([[len(j)] for _, j in draws])
    found: F64 = _over(own, stay * (stay - 1)) + real[:, None] - 2 * _over(between, stay * each)
    return np.where(stay > 1, found, np.nan)


def means_within(x: Array, drawn: Sequence[Index], kernel: Polynomial) -> F64:
    """The mean of the kernel over the pairs of two different rows of each subset, (subsets,)."""
    sums = _pairs_within(x, drawn, np.zeros(len(x), dtype=np.intp), kernel, groups=1)[0, 0]
    return _over(sums, np.array([len(i) * (len(i) - 1) for i in drawn]))


def _over(sums: F64, counts: NDArray[np.integer]) -> F64:
    mean: F64 = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return mean


def _without_each(sums: F64) -> F64:
    """From sums by pairs of groups, (G, G, subsets), to those over all and without each group, (subsets, 1 + G)."""
    total, touching = sums.sum(axis=(0, 1)), sums.sum(axis=0) + sums.sum(axis=1)
    return np.column_stack([total, (total - touching + np.diagonal(sums).T).T])


def _pairs_within(x: Array, drawn: Sequence[Index], group: Index, kernel: Polynomial, *, groups: int) -> F64:
    """Sums over pairs of two different rows of each subset, by the groups of both, (groups, groups, subsets)."""
    found = np.zeros((groups, groups, len(drawn)))
    if sum(len(i) ** 2 for i in drawn) < len(x) ** 2:
        for number, i in enumerate(drawn):
            block = kernel(part := x[i], part)
            np.fill_diagonal(block, 0)
            mine = _one_hot(group[i], groups)
            found[:, :, number] = mine.T @ (block @ mine)
        return found
    marks, parts = _marks(drawn, len(x)), _parts(group)
    for a, rows in enumerate(parts):
        left, g = np.asarray(x[rows], dtype=np.float64), group[rows[0]]
        for columns in parts[a:]:
            same = columns is rows
            block = kernel(left, left if same else x[columns])
            if same:
                np.fill_diagonal(block, 0)
            sums = np.einsum("is,is->s", marks[rows], block @ marks[columns])
            h = group[columns[0]]
            found[g, h] += sums
            if not same:
                found[h, g] += sums
    return found


def _pairs_across(x: Array, y: Array, draws: Sequence[tuple[Index, Index]], group: Index, kernel: Polynomial) -> F64:
    """Sums over pairs of a row of x and one of y of each subset, by the group of the first, (GROUPS, subsets)."""
    found = np.zeros((GROUPS, len(draws)))
    if sum(len(i) * len(j) for i, j in draws) < len(x) * len(y):
        for number, (i, j) in enumerate(draws):
            found[:, number] = kernel(x[i], y[j]).sum(axis=1) @ _one_hot(group[i], GROUPS)
        return found
    marks_x, marks_y = _marks([i for i, _ in draws], len(x)), _marks([j for _, j in draws], len(y))
    for rows in _parts(group):
        left = np.asarray(x[rows], dtype=np.float64)
        sums = np.zeros((len(rows), len(draws)))
        for start in range(0, len(y), _TILE):
            sums += kernel(left, y[start : start + _TILE]) @ marks_y[start : start + _TILE]
        found[group[rows[0]]] += np.einsum("is,is->s", marks_x[rows], sums)
    return found


def _one_hot(group: Index, number: int) -> F64:
    hot: F64 = (group[:, None] == np.arange(number)).astype(np.float64)
    return hot


def _marks(drawn: Sequence[Index], n: int) -> F64:
    """1 where a subset has a row, (n, subsets)."""
    marks = np.zeros((n, len(drawn)))
    for number, i in enumerate(drawn):
        marks[i, number] = 1
    return marks


def _parts(group: Index) -> list[Index]:
    """The rows of each group, in portions of at most _TILE."""
    rows = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    return [each[start : start + _TILE] for each in rows for start in range(0, len(each), _TILE)]
