"""Monge Inception distance: the sliced squared Wasserstein distance, scaled to be read like FID.

    MIND = 3 d · mean over directions u, and over j, of (sort(u·x)_j - sort(u·y)_j)²

As torch-fidelity computes it, with its random numbers: a torch generator on the CPU with `seed` draws as many of the
larger set as the smaller has (a random permutation's first; nothing where both are equally large), then the directions,
normal in float32 and brought to length 1. All else is float64 here, float32 there: they agree to about 1e-5 of the
value. A shift by c costs about 3 ‖c‖².

`stderr` and the normal interval, cut at 0, are the noise of the fakes that are used, reference and directions as they
are (see `_sliced.py`).

Paper: Berthet et al. 2026, "MIND: Monge Inception Distance for generative models evaluation",
https://arxiv.org/abs/2605.06797.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least, same_width, values_of
from ganbench.metrics._sliced import sliced
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution
_SCALE = 3  # times the width: alpha of the paper


@dataclass(frozen=True)
class Mind(Metric):
    """The Monge Inception distance.

    Attributes:
        directions: how many.
        seed: of the draws and the directions.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"mind": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"mind": "MIND"}

    directions: int = 1000
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, directions=1, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The squared distance, >= 0.

        Raises BadInput where the widths differ, UsageError where only the moments of one set are known.
        """
        import torch  # takes seconds, and to be listed the metric needs none

        assert real is not None
        same_width(fake, real)
        x, y = values_of(fake, "fake"), values_of(real, "real")
        generator, n = torch.Generator(device="cpu").manual_seed(self.seed), min(len(x), len(y))
        # All, and nothing drawn, where there are no more than n.
        x, y = (v if len(v) == n else v[torch.randperm(len(v), generator=generator)[:n].numpy()] for v in (x, y))
        directions = torch.randn(self.directions, fake.d, generator=generator, dtype=torch.float32)
        directions = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-12)
        found = sliced(x, y, directions.double().numpy())
        scale = _SCALE * fake.d
        value, stderr, details = scale * float(found.squares.mean()), scale * found.stderr, {"n_used": float(n)}
        if value == 0:
            return {"mind": Score(0.0, details=details)}
        interval = (max(value - _Z * stderr, 0.0), value + _Z * stderr)
        return {"mind": Score(value, stderr=stderr, ci95=interval, details=details)}
