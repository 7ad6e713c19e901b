"""The nearest row of another set, exactly, in bounded memory: which one, and how far.

Tiles of 1024 x 1024 pairs pass by. The pair with the greatest bound (`_screen.py`) of each row is measured, and then
every pair whose bound reaches what has been found; so the outcome is that of the exact distances alone, the first of
equally near rows included. Equal rows are searched for once. Beside the features: a float32 copy of both sets and
some 4 tiles of 4 MiB.

Distances may be divided by a reach of each row of the other set: "nearest" is then the row i for which ‖x - y_i‖ / r_i
is least.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import same_width, values_of
from ganbench.metrics._neighbours import distinct
from ganbench.metrics._screen import (
    TILE,
    Array,
    Index,
    Precision,
    Screen,
    centre_of,
    distances,
    round_down,
    scale_for,
    tiles,
)

_CROWDED = 1 / 16  # the share of a tile's pairs that cannot be told apart, above which it is done in float64
_LENIENT = 1 + 2.0**-20  # two roundings of float32, with a margin


@dataclass(frozen=True)
class Nearest:
    """For each row of one set the nearest of another.

    Attributes:
        index: its row there, the first one of equals, (n,).
        distance: how far it is, float64 (n,).
    """

    index: NDArray[np.intp]
    distance: F64


_found: "WeakKeyDictionary[Features, WeakKeyDictionary[Features, Nearest]]" = WeakKeyDictionary()


def nearest(*, fake: Features, real: Features) -> Nearest:
    """The nearest real of each fake; computed once for as long as both live.

    Raises BadInput where the widths differ, UsageError where only the moments of one are known.
    """
    same_width(fake, real)
    known = _found.setdefault(fake, WeakKeyDictionary())
    if real not in known:
        known[real] = search(values_of(fake, "fake"), values_of(real, "real"))
    return known[real]


def search(x: Array, y: Array, *, reach: F64 | None = None) -> Nearest:
    """The row of `y` that is nearest to each row of `x`.

    Args:
        x, y: (n, d) and (m, d), finite, n and m >= 1.
        reach: (m,), what distances to the rows of `y` are divided by, > 0, equal for equal rows; 1 where None.
    """
    first, kept = distinct(x, 1)
    _, others = distinct(y, 1)
    seek = _Seek(x[kept], y[others], np.ones(len(others)) if reach is None else reach[others] / reach.min())
    seek.run()
    place = np.empty(len(x), dtype=np.intp)
    place[kept] = np.arange(len(kept))
    rows = place[first]
    distance = distances(x[kept], y[others], np.arange(len(kept)), seek.index)
    return Nearest(others[seek.index[rows]], distance[rows])


class _Seek:
    """The pass over the tiles, and the nearest found so far."""

    def __init__(self, x: Array, y: Array, reach: F64) -> None:
        self._x, self._y, self._reach = x, y, reach
        self._even = bool((reach == 1).all())
        self._centre = centre_of(y)
        self._scale = scale_for(self._centre, x, y)
        self._left, self._right = self._ready(x, np.float32), self._ready(y, np.float32)
        self._best = np.full(len(x), np.inf)
        self.index = np.full(len(x), len(y))

    def _ready(self, values: Array, precision: Precision) -> Screen:
        return Screen.of(values, centre=self._centre, scale=self._scale, precision=precision)

    def run(self) -> None:
        """Passes over all tiles."""
        for a in tiles(len(self._x)):
            for b in tiles(len(self._y)):
                self._tile(a, b)

    def _tile(self, a: slice, b: slice) -> None:
        i, j = self._hopeful(self._left.part(a), self._right.part(b), a, b)
        if len(i) > _CROWDED * TILE * TILE:
            i, j = self._hopeful(self._ready(self._x[a], np.float64), self._ready(self._y[b], np.float64), a, b)
        self._measure(i, j)

    def _hopeful(self, left: Screen, right: Screen, a: slice, b: slice) -> tuple[Index, Index]:
        """The pairs of a tile that can be as near as the best of their row, once each row's first has been measured."""
        upper = self._bounds(left, right, b)
        top = upper.argmax(axis=1)
        rows = np.flatnonzero(upper[np.arange(len(upper)), top] >= self._floor(a, upper))
        self._measure(rows + a.start, top[rows] + b.start)
        i, j = np.divmod(np.flatnonzero(upper >= self._floor(a, upper)[:, None]), upper.shape[1])
        return i + a.start, j + b.start

    def _bounds(self, left: Screen, right: Screen, b: slice) -> Array:
        """Bounds from above on -s²(‖x - y‖/reach)²/2."""
        upper = left.upper(right)
        if not self._even:
            upper *= (self._reach[b] ** -2).astype(upper.dtype)
        return upper

    def _floor(self, a: slice, like: Array) -> Array:
        """What the bound of a pair must reach if it is to be as near as the best of its row."""
        return round_down(self._left.level(self._best[a]) * _LENIENT, like)

    def _measure(self, i: Index, j: Index) -> None:
        """Takes in pairs by their exact distances; of equals the first."""
        gap = distances(self._x, self._y, i, j) / self._reach[j]
        order = np.lexsort((j, gap, i))
        i, j, gap = i[order], j[order], gap[order]
        lead = np.flatnonzero(np.diff(i, prepend=-1))
        i, j, gap = i[lead], j[lead], gap[lead]
        better = (gap < self._best[i]) | ((gap == self._best[i]) & (j < self.index[i]))
        self._best[i[better]], self.index[i[better]] = gap[better], j[better]
