"""Frechet distance between Gaussians fitted to fake and real features: FID on Inception, FD elsewhere.

    FD = ‖μ_fake - μ_real‖² + tr Σ_fake + tr Σ_real - 2 tr (Σ_real Σ_fake)^½

Covariances divide by n - 1; all is float64; the matrix root is never formed (see `_frechet.py`).

The interval is that of the fakes at this n: a delete-a-group jackknife over 10 random groups, t with 9 degrees of
freedom, cut at 0. It does not cover the noise of the reference. Where fakes and reals are alike it errs on the
wide side, by up to 1.6 times. There is none where only the moments of all fakes are known, or fewer than 20 fakes.

The distance is biased upwards at finite n, by about b/n. `bias_estimate` is the jackknife's estimate of that for
the fakes: subtract it for the value at n → ∞. On Gaussians of width d it is right to 5 % from n = 2d on, up to a third
too large near n = d, and too small below d/3. The finite n of the reference adds a bias of its own, which is
the same for all samples compared with it.

Paper: Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
https://arxiv.org/abs/1706.08500. Bias: Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Need, same_width
from ganbench.metrics._frechet import frechet, group_sizes
from ganbench.metrics._jackknife import jackknife
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class Fid(Metric):
    """The Frechet distance. It has no parameters."""

    keys: ClassVar[Mapping[str, Direction]] = {"frechet_distance": "lower"}
    needs_fake: ClassVar[Need] = "moments"
    needs_real: ClassVar[Need] = "moments"

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The squared Frechet distance, >= 0, with interval and bias where the fakes' groups are known.

        Raises BadInput where the widths differ.
        """
        assert real is not None
        same_width(fake, real)
        value, without = frechet(fake, real)
        if not without:
            return {"frechet_distance": Score(value)}
        spread = jackknife(value, without, sizes=group_sizes(fake), least=0.0)
        bias = min(spread.bias, value)  # a distance without bias is at least 0
        return {"frechet_distance": Score(value, stderr=spread.stderr, ci95=spread.ci95, bias_estimate=bias)}
