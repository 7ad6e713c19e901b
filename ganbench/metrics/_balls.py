"""Who lies in whose ball: one pass over all distances between fakes and reals, for all k at once.

The k-ball of an image reaches to its k-th nearest other in its own set. Balls of one image are nested, so what
is needed of a pair is the smallest k whose ball holds it. As tiles of bounds (`_screen.py`) pass by, pairs outside
the largest balls drop out, pairs clear of all radii are ranked by their bounds, and the rest by exact distances.
Beside the features: a float32 copy of both sets, some 8 tiles of 4 MiB, and 2¹⁷ pairs at a time.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64, GROUPS, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._base import same_width, values_of
from ganbench.metrics._neighbours import K_MAX, radii
from ganbench.metrics._screen import (
    Array,
    Index,
    Screen,
    centre_of,
    distances,
    round_down,
    scale_for,
    tiles,
)

_CHUNK = 1 << 17  # pairs ranked at once
Ranks = NDArray[np.intp]


@dataclass(frozen=True)
class Balls:
    """For points of one set the smallest k whose balls around the other set hold them; k_max + 1 where none does.

    Closed balls hold what lies at their radius, open balls do not.

    Attributes:
        k_max: the largest k that was looked at.
        fake_in_real: (n_fake,), closed balls around the reals.
        real_in_fake: (n_real,), closed balls around the fakes.
        real_covers: (n_real, GROUPS), the smallest k such that the open ball of that real holds a fake of that group.
        covering: (n_fake, k_max), how many reals hold that fake in their open k-ball.
    """

    k_max: int
    fake_in_real: Ranks
    real_in_fake: Ranks
    real_covers: Ranks
    covering: Ranks


_found: "WeakKeyDictionary[Features, WeakKeyDictionary[Features, Balls]]" = WeakKeyDictionary()


def balls(*, fake: Features, real: Features, k: int) -> Balls:
    """The balls of this pair for all k up to at least the one given; computed once for as long as both live.

    Raises:
        BadInput: the widths differ.
        TooFewImages: a set has fewer than k + 1 images.
        UsageError: only moments are known.
    """
    same_width(fake, real)
    known = _found.setdefault(fake, WeakKeyDictionary())
    if real not in known or known[real].k_max < k:
        real_radii, fake_radii = radii(real, k, "real"), radii(fake, k, "fake")
        k_max = max(k, min(K_MAX, real_radii.shape[1], fake_radii.shape[1]))
        known[real] = _Crossing(fake, real, fake_radii[:, :k_max], real_radii[:, :k_max]).run()
    return known[real]


class _Side:
    """One set of the two: its features, its radii, and both made ready for bounds."""

    def __init__(self, values: Array, reach: F64, *, centre: F64, scale: float) -> None:
        self.values, self.reach = values, reach
        self.screen = Screen.of(values, centre=centre, scale=scale)
        self.level = self.screen.level(reach)


class _Crossing:
    """The pass over the tiles, and what it has found so far."""

    def __init__(self, fake: Features, real: Features, fake_radii: F64, real_radii: F64) -> None:
        x, y = values_of(fake, "fake"), values_of(real, "real")
        centre = centre_of(y)
        scale = scale_for(centre, x, y)
        self._fake = _Side(x, fake_radii, centre=centre, scale=scale)
        self._real = _Side(y, real_radii, centre=centre, scale=scale)
        self._group = group_of_each(0, len(x), fake.seed)
        k = self._k = fake_radii.shape[1]
        self._fake_in_real = np.full(len(x), k + 1)
        self._real_in_fake = np.full(len(y), k + 1)
        self._real_covers = np.full((len(y), GROUPS), k + 1)
        self._open_ranks = np.zeros((len(x), k + 2), dtype=np.intp)

    def run(self) -> Balls:
        """Passes over all tiles."""
        for a in tiles(len(self._fake.values)):
            for b in tiles(len(self._real.values)):
                self._tile(a, b)
        covering = np.cumsum(self._open_ranks[:, 1:-1], axis=1)
        return Balls(self._k, self._fake_in_real, self._real_in_fake, self._real_covers, covering)

    def _tile(self, a: slice, b: slice) -> None:
        upper = self._fake.screen.part(a).upper(self._real.screen.part(b))
        held = upper >= round_down(self._real.level[b, -1], upper)
        wanting = self._real_in_fake[b] > 1  # the others are known to lie in a smallest ball
        held |= (upper >= round_down(self._fake.level[a, -1], upper)[:, None]) & wanting
        flat = np.flatnonzero(held)
        for start in range(0, len(flat), _CHUNK):
            chunk = flat[start : start + _CHUNK]
            i, j = np.divmod(chunk, upper.shape[1])
            self._take(i + a.start, j + b.start, upper.ravel()[chunk].astype(np.float64))

    def _take(self, i: Index, j: Index, upper: F64) -> None:
        """Ranks pairs of fake i and real j, each in the balls of the other."""
        lower = upper - 2 * (self._fake.screen.slack[i] + self._real.screen.slack[j])
        around_real, vague_real = _rank(self._real.level[j], lower, upper)
        around_fake, vague_fake = _rank(self._fake.level[i], lower, upper)
        open_rank = around_real.copy()
        vague = np.flatnonzero(vague_real | vague_fake)
        if len(vague):
            u, v = i[vague], j[vague]
            gap = distances(self._fake.values, self._real.values, u, v)[:, None]
            around_real[vague] = 1 + np.sum(gap > self._real.reach[v], axis=1)
            open_rank[vague] = 1 + np.sum(gap >= self._real.reach[v], axis=1)
            around_fake[vague] = 1 + np.sum(gap > self._fake.reach[u], axis=1)
        np.minimum.at(self._fake_in_real, i, around_real)
        np.minimum.at(self._real_in_fake, j, around_fake)
        np.minimum.at(self._real_covers, (j, self._group[i]), open_rank)
        np.add.at(self._open_ranks, (i, open_rank), 1)


def _rank(levels: F64, lower: F64, upper: F64) -> tuple[Ranks, NDArray[np.bool_]]:
    """The smallest k whose ball holds each point, as far as bounds can tell, and where they cannot.

    levels: (pairs, k), descending, -s² radius² / 2; a point is inside where its -s² distance² / 2 is greater.
    """
    outside = np.sum(upper[:, None] < levels, axis=1)
    perhaps = np.sum(lower[:, None] <= levels, axis=1)
    return 1 + outside, outside != perhaps
