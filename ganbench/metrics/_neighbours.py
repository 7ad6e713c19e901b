"""Exact distances to the k nearest others, in bounded memory.

Tiles of 1024 x 1024 pairs on and above the diagonal serve their rows and their columns. A tile's bounds
(`_screen.py`) show which pairs can be among the k nearest; those are kept, narrowed down whenever there are many,
and measured exactly. Beside the features: one float32 copy of them, some 10 tiles of 4 MiB, and 2²⁰ pairs of 24 bytes;
for 10,000 x 2,048 about 180 MB. No n x n matrix.
"""

from hashlib import blake2b
from weakref import WeakKeyDictionary

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import TooFewImages, values_of
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

K_MAX = 5  # the largest k of the default metrics: one search serves them all
_PENDING = 1 << 20  # pairs that may wait for their exact distance
_CROWDED = 1 / 16  # the share of a tile's pairs that cannot be told apart, above which it is done in float64
_GROUP = 16  # columns that stand for each other in a first look

_found: "WeakKeyDictionary[Features, F64]" = WeakKeyDictionary()


def radii(features: Features, k: int, side: str) -> F64:
    """Distances from each row of the features to its nearest others, ascending, (m, at least k).

    Taken from `features.neighbours` where that has enough columns; else computed once for as long as the features
    live.

    Raises:
        TooFewImages: there are fewer than k + 1 rows.
        UsageError: only moments are known.
    """
    values = values_of(features, side)
    if len(values) < k + 1:
        raise TooFewImages(
            f"{side} has {len(values)} images; with k={k} at least {k + 1} are needed. Give more or lower k."
        )
    if features.neighbours is not None and features.neighbours.shape[1] >= k:
        return features.neighbours
    known = _found.get(features)
    if known is None or known.shape[1] < k:
        known = _found[features] = kth_distances(values, max(k, min(K_MAX, len(values) - 1)))
    return known


def kth_distances(values: Array, k_max: int) -> F64:
    """The distances of each row to its k_max nearest other rows, ascending, float64 (n, k_max).

    A row is no neighbour of itself, but equal rows are neighbours at distance 0.

    Args:
        values: (n, d), n > k_max >= 1, finite.
        k_max: how many neighbours.
    """
    assert 1 <= k_max < len(values)
    first, kept = distinct(values, k_max + 1)
    whole = len(kept) == len(values)
    nearest = _Search(values if whole else values[kept], k_max).run()
    if whole:
        return nearest
    place = np.empty(len(values), dtype=np.intp)
    place[kept] = np.arange(len(kept))
    return nearest[place[first]]


def distinct(values: Array, copies: int) -> tuple[Index, Index]:
    """For each row the first one equal to it; and the rows that are among the first `copies` of their kind.

    More copies than k + 1 change no distance to the k nearest, and thousands, as a collapsed generator
    makes them, would all have to be told apart.
    """
    seen: dict[bytes, int] = {}
    count = np.zeros(len(values), dtype=np.intp)
    first = np.empty(len(values), dtype=np.intp)
    keep = np.empty(len(values), dtype=bool)
    for i, row in enumerate(values):
        first[i] = seen.setdefault(blake2b(row.tobytes(), digest_size=20).digest(), i)
        count[first[i]] += 1
        keep[i] = count[first[i]] <= copies
    return first, np.flatnonzero(keep)


