"""Medians over seeds, and how sure they are: the bootstrap over seeds, the same on every machine.

Values are turned so that lower is better, and a run without a score is infinity. The indices of a bootstrap come out
of PCG64's raw stream, which numpy keeps for ever, by integer arithmetic alone; its seed is the sha256 of the row's
name, so no row changes another's interval.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_CUT = RESAMPLES // 40  # so many of the sorted values lie beyond each end of a 95 % interval
F64 = NDArray[np.float64]


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two; infinity where one of these is."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def draws(n: int, name: str) -> NDArray[np.intp]:
    """Indices (RESAMPLES, n) in 0..n-1, each resample n of them with replacement; the same ones for the same name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    raw = np.random.PCG64(seed).random_raw(RESAMPLES * n)
    return (((raw >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)).astype(np.intp).reshape(RESAMPLES, n)


def resampled_medians(values: Sequence[float], indices: NDArray[np.intp]) -> F64:
    """The median of each resample."""
    ordered, half = np.sort(np.array(values, dtype=np.float64)[indices], axis=1), len(values) // 2
    if len(values) % 2:
        return np.ascontiguousarray(ordered[:, half])
    middle: F64 = (ordered[:, half - 1] + ordered[:, half]) / 2
    return middle


def interval(found: NDArray[np.float64] | NDArray[np.intp]) -> tuple[float, float]:
    """The 95 % percentile interval: of the sorted values those with 2.5 % beyond them. No value is interpolated."""
    ordered = np.sort(found)
    return float(ordered[_CUT]), float(ordered[-1 - _CUT])


def beats(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether a is better than b: by the first number that differs."""
    return tuple(a) < tuple(b)


def ranks(medians: Sequence[Sequence[float]]) -> list[int]:
    """The rank of each row: one more than the rows that are better by the first median that differs."""
    return [1 + sum(beats(other, mine) for other in medians) for mine in medians]


def resampled_ranks(rows: Sequence[Sequence[F64]]) -> list[NDArray[np.intp]]:
    """The rank of each row in each resample, from its resampled medians, one array for each key in order."""
    return [1 + sum((_beats(other, mine) for other in rows if other is not mine), start=_none()) for mine in rows]


def _none() -> NDArray[np.intp]:
    return np.zeros(RESAMPLES, dtype=np.intp)


def _beats(a: Sequence[F64], b: Sequence[F64]) -> NDArray[np.intp]:
    better, equal = np.zeros(RESAMPLES, dtype=bool), np.ones(RESAMPLES, dtype=bool)
    for mine, theirs in zip(a, b, strict=True):
        better |= equal & (mine < theirs)
        equal &= mine == theirs
    return better.astype(np.intp)


def win_probability(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float:
    """P(a run of A is better than a run of B) over all pairs of their runs; a tie counts half.

    Args:
        a, b: for each run its values by key, in order.
    """
    won = sum(1.0 if beats(x, y) else 0.0 if beats(y, x) else 0.5 for x in a for y in b)
    return won / (len(a) * len(b))


def turned(value: float | None, *, lower_is_better: bool) -> float:
    """A value so that lower is better; infinity where there is none."""
    if value is None:
        return math.inf
    return value if lower_is_better else -value


def turned_back(value: float, *, lower_is_better: bool) -> float | None:
    """The value that `turned` took."""
    if math.isinf(value):
        return None
    return value if lower_is_better else 0.0 - value  # never -0.0
