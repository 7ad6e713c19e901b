"""For each point of one set the smallest ball around a point of another set that holds it, exactly.

The balls pass by in tiles of 1024, the smallest first, and a point that has one is done. As in `_balls.py`, bounds on
the distances (`_screen.py`) decide the pairs that are clear, and exact distances the rest; where float32 leaves many
in doubt, a tile's bounds are computed again in float64. Beside the features: a float32 copy of both sets, some 6
tiles.
"""

import numpy as np

from ganbench.features.moments import F64
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

_CROWDED = 1 / 16  # the share of a tile's pairs in doubt above which it is done in float64


def smallest_balls(x: Array, y: Array, radius: F64) -> F64:
    """The radius of the smallest open ball that holds each row of `x`, float64 (n,); infinite where none does.

    Args:
        x, y: (n, d) and (m, d), finite.
        radius: (m,), of the balls around the rows of `y`.
    """
    first, kept = distinct(x, 1)
    place = np.empty(len(x), dtype=np.intp)
    place[kept] = np.arange(len(kept))
    order = np.argsort(radius, kind="stable")
    return _Sieve(x[kept], y[order], radius[order]).run()[place[first]]


class _Sieve:
    """The balls in ascending order, and what each point has been found to lie in."""

    def __init__(self, x: Array, y: Array, radius: F64) -> None:
        self._x, self._y, self._radius = x, y, radius
        self._centre = centre_of(y)
        self._scale = scale_for(self._centre, x, y)
        self._balls = self._ready(y, np.float32)
        self._found = np.full(len(x), np.inf)

    def _ready(self, values: Array, precision: Precision) -> Screen:
        return Screen.of(values, centre=self._centre, scale=self._scale, precision=precision)

    def run(self) -> F64:
        """The radius for each point."""
        for a in tiles(len(self._x)):
            rows = np.arange(a.start, a.stop)
            points = self._ready(self._x[a], np.float32)
            for b in tiles(len(self._y)):
                open_rows = np.flatnonzero(np.isinf(self._found[rows]))
                if not len(open_rows):
                    break
                part = Screen(points.rows[open_rows], points.half[open_rows], points.slack[open_rows], points.scale)
                self._tile(rows[open_rows], b, part)
        return self._found

    def _tile(self, rows: Index, b: slice, points: Screen) -> None:
        first, i, j = self._doubts(points, self._balls.part(b), b)
        if len(i) > _CROWDED * TILE * TILE:
            wide = self._ready(self._x[rows], np.float64), self._ready(self._y[b], np.float64)
            first, i, j = self._doubts(*wide, b)
        inside = distances(self._x, self._y, rows[i], j + b.start) < self._radius[b][j]
        np.minimum.at(first, i[inside], j[inside])
        held = first < len(self._radius[b])
        self._found[rows[held]] = self._radius[b][first[held]]

    def _doubts(self, points: Screen, balls: Screen, b: slice) -> tuple[Index, Index, Index]:
        """The first ball that surely holds each point (the number of balls where none does), and the pairs in doubt
        that would come before it."""
        upper = points.upper(balls)
        level = balls.level(self._radius[b])
        surely = upper > level + 2 * (points.slack[:, None] + balls.slack)
        first = np.where(surely.any(axis=1), surely.argmax(axis=1), len(level))
        i, j = np.nonzero(upper >= round_down(level, upper))
        before = j < first[i]
        return first, i[before], j[before]
