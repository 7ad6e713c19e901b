"""StyleGAN: every part by itself, growing bit for bit, the lazy penalty, the cost of a schedule, a resumed fade."""

import dataclasses
import io
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from variant_cases import BATCH, Reals, backbone, problem, trained, variant

from ganbench.bench.budget import Budget
from ganbench.bench.cost import Cost, cost_of
from ganbench.errors import UsageError
from ganbench.nets._base import Shape
from ganbench.nets._equalised import LEAKY, EqualConv2d, EqualLinear
from ganbench.nets._growing import channels, doubled, faded, first_image, levels, shrunk, sides, split
from ganbench.nets._init import initialise, normal
from ganbench.nets._style import Layer, Mapping, Parts, StyleGenerator, adain, normed
from ganbench.nets._style_d import StyleDiscriminator, deviation
from ganbench.variants import stylegan
from ganbench.variants._schedule import Schedule
from ganbench.variants.stylegan import StyleGan

CASE: tuple[str, Shape] = ("info28-nano", (1, 16, 16))  # sides 4, 8, 16: images grow from 8


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(case: tuple[str, Shape] = CASE, *, steps: int = 10, seed: int = 0, **settings: Any) -> StyleGan:
    config = StyleGan.Config(**{"width": 4, "z_dim": 8, **settings})
    return StyleGan(config, dataclasses.replace(problem(case, seed=seed), steps=steps))


def nets(found: StyleGan) -> tuple[StyleGenerator, StyleDiscriminator]:
    assert isinstance(found.G, StyleGenerator)
    assert isinstance(found.D, StyleDiscriminator)
    return found.G, found.D


