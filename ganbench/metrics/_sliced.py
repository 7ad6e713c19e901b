"""Squared 2-Wasserstein distances of two samples along directions, and how much each row of the first moves them.

Along a direction the distance is that of two sorted rows of numbers. For samples of n and m it is exact with the
quantile functions: levels i/n and j/m cut 0..1 into pieces on which both are constant. A row of the first sample with
a little more weight changes the squared distance by the Kantorovich potential φ, φ' = 2 (x - T(x)), T being the
transport to the second; averaged over the directions its variance / n is that of the mean of the squared distances
(del Barrio and Loubes 2019, https://arxiv.org/abs/1705.01299). It leaves out the bias, and the noise of second order.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64
from ganbench.metrics._screen import Array, tiles

_TOGETHER = 32  # directions


@dataclass(frozen=True)
class Sliced:
    """What the directions give.

    Attributes:
        squares: the squared distance along each direction, (directions,).
        stderr: the noise of their mean over samples of the first set, the second and the directions as they are.
    """

    squares: F64
    stderr: float


def sliced(x: Array, y: Array, directions: F64) -> Sliced:
    """The squared distances of `x`, (n, d), and `y`, (m, d), n, m >= 2, along `directions`, (k, d), of length 1."""
    n = len(x)
    grid = _Grid.of(n, len(y))
    squares, potential = np.empty(len(directions)), np.zeros(n)
    origin = np.asarray(y, dtype=np.float64).mean(axis=0)  # numbers about 0 lose less to rounding
    for start in range(0, len(directions), _TOGETHER):
        part = directions[start : start + _TOGETHER]
        left, right = _projected(x, part, origin), np.sort(_projected(y, part, origin), axis=1)
        order = np.argsort(left, axis=1)
        left = np.take_along_axis(left, order, axis=1)
        gaps = left[:, grid.left] - right[:, grid.right]
        squares[start : start + len(part)] = np.square(gaps, out=gaps) @ grid.widths
        steps = np.diff(left) * (left[:, 1:] + left[:, :-1] - right[:, grid.below] - right[:, grid.above])
        for place, step in zip(order, steps, strict=True):
            potential[place[1:]] += (rise := np.cumsum(step)) - rise.sum() / n
            potential[place[0]] -= rise.sum() / n
    return Sliced(squares, float(np.std(potential / len(directions))) / sqrt(n))


@dataclass(frozen=True)
class _Grid:
    """The pieces between the levels i/n and j/m: which sorted rows meet there, and for how long.

    Attributes:
        left, right: positions in the two samples, (pieces,).
        widths: of the pieces; they sum up to 1.
        below, above: of the second sample, the positions on either side of each level i/n, 0 < i < n.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    widths: F64
    below: NDArray[np.int64]
    above: NDArray[np.int64]

    @staticmethod
    def of(n: int, m: int) -> "_Grid":
        ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in parts of 1/(n m): whole numbers
        levels = np.arange(1, n) * m
        widths = np.diff(ends, prepend=0) / (n * m)
        return _Grid((ends - 1) // m, (ends - 1) // n, widths, (levels - 1) // n, levels // n)


def _projected(values: Array, directions: F64, origin: F64) -> F64:
    """(directions, rows), in float64."""
    found = np.empty((len(directions), len(values)))
    for rows in tiles(len(values)):
        found[:, rows] = directions @ (np.asarray(values[rows], dtype=np.float64) - origin).T
    return found
