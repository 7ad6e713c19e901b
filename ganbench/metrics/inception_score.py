"""Inception Score: classifiable images of many classes, by a classifier's logits.

    IS = exp( mean over x of KL( p(y|x) ‖ p(y) ) ) = exp( H(p(y)) - mean over x of H(p(y|x)) )

where p(y|x) is the softmax of the logits in float64 and p(y) its mean. The images are shuffled by
`RandomState(2020)` and cut into 10 splits, as torch-fidelity does; the value is the mean of the splits' scores.
`split_std` is their standard deviation (ddof 0), which other tools print behind the sign ±. `stderr` is
std(ddof 1)/√splits, and the interval Student's t with splits - 1 degrees of freedom: the splits are disjoint and
independent. The score is biased downwards at finite n, and looks at no real image.

Paper: Salimans et al. 2016, "Improved techniques for training GANs", https://arxiv.org/abs/1606.03498.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Literal

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Need, TooFewImages, require_at_least, values_of
from ganbench.metrics._jackknife import t_quantile
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class InceptionScore(Metric):
    """The Inception Score.

    Attributes:
        splits: into how many parts the images are cut.
        seed: of the shuffling.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"inception_score": "higher"}
    head: ClassVar[Literal["features", "logits"]] = "logits"
    needs_real: ClassVar[Need] = "nothing"

    splits: int = 10
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, splits=1, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:  # noqa: ARG002
        """The score of `fake`, logits of shape (n, classes): between 1 and the number of classes.

        Raises TooFewImages where there are fewer than two images for each split.
        """
        logits = values_of(fake, "fake")
        n, splits = len(logits), self.splits
        if n < 2 * splits:  # the score of a single image is 1, whatever it shows
            raise TooFewImages(
                f"Found {n} images for {splits} splits, which need two images each. Give more images or fewer splits."
            )
        order = np.random.RandomState(self.seed).permutation(n)
        parts = [order[i * n // splits : (i + 1) * n // splits] for i in range(splits)]
        scores = np.array([_score(np.asarray(logits[part], dtype=np.float64)) for part in parts])
        value, details = float(scores.mean()), {"split_std": float(scores.std())}
        if splits == 1:
            return {"inception_score": Score(value, details=details)}
        stderr = float(scores.std(ddof=1)) / sqrt(splits)
        half = t_quantile(splits - 1) * stderr
        interval = (max(value - half, 1.0), value + half)
        return {"inception_score": Score(value, stderr=stderr, ci95=interval, details=details)}


def _score(logits: F64) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    return float(np.exp(_entropy(p.mean(axis=0)) + np.sum(p * log_p) / len(p)))


def _entropy(p: F64) -> float:
    p = p[p > 0]  # a class that no image has adds nothing
    return -float(np.sum(p * np.log(p)))
