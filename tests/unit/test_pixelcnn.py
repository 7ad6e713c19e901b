"""The gated PixelCNN: nothing of the future is seen, all of the past is, and the fast sampler is the slow one."""

import math

import pytest
import torch
from torch import Tensor

from ganbench.nets._init import initialise, normal
from ganbench.nets._pixelcnn import PixelCnn, quantile
from ganbench.variants.pixelcnn import nats

SHAPES = [(1, 7, 6), (3, 5, 6)]


def net(shape: tuple[int, ...], layers: int = 3) -> PixelCnn:
    made = PixelCnn(shape, width=6, layers=layers)
    initialise(made, torch.Generator().manual_seed(1), weights=normal(0.4))
    return made.double()


def order(shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """The numbers of an image in the order in which they are made."""
    c, h, w = shape
    return [(number, i, j) for i in range(h) for j in range(w) for number in range(c)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_number_depends_on_those_before_it_alone(shape: tuple[int, ...]) -> None:
    made, places = net(shape), order(shape)
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    rank = {place: at for at, place in enumerate(places)}
    for place in [places[0], places[1], places[len(places) // 2], places[-1]]:
        number, i, j = place
        x.requires_grad_(True)
        (gradient,) = torch.autograd.grad(made(x)[0, number, :, i, j].square().sum(), x, allow_unused=True)
        x = x.detach()
        seen = torch.zeros(shape) if gradient is None else gradient[0]
        for other in places:
            if rank[other] >= rank[place]:
                assert seen[other] == 0, f"{place} sees {other}"


def test_there_is_no_blind_spot() -> None:
    """With enough layers the last pixel sees every one before it, those to the right of it in rows above too."""
    shape = (1, 6, 6)
    made = net(shape, layers=6)
    x = (
        torch.rand(1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    ).requires_grad_()
    for i, j in ((5, 5), (4, 2), (2, 0)):
        (gradient,) = torch.autograd.grad(made(x)[0, 0, :, i, j].square().sum(), x)
        assert bool((gradient[0, 0, :i] != 0).all())
        assert bool((gradient[0, 0, i, :j] != 0).all())


def slowly(made: PixelCnn, u: Tensor) -> Tensor:
    """As `drawn`, with the whole network again for each number."""
    x = torch.zeros_like(u)
    for number, i, j in order(tuple(u.shape[1:])):
        x[:, number, i, j] = quantile(logits=made(x)[:, number, :, i, j], u=u[:, number, i, j]) / 127.5 - 1
    return x


@pytest.mark.parametrize("shape", SHAPES)
def test_the_fast_sampler_is_the_slow_one(shape: tuple[int, ...]) -> None:
    made = net(shape).float()
    u = torch.rand(4, *shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        fast, slow = made.drawn(u), slowly(made, u)
    assert torch.equal(((fast + 1) * 127.5).round(), ((slow + 1) * 127.5).round())
    assert fast.unique().numel() > 20


def test_quantiles_give_the_distribution() -> None:
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(1000, 3)
    u = (torch.arange(1000) + 0.5) / 1000
    assert quantile(logits=logits, u=u).bincount().tolist() == [200, 500, 300]
    assert quantile(logits=logits[:1], u=torch.tensor([1.0])).tolist() == [2]


def test_nats_are_sums_over_an_image() -> None:
    logits = torch.randn(2, 3, 256, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    k = torch.randint(256, (2, 3, 2, 2), generator=torch.Generator().manual_seed(1))
    for row in range(2):
        wanted = 0.0
        for c in range(3):
            for i in range(2):
                for j in range(2):
                    wanted -= float(torch.log_softmax(logits[row, c, :, i, j], 0)[k[row, c, i, j]])
        assert float(nats(logits=logits, k=k)[row]) == pytest.approx(wanted, rel=1e-12)
    flat = torch.zeros(1, 1, 256, 4, 4)
    assert float(nats(logits=flat, k=torch.zeros(1, 1, 4, 4, dtype=torch.int64))) == pytest.approx(16 * math.log(256))
