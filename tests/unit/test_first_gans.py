"""The tutorial's GAN and DCGAN: the losses of ns-gan, their settings, and the networks of linear layers."""

import dataclasses
import math

import pytest
import torch
from torch import nn
from variant_cases import GRAY, POINTS, backbone, problem, trained, variant

from ganbench.nets._base import Shape
from ganbench.variants import dcgan, selu_gan, vanilla

LOGITS = torch.tensor([-30.0, -2.0, -0.5, 0.0, 0.7, 3.0, 30.0])
OTHERS = torch.tensor([1.0, -1.5, 2.0, 0.25, 0.0, -3.0, 4.0])
DIGIT: Shape = (1, 28, 28)


@pytest.mark.parametrize("module", [vanilla, dcgan, selu_gan])
def test_the_losses_are_the_log_losses(module: object) -> None:
    d_loss, g_loss = module.d_loss, module.g_loss  # type: ignore[attr-defined]
    bce = nn.functional.binary_cross_entropy_with_logits
    wanted = bce(LOGITS, torch.ones(7)) + bce(OTHERS, torch.zeros(7))
    torch.testing.assert_close(d_loss(real_logits=LOGITS, fake_logits=OTHERS), wanted)
    x = LOGITS.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(g_loss(fake_logits=x), x)
    torch.testing.assert_close(slope * 7, -(1 - LOGITS.sigmoid()))
    assert g_loss(fake_logits=torch.tensor([-1e4, 1e4])).isfinite()


@pytest.mark.parametrize("name", ["vanilla", "dcgan"])
@pytest.mark.parametrize("case", [POINTS, GRAY])
def test_on_a_shared_backbone_they_are_the_non_saturating_gan(name: str, case: tuple[str, Shape]) -> None:
    one, plain = trained(variant(name, case), 2), trained(variant("ns-gan", case), 2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), plain.parameters(), strict=True))


@pytest.mark.parametrize("name", ["vanilla", "dcgan"])
def test_settings(name: str) -> None:
    assert dataclasses.asdict(variant(name, POINTS).config) == {"lr_G": 2e-4, "lr_D": 2e-4, "betas": (0.5, 0.999)}


# The networks of linear layers.


def test_the_tutorials_parameters() -> None:
    """As Keras counts those that it trains."""
    with torch.device("meta"):
        nets = backbone("mlp").generator(DIGIT), backbone("mlp").discriminator(DIGIT)
    assert [sum(weight.numel() for weight in net.parameters()) for net in nets] == [1_489_936, 533_505]


def test_the_tutorials_order() -> None:
    with torch.device("meta"):
        layers = list(backbone("mlp").generator(DIGIT).children())
    block = ["Linear", "LeakyReLU", "BatchNorm1d"]
    assert [type(layer).__name__ for layer in layers] == [*block * 3, "Linear", "Tanh", "Reshape"]
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == [256, 512, 1024, 784]


def test_momentum_is_that_of_keras_and_not_the_eps() -> None:
    made = problem(("mlp", DIGIT))
    net = made.generator()
    first, act, norm, *_ = net.children()
    assert isinstance(norm, nn.BatchNorm1d)
    z = made.draws.normal(40, 100)
    with torch.no_grad():
        h = act(first(z))
        found = norm(h)
    mean, var = h.mean(0), h.var(0, correction=0)
    torch.testing.assert_close(norm.running_mean, 0.8 * torch.zeros(256) + 0.2 * mean)
    torch.testing.assert_close(found, (h - mean) / (var + 1e-3).sqrt(), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, (h - mean) / (var + 0.8).sqrt(), rtol=1e-2, atol=1e-2)


def test_the_tutorials_first_weights() -> None:
    made = problem(("mlp", DIGIT))
    for net in (made.generator(), made.discriminator()):
        for layer in net.modules():
            if isinstance(layer, nn.Linear) and layer.out_features > 1:
                bound = math.sqrt(6 / (layer.in_features + layer.out_features))
                assert 0.99 * bound < float(layer.weight.detach().abs().max()) <= bound * (1 + 1e-6)
                assert not layer.bias.detach().any()


@pytest.mark.parametrize("shape", [(1, 7, 7), (3, 33, 33)])
def test_linear_layers_take_any_size_as_it_is(shape: Shape) -> None:
    assert backbone("mlp").fitted(shape) == shape
    made = problem(("mlp", shape))
    with torch.no_grad():
        pictures = made.generator()(made.draws.normal(2, 100))
        assert pictures.shape == (2, *shape)
        assert made.discriminator()(pictures).shape == (2, 1)


def test_the_tutorials_gan_trains_on_its_networks() -> None:
    made = trained(variant("vanilla", ("mlp", (1, 8, 8))), 2)
    assert all(value.isfinite().all() for value in made.state_dict().values())
