"""Perceptual path length: how far the picture moves when the latent code moves a little.

    PPL = mean over paths of d(G(I(z₁, z₂, t)), G(I(z₁, z₂, t + ε))) / ε²

where I interpolates between two latent codes and d is a squared perceptual distance. Needs a generator: from Python,
`ganbench.perceptual_path_length(G, z_dim=...)` walks the paths and calls this metric with what it found on each. As in
the code of StyleGAN the mean leaves out what lies below the 1 % or above the 99 % point of all paths, each point
being the nearest value outwards.

The interval is that of the paths drawn, each independent: normal, with the standard error of a trimmed mean by the
winsorised variance (Tukey and McLaughlin 1963). There is none for fewer than 20 paths. `untrimmed` is the plain mean.

Paper: Karras, Laine and Aila 2019, "A style-based generator architecture for generative adversarial networks",
https://arxiv.org/abs/1812.04948.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.errors import BadInput, UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import Head, Metric, Need, values_of
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution
_LEAST = 20


@dataclass(frozen=True)
class Ppl(Metric):
    """The perceptual path length of steps that were walked.

    Attributes:
        lower: what lies below this percentile of all paths is left out.
        upper: what lies above this percentile is left out.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"ppl": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"ppl": "PPL"}
    head: ClassVar[Head] = "steps"
    needs_real: ClassVar[Need] = "nothing"
    costs: ClassVar[str] = "a generator"

    lower: float = 1.0
    upper: float = 99.0

    def __post_init__(self) -> None:
        if not 0 <= self.lower < 50 < self.upper <= 100:
            raise UsageError(
                "Ppl: lower must be a percentage from 0 to 50 and upper one from 50 to 100; "
                f"found {self.lower!r} and {self.upper!r}."
            )

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:  # noqa: ARG002
        """The length from squared distances divided by ε², (n, d) >= 0: a row for each path.

        The columns are the parts of a distance, one for each layer of the network that measures or just one; they
        are added up. Raises BadInput where a part is negative.
        """
        parts = np.asarray(values_of(fake, "fake"), dtype=np.float64)
        if parts.min() < 0:
            raise BadInput(f"Found a squared distance of {parts.min():.3g}; none can be negative.")
        steps = parts.sum(axis=1)
        low = float(np.percentile(steps, self.lower, method="lower"))
        high = float(np.percentile(steps, self.upper, method="higher"))
        kept = steps[(steps >= low) & (steps <= high)]
        value, n = float(kept.mean()), len(steps)
        details = {"untrimmed": float(steps.mean()), "std": float(kept.std()), "paths": float(n)}
        if n < _LEAST:
            return {"ppl": Score(value, details=details)}
        winsorised = float(np.clip(steps, low, high).std(ddof=1))
        stderr = winsorised / ((self.upper - self.lower) / 100) / sqrt(n)
        interval = (max(value - _Z * stderr, 0.0), value + _Z * stderr)
        return {"ppl": Score(value, stderr=stderr, ci95=interval, details=details)}
