"""Squared maximum mean discrepancy under a Gaussian kernel on unit vectors: CMMD on CLIP, of which it is the rule.

    CMMD = 1000 · (mean over i, j of k(x_i, x_j) + mean over i, j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j))
    k(x, y) = exp(-‖x - y‖² / (2 σ²)),  σ = 10, x and y of length 1

The means hold the pairs of an image with itself, as the code of the paper has them: the estimate of least variance,
never below 0, and too large by about 1000 (1 - mean k)/n on either side. `bias_estimate` is the share of the fakes. A
feature of length 0 stays 0. Only on the CLIP network of the paper is the number a CMMD: the protocol's label says it.

`stderr` and the normal interval, cut at 0, are the noise of the fakes at this n with the reference as it is (see
`_mmd.py`).

Paper: Jayasumana et al. 2024, "Rethinking FID: towards a better evaluation metric for image generation",
https://arxiv.org/abs/2401.09603.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np

from ganbench.errors import UsageError
from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, same_width, values_of
from ganbench.metrics._mmd import Gaussian, across, noise, within
from ganbench.metrics._screen import Array
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Cmmd(Metric):
    """The discrepancy.

    Attributes:
        sigma: width of the kernel.
        scale: what the discrepancy is multiplied by, to be read more easily.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"cmmd": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"cmmd": "MMD (Gaussian)"}

    sigma: float = 10.0
    scale: float = 1000.0

    def __post_init__(self) -> None:
        for name in ("sigma", "scale"):
            if not 0 < getattr(self, name) < inf:
                raise UsageError(f"Cmmd: {name} must be a positive number; found {getattr(self, name)!r}.")

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The discrepancy, >= 0.

        Raises BadInput where the widths differ, UsageError where only the moments of one set are known.
        """
        assert real is not None
        same_width(fake, real)
        x, y = _unit(values_of(fake, "fake")), _unit(values_of(real, "real"))
        kernel = Gaussian(self.sigma)
        own, between = within(x, kernel), across(x, y, kernel)
        mine, theirs = 1 - 1 / len(x), 1 - 1 / len(y)  # the kernel is 0 where an image meets itself
        value = max(self.scale * (mine * own.mean + theirs * within(y, kernel).mean - 2 * between.mean), 0.0)
        bias = min(-self.scale * own.mean / len(x), value)
        stderr = noise(own, between.rows / len(y), weight=mine)
        if stderr is None:
            return {"cmmd": Score(value, bias_estimate=bias)}
        stderr *= self.scale
        interval = (max(value - _Z * stderr, 0.0), value + _Z * stderr)
        return {"cmmd": Score(value, stderr=stderr, ci95=interval, bias_estimate=bias)}


def _unit(values: Array) -> F64:
    """The rows divided by their length, in float64."""
    x = np.asarray(values, dtype=np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit: F64 = x / np.where(length > 0, length, 1.0)
    return unit
