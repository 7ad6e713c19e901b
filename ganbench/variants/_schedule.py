"""How the cost of a step changes over a training: counted before it, and gone by while it lasts."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The stages of a training.

    Attributes:
        period: steps after which the costs of a step repeat (for terms that are not computed at each).
        alike: how many of the first steps of a period cost the same.
        starts: of each stage, the share of all steps that lies before it; ascending, the first 0. Steps of one stage
            cost the same.
    """

    period: int = 1
    alike: int = 1
    starts: tuple[float, ...] = (0.0,)

    @property
    def counted(self) -> list[tuple[int, int]]:
        """The steps of a period that are looked at, and for how many each stands."""
        return [(0, self.alike), *((step, 1) for step in range(self.alike, self.period))]

    def first(self, stage: int, steps: int) -> int:
        """The number of a stage's first step (from 0) among `steps`: there a period begins."""
        return math.ceil(self.starts[stage] * steps / self.period) * self.period

    def place(self, step: int, steps: int) -> tuple[int, float]:
        """The stage of a step (from 0), and the share of that stage that lies before the middle of the step."""
        firsts = [self.first(stage, steps) for stage in range(len(self.starts))]
        stage = max(i for i, first in enumerate(firsts) if first <= step)
        after = firsts[stage + 1] if stage + 1 < len(firsts) else steps
        return stage, (step + 0.5 - firsts[stage]) / max(after - firsts[stage], 1)
