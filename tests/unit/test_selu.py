"""Self-normalising networks: what passes through them keeps mean 0 and variance 1."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from variant_cases import COLOUR, GRAY, POINTS, Reals, backbone, problem, variant

from ganbench.errors import UsageError
from ganbench.nets._init import initialise, normal
from ganbench.nets._plain import LAYERS
from ganbench.nets._selu import AlphaDropout, Standardised, fan_in, selu_form
from ganbench.variants._draws import Draws
from ganbench.variants.selu_gan import SeluGan

LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772
FORMS = [("mlp2d", (2,)), ("mlp", (1, 8, 8)), ("info28", (1, 28, 28)), ("info28-nano", (3, 8, 8)),
         ("dcgan", (3, 32, 32)), ("sndcgan", (3, 32, 32)), ("resnet", (3, 32, 32)), ("began", (1, 32, 32))]  # fmt: skip


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def filled(net: nn.Module) -> nn.Module:
    initialise(net, torch.Generator().manual_seed(3), weights=normal(0.02))
    return net


def deep(width: int = 200) -> nn.Module:
    """32 layers as backbones have them, before weights."""
    block = lambda: [nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]  # noqa: E731
    return selu_form(nn.Sequential(*(layer for _ in range(32) for layer in block())))


def test_32_layers_keep_mean_0_and_variance_1() -> None:
    net = filled(deep())
    with torch.no_grad():
        found = net(drawn(2000, 200))
    assert abs(float(found.mean())) < 0.1
    assert 0.8 <= float(found.var()) <= 1.25


def test_other_first_weights_do_not() -> None:
    net = filled(deep())
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(math.sqrt(2))  # He's
        assert not 0.8 <= float(net(drawn(2000, 200)).var()) <= 1.25


LINEAR = [
    (nn.Linear(300, 200), (300,), 300),
    (nn.Conv2d(32, 64, 3, 1, 1), (32, 16, 16), 32 * 9),
    (nn.Conv2d(32, 64, 4, 2, 1), (32, 16, 16), 32 * 16),
    (nn.ConvTranspose2d(64, 16, 4, 2, 1), (64, 12, 12), 64 * 4),
    (nn.ConvTranspose2d(64, 16, 3, 1, 1), (64, 12, 12), 64 * 9),
]


@pytest.mark.parametrize(("layer", "shape", "wanted"), LINEAR, ids=lambda value: str(value)[:24])
def test_each_kind_of_layer_keeps_the_variance(layer: nn.Module, shape: tuple[int, ...], wanted: int) -> None:
    assert fan_in(layer) == wanted
    net = filled(selu_form(nn.Sequential(layer, nn.ReLU())))
    with torch.no_grad():
        found = net[0](drawn(200, *shape))  # type: ignore[index]
    inner = found[..., 2:-2, 2:-2] if found.dim() == 4 else found
    assert 0.9 < float(inner.var()) < 1.1


class Recorded(TorchDispatchMode):
    """The operations that are run, by name; an ELU's with its scale."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.names.add(f"{name} {args[2] if len(args) > 2 else 1}" if name == "elu" else name)
        return func(*args, **(kwargs or {}))


FORBIDDEN = ("relu", "batch_norm", "elu 1", "max", "layer_norm", "group_norm")
SELU = f"elu {LAMBDA}"


def operations(net: nn.Module, x: Tensor) -> set[str]:
    with Recorded() as mode:
        net.train()(x)
    return mode.names


def forbidden(names: set[str]) -> list[str]:
    return [name for name in names if name != SELU and any(word in name for word in FORBIDDEN)]


@pytest.mark.parametrize(("name", "shape"), FORMS)
def test_no_norm_and_no_other_activation_is_left(name: str, shape: tuple[int, ...]) -> None:
    kind = backbone(name)
    makes: list[tuple[Callable[[], nn.Module], tuple[int, ...]]] = [
        (lambda: kind.generator(shape), (kind.z_dim,)),
        (lambda: kind.discriminator(shape, norm="none"), shape),
    ]
    with torch.device("meta"):
        for make, given in makes:
            x = torch.empty(4, *given)
            assert forbidden(operations(make(), x))
            net = selu_form(make())
            found = operations(net, x)
            assert forbidden(found) == []
            assert SELU in found
            layers = [layer for layer in net.modules() if isinstance(layer, LAYERS)]
            assert layers
            assert all(layer.bias is not None for layer in layers)
            assert net(x).shape == make()(x).shape


