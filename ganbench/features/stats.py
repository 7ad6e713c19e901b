"""What is known of one set of images: features, their moments, and what a metric may ask for beside them."""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.moments import (
    BLOCK,
    F64,
    Moments,
    MomentsStream,
    checked_moments,
    refuse_extremes,
    refuse_indefinite,
)

if TYPE_CHECKING:
    from ganbench.features.image_set import ImageSet


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
        sure: of moments of classes, by probability: the share of real images whose class a classifier finds more
            probable than that.

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
        sure: Mapping[float, float] | None = None,
    ) -> None:
        assert values is not None or moments is not None or images is not None
        self.values = None if values is None else checked(values)
        self._moments = None if moments is None else checked_moments(moments)
        self._groups, self._factor = groups, factor
        self.neighbours = neighbours
        self.seed = seed
        self.images, self.held_out = images, held_out
        self.sure = dict(sure or {})
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
    for start in range(0, len(values), BLOCK):
        refuse_extremes("features", values[start : start + BLOCK])
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
