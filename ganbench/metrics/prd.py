"""Precision and recall for distributions: how much of each is within the other, over shared clusters.

    α(λ) = Σ_c min(λ Q(c), P(c)),   β(λ) = α(λ)/λ,   F_b = max over λ of (1 + b²) α β / (b² α + β)

P and Q are the shares of fakes and reals in the clusters c of both together (MiniBatchKMeans of scikit-learn, 20
clusters, the best of 10 starts, batches of 1024), λ the tangents of 1001 angles; α and β are averaged over 10 runs of
the clustering. `prd_f8` weighs recall β (modes that are missing), `prd_f1_8` precision α (fakes that are wrong); both
lie in 0..1. `series` has the curve at every tenth angle. Where one set is larger, as many of it are drawn for each run.

The images are put into an order of their own first, so that theirs is nothing to the clustering. No interval: the
clusters move with the fakes.

Paper: Sajjadi et al. 2018, "Assessing generative models via precision and recall", https://arxiv.org/abs/1806.00035.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, TooFewImages, require_at_least, same_width, values_of
from ganbench.metrics._clusters import clusters_of
from ganbench.metrics._screen import Array, Index
from ganbench.results import Direction, Score

_EDGE = 1e-10  # how far the first and last angle keep from 0 and 90 degrees


@dataclass(frozen=True)
class Prd(Metric):
    """Precision and recall for distributions.

    Attributes:
        clusters: number of clusters.
        angles: number of angles.
        runs: how often the sets are clustered.
        beta: weight b of the two scores.
        seed: of the draws and of k-means.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"prd_f8": "higher", "prd_f1_8": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"prd_f8": "PRD F8", "prd_f1_8": "PRD F1/8"}

    clusters: int = 20
    angles: int = 1001
    runs: int = 10
    beta: int = 8
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, clusters=1, angles=3, runs=1, beta=1, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The two F-scores, in 0..1.

        Raises BadInput where the widths differ, TooFewImages where a set has fewer images than there are clusters,
        UsageError where only the moments of one are known.
        """
        assert real is not None
        same_width(fake, real)
        x, y = values_of(fake, "fake"), values_of(real, "real")
        size = min(len(x), len(y))
        if size < self.clusters:
            side = "fake" if len(x) == size else "real"
            raise TooFewImages(f"{side} has {size} images for {self.clusters} clusters. Give more or fewer clusters.")
        rng = self.generator(self.seed)
        orders = [np.array(own_order(each)) for each in (x, y)]
        curves = []
        for _ in range(self.runs):
            rows = [order[_draw(rng, len(order), size)] for order in orders]
            union = np.concatenate([x[rows[0]], y[rows[1]]], dtype=np.float64)
            curves.append(curve(*self._shares(union, size, int(rng.integers(2**31))), angles=self.angles))
        precision, recall = np.mean(curves, axis=0)
        thinned = slice(None, None, max(1, self.angles // 100))
        series = {"recall": recall[thinned].tolist(), "precision": precision[thinned].tolist()}
        return {
            "prd_f8": Score(best_f(precision, recall, self.beta), series=series),
            "prd_f1_8": Score(best_f(precision, recall, 1 / self.beta)),
        }

    def _shares(self, union: F64, n_fake: int, seed: int) -> tuple[F64, F64]:
        """The shares of the fakes, which come first, and of the reals in each cluster."""
        label = clusters_of(union, clusters=self.clusters, seed=seed)
        parts = label[:n_fake], label[n_fake:]
        fake, real = (np.bincount(part, minlength=self.clusters) / len(part) for part in parts)
        return fake, real


def _draw(rng: np.random.Generator, n: int, size: int) -> slice | Index:
    return slice(None) if n == size else np.sort(rng.choice(n, size, replace=False))


def own_order(values: Array) -> list[int]:
    """The rows sorted by a hash of theirs: whatever order they come in, the same images come out in the same."""
    wide = (np.add(row, 0.0, dtype=np.float64) for row in values)  # which turns -0 into 0
    keys = [blake2b(row.tobytes(), digest_size=20).digest() for row in wide]
    return sorted(range(len(keys)), key=keys.__getitem__)


def curve(fake: F64, real: F64, *, angles: int) -> tuple[F64, F64]:
    """Precision α and recall β at each angle, from the shares of fakes and reals in each cluster."""
    slope = np.tan(np.linspace(_EDGE, np.pi / 2 - _EDGE, angles))
    precision = np.minimum(slope[:, None] * real, fake).sum(axis=1)
    return np.clip(precision, 0, 1), np.clip(precision / slope, 0, 1)


def best_f(precision: F64, recall: F64, beta: float) -> float:
    """The largest F-score of a curve; greater `beta` weighs recall."""
    weighed = beta**2 * precision + recall
    return float(np.max((1 + beta**2) * precision * recall / np.where(weighed > 0, weighed, 1)))
