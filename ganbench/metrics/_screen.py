"""Sure bounds on all distances of a tile by one matrix product, and single distances exactly.

What a distance *is* here: `distances` computes √Σ(x - y)² in float64, term by term in one order, so it is symmetric,
is the same in every tile, and is 0 for equal rows. All decisions (which is the k-th nearest, who lies in whose ball)
are those of these distances. To form all n² of them so would take minutes; a matrix product in float32 takes
seconds and carries an error that can be bounded, so the product decides the pairs that are clear, and the few
that are not are computed exactly.

The bound. Let x̂ = s(x - c), s a power of two with ‖x̂‖ <= 1, u the unit round-off of the precision (2⁻²⁴ or 2⁻⁵³),
γ = du/(1 - du). The tile holds g = fl(x̃·ỹ), x̃ = fl(x̂), then fl(g - fl(‖x̃‖²/2) - fl(‖ỹ‖²/2)) ≈ -s²‖x - y‖²/2.
With ‖x̂‖‖ŷ‖ <= (‖x̂‖² + ‖ŷ‖²)/2 the error is at most (‖x̂‖² + ‖ŷ‖²) times

    1.01u   rounding x̂ and ŷ          γ/2 + tiny   the product, summed in any order, fused or not (Higham 2002, 3.5)
    1.1u    the norms and their halves  2.1u         the two additions, whose terms are <= 2(‖x̂‖² + ‖ŷ‖²)

plus what the exact distance itself is off, (d + 4)2⁻⁵³ of the squared distance; and d underflows of 2⁻¹²⁶ each. So
slack(x) = ‖x̃‖²(0.51γ + 6u + (4d + 32)2⁻⁵³) + (4d + 32)2⁻¹²⁶ for each row is enough, and is added beforehand.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64

Array = NDArray[np.floating]
Index = NDArray[np.intp]
Precision = type[np.float32] | type[np.float64]
Float = TypeVar("Float", bound=np.floating)

TILE = 1024  # rows and columns of a tile: 4 MiB in float32
_UNIT = 2.0**-53


@dataclass(frozen=True)
class Screen:
    """Rows made ready for bounds.

    Attributes:
        rows: s(x - c), (n, d), in the precision.
        half: -‖rows‖²/2 + slack, (n,), in the precision.
        slack: float64 (n,).
        scale: s.
    """

    rows: Array
    half: Array
    slack: F64
    scale: float

    @staticmethod
    def of(values: Array, *, centre: F64, scale: float, precision: Precision = np.float32) -> "Screen":
        """The screen of `values`, (n, d). `scale` must be a power of two that brings all norms to 1 or less."""
        n, d = values.shape
        rows = np.empty((n, d), dtype=precision)
        squares = np.empty(n)
        for part in tiles(n):
            shifted = (np.asarray(values[part], dtype=np.float64) - centre) * scale
            rows[part] = shifted
            squares[part] = np.einsum("ij,ij->i", shifted, shifted)
        unit = float(np.finfo(precision).eps) / 2
        gamma = d * unit / (1 - d * unit)
        slack = squares * 1.01 * (0.51 * gamma + 6 * unit + (4 * d + 32) * _UNIT) + (4 * d + 32) * 2.0**-126
        return Screen(rows, (slack - squares / 2).astype(precision), slack, scale)

    def part(self, rows: slice) -> "Screen":
        """The screen of some of the rows, without copying."""
        return Screen(self.rows[rows], self.half[rows], self.slack[rows], self.scale)

    def upper(self, other: "Screen") -> Array:
        """A bound from above on -s²‖x - y‖²/2, (n, m). The bound from below is 2(slack + slack) less."""
        bound: Array = self.rows @ other.rows.T
        bound += self.half[:, None]
        bound += other.half
        return bound

    def level(self, distance: F64) -> F64:
        """A distance on the scale of the bounds: -s² distance² / 2."""
        level: F64 = -0.5 * (distance * self.scale) ** 2
        return level


def centre_of(values: Array) -> F64:
    """The mean of the rows, float64 (d,)."""
    total = np.zeros(values.shape[1])
    for part in tiles(len(values)):
        total += np.sum(values[part], axis=0, dtype=np.float64)
    return total / len(values)


def scale_for(centre: F64, *sets: Array) -> float:
    """The power of two that brings the distance of every row from `centre` to 1 or less."""
    largest = 0.0
    for values in sets:
        for part in tiles(len(values)):
            shifted = np.asarray(values[part], dtype=np.float64) - centre
            largest = max(largest, float(np.einsum("ij,ij->i", shifted, shifted).max()))
    return float(2.0 ** -np.ceil(np.log2(largest) / 2 + 0.01)) if largest > 0 else 1.0


def distances(x: Array, y: Array, i: Index, j: Index) -> F64:
    """The exact distances of the pairs (x[i], y[j]), float64, (pairs,)."""
    found = np.empty(len(i))
    step = max(1, (1 << 17) // x.shape[1])  # a MiB at a time stays in cache
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        gap = np.subtract(x[i[part]], y[j[part]], dtype=np.float64)
        np.multiply(gap, gap, out=gap)
        found[part] = gap.sum(axis=1)
    return np.sqrt(found, out=found)


def tiles(n: int) -> list[slice]:
    """The rows 0..n in portions of TILE."""
    return [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]


def round_down(values: F64, like: Array) -> Array:
    """The values in the precision of `like`, never above themselves."""
    return np.nextafter(values.astype(like.dtype), like.dtype.type(-np.inf))