def lively(net: nn.Module, seed: int = 9) -> nn.Module:
    """With all parameters off the values at which they begin, so that each has a part in what comes out."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return net


def filled(net: nn.Module) -> nn.Module:
    initialise(net, torch.Generator().manual_seed(3), weights=normal(1.0))
    return net


# ---------------------------------------------------------------- AdaIN, mapping, noise


def test_adain_sets_mean_and_deviation_of_each_map_of_each_sample() -> None:
    x, scale, shift = drawn(3, 5, 6, 4) * 7 + 3, drawn(3, 5, seed=2), drawn(3, 5, seed=3)
    found = adain(x, scale, shift)
    torch.testing.assert_close(found.mean((2, 3)), shift, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.std((2, 3), unbiased=False), scale.abs(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1:2], adain(x[1:2], scale[1:2], shift[1:2]))
    torch.testing.assert_close(adain(5 * x + 2, scale, shift), found, rtol=1e-4, atol=1e-5)


def test_a_layer_is_convolution_noise_activation_adain_in_this_order() -> None:
    layer = lively(filled(Layer(3, 4, Parts(z_dim=6))))
    assert isinstance(layer, Layer)
    x, w, noise = drawn(2, 3, 5, 5), drawn(2, 6, seed=2), drawn(2, 1, 5, 5, seed=3)
    assert layer.conv is not None
    assert layer.strength is not None
    assert layer.scale is not None
    assert layer.shift is not None
    h = nn.functional.conv2d(x, layer.conv.weight * (LEAKY / math.sqrt(27)), layer.conv.bias, padding=1)
    h = h + layer.strength[:, None, None] * noise
    h = torch.where(h > 0, h, 0.2 * h)
    mean, deviation = h.mean((2, 3), keepdim=True), h.std((2, 3), unbiased=False, keepdim=True)
    scale = w @ layer.scale.weight.t() / math.sqrt(6) + layer.scale.bias
    shift = w @ layer.shift.weight.t() / math.sqrt(6) + layer.shift.bias
    wanted = scale[:, :, None, None] * (h - mean) / deviation + shift[:, :, None, None]
    torch.testing.assert_close(layer(x, w, noise), wanted, rtol=1e-4, atol=1e-5)
    after = adain(nn.functional.leaky_relu(layer.conv(x), 0.2), layer.scale(w), layer.shift(w))
    assert not torch.allclose(layer(x, w, noise), after + layer.strength[:, None, None] * noise, atol=0.1)


def test_styles_begin_at_scale_one_and_shift_nought_and_noise_at_nought() -> None:
    layer = filled(Layer(3, 4, Parts(z_dim=6)))
    assert isinstance(layer, Layer)
    assert layer.scale is not None
    assert layer.shift is not None
    assert layer.strength is not None
    assert layer.scale.bias.tolist() == [1.0] * 4
    assert layer.shift.bias.tolist() == layer.strength.tolist() == [0.0] * 4


def test_z_is_brought_to_one_length_before_the_mapping() -> None:
    mapping = filled(Mapping(Parts(z_dim=6, mapping=2)))
    z = drawn(5, 6)
    torch.testing.assert_close(normed(z).square().sum(1), torch.full((5,), 6.0))
    torch.testing.assert_close(mapping(z), mapping(z * torch.tensor([[0.1], [1], [2], [5], [30]])))
    torch.testing.assert_close(filled(Mapping(Parts(z_dim=6, mapping=0)))(z), normed(z))


def test_the_mapping_learns_slower_by_its_multiplier() -> None:
    """A step of Adam moves what a layer computes with by lr times the multiplier, and it begins as large as others."""
    plain, slow = (filled(EqualLinear(50, 40, rate=rate)) for rate in (1.0, 0.01))
    torch.testing.assert_close(plain(drawn(3, 50)), slow(drawn(3, 50)), rtol=1e-4, atol=1e-5)
    moved = []
    for layer in (plain, slow):
        before = [(layer.weight * layer.scale).detach(), (layer.bias * layer.rate).detach()]
        optimiser = torch.optim.Adam(layer.parameters(), lr=1e-2)
        layer(drawn(3, 50)).square().sum().backward()
        optimiser.step()
        after = [(layer.weight * layer.scale).detach(), (layer.bias * layer.rate).detach()]
        moved.append([float((a - b).abs().mean()) for a, b in zip(after, before, strict=True)])
    assert moved[1][0] == pytest.approx(0.01 * moved[0][0], rel=0.01)
    assert moved[1][1] == pytest.approx(0.01 * moved[0][1], rel=0.01)
    assert moved[0][0] == pytest.approx(1e-2 * LEAKY / math.sqrt(50), rel=0.01), "equalised: lr times the gain"


@pytest.mark.parametrize("equalised", [True, False])
def test_layers_keep_the_variance_whether_equalised_or_not(equalised: bool) -> None:
    linear, conv = EqualLinear(300, 200, equalised=equalised), EqualConv2d(32, 48, 3, equalised=equalised)
    for layer, x in ((linear, drawn(400, 300)), (conv, drawn(40, 32, 9, 9))):
        filled(layer)
        with torch.no_grad():
            found = layer(x)
        inner = found[..., 1:-1, 1:-1] if found.dim() == 4 else found
        assert float(inner.var()) == pytest.approx(2.0, rel=0.06)
        assert float(layer.weight.detach().std()) == pytest.approx(1.0 if equalised else layer_std(layer), rel=0.03)


def layer_std(layer: nn.Module) -> float:
    assert isinstance(layer, EqualLinear | EqualConv2d)
    return LEAKY / math.sqrt(layer.weight[0].numel())


def test_the_minibatch_deviation_by_hand() -> None:
    x = drawn(8, 3, 2, 2)
    found = deviation(x, 4)
    assert torch.equal(found[:, :3], x)
    for group in (slice(0, 4), slice(4, 8)):
        values = x[group].flatten(1)
        wanted = ((values - values.mean(0)).square().mean(0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(found[group, 3], wanted.expand(4, 2, 2))
    assert float(deviation(x[:1].repeat(4, 1, 1, 1), 4)[:, 3].max()) < 2e-4
    torch.testing.assert_close(deviation(x[:6], 4)[:2], deviation(x[:2], 2))  # of 2, where 4 do not divide 6
    assert float(deviation(x, 1)[:, 3].abs().max()) == 0


# ---------------------------------------------------------------- noise and samples


def test_a_sample_depends_on_its_own_code_alone_noise_included() -> None:
    found = made()
    G, _ = nets(found)
    lively(G)
    assert found.z_dim == 8 + 2 * (16 + 64 + 256)
    found.eval()
    z = drawn(6, found.z_dim)
    with torch.no_grad():
        together = found.generate(z)
        alone = torch.cat([found.generate(z[i : i + 1]) for i in range(6)])
        other = z.clone()
        other[:, 8:] = drawn(6, found.z_dim - 8, seed=5)
        moved = found.generate(other)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert float((moved - together).abs().max()) > 0.01, "noise has a part in it"
    assert found.walked == 8


def test_without_noise_a_code_is_z() -> None:
    found = made(noise=False)
    assert found.z_dim == 8
    assert not [name for name, _ in found.G.named_parameters() if "strength" in name]
    trained(found, 2)


# ---------------------------------------------------------------- style mixing


def test_mixing_gives_later_layers_the_other_w_by_the_passed_draws() -> None:
    """Twice the same draws: the w of every layer is that of z before the crossover and the other's behind it."""
    found, twin = made(mixing=0.5), made(mixing=0.5)
    seen: list[Tensor] = []
    G, _ = nets(found)
    synthesis = G.synthesis
    G.synthesis = lambda ws, noise: seen.append(ws) or synthesis(ws, noise)  # type: ignore[method-assign, func-returns-value]
    with torch.no_grad():
        found.fake(64)
        draws, other_G = twin.problem.draws, nets(twin)[0]
        code = twin.latent(64)
        first, second = other_G.mapping(code[:, :8]), other_G.mapping(draws.normal(64, 8))
        mixed, places = draws.uniform(64) < 0.5, 1 + draws.integers(64, 5)
    (ws,) = seen
    assert ws.shape == (64, 6, 8)
    assert 20 < int(mixed.sum()) < 44
    for i in range(64):
        until = int(places[i]) if mixed[i] else 6
        assert 1 <= until <= 6
        assert torch.equal(ws[i, :until], first[i].expand(until, -1))
        assert torch.equal(ws[i, until:], second[i].expand(6 - until, -1))
    assert {int(p) for p, m in zip(places, mixed, strict=True) if m} == {1, 2, 3, 4, 5}


