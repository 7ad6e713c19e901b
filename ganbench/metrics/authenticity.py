"""Authenticity: the percentage of fakes that are no copies, as they lie farther from a real than its neighbour does.

    y(x) = the real nearest to the fake x,   authentic(x) = ‖x - y(x)‖ > min over other reals y' of ‖y(x) - y'‖
    authenticity = 100 x share of fakes that are authentic

The number that dgm-eval prints as `authpct`, 0..100. Distances are exact, so that a copy, at distance 0, is never
authentic. 100 is no ideal: fakes far from all data are authentic as well. A fresh draw from the distribution of the
reals is authentic unless it and its nearest real are each other's nearest: 33.3 in one dimension, 37.8 in two, towards
50 in many (Schilling 1986), and more where some reals are near to all. Read it beside that of real images which were
not trained on.

Copies are found of the reals that are given. Of a reference that kept a part of its images, give the whole.

Given the reference, this is a share of independent fakes, and has their binomial error and Wilson's interval.

Paper: Alaa et al. 2022, "How faithful is your synthetic data? Sample-level metrics for evaluating and auditing
generative models", https://arxiv.org/abs/2102.08921.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.stats import Features
from ganbench.metrics._base import Metric
from ganbench.metrics._nearest import nearest
from ganbench.metrics._neighbours import radii
from ganbench.metrics.precision_recall import wilson
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class Authenticity(Metric):
    """The percentage of authentic fakes. It has no parameters."""

    keys: ClassVar[Mapping[str, Direction]] = {"authenticity": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"authenticity": "AuthPct"}
    unranked: ClassVar[Mapping[str, str]] = {"authenticity": "images far off the data reach 100 as well"}
    readings: ClassVar[Mapping[str, str]] = {
        "authenticity": "Low values are copies of the reference; images far off the data reach 100. Read it beside "
        "that of real images that were not trained on."
    }

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The percentage, 0..100.

        Raises BadInput where the widths differ, UsageError where only the moments of one are known.
        """
        assert real is not None
        found = nearest(fake=fake, real=real)
        share = float(np.mean(radii(real, 1, "real")[found.index, 0] < found.distance))
        n = len(found.distance)
        low, high = wilson(share, n)
        return {
            "authenticity": Score(100 * share, stderr=100 * sqrt(share * (1 - share) / n), ci95=(100 * low, 100 * high))
        }
