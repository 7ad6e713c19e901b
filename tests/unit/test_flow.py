"""Invertible layers and Glow: back and forth, determinants by autograd, and bits that add up."""

import math

import pytest
import torch
from torch import Tensor, nn
from variant_cases import Reals, trained

from ganbench.nets._flow import ActNorm, Coupling, Flow, Level, Mix
from ganbench.nets._init import initialise, normal
from ganbench.nets._registry import BACKBONES
from ganbench.variants._base import Problem
from ganbench.variants._draws import Draws
from ganbench.variants.glow import Glow, dequantised, log_density

SHAPE = (2, 4, 4)


def ready(layer: nn.Module, seed: int = 0) -> nn.Module:
    """The layer in float64 with weights of which none is special."""
    generator = torch.Generator().manual_seed(seed)
    initialise(layer, generator, weights=normal(0.2))
    with torch.no_grad():
        for weight in layer.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return layer.double()


def images(n: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


LAYERS = {
    "actnorm": lambda: ActNorm(2),
    "mix": lambda: Mix(2),
    "coupling": lambda: Coupling(2, 5),
    "level": lambda: Level(2, 2, 5),
    "flow": lambda: Flow(SHAPE, levels=2, steps=2, hidden=5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_back_is_the_inverse(name: str) -> None:
    layer = ready(LAYERS[name]())
    x = images(3)
    with torch.no_grad():
        y, _ = layer(x)
    assert (y - x.reshape(y.shape)).abs().max() > 0.01
    torch.testing.assert_close(layer.back(y).detach(), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", LAYERS)
def test_the_determinant_is_that_of_the_jacobian(name: str) -> None:
    layer = ready(LAYERS[name]())
    x = images(2)
    with torch.no_grad():
        _, logdet = layer(x)
    for row, found in zip(x, logdet, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda each: layer(each[None])[0].flatten(), row)
        wanted = torch.linalg.slogdet(jacobian.detach().view(row.numel(), row.numel()))[1]
        assert float(found) == pytest.approx(float(wanted), abs=1e-8)


def test_the_way_back_has_a_bound_whatever_the_couplings_say() -> None:
    """Networks that are sure, and codes far out: a sample stays a number, and is the one that gives these codes."""
    flow = Flow(SHAPE, levels=2, steps=2, hidden=5)
    ready(flow)
    with torch.no_grad():
        for coupling in flow.modules():
            if isinstance(coupling, Coupling):
                last = coupling.net[-1]
                assert isinstance(last, nn.Conv2d)
                assert last.bias is not None
                last.bias[len(last.bias) // 2 :] = -1000.0
        z = 5 * images(3).flatten(1)
        x = flow.back(z)
        assert bool(x.isfinite().all())
        torch.testing.assert_close(flow(x)[0], z, rtol=1e-6, atol=1e-6)


def test_a_mix_begins_as_a_rotation() -> None:
    mix = Mix(6)
    mix.weight.data.fill_(math.nan)
    with torch.no_grad():
        mix.reset(torch.Generator().manual_seed(3))
    weight = mix.weight.detach()
    torch.testing.assert_close(weight @ weight.t(), torch.eye(6), rtol=0, atol=1e-5)


def test_the_density_of_a_gaussian() -> None:
    z = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    normal01 = torch.distributions.Normal(0.0, 1.0)
    wanted = normal01.log_prob(z).sum(1) + torch.tensor([0.5, -0.25])
    torch.testing.assert_close(log_density(z=z, logdet=torch.tensor([0.5, -0.25])), wanted)


def test_dequantised_images_fill_their_bins() -> None:
    x = torch.tensor([0, 127, 255]) / 127.5 - 1
    low, high = dequantised(x, torch.zeros(3)), dequantised(x, torch.full((3,), 0.999))
    torch.testing.assert_close((low + 0.5) * 256, torch.tensor([0.0, 127.0, 255.0]))
    assert torch.equal(((high + 0.5) * 256).floor(), torch.tensor([0.0, 127.0, 255.0]))


def glow(seed: int = 0) -> Glow:
    draws = Draws(seed, "cpu")
    problem = Problem(
        shape=(1, 8, 8), backbone=BACKBONES.get("info28-nano"), batch_size=16, steps=10, device=torch.device("cpu"),
        draws=draws, init=Draws(seed + 1, "cpu"),
    )  # fmt: skip
    return Glow(Glow.Config(steps=2, hidden=8), problem)


def test_bits_are_those_of_the_change_of_variables() -> None:
    made = glow()
    ready(made.flow)
    x = torch.tensor([0, 100, 255]).repeat(43)[:128].view(2, 1, 8, 8).double() / 127.5 - 1
    u = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.no_grad():
        found = made.bits_per_dim(x, u)
    for row, bits in zip(dequantised(x, u), found, strict=True):
        z = made.flow(row[None])[0].detach()[0]
        jacobian = torch.autograd.functional.jacobian(lambda each: made.flow(each[None])[0][0], row).view(64, 64)
        nats = -torch.distributions.Normal(0.0, 1.0).log_prob(z).sum() - torch.linalg.slogdet(jacobian)[1]
        assert float(bits) == pytest.approx((float(nats) + 64 * math.log(256)) / (64 * math.log(2)), rel=1e-9)


def test_training_lowers_the_bits() -> None:
    made = glow()
    reals = Reals((1, 8, 8))
    reals.pool = (torch.rand(97, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 8).round() / 127.5 - 1
    u = torch.rand(97, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    before = float(made.bits_per_dim(reals.pool, u).detach().mean())
    trained(made, 60, reals)
    after = float(made.bits_per_dim(reals.pool, u).detach().mean())
    assert after < before - 0.3
    # Nine values, evenly spread but at the ends: no model can be below 3 bits.
    assert after > 3.0


def test_samples_are_of_the_256_values() -> None:
    made = glow()
    z = torch.randn(4, made.z_dim, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.no_grad():
        values = (made.generate(z) + 1) * 127.5
    torch.testing.assert_close(values, values.round(), rtol=0, atol=1e-3)
    assert values.unique().numel() > 5
