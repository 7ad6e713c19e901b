"""The delete-a-group jackknife: how much a score would differ with other samples, without drawing any.

Split the n samples at random into G groups, and compute the score without each group in turn, θ₍g₎. Then

    se² = (G - 1)/G Σ (θ₍g₎ - mean θ₍·₎)²        ci95 = θ ± t₀.₉₇₅(G - 1) se        bias = (G - 1)(mean θ₍·₎ - θ)

where the bias is what a score whose expectation is a + b/n + ... owes to n being finite (b/n).

Quenouille 1956, https://doi.org/10.1093/biomet/43.3-4.353; groups: Kott 2001, "The delete-a-group jackknife".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """What the jackknife says: standard error, 95 % interval around the value, bias from finite n."""

    stderr: float
    ci95: tuple[float, float]
    bias: float


def jackknife(value: float, without: Sequence[float], *, least: float = -np.inf) -> Spread:
    """The spread of `value`, given the score without each of at least two groups.

    `least` is the smallest value that the score can have; the interval is cut there.
    """
    theta = np.asarray(without, dtype=np.float64)
    groups = len(theta)
    stderr = float(np.sqrt((groups - 1) / groups * np.sum((theta - theta.mean()) ** 2)))
    half = t_quantile(groups - 1) * stderr
    bias = float((groups - 1) * (theta.mean() - value))
    return Spread(stderr, (max(value - half, least), max(value + half, least)), bias)


def t_quantile(dof: int) -> float:
    """The 97.5 % point of Student's t with that many degrees of freedom."""
    from scipy.special import stdtrit  # takes 0.1 s to import, scipy.stats five times as long

    return float(stdtrit(dof, 0.975))
