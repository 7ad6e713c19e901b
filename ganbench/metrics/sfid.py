"""Frechet distance on spatial features: sFID on Inception, sFD elsewhere.

    sFID = ‖μ_fake - μ_real‖² + tr Σ_fake + tr Σ_real - 2 tr (Σ_real Σ_fake)^½

The features are those of the head `spatial`: the first 7 channels of a map in the middle of the network, with their
places, where FID has averaged the places away. On Inception they are those of guided-diffusion's evaluator (17 x 17 x
7, the branch 1x1 of Mixed_6d after its ReLU), the code by which sFID is known; other tools take other maps under the
same name, and other numbers come of it. Interval and bias are as for `fid`.

Paper: Nash et al. 2021, "Generating images with sparse representations", https://arxiv.org/abs/2103.03841. The choice
of map: Dhariwal and Nichol 2021, https://arxiv.org/abs/2105.05233.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ganbench.features.stats import Features
from ganbench.metrics._base import Head, Metric, Need
from ganbench.metrics.fid import Fid
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class Sfid(Metric):
    """The Frechet distance of spatial features. It has no parameters."""

    keys: ClassVar[Mapping[str, Direction]] = {"sfid": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"sfid": "sFD"}
    head: ClassVar[Head] = "spatial"
    needs_fake: ClassVar[Need] = "moments"
    needs_real: ClassVar[Need] = "moments"

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The squared Frechet distance, >= 0, with interval and bias where the fakes' groups are known.

        Raises BadInput where the widths differ.
        """
        return {"sfid": Fid().compute(fake=fake, real=real)["frechet_distance"]}
