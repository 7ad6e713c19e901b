"""Sliced Wasserstein distance of the features: how far sorted projections lie apart, over random directions.

    SW = √(mean over directions u of W₂²(u·x, u·y)),   W₂² = ∫₀¹ (F⁻¹(t) - G⁻¹(t))² dt

F⁻¹ and G⁻¹ are the quantile functions of the projected fakes and reals; the integral is exact for any two counts. No
Gaussians are fitted, unlike in the Frechet distance. A shift by c costs about ‖c‖/√d. It is biased upwards at finite n.
This is the distance of the features, not that of patches in a Laplacian pyramid, which GAN papers call SWD.

`stderr` and the normal interval, cut at 0, are the noise of the fakes at this n, reference and directions as they are
(see `_sliced.py`). `details` has `direction_stderr`, the noise of the directions.

Paper: Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures",
https://doi.org/10.1007/s10851-014-0506-3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._sliced import sliced
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class SlicedWasserstein(Metric):
    """The sliced 2-Wasserstein distance, not squared.

    Attributes:
        directions: how many.
        seed: of the directions.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"sliced_wasserstein": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"sliced_wasserstein": "Sliced Wasserstein"}

    directions: int = 1000
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, directions=2, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The distance, >= 0, in the unit of the features.

        Raises BadInput where the widths differ, UsageError where only the moments of one set are known.
        """
        assert real is not None
        same_width(fake, real)
        directions = self.generator(self.seed).normal(size=(self.directions, fake.d))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        found = sliced(values_of(fake, "fake"), values_of(real, "real"), directions)
        value = sqrt(float(found.squares.mean()))
        if value == 0:
            return {"sliced_wasserstein": Score(0.0)}
        stderr = found.stderr / (2 * value)
        of_directions = float(found.squares.std(ddof=1)) / sqrt(self.directions) / (2 * value)
        interval = (max(value - _Z * stderr, 0.0), value + _Z * stderr)
        details = {"direction_stderr": of_directions}
        return {"sliced_wasserstein": Score(value, stderr=stderr, ci95=interval, details=details)}