def test_mixing_is_for_training_alone_and_costs_no_fakes() -> None:
    found = made(mixing=1.0)
    trained(found, 2)
    assert found.fakes == 2 * 2 * BATCH
    state = found.problem.draws.state()
    with torch.no_grad():
        found.eval().generate(drawn(2, found.z_dim))
    assert torch.equal(found.problem.draws.state(), state)


# ---------------------------------------------------------------- truncation


def test_w_is_followed_in_training_and_truncation_draws_to_its_mean() -> None:
    found = trained(made(noise=False), 3)
    assert isinstance(found, StyleGan)
    G, _ = nets(found)
    lively(G)
    mean = G.mapping.running_mean.clone()
    assert float(mean.abs().max()) > 0
    assert any("running_mean" in name for name in found.training_state()["modules"])
    found.eval()
    z = drawn(5, 8)
    with torch.no_grad():
        assert torch.equal(found.truncated(z, 1.0), found.generate(z))
        nothing = found.truncated(z, 0.0)
        torch.testing.assert_close(nothing, nothing[:1].expand_as(nothing))
        spread = [float(found.truncated(z, psi).std(0).mean()) for psi in (0.0, 0.3, 0.7, 1.0)]
        assert spread == sorted(spread)
        half = mean + 0.5 * (G.mapping(z) - mean)
        torch.testing.assert_close(
            found.truncated(z, 0.5), G.synthesis(half[:, None].expand(-1, 6, -1), z[:, 8:]), rtol=1e-4, atol=1e-5
        )
        assert torch.equal(G.mapping.running_mean, mean), "not followed in eval mode"


# ---------------------------------------------------------------- growing


