"""What a step costs, counted once on the meta device: the same number on every machine, before anything runs.

The counter sees convolutions and matrix products, forward, backward and twice backward, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ganbench.nets._base import Backbone, Shape
from ganbench.techniques._fitting import Tool, fitted
from ganbench.variants._base import LabelledVariant, Problem, Variant, made
from ganbench.variants._classes import Classes
from ganbench.variants._draws import Draws


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one generator update takes, with the updates of D that belong to it, averaged over the variant's period.

    Attributes:
        flops: floating-point operations, a multiply-add counting as two.
        reals: real data drawn.
        fakes: data generated.
        sampling_flops: operations for one sample.
        parameters: numbers learnt, by module.
    """

    flops: float
    reals: float
    fakes: float
    sampling_flops: float
    parameters: dict[str, int]


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
    """Runs `period` steps and one sample on the meta device, which computes nothing, and counts."""
    meta, none = torch.device("meta"), Draws(0, "meta")
    problem = Problem(
        shape=shape, backbone=backbone, batch_size=batch_size, steps=kind.period, device=meta, draws=none, init=none,
        classes=classes, condition=condition,
    )  # fmt: skip
    variant = fitted(kind, config, problem, tools)
    real = _Shapes(shape, condition)
    with FlopCounterMode(display=False) as training:
        for _ in range(kind.period):
            variant.step(real)
    variant.eval()
    with FlopCounterMode(display=False) as sampling, torch.no_grad():
        made(variant, torch.empty(1, variant.z_dim, device="meta"), _one(variant, condition))
    return Cost(
        flops=training.get_total_flops() / kind.period,
        reals=real.drawn / kind.period,
        fakes=variant.fakes / kind.period,
        sampling_flops=float(sampling.get_total_flops()),
        parameters={name: sum(p.numel() for p in child.parameters()) for name, child in variant.named_children()},
    )


def _one(variant: Variant, condition: Shape | None) -> Tensor | None:
    """What one sample is made from, beside a code."""
    if isinstance(variant, LabelledVariant):
        return torch.zeros(1, dtype=torch.int64, device="meta")
    return None if condition is None else torch.empty(1, *condition, device="meta")