@pytest.mark.parametrize(("name", "shape"), [POINTS, COLOUR, ("resnet", (3, 32, 32))])
def test_first_weights_are_lecuns(name: str, shape: tuple[int, ...]) -> None:
    made = problem((name, shape))
    for make in (lambda: made.backbone.generator(shape), lambda: made.backbone.discriminator(shape, norm="none")):
        net = made.built(lambda make=make: selu_form(make()))  # type: ignore[misc]
        for layer in net.modules():
            if isinstance(layer, LAYERS):
                n = layer.weight.numel()
                spread = float(layer.weight.detach().square().mean().sqrt()) * math.sqrt(fan_in(layer))
                assert abs(spread - 1) < 4 / math.sqrt(2 * n)
                assert layer.bias is not None
                assert not layer.bias.detach().any()


def test_a_network_whose_activations_are_no_modules_is_refused() -> None:
    with pytest.raises(UsageError, match="Linear has no activation that is a module"):
        selu_form(nn.Linear(2, 2))


# Alpha-dropout.


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_alpha_dropout_keeps_mean_and_variance(rate: float) -> None:
    layer = AlphaDropout(rate, Draws(4, "cpu").uniform)
    for x in (drawn(400_000), nn.functional.selu(drawn(400_000))):
        found = layer(x)
        assert abs(float(found.mean()) - float(x.mean())) < 0.01
        assert abs(float(found.var()) - float(x.var())) < 0.02


def test_alpha_dropout_by_hand() -> None:
    x, q = torch.tensor([0.3, -0.7, 2.0, 1.0]), 0.8
    found = AlphaDropout(1 - q, lambda *shape: torch.tensor([0.1, 0.79, 0.81, 0.99]))(x)
    floor = -LAMBDA * ALPHA
    assert abs(floor - -1.7580993408473766) < 1e-12
    a = (q + floor**2 * q * (1 - q)) ** -0.5
    b = -a * (1 - q) * floor
    torch.testing.assert_close(found, torch.tensor([a * 0.3 + b, a * -0.7 + b, a * floor + b, a * floor + b]))


def test_in_eval_mode_nothing_is_dropped() -> None:
    def never(*shape: int) -> Tensor:
        raise AssertionError("no mask is drawn")

    x = drawn(5, 3)
    assert AlphaDropout(0.5, never).eval()(x) is x


def test_only_d_drops_units_and_only_where_it_is_set() -> None:
    def dropping(net: nn.Module) -> int:
        return sum(isinstance(module, AlphaDropout) for module in net.modules())

    made, without = variant("selu-gan", GRAY), variant("selu-gan", GRAY, alpha_dropout=0.0)
    assert isinstance(made, SeluGan)
    assert isinstance(without, SeluGan)
    assert [dropping(made.D), dropping(made.G), dropping(without.D)] == [3, 0, 0]
    assert {m.kept for m in made.D.modules() if isinstance(m, AlphaDropout)} == {0.95}
    x = drawn(2, 1, 28, 28)
    assert not torch.equal(made.D(x), made.D(x))
    assert torch.equal(without.D(x), without.D(x))


# The inputs of D.


@pytest.mark.parametrize("shape", [(2,), (3, 5, 5)])
def test_moments_are_those_of_all_reals(shape: tuple[int, ...]) -> None:
    net = filled(Standardised(shape[0]))
    assert isinstance(net, Standardised)
    scale = torch.arange(1.0, shape[0] + 1).view(-1, *[1] * (len(shape) - 1))
    reals = drawn(60, *shape) * scale + 3
    assert torch.equal(net(reals), reals)
    for batch in reals.split(20):
        net.follow(batch)
    found = net(reals).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.mean(1), torch.zeros(shape[0]), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.var(1, correction=0), torch.ones(shape[0]), rtol=1e-4, atol=0)


def test_a_channel_that_never_changes_stays_finite() -> None:
    net = filled(Standardised(1))
    assert isinstance(net, Standardised)
    net.follow(torch.full((4, 1, 2, 2), -1.0))
    assert net(torch.zeros(1, 1, 2, 2)).isfinite().all()


@pytest.mark.parametrize("case", [POINTS, GRAY])
def test_reals_reach_d_standardised_and_fakes_by_the_same_map(case: tuple[str, tuple[int, ...]]) -> None:
    made = variant("selu-gan", case)
    assert isinstance(made, SeluGan)
    seen: list[Tensor] = []
    generated: list[Tensor] = []
    made.D.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    made.G.register_forward_hook(lambda _, inputs, output: generated.append(output.detach()))
    made.step(Reals(case[1]))
    x = Reals(case[1]).draw(6).transpose(0, 1)
    mean, std = x.flatten(1).mean(1), x.flatten(1).std(1, correction=0)
    column = (1, -1, *[1] * (len(case[1]) - 1))
    assert len(seen) == 3
    torch.testing.assert_close(seen[0].transpose(0, 1), (x - mean.view(column).transpose(0, 1)) /
                               std.view(column).transpose(0, 1), rtol=1e-4, atol=1e-4)  # fmt: skip
    for found, fake in zip(seen[1:], generated, strict=True):
        wanted = (fake - mean.view(column)) / std.view(column)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