@pytest.mark.parametrize(("side", "all_sides", "first"), [
    (28, [7, 14, 28], 0), (32, [4, 8, 16, 32], 1), (64, [4, 8, 16, 32, 64], 1), (8, [4, 8], 1), (16, [4, 8, 16], 1),
])  # fmt: skip
def test_sides(side: int, all_sides: list[int], first: int) -> None:
    assert sides(side) == all_sides
    assert first_image(side) == first
    assert levels(side) == len(all_sides) - 1 - first
    assert channels(side, 4) == [4 * 2**i for i in range(len(all_sides))][::-1]


def test_levels_are_read_as_a_side_and_a_share() -> None:
    assert [split(level) for level in (0.0, 0.25, 1.0, 1.75, 2.0)] == [(0, 1), (1, 0.25), (1, 1), (2, 0.75), (2, 1)]


def grown(level: float) -> tuple[StyleGenerator, StyleDiscriminator]:
    found = made(grow=True, steps=10_000)
    G, D = nets(found)
    for net in (G, D):
        lively(net)
        net.level.fill_(level)
    return G, D


def at(net: StyleGenerator | StyleDiscriminator, level: float, *inputs: Tensor) -> Tensor:
    net.level.fill_(level)
    with torch.no_grad():
        found: Tensor = net(*inputs)
    return found


ALMOST = 5e-324  # the smallest number above 0: the level is that of the next side, and alpha is 0


def test_at_alpha_0_both_nets_are_the_nets_before_bit_for_bit() -> None:
    G, D = grown(0.0)
    code, x = drawn(3, 8 + G.noise_dim), drawn(6, 1, 16, 16, seed=4)
    assert split(ALMOST) == (1, 0.0)
    for mode in (True, False):
        G.train(mode)
        D.train(mode)
        with torch.no_grad():
            G.level.fill_(0.0)
            before = G.synthesis(G.mapping(code[:, :8])[:, None].expand(-1, G.depth, -1), code[:, 8:])
            G.level.fill_(ALMOST)
            now = G.synthesis(G.mapping(code[:, :8])[:, None].expand(-1, G.depth, -1), code[:, 8:])
        assert before.shape == (3, 1, 8, 8)
        assert torch.equal(now, doubled(before))
        assert torch.equal(at(G, ALMOST, code), at(G, 0.0, code))
        assert torch.equal(at(D, ALMOST, x), at(D, 0.0, x))
        assert torch.equal(at(D, 0.0, x), at(D, 0.0, shrunk(x, 8)))
    assert torch.equal(faded(x, 16, 0.0), doubled(shrunk(x, 8)))


