"""The average of weights over training."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from ganbench.bench.ema import HALF_LIFE, Ema
from ganbench.nets._registry import BACKBONES
from ganbench.variants._base import Problem, RealStream, Variant
from ganbench.variants._draws import Draws


class Tiny(Variant):
    """One layer, one batch norm, one buffer that is no statistic."""

    Config = object

    def __init__(self) -> None:
        draws = Draws(0, "cpu")
        problem = Problem(
            shape=(2,), backbone=BACKBONES.get("mlp2d"), batch_size=1, steps=None, device=torch.device("cpu"),
            draws=draws, init=draws,
        )  # fmt: skip
        super().__init__(None, problem)
        self.G = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
        self.G.register_buffer("u", torch.zeros(1))
        self.D = nn.Linear(1, 1)

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        return {}

    def put(self, value: float) -> None:
        with torch.no_grad():
            for tensor in self.G.state_dict().values():
                tensor.fill_(value)


def test_the_average_is_the_one_of_the_formula() -> None:
    tiny = Tiny()
    tiny.put(0.0)
    ema = Ema(tiny)
    wanted = 0.0
    for step, value in enumerate([3.0, -1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0] * 20, 1):
        tiny.put(value)
        ema.update(step)
        beta = 0.5 ** (1 / (HALF_LIFE * step))
        wanted = beta * wanted + (1 - beta) * value
    weights = ema.weights()
    assert float(weights["G.0.weight"]) == pytest.approx(wanted, rel=1e-5)
    assert float(weights["G.1.running_mean"]) == pytest.approx(wanted, rel=1e-5)
    assert float(weights["G.1.running_var"]) == pytest.approx(wanted, rel=1e-5)
    assert float(weights["G.u"]) == 6.0, "no statistic: as it is now"
    assert int(weights["G.1.num_batches_tracked"]) == 6
    assert not any(name.startswith("D.") for name in weights)


def test_half_of_the_weight_lies_in_the_last_twentieth() -> None:
    tiny = Tiny()
    tiny.put(0.0)
    ema, steps = Ema(tiny), 4000
    for step in range(1, steps + 1):
        tiny.put(1.0 if step > steps * (1 - HALF_LIFE) else 0.0)
        ema.update(step)
    assert float(ema.shadow["G.0.weight"]) == pytest.approx(0.5, abs=0.02)


def test_applied_gives_the_weights_back_bit_for_bit() -> None:
    tiny = Tiny()
    tiny.put(0.2)  # a millionth of the first weights stays in the average
    ema = Ema(tiny)
    tiny.put(0.1)
    ema.update(1)
    tiny.put(0.3)
    before = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    with ema.applied():
        assert tiny.G[0].weight.item() == pytest.approx(0.1, rel=1e-5)
    for name, tensor in tiny.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_given_weights_can_be_applied() -> None:
    tiny = Tiny()
    tiny.put(1.0)
    ema = Ema(tiny)
    kept = {name: tensor.clone() for name, tensor in ema.weights().items()}
    tiny.put(2.0)
    with ema.applied(kept):
        assert tiny.G[0].weight.item() == 1.0
    assert tiny.G[0].weight.item() == 2.0
