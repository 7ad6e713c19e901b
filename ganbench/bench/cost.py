"""What a step costs, counted once on the meta device: the same number on every machine, before anything runs.

The counter sees convolutions and matrix products, forward, backward and twice backward, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ganbench.nets._base import Backbone, Shape
from ganbench.techniques._fitting import Tool, fitted
from ganbench.variants._base import LabelledVariant, Problem, Variant, made
from ganbench.variants._classes import Classes
from ganbench.variants._draws import Draws
from ganbench.variants._schedule import Schedule

_LONG = 1000  # periods of the training in which each stage is looked at


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one generator update takes, with the updates of D that belong to it, averaged over the variant's period.

    Attributes:
        flops: floating-point operations, a multiply-add counting as two; the mean over stages where there are several.
        reals: real data drawn.
        fakes: data generated.
        sampling_flops: operations for one sample.
        parameters: numbers learnt, by module.
        schedule: the variant's.
        stages: `flops` of an update in each of its stages, where there are several.
    """

    flops: float
    reals: float
    fakes: float
    sampling_flops: float
    parameters: dict[str, int]
    schedule: Schedule = field(default_factory=Schedule)
    stages: tuple[float, ...] = ()

    def flops_after(self, step: int, steps: int | None) -> float:
        """The operations of the first `step` updates of a training of `steps`."""
        if not self.stages:
            return step * self.flops
        assert steps is not None, "what has stages says how long it is"
        firsts = [self.schedule.first(stage, steps) for stage in range(len(self.stages))]
        ends = [*firsts[1:], steps]
        spans = (max(0, min(end, step) - first) for first, end in zip(firsts, ends, strict=True))
        return sum(span * flops for span, flops in zip(spans, self.stages, strict=True))


class _Shapes:
    """A stream of data that have shapes alone."""

    def __init__(self, shape: Shape, condition: Shape | None) -> None:
        self._shape, self._condition, self.drawn = shape, condition, 0

    def draw(self, n: int) -> Tensor:
        self.drawn += n
        return torch.empty(n, *self._shape, device="meta")

    def draw_labelled(self, n: int) -> tuple[Tensor, Tensor]:
        return self.draw(n), torch.empty(n, dtype=torch.int64, device="meta")

    def draw_few(self, n: int) -> tuple[Tensor, Tensor]:
        return self.draw_labelled(n)

    def draw_pairs(self, n: int) -> tuple[Tensor, Tensor]:
        return self._conditions(n), self.draw(n)

    def draw_sources(self, n: int) -> Tensor:
        self.drawn += n
        return self._conditions(n)

    def draw_captioned(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        return self.draw(n), self._conditions(n), self._conditions(n)

    def _conditions(self, n: int) -> Tensor:
        assert self._condition is not None
        return torch.empty(n, *self._condition, device="meta")


def cost_of(
    kind: type[Variant],
    config: Any,
    *,
    shape: Shape,
    backbone: type[Backbone],
    batch_size: int,
    classes: Classes | None = None,
    condition: Shape | None = None,
    tools: Sequence[Tool] = (),
) -> Cost:
    """Runs `period` steps of each stage, and one sample, on the meta device, which computes nothing, and counts."""
    meta, none = torch.device("meta"), Draws(0, "meta")
    schedule = kind.schedule(config, shape)
    period, stages = schedule.period, len(schedule.starts)
    problem = Problem(
        shape=shape, backbone=backbone, batch_size=batch_size, steps=period if stages == 1 else period * _LONG,
        device=meta, draws=none, init=none, classes=classes, condition=condition,
    )  # fmt: skip
    variant = fitted(kind, config, problem, tools)
    found = [_of_stage(variant, schedule, stage) for stage in range(stages)]
    flops, reals, fakes = ([each / period for each in column] for column in zip(*found, strict=True))
    variant.eval()
    with FlopCounterMode(display=False) as sampling, torch.no_grad():
        made(variant, torch.empty(1, variant.z_dim, device="meta"), _one(variant, condition))
    shares = [end - start for start, end in pairwise([*schedule.starts, 1.0])]
    assert len({*reals}) == len({*fakes}) == 1, "stages differ in what a step costs, not in what it draws"
    return Cost(
        flops=flops[0] if stages == 1 else sum(share * each for share, each in zip(shares, flops, strict=True)),
        reals=reals[0],
        fakes=fakes[0],
        sampling_flops=float(sampling.get_total_flops()),
        parameters={name: sum(p.numel() for p in child.parameters()) for name, child in variant.named_children()},
        schedule=schedule,
        stages=() if stages == 1 else tuple(flops),
    )


def _one(variant: Variant, condition: Shape | None) -> Tensor | None:
    """What one sample is made from, beside a code."""
    if isinstance(variant, LabelledVariant):
        return torch.zeros(1, dtype=torch.int64, device="meta")
    return None if condition is None else torch.empty(1, *condition, device="meta")


def _of_stage(variant: Variant, schedule: Schedule, stage: int) -> tuple[float, float, float]:
    """Operations, reals and fakes of a period in one stage."""
    assert variant.problem.steps is not None
    first, flops, reals, fakes = schedule.first(stage, variant.problem.steps), 0.0, 0.0, 0.0
    for step, times in schedule.counted:
        variant.seek(first + step)
        real, before = _Shapes(variant.problem.shape, variant.problem.condition), variant.fakes
        with FlopCounterMode(display=False) as counter:
            variant.step(real)
        flops += times * counter.get_total_flops()
        reals += times * real.drawn
        fakes += times * (variant.fakes - before)
    return flops, reals, fakes
