"""SAGAN: attention against a slow twin, where it stands, the spectral norm of every layer, a step by its formulas."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from variant_cases import GRAY, SMALL, Reals, trained, variant

from ganbench.nets._attention import SelfAttention
from ganbench.nets._base import Shape
from ganbench.nets._init import initialise, xavier
from ganbench.nets._sagan import SaganDiscriminator, channels, generator, smallest
from ganbench.nets._spectral import SpectralConv2d, SpectralLinear
from ganbench.variants import sagan, sngan
from ganbench.variants.sagan import Sagan


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def attention(c: int = 16, gamma: float | None = None) -> SelfAttention:
    net = SelfAttention(c, "none")
    initialise(net, torch.Generator().manual_seed(2), weights=xavier(2.0))
    if gamma is not None:
        with torch.no_grad():
            net.gamma.fill_(gamma)
    return net


def slow(net: SelfAttention, x: Tensor) -> Tensor:
    """The formula of the paper, place by place."""
    maps = {name: getattr(net, name).weight[:, :, 0, 0] for name in ("theta", "phi", "g", "out")}
    n, c, h, w = x.shape
    found = torch.zeros_like(x)
    for image in range(n):
        pooled = {}
        for name in ("phi", "g"):
            whole = torch.einsum("oc,chw->ohw", maps[name], x[image])
            pooled[name] = [
                whole[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten(1).max(1).values
                for i in range(h // 2)
                for j in range(w // 2)
            ]
        for i in range(h):
            for j in range(w):
                theta = maps["theta"] @ x[image, :, i, j]
                scores = torch.stack([torch.dot(theta, phi) for phi in pooled["phi"]])
                share = scores.exp() / scores.exp().sum()
                seen = sum((a * g for a, g in zip(share, pooled["g"], strict=True)), torch.zeros(c // 2))
                found[image, :, i, j] = x[image, :, i, j] + net.gamma * (maps["out"] @ seen)
    return found


def test_attention_is_its_formula_place_by_place() -> None:
    net, x = attention(gamma=0.7), drawn(2, 16, 6, 4)
    with torch.no_grad():
        torch.testing.assert_close(net(x), slow(net, x), rtol=1e-4, atol=1e-5)
        assert float((net(x) - x).abs().max()) > 0.01


def test_attention_begins_as_the_identity_and_learns_from_there() -> None:
    net, x = attention(), drawn(2, 16, 6, 6)
    assert float(net.gamma.detach()) == 0
    assert torch.equal(net(x), x)
    net(x).square().sum().backward()
    assert net.gamma.grad is not None
    assert float(net.gamma.grad.abs()) > 0
    torch.testing.assert_close(attention(gamma=1.0)(x) - x, 2 * (attention(gamma=0.5)(x) - x), rtol=1e-4, atol=1e-5)


def test_the_rows_of_attention_sum_to_one_over_what_is_looked_at() -> None:
    net = attention()
    with torch.no_grad():
        found = net.weights(drawn(3, 16, 8, 6) * 3)
    assert found.shape == (3, 48, 12)
    assert float(found.min()) >= 0
    torch.testing.assert_close(found.sum(2), torch.ones(3, 48))
    assert not torch.allclose(found.sum(1), torch.full((3, 12), 4.0), atol=0.1), "columns need not"


def test_channels_of_attention() -> None:
    net = attention(64)
    assert [m.out_channels for m in (net.theta, net.phi, net.g, net.out)] == [8, 8, 32, 64]
    assert all(m.kernel_size == (1, 1) and m.bias is None for m in (net.theta, net.phi, net.g, net.out))


@pytest.mark.parametrize(("side", "inner", "widths"), [
    (28, 7, [8, 16, 32]), (32, 4, [8, 16, 32, 64]), (64, 4, [8, 16, 32, 64, 128]), (8, 4, [8, 16]),
    (256, 4, [8, 16, 32, 64, 128, 128, 128]),
])  # fmt: skip
def test_sides_and_channels(side: int, inner: int, widths: list[int]) -> None:
    assert smallest(side) == inner
    assert channels(side, 8) == widths


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 64, 64), (3, 8, 8)])
def test_attention_stands_at_half_the_side_in_both(shape: Shape) -> None:
    seen: list[tuple[int, ...]] = []

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(tuple(inputs[0].shape[1:]))

    with torch.device("meta"):
        G, D = generator(shape, z_dim=128, width=8), SaganDiscriminator(shape, width=8)
        for net in (G, D):
            (found,) = (m for m in net.modules() if isinstance(m, SelfAttention))
            found.register_forward_pre_hook(look)
        image = G(torch.empty(2, 128))
        assert image.shape == (2, *shape)
        assert D(image).shape == (2, 1)
        assert D.features(image).shape == (2, D.width)
    assert seen == [(16, shape[1] // 2, shape[2] // 2)] * 3


def layers(net: nn.Module) -> list[SpectralConv2d | SpectralLinear]:
    weighted = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    found = [m for m in weighted if isinstance(m, SpectralConv2d | SpectralLinear)]
    assert len(found) == len(weighted) > 8
    return found


def test_every_layer_of_both_has_the_spectral_norm_one() -> None:
    made = variant("sagan", GRAY, width=8)
    assert isinstance(made, Sagan)
    x, z = drawn(2, 1, 28, 28), drawn(2, 128)
    for net, inputs in ((made.G, z), (made.D, x)):
        net.train()
        with torch.no_grad():
            for _ in range(60):
                net(inputs)
        net.eval()
        for layer in layers(net):
            before = layer.u.clone()
            largest = torch.linalg.svdvals(layer.normed_weight().detach().flatten(1))[0]
            assert float(largest) == pytest.approx(1, abs=0.02)
            assert torch.equal(layer.u, before), "frozen in eval"


def test_a_step_is_its_formulas() -> None:
    """Two updates with rates and betas of their own, against the same done by hand."""
    made, twin = variant("sagan", SMALL), variant("sagan", SMALL)
    assert isinstance(made, Sagan)
    assert isinstance(twin, Sagan)
    x = Reals((1, 8, 8)).draw(6)
    with torch.no_grad():
        fake = twin.G(twin.latent(6))
    loss_D = (1 - twin.D(x)).clamp(min=0).mean() + (1 + twin.D(fake)).clamp(min=0).mean()
    for_D = torch.optim.Adam(twin.D.parameters(), lr=4e-4, betas=(0.0, 0.9), eps=1e-8)
    for_G = torch.optim.Adam(twin.G.parameters(), lr=1e-4, betas=(0.0, 0.9), eps=1e-8)
    loss_D.backward()
    for_D.step()
    loss_G = -twin.D(twin.G(twin.latent(6))).mean()
    loss_G.backward(inputs=list(twin.G.parameters()))
    for_G.step()
    losses = made.step(Reals((1, 8, 8)))
    torch.testing.assert_close(losses["D"], loss_D.detach())
    torch.testing.assert_close(losses["G"], loss_G.detach())
    for mine, theirs in zip(made.parameters(), twin.parameters(), strict=True):
        assert theirs.grad is not None
        told = theirs.grad.abs() > 1e-5  # Adam's first step is the sign of a gradient, of rounding alone elsewhere
        torch.testing.assert_close(mine[told], theirs[told], rtol=1e-4, atol=1e-6)


def test_losses_are_those_of_sngan_and_settings_those_of_the_paper() -> None:
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.0, 3.0])
    torch.testing.assert_close(sagan.d_loss(real_logits=real, fake_logits=fake), torch.tensor((0.5 + 2 + 1 + 4) / 3))
    torch.testing.assert_close(
        sagan.d_loss(real_logits=real, fake_logits=fake), sngan.d_loss(real_logits=real, fake_logits=fake)
    )
    torch.testing.assert_close(sagan.g_loss(fake_logits=fake), torch.tensor(-1 / 3))
    found = dataclasses.asdict(variant("sagan", SMALL).config)
    assert (found["lr_G"], found["lr_D"], found["betas"], found["n_critic"]) == (1e-4, 4e-4, (0.0, 0.9), 1)


def test_both_attentions_learn() -> None:
    made = trained(variant("sagan", GRAY, width=8), 4)
    assert all(abs(float(m.gamma.detach())) > 0 for m in made.modules() if isinstance(m, SelfAttention))