class _Search:
    """The k nearest others of all rows: exact distances found so far, and pairs that may yet come in."""

    def __init__(self, values: Array, k: int) -> None:
        self._values, self._k = values, k
        self._centre = centre_of(values)
        self._scale = scale_for(self._centre, values)
        self._screen = self._ready(slice(None), np.float32)
        self._best = np.full((len(values), k), np.inf)
        self._floor = np.full(len(values), -8.0)  # pairs whose upper bound lies below are out; all bounds are >= -2
        self._pending: list[tuple[Index, Index, F64]] = []

    def _ready(self, rows: slice, precision: Precision) -> Screen:
        return Screen.of(self._values[rows], centre=self._centre, scale=self._scale, precision=precision)

    def run(self) -> F64:
        """All rows' distances to their k nearest, ascending, (n, k)."""
        parts = tiles(len(self._values))
        for a in parts:  # the diagonal first: it gives every row a floor
            self._tile(a, a)
        for place, a in enumerate(parts):
            for b in parts[place + 1 :]:
                self._tile(a, b)
        self._settle()
        return self._best

    def _tile(self, a: slice, b: slice) -> None:
        offers = self._offers(self._screen.part(a), self._screen.part(b), a, b)
        if max(len(i) for i, _, _ in offers) > _CROWDED * TILE * TILE:
            offers = self._offers(self._ready(a, np.float64), self._ready(b, np.float64), a, b)
        self._pending += offers
        if sum(len(i) for i, _, _ in self._pending) > _PENDING:
            self._settle()

    def _offers(self, left: Screen, right: Screen, a: slice, b: slice) -> list[tuple[Index, Index, F64]]:
        """The pairs that a tile offers to its rows and, off the diagonal, to its columns."""
        upper = left.upper(right)
        if a == b:
            np.fill_diagonal(upper, -np.inf)
            return [self._near(upper, left, right, a, b)]
        columns = self._near(np.ascontiguousarray(upper.T), right, left, b, a)
        return [self._near(upper, left, right, a, b), columns]

    def _near(self, upper: Array, own: Screen, others: Screen, rows: slice, columns: slice) -> tuple[Index, Index, F64]:
        """The pairs of a tile that can be among the k nearest of its rows: row, column, upper bound."""
        safe = _kth_at_least(upper, self._k) - 2 * (own.slack + others.slack.max())
        floor = self._floor[rows] = np.maximum(self._floor[rows], safe)
        flat = np.flatnonzero(upper >= round_down(floor, upper)[:, None])
        i, j = np.divmod(flat, upper.shape[1])
        return i + rows.start, j + columns.start, upper.ravel()[flat].astype(np.float64)

    def _settle(self) -> None:
        """Measures the pairs that are pending, and keeps the k nearest of each row."""
        if not self._pending:
            return
        i, j, bound = (np.concatenate(each) for each in zip(*self._pending, strict=True))
        self._pending = []
        slack = self._screen.slack
        kth = _kth_in_each_row(i, -bound, self._k, len(self._values))
        self._floor = np.maximum(self._floor, -kth - 2 * (slack + slack.max()))
        stays = bound >= self._floor[i]
        i, j = i[stays], j[stays]
        found = distances(self._values, self._values, i, j)
        known = np.isfinite(self._best)
        i = np.concatenate([i, np.nonzero(known)[0]])
        found = np.concatenate([found, self._best[known]])
        order = np.lexsort((found, i))
        i, found = i[order], found[order]
        rank = np.arange(len(i)) - np.searchsorted(i, i)
        top = rank < self._k
        self._best[i[top], rank[top]] = found[top]
        self._floor = np.maximum(self._floor, self._screen.level(self._best[:, -1]) - 2 * slack)


def _kth_at_least(upper: Array, k: int) -> F64:
    """For each row a number that its k-th largest entry reaches: the k-th largest of the maxima of groups, (n,)."""
    n, m = upper.shape
    width = min(_GROUP, m // (4 * k))
    if width > 1:  # columns of a group stand far apart, so that the maxima are taken over whole rows at once
        upper = upper[:, : m - m % width].reshape(n, width, -1).max(axis=1)
    elif m < k:
        return np.full(n, -np.inf)
    return np.partition(upper, -k, axis=1)[:, -k].astype(np.float64)


def _kth_in_each_row(row: Index, value: F64, k: int, n: int) -> F64:
    """The k-th smallest of the values that belong to each of n rows; infinite where there are fewer, (n,)."""
    order = np.lexsort((value, row))
    start = np.searchsorted(row[order], np.arange(n))
    end = np.append(start[1:], len(row))
    kth = np.full(n, np.inf)
    enough = end - start >= k
    kth[enough] = value[order][start[enough] + k - 1]
    return kth
