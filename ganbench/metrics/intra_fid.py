"""Frechet distance within each class, averaged over the classes: intra-FID.

    intra-FID = mean over classes c of FD(fakes of class c, reals of class c)

The class of a fake is the one that it was made for. Every class that either side has counts the same, and needs two
images of each side; a generator that leaves out a class has no intra-FID. There are fewer images in a class than in
all, so the distance is biased upwards more than FID: by about b/n_c. Compare at equal counts alone. `series` has the
distance of each class and its images.

With centred rows X, Y divided by √(n - 1), tr (Σ_real Σ_fake)^½ is the sum of the singular values of X Yᵀ, of which
each is first reduced to its triangular factor where it has more rows than columns: exact at any number of images.

Paper: Miyato and Koyama 2018, "cGANs with projection discriminator", https://arxiv.org/abs/1802.05637.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Side, TooFewImages, labels_of, same_width, values_of
from ganbench.metrics._screen import Array
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class IntraFid(Metric):
    """The mean distance within a class. It has no parameters."""

    keys: ClassVar[Mapping[str, Direction]] = {"intra_fid": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"intra_fid": "intra-FD"}
    labels_of: ClassVar[tuple[Side, ...]] = ("fake", "real")
    predicts_labels: ClassVar[bool] = True

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The mean of the squared distances, >= 0.

        Raises BadInput where the widths differ or the fakes have a class that the reals lack, TooFewImages where a
        class has fewer than two images of a side, UsageError where classes or features are not known.
        """
        assert real is not None
        same_width(fake, real)
        x, y = values_of(fake, "fake"), values_of(real, "real")
        of_x, of_y = labels_of(fake, "fake"), labels_of(real, "real")
        stray = np.setdiff1d(of_x, of_y)
        if len(stray):
            raise BadInput(
                f"fake has images of class {', '.join(map(str, stray[:5].tolist()))}, of which real has none; the "
                f"classes of real are {_range(of_y)}. Number the classes of both alike."
            )
        classes = np.union1d(of_x, of_y)
        counts = [(int(np.sum(of_x == c)), int(np.sum(of_y == c))) for c in classes]
        for c, (n, m) in zip(classes, counts, strict=True):
            if min(n, m) < 2:
                raise TooFewImages(
                    f"Class {c} has {n} images of fake and {m} of real; a distance needs at least 2 images of each. "
                    "Give more images of every class."
                )
        each = [_distance(x[of_x == c], y[of_y == c]) for c in classes]
        n_fake, n_real = np.asarray(counts, dtype=float).T.tolist()
        series = {"class": classes.astype(float).tolist(), "distance": each, "n_fake": n_fake, "n_real": n_real}
        return {"intra_fid": Score(float(np.mean(each)), details={"classes": float(len(each))}, series=series)}


def _range(labels: NDArray[np.int64]) -> str:
    classes = np.unique(labels)
    if len(classes) > 1 and classes[-1] - classes[0] == len(classes) - 1:
        return f"{classes[0]} to {classes[-1]}"
    return ", ".join(map(str, classes[:20].tolist())) + (", ..." if len(classes) > 20 else "")


def _distance(x: Array, y: Array) -> float:
    """The squared Frechet distance of the rows of two arrays."""
    mean_x, x = _centred(x)
    mean_y, y = _centred(y)
    step = mean_x - mean_y
    cross = float(np.linalg.svd(_reduced(x) @ _reduced(y).T, compute_uv=False).sum())
    return max(float(step @ step + np.vdot(x, x) + np.vdot(y, y)) - 2.0 * cross, 0.0)


def _centred(x: Array) -> tuple[F64, F64]:
    """The mean, and the rows about it, divided so that their outer products sum up to the covariance."""
    wide = np.asarray(x, dtype=np.float64)
    mean: F64 = wide.mean(axis=0)
    return mean, (wide - mean) / sqrt(len(wide) - 1)


def _reduced(x: F64) -> F64:
    """At most d rows with the same outer products."""
    return np.asarray(np.linalg.qr(x, mode="r")) if len(x) > x.shape[1] else x
