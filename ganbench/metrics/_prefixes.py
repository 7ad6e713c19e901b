"""The Frechet distance of growing parts of one sample to a reference, each from the sums of the one before.

All rows are projected on the factor R of the reference's covariance once; what is left for each part is a matrix of
the width of R, or of the part's size where that is smaller (see `_frechet.py`).
"""

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._frechet import trace_root
from ganbench.metrics._screen import Array, tiles


class Prefixes:
    """The first N of the fakes, for growing N.

    Args:
        x: the fakes, (n, d).
        real: of which the moments are taken.
    """

    def __init__(self, x: Array, real: Features) -> None:
        self._x, self._real = x, real.moments
        self._origin = np.asarray(x[:4096], dtype=np.float64).mean(axis=0)  # near the mean: no cancellation
        self._z = np.empty((len(x), real.factor.shape[1]))
        for part in tiles(len(x)):
            self._z[part] = (np.asarray(x[part], dtype=np.float64) - self._origin) @ real.factor
        r = self._z.shape[1]
        self._n, self._sum, self._squares = 0, np.zeros(x.shape[1]), 0.0
        self._outer = np.zeros((r, r))

    def distance(self, n: int) -> float:
        """The squared distance of the first n >= 2, no fewer than in the call before."""
        for start in range(self._n, n, 1024):
            rows = slice(start, min(start + 1024, n))
            part = np.asarray(self._x[rows], dtype=np.float64) - self._origin
            self._sum += part.sum(axis=0)
            self._squares += float(np.vdot(part, part))
            self._outer += self._z[rows].T @ self._z[rows]
        self._n = n
        mean = self._sum / n
        step = self._origin + mean - self._real.mean
        trace = (self._squares - n * float(mean @ mean)) / (n - 1)
        return float(step @ step + trace + np.trace(self._real.cov) - 2.0 * self._root(n))

    def _root(self, n: int) -> float:
        mean = self._z[:n].mean(axis=0)
        if n <= len(mean):
            part = self._z[:n] - mean
            return trace_root(part @ part.T / (n - 1), n - 1)
        return trace_root((self._outer - n * np.outer(mean, mean)) / (n - 1), n - 1)

    def influence(self) -> F64:
        """How much each of the rows seen so far moves the distance, times their number; of mean 0, (n,)."""
        n = self._n
        mean = self._sum / n
        z = self._z[:n] - self._z[:n].mean(axis=0)
        eigenvalues, vectors = np.linalg.eigh(z.T @ z / (n - 1), UPLO="U")
        large = eigenvalues > np.finfo(np.float64).eps * len(eigenvalues) * eigenvalues[-1]
        found = -((z @ vectors[:, large]) ** 2) @ (1.0 / np.sqrt(eigenvalues[large]))
        gap = self._origin + mean - self._real.mean
        for rows in tiles(n):
            part = np.asarray(self._x[rows], dtype=np.float64) - self._origin - mean
            found[rows] += 2.0 * part @ gap + np.einsum("ij,ij->i", part, part)
        centred: F64 = found - found.mean()
        return centred
