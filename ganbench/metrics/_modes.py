"""Counts of samples by mode: divergences from the prior, and what a perfect sampler of the same size would score."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.stats import Features
from ganbench.metrics._base import TooFewImages, same_width
from ganbench.results import Score

F64 = NDArray[np.float64]
_TAIL = 12  # standard deviations of a count beyond which its probability is left out
_Z = 1.959963984540054  # the 97.5 % point of the normal distribution
_BLOCK = 4096


def kl_terms(p: F64, q: F64) -> F64:
    """p log(p / q) for each class, nats: 0 where p is 0, infinite where only q is."""
    terms = np.zeros(np.broadcast(p, q).shape)
    some = np.broadcast_to(p > 0, terms.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.copyto(terms, p * (np.log(p) - np.log(q)), where=some)
    return terms


def jsd_terms(p: F64, q: F64) -> F64:
    """What each class adds to the Jensen-Shannon divergence of p and q, nats; its sum is at most log 2."""
    middle = (p + q) / 2
    return (kl_terms(p, middle) + kl_terms(q, middle)) / 2


def expected_modes(n: int, prior: F64, good: float = 1.0) -> float:
    """How many modes n perfect samples hit, on average: Σ 1 - (1 - good q)ⁿ.

    Args:
        n: samples.
        prior: q, the probability of each mode, (K,).
        good: the share of samples that can hit a mode.
    """
    return float((1 - (1 - good * prior) ** n).sum())


def expected(terms: Callable[[F64, F64], F64], n: int, prior: F64) -> float:
    """The mean of Σ terms(counts / n, prior) over the counts of n perfect samples: exact, class by class.

    The count of one class is binomial, and the mean of a sum is the sum of the means, whatever ties the classes.
    """
    from scipy.stats import binom  # takes half a second to import

    total = 0.0
    for q, times in zip(*np.unique(prior[prior > 0], return_counts=True), strict=True):
        reach = _TAIL * sqrt(n * q * (1 - q)) + _TAIL
        counts = np.arange(max(0, int(n * q - reach)), min(n, int(n * q + reach)) + 1)
        total += times * float((binom.pmf(counts, n, q) * terms(counts / n, q)).sum())
    return float(total)


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n independent samples (Wilson 1927); it holds the share."""
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def sure(logits: NDArray[np.floating], confidence: float) -> float:
    """The share of rows of logits (n, K) whose largest class probability is above `confidence`."""
    count = 0
    for start in range(0, len(logits), _BLOCK):
        x = logits[start : start + _BLOCK].astype(np.float64)
        x -= x.max(axis=1, keepdims=True)
        count += int((np.exp(x).sum(axis=1) * confidence < 1).sum())
    return count / len(logits)


def prior_of(real: Features | None, fake: Features) -> F64:
    """The probability of each class, (K,): uniform without `real`; of its logits the shares of the classes found.

    Raises BadInput where the widths differ, there are fewer real images than classes, or the mean of moments is no
    distribution over classes.
    """
    if real is None:
        return np.full(fake.d, 1 / fake.d)
    same_width(fake, real)
    if real.values is not None and not real.moments_given:
        if real.n < real.d:
            raise TooFewImages(f"{real.n} images cannot tell how frequent {real.d} classes are. Give more real images.")
        return np.bincount(real.values.argmax(axis=1), minlength=real.d) / real.n
    mean = real.moments.mean
    if mean.min() < 0 or abs(mean.sum() - 1) > 1e-6:
        raise BadInput(
            f"real has moments whose mean sums to {mean.sum():.6g} and goes down to {mean.min():.3g}: no shares of "
            "classes. Give the moments of one-hot classes, or logits of real images by the classifier of the fakes."
        )
    shares: F64 = mean / mean.sum()
    return shares


def scores_of_counts(
    counted: NDArray[np.int64], prior: F64, *, n: int, reached: NDArray[np.int64], good: float, counting: float
) -> dict[str, Score]:
    """Modes and divergences, each beside what a perfect sampler of the same n scores on average.

    Args:
        counted: samples of each mode, (K,), that make p.
        prior: q, the probability of each mode, (K,).
        n: samples in all.
        reached: samples of each mode that reach it, (K,).
        good, counting: the shares of perfect samples that reach their mode, and that make p.
    """
    m, k = int(counted.sum()), len(prior)
    p = counted / max(m, 1)
    modes = Score(
        float((reached > 0).sum()),
        details={"ceiling_modes": expected_modes(n, prior, good), "all_modes": float((prior > 0).sum())},
        series={"class": list(range(k)), "share": p.tolist(), "prior": prior.tolist()},
    )
    if m == 0:
        none = Score(None, reason="no sample is of high quality, so none belongs to a mode")
        return {"modes": modes, "mode_kl": none, "mode_jsd": none}
    perfect = max(round(n * counting), 1)
    kl, foreign = float(kl_terms(p, prior).sum()), bool((p[prior == 0] > 0).any())
    reason = "samples are of a class that the reference lacks, so the divergence is infinite" if foreign else None
    details = {
        "floor_mode_kl": expected(kl_terms, perfect, prior),
        "mode_kl_to_uniform": float(kl_terms(p, np.full(k, 1 / k)).sum()),
    }
    bias = None if foreign else min((int((counted > 0).sum()) - 1) / (2 * m), kl)
    jsd = Score(float(jsd_terms(p, prior).sum()), details={"floor_mode_jsd": expected(jsd_terms, perfect, prior)})
    return {"modes": modes, "mode_kl": Score(kl, bias_estimate=bias, reason=reason, details=details), "mode_jsd": jsd}


def score_of_share(share: float, n: int, ceiling: float | None) -> Score:
    """The share of samples of high quality, beside that of the truth."""
    details = {} if ceiling is None else {"ceiling_high_quality": ceiling}
    return Score(share, stderr=sqrt(share * (1 - share) / n), ci95=wilson(share, n), details=details)
