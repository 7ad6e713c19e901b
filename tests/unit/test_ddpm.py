"""Diffusion: the moments of noised images, the sampler with a perfect network, and the U-Net's parts."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganbench.nets._init import initialise, normal
from ganbench.nets._unet import Attention, UNet, sinusoids
from ganbench.variants.ddpm import before, clean, kept_shares, noised


def test_the_shares_are_products() -> None:
    found = kept_shares(1000)
    wanted, product = [], 1.0
    for t in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * t / 999)
        wanted.append(product)
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-5, atol=1e-7)
    assert float(found[-1]) < 1e-4, "nothing of the image is left"


def test_noised_images_have_the_moments_of_q() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.full((20_000, 1, 1, 1), 0.5)
    eps = torch.randn(x.shape, generator=generator)
    for t in (0, 300, 999):
        abar = kept_shares(1000)[t]
        found = noised(x=x, eps=eps, abar=abar.expand(len(x)))
        assert float(found.mean()) == pytest.approx(0.5 * math.sqrt(abar), abs=4 / math.sqrt(20_000))
        assert float(found.std()) == pytest.approx(math.sqrt(1 - abar), rel=0.03)


def test_a_perfect_network_gives_the_image_back() -> None:
    """If eps is known, x0 is exact, and DDIM's step lies on the same path."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(3, 1, 4, 4, generator=generator) * 2 - 1
    eps, abar = torch.randn(x.shape, generator=generator), kept_shares(1000)
    x_t = noised(x=x, eps=eps, abar=abar[700].expand(3))
    x0 = clean(x_t=x_t, eps=eps, abar=abar[700])
    torch.testing.assert_close(x0, x, rtol=0, atol=1e-4)
    x_s = before(x_t=x_t, x0=x0, abar_t=abar[700], abar_s=abar[200])
    torch.testing.assert_close(x_s, noised(x=x, eps=eps, abar=abar[200].expand(3)), rtol=0, atol=1e-4)


def ready(net: nn.Module) -> nn.Module:
    initialise(net, torch.Generator().manual_seed(2), weights=normal(0.3))
    return net


def test_the_network_begins_at_zero_and_hears_the_time() -> None:
    net = ready(UNet(1, width=8, mults=(1, 2)))
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(net(x, torch.tensor([5, 900])), torch.zeros_like(x))
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(4)))
        early, late = net(x, torch.tensor([5, 5])), net(x, torch.tensor([900, 900]))
        mixed = net(x, torch.tensor([5, 900]))
    assert not torch.allclose(early, late, atol=1e-3)
    torch.testing.assert_close(mixed, torch.stack([early[0], late[1]]), rtol=1e-4, atol=1e-5)


def slow_attention(attention: Attention, x: Tensor) -> Tensor:
    q, k, v = attention.qkv(attention.norm(x)).chunk(3, dim=1)
    out = torch.zeros_like(x)
    places = [(i, j) for i in range(x.shape[2]) for j in range(x.shape[3])]
    for n in range(len(x)):
        for i, j in places:
            scores = torch.stack([(q[n, :, i, j] * k[n, :, a, b]).sum() for a, b in places]) / math.sqrt(x.shape[1])
            weights = scores.exp() / scores.exp().sum()
            out[n, :, i, j] = sum(w * v[n, :, a, b] for w, (a, b) in zip(weights, places, strict=True))
    return x + attention.out(out)


def test_attention_is_the_softmax_over_all_pixels() -> None:
    attention = ready(Attention(8))
    x = torch.randn(2, 8, 3, 2, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert torch.equal(attention(x), x), "it begins as the identity"
        attention.out.weight.normal_(generator=torch.Generator().manual_seed(6))
        torch.testing.assert_close(attention(x), slow_attention(attention, x), rtol=1e-4, atol=1e-5)


def test_sinusoids_tell_times_apart() -> None:
    found = sinusoids(torch.arange(1000), 32)
    assert found.shape == (1000, 32)
    assert torch.equal(found[0], torch.tensor([0.0] * 16 + [1.0] * 16))
    assert float(found[7, 0]) == pytest.approx(math.sin(7), abs=1e-6)
    assert float(torch.cdist(found, found).fill_diagonal_(9).min()) > 0.1
