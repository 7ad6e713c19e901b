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

from ganbench.features.stats import F64, GROUPS, Features, group_of_each
from ganbench.metrics._base import same_width, values_of
from ganbench.metrics._neighbours import K_MAX, radii
from ganbench.metrics._screen import (
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

_CHUNK = 1 << 17  # pairs ranked at once
_CROWDED = 1 << 14  # pairs of a tile near a radius, above which the tile is done in float64
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
        BadInput: the widths differ, or a set has fewer than k + 1 images.
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
    """One set of the two: its features, its screen, its radii on the scale of the bounds."""

    def __init__(self, values: Array, reach: F64, *, centre: F64, scale: float) -> None:
        self.values, self.reach, self._centre = values, reach, centre
        self.screen = self.ready(slice(None), np.float32, scale)
        self.level = self.screen.level(reach)

    def ready(self, rows: slice, precision: Precision, scale: float) -> Screen:
        return Screen.of(self.values[rows], centre=self._centre, scale=scale, precision=precision)


class _Crossing:
    """The pass over the tiles, and what it has found so far."""

    def __init__(self, fake: Features, real: Features, fake_radii: F64, real_radii: F64) -> None:
        x, y = values_of(fake, "fake"), values_of(real, "real")
        centre = centre_of(y)
        self._scale = scale_for(centre, x, y)
        self._fake = _Side(x, fake_radii, centre=centre, scale=self._scale)
        self._real = _Side(y, real_radii, centre=centre, scale=self._scale)
        self._group = group_of_each(len(x), fake.seed)
        k = self._k = fake_radii.shape[1]
        self._fake_in_real = np.full(len(x), k + 1)
        self._real_in_fake = np.full(len(y), k + 1)
        self._real_covers = np.full((len(y), GROUPS), k + 1)
        self._open_ranks = np.zeros((len(x), k + 2), dtype=np.intp)

    def run(self) -> Balls:
        """Passes over all tiles."""
        for a in tiles(len(self._fake.values)):
            for b in tiles(len(self._real.values)):
                if not self._tile(a, b, np.float32):
                    self._tile(a, b, np.float64)
        covering = np.cumsum(self._open_ranks[:, 1:-1], axis=1)
        return Balls(self._k, self._fake_in_real, self._real_in_fake, self._real_covers, covering)

    def _tile(self, a: slice, b: slice, precision: Precision) -> bool:
        """Takes a tile in; False, and nothing done, where float32 leaves too many of its pairs undecided."""
        if precision is np.float32:
            fake, real = self._fake.screen.part(a), self._real.screen.part(b)
        else:
            fake, real = (side.ready(at, precision, self._scale) for side, at in ((self._fake, a), (self._real, b)))
        upper = fake.upper(real)
        held = upper >= round_down(self._real.level[b, -1], upper)
        wanting = self._real_in_fake[b] > 1  # the others are in a smallest ball already
        held |= (upper >= round_down(self._fake.level[a, -1], upper)[:, None]) & wanting
        flat = np.flatnonzero(held)
        chunks = [flat[start : start + _CHUNK] for start in range(0, len(flat), _CHUNK)]
        ranked = []
        for chunk in chunks:
            i, j = np.divmod(chunk, upper.shape[1])
            high = upper.ravel()[chunk].astype(np.float64)
            low = high - 2 * (fake.slack[i] + real.slack[j])
            ranked.append(self._rank(i + a.start, j + b.start, low, high))
        return True
