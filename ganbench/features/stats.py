"""Moments of features, in float64 and as a mergeable stream; and what is known of one set of images."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput

if TYPE_CHECKING:
    from ganbench.features.image_set import ImageSet

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
GROUPS = 10  # random parts of a sample, for the delete-a-group jackknife
_BLOCK = 4096  # rows folded in at once: fixed, so that no result depends on the batch size
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
        self._buffer = np.empty((_BLOCK, d))
        self._filled = self._seen = 0
        self._shift: F64 | None = None
        self._count = np.zeros(GROUPS, dtype=np.int64)
        self._sum = np.zeros((GROUPS, d))
        self._outer = np.zeros((GROUPS, d, d))

    def update(self, rows: NDArray[np.floating]) -> None:
        """Takes in (m, d) rows, the next ones in order."""
        while len(rows):
            part = rows[: _BLOCK - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rows = rows[len(part) :]
            if self._filled == _BLOCK:
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


class Features:
    """What is known of one set of images at one head of one extractor.

    Args:
        values: float (m, d), the features themselves, or None where only moments are known. For a large
            reference they may be those of m < n images. Their precision is kept.
        moments: moments over all n images; computed from `values` when asked for and not given.
        groups: moments of disjoint random parts of the n images, for the jackknife.
        neighbours: float64 (m, k_max), the distances of each row of `values` to its k_max nearest other rows,
            ascending, where they have been computed before.
        factor: float64 (d, r) with cov = factor @ factor.T, columns by ascending length, where it has been
            computed before.
        seed: decides the random parts where `groups` are to be made from `values`.
        labels: int64 (m,), the class of each row, >= 0, where classes are known.
        positions: int64 (m,), where in its source the image of each row stands; 0..m-1 where None.
        images: the images themselves, in the order of the rows; without `values` and `moments` nothing else is known.
        held_out: the same of further real images, which the generator has not been trained on.

    Raises:
        BadInput: the features are not a finite float array of two dimensions with at least two rows, the
            moments are not finite or of the wrong shapes, or there are not as many labels as rows.
    """

    def __init__(
        self,
        values: NDArray[np.floating] | None = None,
        *,
        moments: Moments | None = None,
        groups: Sequence[Moments] | None = None,
        neighbours: F64 | None = None,
        factor: F64 | None = None,
        seed: int = 2020,
        labels: NDArray[np.integer] | None = None,
        positions: NDArray[np.int64] | None = None,
        images: "ImageSet | None" = None,
        held_out: "Features | None" = None,
    ) -> None:
        assert values is not None or moments is not None or images is not None
        self.values = None if values is None else checked(values)
        self._moments = None if moments is None else checked_moments(moments)
        self._groups, self._factor = groups, factor
        self.neighbours = neighbours
        self.seed = seed
        self.images, self.held_out = images, held_out
        self.labels = None if labels is None else checked_labels(labels, rows=self._rows)
        self.positions = positions

    @property
    def _rows(self) -> int | None:
        if self.values is not None:
            return len(self.values)
        return None if self.images is None else len(self.images)

    @property
    def n(self) -> int:
        """Number of images behind the moments."""
        if self._moments is not None:
            return self._moments.n
        assert self._rows is not None
        return self._rows

    @property
    def d(self) -> int:
        """Width of the features."""
        if self.values is not None:
            return int(self.values.shape[1])
        assert self._moments is not None
        return self._moments.d

    def with_(
        self,
        *,
        labels: NDArray[np.integer] | None = None,
        images: "ImageSet | None" = None,
        positions: NDArray[np.int64] | None = None,
        held_out: "Features | None" = None,
    ) -> "Features":
        """These features, with what else is known of their images; what is None stays as it is."""
        other = copy(self)
        other.images = images or self.images
        other.held_out = held_out or self.held_out
        other.positions = self.positions if positions is None else positions
        other.labels = self.labels if labels is None else checked_labels(labels, rows=self._rows)
        return other

    @property
    def moments_given(self) -> bool:
        """Whether the moments came from elsewhere, as from a stream, and `values` may be but a part."""
        return self._moments is not None

    @cached_property
    def _streamed(self) -> tuple[Moments, tuple[Moments, ...]]:
        assert self.values is not None
        stream = MomentsStream(self.d, seed=self.seed)
        stream.update(self.values)
        return stream.finish()

    @property
    def moments(self) -> Moments:
        """Moments over all n images."""
        return self._streamed[0] if self._moments is None else self._moments

    @property
    def groups(self) -> tuple[Moments, ...]:
        """Moments of disjoint random parts; empty where only the moments of the whole are known."""
        if self._groups is not None:
            return tuple(self._groups)
        if self.values is None or len(self.values) != self.n:
            return ()
        return self._streamed[1]

    @cached_property
    def factor(self) -> F64:
        """R, (d, r), with cov = R Rᵀ: from the eigenvectors, so that singular covariances do.

        Columns ascend in length, and there are no more of them than the covariance can have rank: what
        eigenvalues lie beyond are rounding.
        """
        if self._factor is not None:
            return self._factor
        rank = self.moments.rank
        eigenvalues, vectors = np.linalg.eigh(self.moments.cov)
        refuse_indefinite(eigenvalues)
        root: F64 = vectors[:, self.d - rank :] * np.sqrt(np.clip(eigenvalues[self.d - rank :], 0.0, None))
        return root


def checked(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Returns `values` if they can be features: floats, (n >= 2, d >= 1), finite. Raises BadInput else."""
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.floating) or values.shape[1] == 0:
        raise BadInput(f"Features must be a float array of shape (n, d); found {values.dtype} of shape {values.shape}.")
    if len(values) < 2:
        raise BadInput(f"Found {len(values)} feature vector(s); at least 2 are needed. Give more images.")
    for start in range(0, len(values), _BLOCK):
        _refuse_extremes("features", values[start : start + _BLOCK])
    return values


def checked_labels(labels: NDArray[np.integer], *, rows: int | None) -> NDArray[np.int64]:
    """Returns `labels` as int64 if they are whole numbers >= 0, one for each row. Raises BadInput else."""
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise BadInput(f"Labels must be whole numbers of shape (n,); found {labels.dtype} of shape {labels.shape}.")
    if rows is not None and len(labels) != rows:
        raise BadInput(f"Found {len(labels)} labels for {rows} images; wanted one for each, in their order.")
    if len(labels) and labels.min() < 0:
        raise BadInput(f"Found the label {labels.min()}; classes are numbered from 0.")
    return labels.astype(np.int64)


def checked_moments(moments: Moments) -> Moments:
    """Returns `moments` if they are a finite mean (d,) and covariance (d, d). Raises BadInput else."""
    d = moments.mean.size
    if moments.mean.shape != (d,) or moments.cov.shape != (d, d) or d == 0:
        raise BadInput(
            f"Moments must be a mean of shape (d,) and a covariance of shape (d, d); "
            f"found {moments.mean.shape} and {moments.cov.shape}."
        )
    _refuse_extremes("mean", moments.mean)
    _refuse_extremes("covariance", moments.cov)
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


def _refuse_extremes(what: str, x: NDArray[np.floating]) -> None:
    largest = max(abs(float(x.max())), abs(float(x.min())))  # NaN comes through max and min
    if not np.isfinite(largest):
        raise BadInput(f"Found NaN or infinite values in the {what}. Check the images or the weights they come from.")
    if largest > _LIMIT:
        raise BadInput(
            f"Found values up to {largest:.2g} in the {what}; beyond {_LIMIT:g} sums overflow. Scale them down."
        )
