"""The delete-a-group jackknife: how much a score would differ with other samples, without drawing any.

Put each of the n samples at random into one of G groups, of sizes m₍g₎, and compute the score without each group in
turn, θ₍g₎. With h₍g₎ = n/m₍g₎ and the pseudo-values p₍g₎ = h₍g₎ θ - (h₍g₎ - 1) θ₍g₎:

    θ_J = G θ - Σ (1 - m₍g₎/n) θ₍g₎                bias = θ - θ_J
    se² = 1/G Σ (p₍g₎ - θ_J)² / (h₍g₎ - 1)         ci95 = θ ± t₀.₉₇₅(G - 1) se

where the bias is what a score whose expectation is a + b/n + ... owes to n being finite (b/n). For equal groups this
is se² = (G - 1)/G Σ (θ₍g₎ - mean θ₍·₎)² and bias = (G - 1)(mean θ₍·₎ - θ).

Quenouille 1956, https://doi.org/10.1093/biomet/43.3-4.353; unequal groups: Busing, Meijer and van der Leeden 1999,
https://doi.org/10.1023/A:1008800423698.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """What the jackknife says: standard error, 95 % interval around the value, bias from finite n.

    The interval is None where no group makes a difference: that says nothing of other samples.
    """

    stderr: float
    ci95: tuple[float, float] | None
    bias: float


def jackknife(
    value: float, without: Sequence[float], *, sizes: Sequence[int] | None = None, least: float = -np.inf
) -> Spread:
    """The spread of `value`.

    Args:
        value: the score of all samples.
        without: the score without each of at least two groups.
        sizes: how many samples each group has; equally many where None. Groups of none are left out.
        least: the smallest value that the score can have; the interval is cut there.
    """
    size = np.ones(len(without)) if sizes is None else np.asarray(sizes, dtype=np.float64)
    theta, size = np.asarray(without, dtype=np.float64)[size > 0], size[size > 0]
    groups, h = len(theta), size.sum() / size
    centre = groups * value - float(((1 - 1 / h) * theta).sum())
    pseudo = h * value - (h - 1) * theta
    stderr = float(np.sqrt(np.mean((pseudo - centre) ** 2 / (h - 1))))
    if stderr <= 1e-9 * abs(value):
        return Spread(stderr, None, value - centre)
    half = t_quantile(groups - 1) * stderr
    return Spread(stderr, (max(value - half, least), max(value + half, least)), value - centre)


def t_quantile(dof: int) -> float:
    """The 97.5 % point of Student's t with that many degrees of freedom."""
    from scipy.special import stdtrit  # takes 0.1 s to import, scipy.stats five times as long

    return float(stdtrit(dof, 0.975))
