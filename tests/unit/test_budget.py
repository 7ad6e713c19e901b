"""Budgets, what a step costs, and the meter."""

from itertools import pairwise

import pytest
from torch import nn

from ganbench.amounts import TIERS
from ganbench.bench.budget import Budget, BudgetSpent, Meter
from ganbench.bench.cost import Cost, cost_of
from ganbench.errors import UsageError
from ganbench.nets._registry import BACKBONES
from ganbench.variants._registry import VARIANTS

COST = Cost(flops=1e9, reals=500.0, fakes=600.0, sampling_flops=1e6, parameters={})


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("2e13flop", "flop", 2e13),
        ("5E12 FLOPs", "flop", 5e12),
        ("nano", "flop", 2e13),
        ("Pico", "flop", 2e12),
        ("large", "flop", 2e18),
        ("200kimg", "kimg", 200),
        ("0.5kimg", "kimg", 0.5),
        ("5000steps", "steps", 5000),
        ("1step", "steps", 1),
        ("10min", "seconds", 600),
        ("90s", "seconds", 90),
        ("2h", "seconds", 7200),
    ],
)
def test_what_a_budget_can_be(text: str, unit: str, amount: float) -> None:
    budget = Budget.parse(text)
    assert (budget.unit, budget.amount) == (unit, amount)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize("text", ["", "10", "flop", "-5steps", "0steps", "nanoo", "1e400flop", "5 epochs", "nan steps"])
def test_what_it_cannot_be(text: str) -> None:
    with pytest.raises(UsageError, match="wanted 2e13flop, 200kimg, 5000steps, 10min or a tier"):
        Budget.parse(text)


def test_steps_are_known_before_the_run() -> None:
    assert Budget.parse("5e12flop").steps(COST) == 5000
    assert Budget.parse("4.9999e12flop").steps(COST) == 4999
    assert Budget.parse("200kimg").steps(COST) == 400
    assert Budget.parse("7steps").steps(COST) == 7
    assert Budget.parse("7s").steps(COST) is None
    with pytest.raises(UsageError, match="less than one step"):
        Budget.parse("5e8flop").steps(COST)


def test_tiers_are_decades() -> None:
    amounts = list(TIERS.values())
    assert [b / a for a, b in pairwise(amounts)] == pytest.approx([10] * 6)


def test_the_meter_lets_nobody_overspend() -> None:
    meter = Meter(100)
    meter.charge(60)
    meter.charge(40)
    with pytest.raises(BudgetSpent, match="101 real data were asked for and 100 are allowed"):
        meter.charge(1)
    assert meter.reals == 100
    endless = Meter(None)
    endless.charge(10**9)
    assert endless.reals == 10**9


@pytest.mark.parametrize(
    ("backbone", "shape", "variant", "mflop"),
    [  # per sample of a batch of 64, as measured for the design with another implementation of the same networks
        ("info28-nano", (1, 28, 28), "ns-gan", 59.9),
        ("info28-nano", (1, 28, 28), "wgan-gp", 350),
        ("info28", (1, 28, 28), "ns-gan", 313),
        ("info28", (1, 28, 28), "wgan-gp", 1823),
        ("info28", (3, 32, 32), "ns-gan", 419),
        ("info28", (3, 32, 32), "wgan-gp", 2444),
    ],
)
def test_costs_are_those_that_were_measured(
    backbone: str, shape: tuple[int, ...], variant: str, mflop: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were measured with torch's activations, whose zeros are sent back through D at each penalty."""
    monkeypatch.setattr("ganbench.nets.info28.LeakyReLU", nn.LeakyReLU)
    kind = VARIANTS.get(variant)
    cost = cost_of(kind, kind.Config(), shape=shape, backbone=BACKBONES.get(backbone), batch_size=64)
    assert cost.flops / 64 / 1e6 == pytest.approx(mflop, rel=0.002)


def test_a_penalty_on_the_slope_saves_the_way_back_through_d(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of the weights and the input of all layers behind the first activation, at each of 5 updates of D."""
    kind, shape, backbone = VARIANTS.get("wgan-gp"), (1, 28, 28), BACKBONES.get("info28-nano")
    ours = cost_of(kind, kind.Config(), shape=shape, backbone=backbone, batch_size=64)
    monkeypatch.setattr("ganbench.nets.info28.LeakyReLU", nn.LeakyReLU)
    theirs = cost_of(kind, kind.Config(), shape=shape, backbone=backbone, batch_size=64)
    convolution, linear = 2 * 7 * 7 * 64 * 32 * 16, 2 * 7 * 7 * 64 * 256
    assert theirs.flops - ours.flops == 64 * 5 * 2 * (convolution + linear)


def test_a_cost_by_hand() -> None:
    """NS-GAN on points, its matrix products counted layer by layer: 2 n in out each."""
    kind, n = VARIANTS.get("ns-gan"), 10
    cost = cost_of(kind, kind.Config(), shape=(2,), backbone=BACKBONES.get("mlp2d"), batch_size=n)
    g = [2 * 400, 400 * 400, 400 * 400, 400 * 400, 400 * 2]
    d = [2 * 1000, 200 * 1000, 200 * 1000, 200]
    forward = {"G": 2 * n * sum(g), "D": 2 * n * sum(d)}
    weights = forward  # the gradients of the weights cost as much as the forward pass
    inputs = {"G": 2 * n * sum(g[1:]), "D": 2 * n * sum(d[1:])}  # nothing asks for those of the first layer's input
    update_d = forward["G"] + 2 * (forward["D"] + weights["D"] + inputs["D"])
    update_g = forward["G"] + forward["D"] + 2 * n * sum(d) + weights["G"] + inputs["G"]  # through D into G's output
    assert cost.flops == update_d + update_g
    assert (cost.reals, cost.fakes) == (n, 2 * n)
    assert cost.sampling_flops == 2 * sum(g)
