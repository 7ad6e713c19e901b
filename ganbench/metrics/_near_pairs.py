"""Pairs of rows within a distance of each other, counted exactly and in bounded memory.

As in `_balls.py`: tiles of bounds (`_screen.py`) decide the pairs that are clear, exact distances the rest. Equal
rows are looked at once and count as often as they are there, so that a collapsed generator costs nothing.
"""

import numpy as np
from numpy.typing import NDArray

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


def near_others(values: Array, limit: float) -> NDArray[np.int64]:
    """How many other rows lie at most `limit` from each row, (n,)."""
    first, kept = distinct(values, 1)
    place = np.empty(len(values), dtype=np.intp)
    place[kept] = np.arange(len(kept))
    copies = np.bincount(place[first], minlength=len(kept))
    rows = values[kept]
    found = copies - 1
    search = _Pairs(rows, limit)
    parts = tiles(len(rows))
    for at, a in enumerate(parts):
        for b in parts[at:]:
            i, j = search.near(a, b)
            np.add.at(found, i, copies[j])
            np.add.at(found, j, copies[i])
    near: NDArray[np.int64] = found[place[first]]
    return near


class _Pairs:
    """Rows of which no two are equal, and how near is near."""

    def __init__(self, rows: Array, limit: float) -> None:
        self._rows, self._limit = rows, limit
        self._centre = centre_of(rows)
        self._scale = scale_for(self._centre, rows)

    def near(self, a: slice, b: slice) -> tuple[Index, Index]:
        """The pairs of a tile on or above the diagonal that lie within the limit."""
        i, j, vague = self._held(a, b, np.float32)
        if np.count_nonzero(vague) > _CROWDED * TILE * TILE:
            i, j, vague = self._held(a, b, np.float64)
        doubt = np.flatnonzero(vague)
        out = doubt[distances(self._rows, self._rows, i[doubt], j[doubt]) > self._limit]
        return np.delete(i, out), np.delete(j, out)

    def _held(self, a: slice, b: slice, precision: Precision) -> tuple[Index, Index, NDArray[np.bool_]]:
        """The pairs that may lie within the limit, and which of them are in doubt."""
        left, right = (
            Screen.of(self._rows[part], centre=self._centre, scale=self._scale, precision=precision) for part in (a, b)
        )
        upper = left.upper(right)
        level = left.level(np.array(self._limit))
        i, j = np.nonzero(upper >= round_down(level, upper))
        if a == b:
            i, j = i[i < j], j[i < j]
        vague = upper[i, j] - 2 * (left.slack[i] + right.slack[j]) <= level
        return i + a.start, j + b.start, vague


def closest_pairs(values: Array, apart: F64, most: int) -> tuple[Index, Index, F64]:
    """Rows and their nearest others, closest first, each pair once: rows, others, distances, each at most `most`.

    The nearest other of a row has its own nearest at least as near, so both are among the first by `apart`, the
    distance of each row to its nearest other, (n,). Where very many are equally near, only the first of them are
    looked at.
    """
    head = np.argsort(apart, kind="stable")
    cut = int(np.searchsorted(apart[head], apart[head[min(2 * most, len(head)) - 1]], side="right"))
    rows = np.sort(head[: min(cut, 10 * most)])
    i, j = np.triu_indices(len(rows), 1)
    gap = distances(values, values, rows[i], rows[j])
    own = apart[rows]
    mutual = np.flatnonzero((gap <= own[i]) | (gap <= own[j]))
    order = mutual[np.lexsort((j[mutual], i[mutual], gap[mutual]))][:most]
    return rows[i[order]], rows[j[order]], gap[order]
