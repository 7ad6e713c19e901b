"""The squared maximum mean discrepancy over all pairs of two samples, and its noise, in bounded memory.

With w(x) = mean over the reals y of k(x, y), taken as known, the part that depends on the fakes is a U-statistic of
order two with the kernel g(x, x') = a k(x, x') - w(x) - w(x'), whose variance over samples of n is (Hoeffding 1948)

    Var = (4 (n - 2) ζ1 + 2 ζ2) / (n (n - 1)),    ζ1 = Cov(g(x, x'), g(x, x'')),    ζ2 = Var g(x, x')

Both are estimated without bias from the sums over rows of g and of g² (pairs, triples and quadruples of different
fakes; Sutherland and Deka 2019, https://arxiv.org/abs/1906.02104); ζ1, which is 0 where fakes and reals are alike, is
cut there. Tiles of 1024 x 1024 pairs, of which those below the diagonal are left out; no n x n matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from ganbench.features.moments import F64
from ganbench.metrics._screen import Array, tiles

Kernel = Callable[[Array, Array], F64]  # (n, d) and (m, d) to (n, m); one array twice gives a symmetric result


@dataclass(frozen=True)
class Gaussian:
    """The kernel exp(-‖x - y‖² / (2 σ²)) - 1. The constant cancels in a discrepancy, and rounding is less without."""

    sigma: float

    def __call__(self, x: Array, y: Array) -> F64:
        """The kernel matrix of the rows of x and y, float64 (n, m)."""
        left, right = (np.asarray(each, dtype=np.float64) for each in (x, y))
        found: F64 = left @ (left if x is y else right).T
        found *= 2.0
        found -= np.einsum("ij,ij->i", left, left)[:, None]
        found -= np.einsum("ij,ij->i", right, right)
        found *= 0.5 / self.sigma**2
        np.exp(np.minimum(found, 0.0, out=found), out=found)
        found -= 1.0
        return found


@dataclass(frozen=True)
class Within:
    """Sums over the pairs of different rows of one sample.

    Attributes:
        rows: of k(x_i, x_j) over j, (n,).
        squares: of k² over all pairs i, j.
    """

    rows: F64
    squares: float

    @property
    def mean(self) -> float:
        """The mean of k over pairs of different rows."""
        return float(self.rows.sum()) / (len(self.rows) * (len(self.rows) - 1))


@dataclass(frozen=True)
class Across:
    """Sums over the pairs of a fake and a real.

    Attributes:
        rows: of k(x_i, y_j) over j, (n,).
        columns: over i, (m,).
        squares: of k² over all pairs.
    """

    rows: F64
    columns: F64
    squares: float

    @property
    def mean(self) -> float:
        """The mean of k over all pairs."""
        return float(self.rows.mean()) / len(self.columns)

    @property
    def interaction(self) -> float:
        """The variance of what k(x, y) has beyond its means over x and over y: an analysis of variance."""
        n, m = len(self.rows), len(self.columns)
        rows, columns = self.rows / m, self.columns / n
        total = self.squares - m * float(rows @ rows) - n * float(columns @ columns) + n * m * self.mean**2
        return max(total, 0.0) / ((n - 1) * (m - 1))


def within(x: Array, kernel: Kernel) -> Within:
    """The sums over the pairs of `x`, (n, d)."""
    rows, squares = np.zeros(len(x)), 0.0
    for a in tiles(len(x)):
        part = x[a]
        block = kernel(part, part)
        np.fill_diagonal(block, 0.0)
        rows[a] += block.sum(axis=1)
        squares += float(np.vdot(block, block))
        for b in tiles(len(x)):
            if b.start > a.start:
                block = kernel(part, x[b])
                rows[a] += block.sum(axis=1)
                rows[b] += block.sum(axis=0)
                squares += 2.0 * float(np.vdot(block, block))
    return Within(rows, squares)


def across(x: Array, y: Array, kernel: Kernel) -> Across:
    """The sums over the pairs of `x`, (n, d), and `y`, (m, d)."""
    rows, columns, squares = np.zeros(len(x)), np.zeros(len(y)), 0.0
    for a in tiles(len(x)):
        for b in tiles(len(y)):
            block = kernel(x[a], y[b])
            rows[a] += block.sum(axis=1)
            columns[b] += block.sum(axis=0)
            squares += float(np.vdot(block, block))
    return Across(rows, columns, squares)


def noise(own: Within, other: F64, *, weight: float = 1.0) -> float | None:
    """The standard error of `weight` mean k(x, x') - 2 mean w(x) over samples x; None for fewer than 4 rows.

    Args:
        own: the sums over the pairs of the sample.
        other: w(x_i), (n,).
        weight: a in g.
    """
    n = len(own.rows)
    if n < 4:
        return None
    mean = weight * own.mean - 2.0 * float(other.mean())
    u = other + mean / 2  # so that g = a k - u - u' has mean 0
    rows = weight * own.rows - (n - 2) * u - u.sum()
    pairs = weight**2 * own.squares - 4 * weight * float(u @ own.rows)
    pairs = max(pairs + 2 * (n - 2) * float(u @ u) + 2 * float(u.sum()) ** 2, 0.0)
    triples = float(rows @ rows) - pairs
    square = (2 * pairs - 4 * float(rows @ rows)) / (n * (n - 1) * (n - 2) * (n - 3))  # of the mean
    first = max(triples / (n * (n - 1) * (n - 2)) - square, 0.0)
    second = max(pairs / (n * (n - 1)) - square, 0.0)
    return sqrt((4 * (n - 2) * first + 2 * second) / (n * (n - 1)))
