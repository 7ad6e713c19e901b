"""How sure a mean over raters is: the bootstrap over raters, as in HYPE."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000


def bootstrap(values: Sequence[float], seed: int) -> tuple[tuple[float, float], float] | None:
    """The 95 % percentile interval of the mean, and its standard deviation, over resampled raters.

    Args:
        values: one for each rater.
        seed: of the 10,000 resamples, each of as many raters, with replacement.

    Returns:
        None where there are fewer than two raters or all have one value: no spread was seen then.
    """
    if len(set(values)) < 2:
        return None
    indices = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    means = np.asarray(values, dtype=np.float64)[indices].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return (float(low), float(high)), float(means.std(ddof=1))
