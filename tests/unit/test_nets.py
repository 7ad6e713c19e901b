"""The backbones: shapes, parameters, first weights."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from variant_cases import backbone, discriminator, problem

from ganbench.errors import UsageError
from ganbench.nets._base import Norm, Shape
from ganbench.nets._init import initialise, normal
from ganbench.nets._registry import BACKBONES
from ganbench.nets._spectral import SpectralConv2d, SpectralLinear
from ganbench.nets._straight import LeakyReLU, ReLU
from ganbench.nets.resnet import DownBlock, UpBlock

IMAGES = [name for name in BACKBONES.names() if not backbone(name).points]
POINTS = [name for name in BACKBONES.names() if backbone(name).points]
NORMS: tuple[Norm, ...] = ("native", "none", "spectral")
ALL = [(name, shape) for name in IMAGES for shape in ((1, 28, 28), (3, 32, 32), (1, 64, 64))] + [
    (name, shape) for name in POINTS for shape in ((2,), (5,))
]


def size(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def smallest(name: str) -> Shape:
    return (2,) if backbone(name).points else backbone(name).fitted((1, 8, 8))


def built(name: str, seed: int = 0) -> list[nn.Module]:
    made = problem((name, smallest(name)), seed=seed)
    return [made.generator(), made.discriminator(), made.discriminator(norm="spectral")]


@pytest.mark.parametrize(("name", "asked"), ALL)
def test_shapes(name: str, asked: Shape) -> None:
    kind = backbone(name)
    shape = kind.fitted(asked)
    with torch.device("meta"):
        made = kind.generator(shape)(torch.empty(4, kind.z_dim))
        assert made.shape == (4, *shape)
        for norm in NORMS:
            for outputs in (1, 7):
                net = kind.discriminator(shape, norm=norm, outputs=outputs)
                assert net(made).shape == (4, outputs)
                found = net.features(made)
                assert found.dim() == 2
                assert net.last(found).shape == (4, outputs)  # type: ignore[operator]


@pytest.mark.parametrize("name", BACKBONES.names())
@pytest.mark.parametrize("norm", NORMS)
def test_d_sees_several_data_at_once(name: str, norm: Norm) -> None:
    shape = smallest(name)
    made = problem((name, shape))
    with torch.device("meta"):
        net = made.backbone.discriminator((shape[0] * 3, *shape[1:]), norm=norm)
    assert net(torch.empty(2, shape[0] * 3, *shape[1:], device="meta")).shape == (2, 1)
    wide, narrow = (made.discriminator(norm=norm, pac=pac) for pac in (3, 1))
    first, other = (next(w for w in d.parameters() if w.dim() > 1) for d in (wide, narrow))
    assert first.shape[1] == 3 * other.shape[1]


@pytest.mark.parametrize("name", BACKBONES.names())
def test_norms_of_d(name: str) -> None:
    shape = smallest(name)
    with torch.device("meta"):
        none = backbone(name).discriminator(shape, norm="none")
        spectral = backbone(name).discriminator(shape, norm="spectral")
    batch = (nn.BatchNorm1d, nn.BatchNorm2d)
    for net in (none, spectral):
        assert not any(isinstance(m, batch) for m in net.modules())
    weighted = [m for m in spectral.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert all(isinstance(m, SpectralLinear | SpectralConv2d) for m in weighted)
    assert not any(isinstance(m, SpectralLinear | SpectralConv2d) for m in none.modules())
    assert size(none) == size(spectral)


@pytest.mark.parametrize("name", BACKBONES.names())
def test_equal_seeds_give_equal_first_weights(name: str) -> None:
    before, legacy = torch.get_rng_state(), np.random.get_state()[1]
    one, two, other = built(name), built(name), built(name, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)
    for a, b, c in zip(one, two, other, strict=True):
        pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
        assert all(torch.equal(x, y) for x, y in pairs)
        assert all(x.isfinite().all() for x in a.state_dict().values())
        pairs = zip(a.parameters(), c.parameters(), strict=True)
        assert not all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("name", IMAGES)
def test_images_of_g_are_in_range(name: str) -> None:
    made = problem((name, smallest(name)))
    net = made.generator().eval()
    with torch.no_grad():
        found = net(made.draws.normal(2, made.backbone.z_dim) * 50)
    assert found.isfinite().all()
    assert found.abs().max() <= 1


@pytest.mark.parametrize("name", BACKBONES.names())
def test_no_activation_is_in_place(name: str) -> None:
    with torch.device("meta"):
        nets = [backbone(name).generator(smallest(name)), backbone(name).discriminator(smallest(name))]
    assert not [m for net in nets for m in net.modules() if getattr(m, "inplace", False)]


@pytest.mark.parametrize("block", [UpBlock(4, 6), DownBlock(4, 4, "none", halve=False, first=False)])
def test_residual_blocks_leave_what_they_read(block: nn.Module) -> None:
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    before = x.clone()
    with torch.no_grad():
        block(x)
    assert torch.equal(x, before)


def test_the_shortcut_is_not_cut() -> None:
    block = DownBlock(4, 4, "none", halve=False, first=False)
    with torch.no_grad():
        for weight in block.parameters():
            weight.zero_()
        x = -torch.ones(1, 4, 2, 2)
        assert torch.equal(block(x), x)


@pytest.mark.parametrize(
    ("name", "shape", "g", "d"),
    [
        ("sndcgan", (3, 32, 32), 3.80, 5.86),
        ("sndcgan", (3, 64, 64), 6.95, 5.89),
        ("resnet", (3, 32, 32), 4.28, 1.05),
        ("resnet", (3, 64, 64), 12.22, 19.54),
        ("dcgan", (3, 32, 32), 1.07, 0.66),
        ("dcgan", (3, 64, 64), 3.58, 2.77),
        ("info28", (1, 28, 28), 6.6, 6.6),
        ("info28-nano", (1, 28, 28), 0.86, 0.84),
    ],
)
def test_parameters_in_millions(name: str, shape: Shape, g: float, d: float) -> None:
    with torch.device("meta"):
        found = [size(backbone(name).generator(shape)), size(backbone(name).discriminator(shape))]
    assert [f"{n / 1e6:.1f}" for n in found] == [f"{m:.1f}" for m in (g, d)]
    if name == "resnet" and shape[1] == 32:
        assert [f"{n / 1e6:.2f}" for n in found] == ["4.28", "1.05"]


@pytest.mark.parametrize("name", ["dcgan", "sndcgan", "resnet"])
def test_backbones_of_three_stages_take_images_in_steps_of_32(name: str) -> None:
    kind = backbone(name)
    assert kind.fitted((1, 28, 28)) == (1, 32, 32)
    assert kind.fitted((3, 32, 32)) == (3, 32, 32)
    assert kind.fitted((3, 64, 64)) == (3, 64, 64)
    with pytest.raises(UsageError, match=f"backbone {name} is for square images of 32 to 64 pixels"):
        kind.fitted((3, 65, 65))
    with pytest.raises(UsageError, match="is for images; the data are points in 2 dimensions"):
        kind.fitted((2,))


def test_two_stages_take_28_pixels_as_they_are() -> None:
    assert backbone("info28").fitted((1, 28, 28)) == (1, 28, 28)
    with pytest.raises(UsageError, match="is for points"):
        backbone("mlp2d").fitted((1, 28, 28))


def test_first_weights_of_dcgan() -> None:
    net = problem(("dcgan", (3, 32, 32))).generator()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    gains = torch.cat([m.weight.detach() for m in norms])
    assert abs(float(gains.mean()) - 1) < 0.01
    assert abs(float(gains.std()) - 0.02) < 0.003
    assert all(float(m.bias.detach().abs().max()) == 0 for m in norms)
    weights = torch.cat([m.weight.detach().flatten() for m in net.modules() if isinstance(m, nn.ConvTranspose2d)])
    assert abs(float(weights.std()) - 0.02) < 1e-4


def test_first_weights_of_resnet() -> None:
    made = problem(("resnet", (3, 32, 32)))
    for net in (made.generator(), made.discriminator()):
        blocks = [m for m in net.modules() if isinstance(m, UpBlock | DownBlock)]
        inside = {id(m) for block in blocks for m in (block.conv1, block.conv2)}
        layers = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        assert len(layers) > len(inside) > 0
        for m in layers:
            places = m.weight[0, 0].numel()
            fan = (m.weight.shape[0] + m.weight.shape[1]) * places
            gain = math.sqrt(2) if id(m) in inside else 1.0
            bound = gain * math.sqrt(6 / fan)
            largest = float(m.weight.detach().abs().max())
            assert 0.93 * bound < largest <= bound * (1 + 1e-6)
            assert m.bias is not None
            assert float(m.bias.detach().abs().max()) == 0


def test_resnet_sums_its_features_with_the_spectral_norm_and_averages_them_otherwise() -> None:
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    for norm, reduce in (("spectral", Tensor.sum), ("none", Tensor.mean), ("native", Tensor.mean)):
        net = discriminator("resnet", (1, 32, 32), norm=norm).eval()
        with torch.no_grad():
            assert isinstance(net.trunk, nn.Sequential)
            places = net.trunk[:-1](x)
            assert places.shape == (2, 128, 8, 8)
            assert float(places.min()) == 0  # behind a ReLU
            torch.testing.assert_close(net.features(x), reduce(places, (2, 3)))


def test_what_no_rule_fills_is_found() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

    with pytest.raises(AssertionError, match="no rule for the first values of \\['scale'\\]"):
        initialise(Odd(), torch.Generator(), weights=normal(0.02))


# ---------------------------------------------------------------- activations with a spare second backward


def penalised(act: nn.Module) -> list[Tensor | None]:
    """Logits, the slope at x, and the gradients of a penalty on it and of the logits, of a small D."""
    torch.manual_seed(1)
    D = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), act, nn.Conv2d(8, 8, 4, 2, 1), act, nn.Flatten(), nn.Linear(32, 1))
    x = torch.randn(16, 3, 8, 8).requires_grad_()
    logits = D(x)
    (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    (slope.square().sum((1, 2, 3)).sqrt().sub(1).square().mean() + logits.mean()).backward()
    return [logits, slope, *(weight.grad for weight in D.parameters())]


@pytest.mark.parametrize(("ours", "theirs"), [(LeakyReLU(0.2), nn.LeakyReLU(0.2)), (ReLU(), nn.ReLU())])
def test_straight_activations_are_torchs_bit_for_bit(ours: nn.Module, theirs: nn.Module) -> None:
    for mine, wanted in zip(penalised(ours), penalised(theirs), strict=True):
        assert mine is not None
        assert wanted is not None
        assert torch.equal(mine, wanted)


@pytest.mark.parametrize("act", [LeakyReLU(0.2), ReLU()])
def test_nothing_goes_back_from_a_slope_that_is_constant(act: nn.Module) -> None:
    """torch's own send zeros back into the first layer, whose bias the slope does not depend on."""
    first, last = nn.Linear(3, 4), nn.Linear(4, 1)
    x = torch.randn(5, 3).requires_grad_()
    (slope,) = torch.autograd.grad(last(act(first(x))).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert first.bias.grad is None
    assert first.weight.grad is not None
    assert last.weight.grad is not None


def test_second_derivatives_of_straight_activations() -> None:
    x = torch.randn(20, dtype=torch.float64)
    x = (x + x.sign() * 0.1).requires_grad_()  # away from the kink
    for act in (LeakyReLU(0.2), ReLU()):
        assert torch.autograd.gradcheck(act, x)
        assert torch.autograd.gradgradcheck(act, x)