def test_in_between_all_three_are_blended_equally() -> None:
    G, D = grown(0.0)
    G.train()  # uncut
    code, x = drawn(3, 8 + G.noise_dim), drawn(6, 1, 16, 16, seed=4)
    low, high = at(G, 0.0, code), at(G, 1.0, code)
    torch.testing.assert_close(at(G, 0.3, code), 0.7 * low + 0.3 * high, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(faded(x, 16, 0.3), 0.7 * doubled(shrunk(x, 8)) + 0.3 * x)
    D.eval()
    seen: list[Tensor] = []
    hook = D.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for level in (0.0, 1.0, 0.3):
        at(D, level, x)
    hook.remove()
    # At the smallest images there is one more pair before the trunk, so its input is no blend; what enters it is.
    torch.testing.assert_close(seen[2].shape, seen[0].shape)
    assert not torch.equal(seen[2], seen[0])
    assert not torch.equal(seen[2], seen[1])
    with torch.no_grad():
        new = nn.functional.leaky_relu(D.rgb[1](x), 0.2)
        for conv in D.blocks[1].children():
            new = nn.functional.leaky_relu(conv(new), 0.2)
        old = nn.functional.leaky_relu(D.rgb[0](shrunk(x, 8)), 0.2)
        h = 0.7 * old + 0.3 * shrunk(new, 8)
        for conv in D.blocks[0].children():
            h = nn.functional.leaky_relu(conv(h), 0.2)
    torch.testing.assert_close(seen[2], shrunk(h, 4), rtol=1e-4, atol=1e-5)


def test_growth_follows_the_steps_and_ends_where_it_says() -> None:
    found = made(("info28-nano", (1, 32, 32)), grow=True, steps=400, r1_every=1)
    shown = []
    for step in range(400):
        found.seek(step)
        shown.append(float(found.G.level))
    assert shown[:50] == [0.0] * 50
    assert shown[100:150] == [1.0] * 50
    assert shown[200:] == [2.0] * 200
    assert all(a < b for a, b in pairwise(shown[50:100]))
    assert shown[50] == pytest.approx(0.01)
    assert shown[99] == pytest.approx(0.99)


def test_a_growing_training_learns_at_each_side_and_makes_whole_images() -> None:
    found = made(grow=True, steps=40, r1_every=4)
    seen = set()
    reals = Reals(CASE[1])
    for _ in range(40):
        found.step(reals)
        with torch.no_grad():
            assert found.eval().generate(drawn(2, found.z_dim)).shape == (2, 1, 16, 16)
        found.train()
        seen.add(split(float(found.G.level))[0])
    assert seen == {0, 1}
    assert float(found.G.level) == 1.0
    assert all(value.isfinite().all() for value in found.state_dict().values())


def test_a_training_resumed_amid_a_fade_ends_as_one_that_was_not_broken() -> None:
    settings: dict[str, Any] = {"grow": True, "steps": 40, "r1_every": 4}
    whole = trained(made(**settings), 30)
    reals = Reals(CASE[1])
    half = trained(made(**settings), 14, reals)
    assert 0 < float(half.G.level) < 1, "amid a fade"
    file = io.BytesIO()
    torch.save(half.training_state(), file)
    file.seek(0)
    fresh = made(**settings, seed=11)
    fresh.restore(torch.load(file, weights_only=True))
    assert float(fresh.G.level) == float(half.G.level)
    resumed = trained(fresh, 16, Reals(CASE[1], reals.position))
    assert int(resumed.done) == 30
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize(("settings", "steps", "message"), [
    ({"grow": True}, None, "a clock is no length"), ({"grow": True}, 10, "10 is no length"),
    ({"adain": False}, 10, "constant=false"), ({"adain": False, "constant": False}, 10, "mixing=0"),
    ({"grow_until": 1.5}, 10, "between 0 and 1"), ({"r1_every": 0}, 10, "at least 1"),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], steps: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made(steps=steps, **settings)


OFF: list[dict[str, Any]] = [
    {"mapping": 0}, {"constant": False}, {"adain": False, "constant": False, "mixing": 0}, {"noise": False},
    {"mixing": 0}, {"equalised": False}, {"mbstd": 0}, {"r1_gamma": 0}, {"r1_every": 1}, {"grow": True},
]  # fmt: skip


@pytest.mark.parametrize("settings", OFF, ids=str)
def test_every_part_can_be_switched_off(settings: dict[str, Any]) -> None:
    found = trained(made(steps=64, **settings), 3)
    assert all(value.isfinite().all() for value in found.state_dict().values())
    plain = trained(made(steps=64), 3)
    found.eval()
    plain.eval()
    z = drawn(2, max(found.z_dim, plain.z_dim))
    with torch.no_grad():
        one, other = found.generate(z[:, : found.z_dim]), plain.generate(z[:, : plain.z_dim])
        assert one.shape == other.shape
        if settings != {"r1_gamma": 0}:  # whose first penalty comes later; the rate of D is another
            assert not torch.equal(one, other)


# ---------------------------------------------------------------- the penalty


def test_the_lazy_penalty_has_its_factor_and_a_step_of_its_own() -> None:
    found = made(r1_gamma=3.0, r1_every=4, lr_D=1e-2, betas=(0.5, 0.9))
    group = found.opt_D.param_groups[0]
    assert group["lr"] == pytest.approx(1e-2 * 4 / 5)
    assert group["betas"] == pytest.approx((0.5**0.8, 0.9**0.8))
    assert found.opt_G.param_groups[0]["lr"] == 2.5e-3
    losses: list[Tensor] = []
    original = stylegan.descend

    def told(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        if optimiser is found.opt_D:
            losses.append(loss.detach())
        return original(optimiser, loss)

    stylegan.descend = told  # type: ignore[assignment]
    try:
        counts = []
        for _ in range(8):
            before = len(losses)
            trained(found, 1)
            counts.append(len(losses) - before)
    finally:
        stylegan.descend = original
    assert counts == [1, 1, 1, 2] * 2


def test_the_penalty_is_half_gamma_times_the_squared_slope() -> None:
    found = made(r1_gamma=3.0, mbstd=0)
    x = drawn(4, 1, 16, 16)
    each = []
    for row in x:
        one = row[None].clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(found.D(one).sum(), one)
        each.append(float(slope.square().sum()))
    assert float(found._penalty(x).detach()) == pytest.approx(1.5 * sum(each) / 4, rel=1e-4)


def test_losses() -> None:
    real, fake = torch.tensor([3.0, -1.0]), torch.tensor([0.5, 2.0])
    wanted = sum(math.log1p(math.exp(-v)) for v in (3, -1)) / 2 + sum(math.log1p(math.exp(v)) for v in (0.5, 2)) / 2
    assert float(stylegan.d_loss(real_logits=real, fake_logits=fake)) == pytest.approx(wanted, rel=1e-5)
    wanted = sum(math.log1p(math.exp(-v)) for v in (0.5, 2)) / 2
    assert float(stylegan.g_loss(fake_logits=fake)) == pytest.approx(wanted, rel=1e-5)


# ---------------------------------------------------------------- what it costs


def costs(**settings: Any) -> Cost:
    config = StyleGan.Config(**{"width": 4, "z_dim": 8, **settings})
    return cost_of(StyleGan, config, shape=CASE[1], backbone=backbone(CASE[0]), batch_size=BATCH)


@pytest.mark.parametrize("settings", [{"r1_every": 4}, {"r1_every": 4, "grow": True}, {"r1_gamma": 0, "grow": True}],
                         ids=str)  # fmt: skip
def test_what_was_counted_is_what_a_training_computes(settings: dict[str, Any]) -> None:
    """Step by step to the end, against the operations of the training itself."""
    cost, steps = costs(**settings), 40
    found = made(steps=steps, **settings)
    reals, spent = Reals(CASE[1]), 0.0
    for step in range(1, steps + 1):
        with FlopCounterMode(display=False) as counter:
            found.step(reals)
        spent += counter.get_total_flops()
        if step % cost.schedule.period == 0:
            assert cost.flops_after(step, steps) == spent
    assert reals.position == cost.reals * steps
    assert found.fakes == cost.fakes * steps


def test_growing_costs_less_and_never_more_than_the_budget() -> None:
    plain, growing = costs(), costs(grow=True)
    assert len(growing.stages) == 3
    assert growing.stages[0] < growing.stages[2] < growing.stages[1], "a fade runs both ends"
    assert growing.stages[2] == plain.flops
    assert plain.stages == ()
    for amount in (3e9, 1.234e10, 5.5e10):
        budget = Budget("flop", amount)
        steps = budget.steps(growing)
        assert steps is not None
        assert growing.flops_after(steps, steps) <= amount
        assert growing.flops_after(steps, steps) > 0.97 * amount
        assert steps > (budget.steps(plain) or 0)


def test_a_schedule_begins_its_stages_at_whole_periods() -> None:
    plan = Schedule(period=16, alike=15, starts=(0.0, 0.25, 0.5))
    assert [plan.first(stage, 100) for stage in range(3)] == [0, 32, 64]
    assert plan.counted == [(0, 15), (15, 1)]
    assert [plan.place(step, 100)[0] for step in (0, 31, 32, 63, 64, 99)] == [0, 0, 1, 1, 2, 2]
    assert plan.place(47, 100)[1] == pytest.approx(15.5 / 32)
    assert Schedule(period=3).counted == [(0, 1), (1, 1), (2, 1)]


def test_it_trains_by_the_name_and_settings_of_its_file() -> None:
    found = variant("stylegan", ("info28-nano", (3, 8, 8)))
    assert isinstance(found, StyleGan)
    assert not StyleGan.splits
    assert (found.config.mixing, found.config.betas, found.config.mapping_rate) == (0.9, (0.0, 0.99), 0.01)
