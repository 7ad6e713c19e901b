"""Moments of features: mean and covariance in float64, mergeable, and out of rows that stream by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput

F64 = NDArray[np.float64]
GROUPS = 10  # random parts of a sample, for the delete-a-group jackknife
BLOCK = 4096  # rows folded in at once: fixed, so that no result depends on the batch size
_LIMIT = 1e30  # squares, and the cubes of kernels, of larger features would overflow


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and covariance of n feature vectors.

    Attributes:
        n: number of vectors; 0 where they come from a file that does not say.
        mean: float64, (d,).
        cov: float64, (d, d), divided by n - 1. Zero where n = 1.
    """

    n: int
    mean: F64
    cov: F64

    @staticmethod
    def of(values: NDArray[np.floating]) -> "Moments":
        """The moments of the rows of `values`, (n, d), computed in float64 around the mean."""
        x = np.asarray(values, dtype=np.float64)
        mean = x.mean(axis=0)
        x = x - mean
        return Moments(len(x), mean, x.T @ x / max(len(x) - 1, 1))

    @property
    def d(self) -> int:
        """Width of the features."""
        return len(self.mean)

    @property
    def scatter(self) -> F64:
        """Sum of outer products around the mean, (d, d)."""
        return self.cov * (self.n - 1)

    @property
    def rank(self) -> int:
        """The largest rank that the covariance of so few vectors can have."""
        return min(self.d, self.n - 1) if self.n else self.d

    def project(self, basis: F64) -> "Moments":
        """The moments of the vectors basisᵀ x, for a basis of shape (d, r)."""
        return Moments(self.n, self.mean @ basis, basis.T @ (self.cov @ basis))

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sets together (Chan, Golub and LeVeque 1983)."""
        n = self.n + other.n
        step = other.mean - self.mean
        scatter = self.scatter + other.scatter + np.outer(step, step) * (self.n * other.n / n)
        return Moments(n, self.mean + step * (other.n / n), scatter / max(n - 1, 1))

    def without(self, part: "Moments") -> "Moments":
        """The moments of this set after `part`, a subset of it, has been taken out."""
        n = self.n - part.n
        mean = (self.mean * self.n - part.mean * part.n) / n
        step = part.mean - mean
        scatter = self.scatter - part.scatter - np.outer(step, step) * (n * part.n / self.n)
        return Moments(n, mean, scatter / max(n - 1, 1))


def group_of_each(start: int, stop: int, seed: int) -> NDArray[np.intp]:
    """Which of the GROUPS random parts the rows start..stop belong to, (stop - start,).

    Each row is assigned by itself: its part depends neither on how many rows follow nor on its neighbours, so
    that rows in order of their class fall into the parts as shuffled ones would. Sizes differ a little.
    """
    draws = np.random.default_rng([seed, 0x6A6B]).random(stop)[start:]
    group: NDArray[np.intp] = (draws * GROUPS).astype(np.intp)
    return group


class MomentsStream:
    """Moments of rows that arrive in any portions, kept apart for each of GROUPS random parts.

    The sums are taken around the mean of the first block, in blocks of a fixed number of rows, so that
    neither cancellation nor the portions show in the result.

    Args:
        d: width of the rows.
        seed: decides which row belongs to which part.
    """

    def __init__(self, d: int, *, seed: int) -> None:
        self._seed = seed
        self._buffer = np.empty((BLOCK, d))
        self._filled = self._seen = 0
        self._shift: F64 | None = None
        self._count = np.zeros(GROUPS, dtype=np.int64)
        self._sum = np.zeros((GROUPS, d))
        self._outer = np.zeros((GROUPS, d, d))

    def update(self, rows: NDArray[np.floating]) -> None:
        """Takes in (m, d) rows, the next ones in order."""
        while len(rows):
            part = rows[: BLOCK - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rows = rows[len(part) :]
            if self._filled == BLOCK:
                self._fold()

    def _fold(self) -> None:
        block = self._buffer[: self._filled]
        if self._shift is None:
            self._shift = block.mean(axis=0)
        block = block - self._shift
        group = group_of_each(self._seen, self._seen + self._filled, self._seed)
        for g in np.unique(group):
            x = block[group == g]
            self._count[g] += len(x)
            self._sum[g] += x.sum(axis=0)
            self._outer[g] += x.T @ x
        self._seen += self._filled
        self._filled = 0

    def finish(self) -> tuple[Moments, tuple[Moments, ...]]:
        """The moments of all rows, and of each part that has any. Ends the stream: the sums become the result."""
        if self._filled:
            self._fold()
        total = self._moments(int(self._count.sum()), self._sum.sum(axis=0), self._outer.sum(axis=0))
        parts = zip(self._count, self._sum, self._outer, strict=True)
        return total, tuple(self._moments(int(n), s, o) for n, s, o in parts if n)

    def _moments(self, n: int, total: F64, outer: F64) -> Moments:
        assert self._shift is not None
        outer -= np.outer(total, total / n)  # in place: at d = 2048 each of these matrices is 32 MiB
        outer /= max(n - 1, 1)
        return Moments(n, self._shift + total / n, outer)


def checked_moments(moments: Moments) -> Moments:
    """Returns `moments` if they are a finite mean (d,) and covariance (d, d). Raises BadInput else."""
    d = moments.mean.size
    if moments.mean.shape != (d,) or moments.cov.shape != (d, d) or d == 0:
        raise BadInput(
            f"Moments must be a mean of shape (d,) and a covariance of shape (d, d); "
            f"found {moments.mean.shape} and {moments.cov.shape}."
        )
    refuse_extremes("mean", moments.mean)
    refuse_extremes("covariance", moments.cov)
    scale = float(np.abs(moments.cov).max())
    if (
        float(np.abs(moments.cov - moments.cov.T).max()) > 1e-5 * scale
        or float(moments.cov.diagonal().min()) < -1e-5 * scale
    ):
        raise BadInput("Found a matrix that is no covariance: it must be symmetric, with no negative variance.")
    return moments


def refuse_indefinite(eigenvalues: F64) -> None:
    """Raises BadInput where ascending eigenvalues are not those of a covariance: one is negative beyond rounding."""
    if eigenvalues[0] < -1e-5 * max(float(eigenvalues[-1]), 0.0):
        raise BadInput(
            f"Found a covariance with the eigenvalue {eigenvalues[0]:.3g} (the largest is {eigenvalues[-1]:.3g}); "
            "none can be negative. The statistics are damaged, or no covariance: make them again."
        )


def refuse_extremes(what: str, x: NDArray[np.floating]) -> None:
    """Raises BadInput where numbers are not finite, or so large that what is computed of them would not be."""
    largest = max(abs(float(x.max())), abs(float(x.min())))  # NaN comes through max and min
    if not np.isfinite(largest):
        raise BadInput(f"Found NaN or infinite values in the {what}. Check the images or the weights they come from.")
    if largest > _LIMIT:
        raise BadInput(
            f"Found values up to {largest:.2g} in the {what}; beyond {_LIMIT:g} sums overflow. Scale them down."
        )
