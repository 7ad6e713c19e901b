"""GANs whose D is an auto-encoder: BEGAN and EBGAN, by hand."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn
from variant_cases import GRAY, POINTS, Reals, backbone, problem, trained, variant

from ganbench.nets._autoencoder import AutoEncoder, auto_encoder
from ganbench.nets._base import Shape
from ganbench.nets._plain import LAYERS, without_norm
from ganbench.nets._registry import BACKBONES
from ganbench.variants import began, ebgan

COPY = AutoEncoder(nn.Identity(), nn.Identity())  # D(x) = x
CASES = [(name, (2,) if backbone(name).points else backbone(name).fitted((1, 8, 8))) for name in BACKBONES.names()]


def batch(n: int, shape: tuple[int, ...], seed: int = 2) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


# The auto-encoder.


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_an_auto_encoder_of_any_backbone_has_no_norm(name: str, shape: Shape) -> None:
    kind = backbone(name)
    with torch.device("meta"):
        net = auto_encoder(kind, shape)
        x = torch.empty(4, *shape)
        assert net.encode(x).shape == (4, kind.z_dim)
        assert net(x).shape == x.shape
    assert not [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert all(layer.bias is not None for layer in net.decoder.modules() if isinstance(layer, LAYERS))


@pytest.mark.parametrize("name", ["began", "ebgan"])
def test_what_is_left_of_a_datum_does_not_depend_on_its_batch(name: str) -> None:
    made = variant(name, GRAY)
    x = batch(5, (1, 28, 28))
    assert any(isinstance(m, nn.BatchNorm2d) for m in made.G.modules())
    net = made.D.train()  # type: ignore[operator]
    torch.testing.assert_close(net(x)[:2], net(x[:2]), rtol=1e-4, atol=1e-6)


def test_a_norm_is_replaced_by_nothing_but_a_bias() -> None:
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU())
    weight = net[0].weight
    found = without_norm(net)
    assert found[0].bias is not None
    with torch.no_grad():
        found[0].bias.copy_(torch.tensor([1.0, -2.0, 0.5]))
    x = batch(4, (2,))
    torch.testing.assert_close(found(x), (x @ weight.t() + torch.tensor([1.0, -2.0, 0.5])).relu())


# BEGAN.


def test_the_error_is_a_mean_over_numbers_and_the_batch() -> None:
    v, rebuilt = batch(4, (3, 5, 5)), batch(4, (3, 5, 5), 3)
    each = [sum(abs(a - b) for a, b in zip(x, y, strict=True)) / 75
            for x, y in zip(v.flatten(1).tolist(), rebuilt.flatten(1).tolist(), strict=True)]  # fmt: skip
    torch.testing.assert_close(began.error(v=v, rebuilt=rebuilt), torch.tensor(sum(each) / 4))
    assert float(began.error(v=v, rebuilt=COPY(v))) == 0


def test_the_recursion_of_k_by_hand() -> None:
    """With its ends: it stays in [0, 1] and leaves them again."""
    made = variant("began", POINTS, gamma=0.5, lambda_k=0.4)
    assert isinstance(made, began.Began)
    assert float(made.k) == 0
    wanted = [
        ((2.0, 0.2), 0.32, 2.8),  # 0 + 0.4 (1 - 0.2); 2 + 0.8
        ((1.0, 1.5), 0.0, 2.0),  # 0.32 - 0.4 < 0; 1 + 1
        ((4.0, 0.5), 0.6, 5.5),  # not from below 0
        ((6.0, 1.0), 1.0, 8.0),  # 0.6 + 0.8 > 1
        ((1.0, 1.0), 0.8, 1.5),  # not from above 1
    ]
    for (real, fake), k, measure in wanted:
        told = made._update_k(real_error=torch.tensor(real), fake_error=torch.tensor(fake))
        assert float(made.k) == pytest.approx(k, abs=1e-6)
        assert float(told["k"]) == pytest.approx(k, abs=1e-6)
        assert float(told["M"]) == pytest.approx(measure, abs=1e-6)
    assert "k" in made.training_state()["modules"]


def test_a_larger_gamma_asks_for_more_errors_on_fakes() -> None:
    errors = {"real_error": torch.tensor(1.0), "fake_error": torch.tensor(0.5)}
    low, level, high = (float(began.balance(**errors, gamma=gamma)) for gamma in (0.3, 0.5, 0.7))
    assert low < level == 0 < high


def test_a_step_of_began_is_its_formulas() -> None:
    made, twin = variant("began", POINTS, gamma=0.6, lambda_k=0.1), variant("began", POINTS)
    assert isinstance(made, began.Began)
    assert isinstance(twin, began.Began)
    made.k.fill_(0.3)
    x = Reals((2,)).draw(6)
    with torch.no_grad():
        fake = twin.G(twin.latent(6))
        real_error, fake_error = ((v - twin.D(v)).abs().mean() for v in (x, fake))
    losses = made.step(Reals((2,)))
    torch.testing.assert_close(losses["real"], real_error)
    torch.testing.assert_close(losses["D"], real_error - 0.3 * fake_error)
    off = 0.6 * losses["real"] - losses["G"]
    torch.testing.assert_close(made.k, 0.3 + 0.1 * off)
    torch.testing.assert_close(losses["k"], made.k)
    torch.testing.assert_close(losses["M"], losses["real"] + off.abs())
    assert losses["k"].data_ptr() != made.k.data_ptr()


def test_d_learns_to_rebuild_reals_and_by_k_not_to_rebuild_fakes() -> None:
    v = batch(6, (3,)) + 2
    rebuilt = v.clone().sub_(1).requires_grad_(True)
    fake = batch(6, (3,), 5)
    fake_rebuilt = fake.clone().sub_(1).requires_grad_(True)
    errors = began.error(v=v, rebuilt=rebuilt), began.error(v=fake, rebuilt=fake_rebuilt)
    loss = began.d_loss(real_error=errors[0], fake_error=errors[1], k=torch.tensor(0.25))
    up, down = torch.autograd.grad(loss, (rebuilt, fake_rebuilt))
    torch.testing.assert_close(up, torch.full_like(up, -1 / 18))
    torch.testing.assert_close(down, torch.full_like(down, 0.25 / 18))


def test_the_networks_of_began() -> None:
    with torch.device("meta"):
        for side, widths in ((32, (64, 128, 192)), (64, (64, 128, 192, 256))):
            encoder = backbone("began").discriminator((3, side, side), outputs=64)
            decoder = backbone("began").generator((3, side, side))
            assert encoder.trunk(torch.empty(1, 3, side, side)).shape == (1, 64 * widths[-1])  # type: ignore[operator]
            wanted = [(3, 64, 1)]
            for before, width in zip((64, *widths), widths, strict=False):
                wanted += [(before, width, 1), (width, width, 1), (width, width, 2)]
            convs = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
            assert [(m.in_channels, m.out_channels, m.stride[0]) for m in convs] == wanted[:-1]
            assert [m.out_channels for m in decoder.modules() if isinstance(m, nn.Conv2d)] == [64] * 2 * len(widths) + [
                3
            ]
            assert [m.mode for m in decoder.modules() if isinstance(m, nn.Upsample)] == ["nearest"] * (len(widths) - 1)
            for net, count in ((encoder, len(convs)), (decoder, 2 * len(widths))):
                assert sum(isinstance(m, nn.ELU) for m in net.modules()) == count
                kinds = {type(m).__name__ for m in net.modules()}
                assert not kinds & {"BatchNorm2d", "ReLU", "LeakyReLU", "Tanh", "ConvTranspose2d"}
                assert {m.kernel_size for m in net.modules() if isinstance(m, nn.Conv2d)} == {(3, 3)}


def test_pictures_of_began_are_cut_where_they_are_judged_and_nowhere_else() -> None:
    made = problem(("began", (1, 32, 32)))
    net = made.generator()
    z = made.draws.normal(2, 64) * 50
    with torch.no_grad():
        free, cut = net.train()(z), net.eval()(z)
    assert float(free.abs().max()) > 1
    assert torch.equal(cut, free.clamp(-1, 1))


@pytest.mark.parametrize("name", ["began", "ebgan"])
def test_they_train_on_the_networks_of_began(name: str) -> None:
    made = variant(name, ("began", (1, 32, 32)))
    assert all(value.isfinite().all() for value in trained(made, 1).state_dict().values())


# EBGAN.


def test_the_energy_is_the_length_of_what_is_lost() -> None:
    v = batch(3, (2, 4, 4))
    wanted = torch.tensor([math.dist(a, b) for a, b in zip(v.flatten(1).tolist(), (v * 0.5).flatten(1).tolist(),
                                                          strict=True)])  # fmt: skip
    torch.testing.assert_close(ebgan.energy(v=v, rebuilt=v * 0.5), wanted)
    assert float(ebgan.energy(v=v, rebuilt=COPY(v)).max()) < 1e-5
    x = v.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(ebgan.energy(v=v, rebuilt=x).sum(), x)
    assert slope.isfinite().all()


def test_fakes_are_pushed_up_to_the_margin_and_no_further() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 9.0, 10.5, 40.0], requires_grad=True)
    loss = ebgan.d_loss(real_energy=real, fake_energy=fake, margin=10.0)
    torch.testing.assert_close(loss.detach(), torch.tensor(2.0 + (8 + 1) / 4))
    (slope,) = torch.autograd.grad(loss, fake)
    assert slope.tolist() == [-0.25, -0.25, 0, 0]
    torch.testing.assert_close(ebgan.g_loss(fake_energy=real), torch.tensor(2.0))


def test_the_pull_away_term_of_known_codes() -> None:
    def close(codes: list[list[float]], wanted: float) -> None:
        torch.testing.assert_close(ebgan.pull_away(fake_codes=torch.tensor(codes)), torch.tensor(wanted))

    close([[1.0, 2.0, -1.0]] * 5, 1.0)
    close(torch.eye(4).mul(3).tolist(), 0.0)
    close([[1.0, 1.0], [-2.0, -2.0]], 1.0)  # the square: opposite is as near as equal
    close([[1.0, 0.0], [0.5, math.sqrt(0.75)]], 0.25)  # 60 degrees
    close([[1.0, 0.0], [7.0, 0.0], [0.0, 0.1]], 2 / 6)  # one pair of three, both ways
    close([[1.0, 2.0]], 0.0)


def test_the_pull_away_term_is_its_double_sum() -> None:
    codes = batch(6, (4,))
    rows, total = codes.tolist(), 0.0
    for i in range(6):
        for j in range(6):
            if i != j:
                dot = sum(a * b for a, b in zip(rows[i], rows[j], strict=True))
                total += (dot / (math.hypot(*rows[i]) * math.hypot(*rows[j]))) ** 2
    torch.testing.assert_close(ebgan.pull_away(fake_codes=codes), torch.tensor(total / 30))


def test_only_g_is_pulled_apart() -> None:
    some, none = (variant("ebgan", POINTS, lambda_pt=weight) for weight in (0.1, 0.0))
    told = [made.step(Reals((2,))) for made in (some, none)]
    assert torch.equal(told[0]["pull_away"], told[1]["pull_away"])
    assert isinstance(some, ebgan.EbGan)
    assert isinstance(none, ebgan.EbGan)
    assert all(torch.equal(a, b) for a, b in zip(some.D.parameters(), none.D.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(some.G.parameters(), none.G.parameters(), strict=True))


def test_settings_are_those_of_the_papers() -> None:
    found = dataclasses.asdict(variant("began", POINTS).config)
    assert found == {"lr_G": 1e-4, "lr_D": 1e-4, "betas": (0.9, 0.999), "gamma": 0.5, "lambda_k": 1e-3}
    found = dataclasses.asdict(variant("ebgan", POINTS).config)
    assert (found["margin"], found["lambda_pt"]) == (10.0, 0.1)
    assert not ebgan.EbGan.splits
