"""From what a run is asked to do to the things that do it: data, variant, cost and the number of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganbench.bench.budget import Budget, Meter
from ganbench.bench.cost import Cost, cost_of
from ganbench.bench.data import Stream, TrainingSet, knowing_few
from ganbench.bench.ema import Ema
from ganbench.bench.group import average_gradients, device_of
from ganbench.bench.opening import open_for
from ganbench.bench.recipe import Recipe
from ganbench.bench.seeds import FEW, INIT, NOISE, stream_seed
from ganbench.bench.spec import RunSpec
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.nets._registry import BACKBONES
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.records import BudgetInfo
from ganbench.techniques._fitting import fitted
from ganbench.variants._base import Problem, Variant
from ganbench.variants._draws import Draws


@dataclass(frozen=True, eq=False)
class Built:
    """A run that can be begun.

    Attributes:
        spec: what was asked.
        data: the real data, on the device.
        variant: with first weights.
        ema: the average of its weights.
        stream: of real data; `meter` counts them.
        budget, cost: what is allowed and what a step costs.
        steps: generator updates; None where only a clock tells.
    """

    spec: RunSpec
    data: TrainingSet
    variant: Variant
    ema: Ema
    stream: Stream
    meter: Meter
    budget: Budget
    cost: Cost
    steps: int | None

    @property
    def budget_info(self) -> BudgetInfo:
        """The budget as a record tells it."""
        return BudgetInfo(
            spec=self.spec.budget,
            unit=self.budget.unit,
            amount=self.budget.amount,
            steps=self.steps,
            flops_per_step=self._flops_per_step,
            reals_per_step=self.cost.reals,
            fakes_per_step=self.cost.fakes,
            sampling_flops=self.cost.sampling_flops,
            parameters=self.cost.parameters,
        )

    @property
    def _flops_per_step(self) -> float:
        """The mean over the training."""
        if self.steps is None or not self.cost.stages:
            return self.cost.flops
        return self.flops_after(self.steps) / self.steps

    def flops_after(self, step: int) -> float:
        """The training FLOPs of the first `step` updates."""
        return self.cost.flops_after(step, self.steps)

    def spent_after(self, step: int) -> float:
        """The part of a budget that is no clock's that the first `step` updates spend."""
        assert self.steps is not None
        if self.budget.unit == "flop" and self.cost.stages:
            return self.flops_after(step) / self.flops_after(self.steps)
        return step / self.steps

    def training_state(self) -> dict[str, Any]:
        """Everything that decides how training goes on."""
        return {
            "variant": self.variant.training_state(),
            "ema": self.ema.shadow,
            "stream": {**self.stream.state(), "reals": self.meter.reals},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes back to where `training_state` was taken."""
        self.variant.restore(state["variant"])
        self.ema.restore(state["ema"])
        self.stream.restore(state["stream"])
        self.meter.reals = int(state["stream"]["reals"])


def build(
    spec: RunSpec,
    *,
    data: TrainingSet | None = None,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
    ranks: Ranks = ALONE,
) -> Built:
    """Opens the data, counts the cost and makes the networks.

    Args:
        spec: the run.
        data: instead of those that it names.
        offline: use no network.
        progress, warn: told of the opening.
        ranks: that share each batch, whose size they divide. Data and networks are whole on each of them.

    Raises:
        UsageError, BadInput: the parts do not fit: a backbone for other data, a budget of less than one step.
        Unavailable: the data cannot be had.
    """
    recipe, backbone = Recipe.of(spec.variant), BACKBONES.get(spec.backbone)
    kind, (config, tools) = recipe.kind, recipe.read(spec.settings)
    budget = Budget.parse(spec.budget)
    known = kind.known(config)
    if data is None:
        data = open_for(kind, config, spec.data, backbone.fitted, offline=offline, progress=progress, warn=warn)
    if isinstance(known, int) and data.labels is not None:
        data = knowing_few(data, known, seed=stream_seed(spec.seed, FEW))
    shape, batch, classes = data.shape, spec.batch_size, data.classes
    given = None if data.given is None else data.given.shape
    cost = cost_of(
        kind, config, shape=shape, backbone=backbone, batch_size=batch, classes=classes, condition=given, tools=tools
    )
    steps = budget.steps(cost)
    device = device_of(spec.device, ranks)
    data = data.on(device)
    problem = Problem(
        shape=shape,
        backbone=backbone,
        batch_size=batch // ranks.world,
        steps=steps,
        device=device,
        draws=Draws(stream_seed(spec.seed, NOISE), device, ranks),
        init=Draws(stream_seed(spec.seed, INIT), device),
        ranks=ranks,
        classes=classes,
        condition=given,
    )
    variant = fitted(kind, config, problem, tools)
    for optimiser in variant.optimisers().values():
        average_gradients(optimiser, ranks)
    meter = Meter(None if steps is None else _allowed(steps, cost))
    stream = Stream(data, meter, seed=spec.seed, device=device, ranks=ranks)
    return Built(spec, data, variant, Ema(variant), stream, meter, budget, cost, steps)


def _allowed(steps: int, cost: Cost) -> int:
    """Real data that so many steps were counted to draw; the last period may not be whole."""
    whole = -(-steps // cost.schedule.period) * cost.schedule.period
    return round(whole * cost.reals)
