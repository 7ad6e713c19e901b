"""The losses of the variants, by hand."""

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from variant_cases import COLOUR, GRAY, POINTS, LinearD, Reals, discriminator, trained, variant

from ganbench.nets._spectral import SpectralConv2d, SpectralLinear
from ganbench.variants import dragan, lsgan, minimax, ns_gan, pacgan, rpgan_r1r2, sngan, unrolled, vae, wgan, wgan_gp

LOGITS = torch.tensor([-30.0, -2.0, -0.5, 0.0, 0.7, 3.0, 30.0])
OTHERS = torch.tensor([1.0, -1.5, 2.0, 0.25, 0.0, -3.0, 4.0])
N = len(LOGITS)


def slope(f: Callable[[Tensor], Tensor], at: Tensor = LOGITS) -> Tensor:
    """The gradient of a mean of terms, term by term."""
    x = at.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(f(x), x)
    return gradient * len(at)


def close(found: Tensor, wanted: Tensor | float, tolerance: float = 1e-5) -> None:
    wanted = torch.as_tensor(wanted, dtype=found.dtype).expand_as(found)
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


def linear_d(shape: tuple[int, ...], b: float = 0.0) -> LinearD:
    return LinearD(torch.randn(*shape, generator=torch.Generator().manual_seed(1)), b)


def batch(n: int, shape: tuple[int, ...], seed: int = 2) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


SHAPES = [(2,), (1, 8, 8), (3, 8, 8)]


# The log losses.


@pytest.mark.parametrize("module", [minimax, ns_gan, dragan, pacgan, unrolled])
def test_the_log_loss_of_d(module: object) -> None:
    d_loss = module.d_loss  # type: ignore[attr-defined]
    close(slope(lambda x: d_loss(real_logits=x, fake_logits=OTHERS)), -(1 - LOGITS.sigmoid()))
    close(slope(lambda x: d_loss(real_logits=OTHERS, fake_logits=x)), LOGITS.sigmoid())
    close(d_loss(real_logits=torch.zeros(3), fake_logits=torch.zeros(3)), 2 * math.log(2))
    target = torch.cat([torch.ones(N), torch.zeros(N)])
    by_torch = nn.functional.binary_cross_entropy_with_logits(torch.cat([LOGITS, OTHERS]), target)
    close(d_loss(real_logits=LOGITS, fake_logits=OTHERS), 2 * by_torch)
    assert d_loss(real_logits=torch.tensor([-1e4]), fake_logits=torch.tensor([1e4])).isfinite()


def test_minimax_g_saturates() -> None:
    found = slope(lambda x: minimax.g_loss(fake_logits=x))
    close(found, -LOGITS.sigmoid())
    assert abs(found[0]) < 1e-12


@pytest.mark.parametrize("module", [ns_gan, dragan, pacgan, unrolled])
def test_non_saturating_g_does_not(module: object) -> None:
    g_loss = module.g_loss  # type: ignore[attr-defined]
    found = slope(lambda x: g_loss(fake_logits=x))
    close(found, -(1 - LOGITS.sigmoid()))
    close(found[0], -1.0)
    assert g_loss(fake_logits=torch.tensor([-1e4, 1e4])).isfinite()
    close(slope(lambda x: g_loss(fake_logits=x), torch.tensor([-1e4])), -1.0)


def test_losses_are_means_over_the_batch_and_places() -> None:
    maps = batch(4, (1, 3, 3))
    for module in (minimax, ns_gan, lsgan, sngan, wgan):
        one = module.g_loss(fake_logits=maps)
        close(module.g_loss(fake_logits=maps.repeat(2, 1, 2, 1)), one)


# LSGAN.


@pytest.mark.parametrize(("a", "b", "c"), [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0)])
def test_least_squares(a: float, b: float, c: float) -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([0.5, -1.0])
    wanted = 0.5 * ((2 - b) ** 2 + b**2) / 2 + 0.5 * ((0.5 - a) ** 2 + (-1 - a) ** 2) / 2
    close(lsgan.d_loss(real_logits=real, fake_logits=fake, a=a, b=b), wanted)
    close(lsgan.g_loss(fake_logits=fake, c=c), 0.5 * ((0.5 - c) ** 2 + (-1 - c) ** 2) / 2)


def test_least_squares_has_the_papers_labels() -> None:
    settings = lsgan.LsGan.Config()
    assert (settings.a, settings.b, settings.c) == (0, 1, 1)
    close(lsgan.d_loss(real_logits=torch.ones(2), fake_logits=torch.zeros(2)), 0.0)
    close(lsgan.g_loss(fake_logits=torch.ones(2)), 0.0)


# WGAN and its penalty.


@pytest.mark.parametrize("module", [wgan, wgan_gp])
def test_the_critic_is_blind_to_a_constant(module: object) -> None:
    d_loss, g_loss = module.d_loss, module.g_loss  # type: ignore[attr-defined]
    close(d_loss(real_logits=LOGITS + 5, fake_logits=OTHERS + 5), d_loss(real_logits=LOGITS, fake_logits=OTHERS), 1e-4)
    close(d_loss(real_logits=torch.ones(2), fake_logits=-torch.ones(2)), -2.0)
    close(slope(lambda x: g_loss(fake_logits=x)), -1.0)


def test_weights_are_clipped_after_each_update_of_d(monkeypatch: pytest.MonkeyPatch) -> None:
    largest: list[float] = []
    clip = wgan.clip

    def watched(net: nn.Module, c: float) -> None:
        clip(net, c)
        largest.append(max(float(w.detach().abs().max()) for w in net.parameters()))

    monkeypatch.setattr(wgan, "clip", watched)
    made = trained(variant("wgan", POINTS, lr_D=0.1), 1)
    assert isinstance(made, wgan.Wgan)
    assert len(largest) == 5
    assert all(abs(most - 0.01) < 1e-8 for most in largest)
    assert max(float(w.detach().abs().max()) for w in made.D.parameters()) <= 0.01 + 1e-9
    assert {(type(o).__name__, o.defaults["alpha"]) for o in made.optimisers().values()} == {("RMSprop", 0.99)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [1, 5])
def test_penalties_of_a_linear_d(shape: tuple[int, ...], n: int) -> None:
    net = linear_d(shape)
    norm = net.w.detach().norm()
    x, fake = batch(n, shape), batch(n, shape, 3)
    close(wgan_gp.gradient_penalty(net, real=x, fake=fake, eps=torch.rand(n)), (norm - 1) ** 2, 1e-4)
    close(dragan.gradient_penalty(net, x_p=x), (norm - 1) ** 2, 1e-4)


@pytest.mark.parametrize("name", ["mlp2d", "info28-nano"])
def test_penalties_are_means_over_samples(name: str) -> None:
    shape = (2,) if name == "mlp2d" else (3, 8, 8)
    net = discriminator(name, shape, norm="none")
    x, fake, eps = batch(4, shape), batch(4, shape, 3), torch.rand(4, generator=torch.Generator().manual_seed(1))
    one = wgan_gp.gradient_penalty(net, real=x, fake=fake, eps=eps)
    two = wgan_gp.gradient_penalty(net, real=torch.cat([x, x]), fake=torch.cat([fake, fake]), eps=torch.cat([eps, eps]))
    close(one, two)
    each = [wgan_gp.gradient_penalty(net, real=x[i, None], fake=fake[i, None], eps=eps[i, None]) for i in range(4)]
    close(one, torch.stack(each).mean())
    close(dragan.gradient_penalty(net, x_p=x), dragan.gradient_penalty(net, x_p=torch.cat([x, x])))


def test_penalties_teach_d() -> None:
    net = LinearD(torch.tensor([3.0, 4.0]))
    x = batch(3, (2,))
    for penalty in (
        wgan_gp.gradient_penalty(net, real=x, fake=x, eps=torch.zeros(3)),
        dragan.gradient_penalty(net, x_p=x),
    ):
        (found,) = torch.autograd.grad(penalty, net.w)
        close(found, 2 * (5 - 1) * torch.tensor([0.6, 0.8]), 1e-4)


def test_a_flat_d_gives_a_finite_penalty() -> None:
    net = LinearD(torch.zeros(2))
    penalty = dragan.gradient_penalty(net, x_p=batch(3, (2,)))
    (found,) = torch.autograd.grad(penalty, net.w)
    assert found.isfinite().all()


# DRAGAN.


def test_the_disturbed_data_lie_beside_the_reals() -> None:
    x = batch(50, (1, 4, 4))
    noise, eps = torch.rand(50, 1, 4, 4), torch.rand(50)
    found = dragan.disturbed(real=x, noise=noise, eps=eps)
    spread = math.sqrt(float((x - x.mean()).square().mean()))
    close(found, x + eps[:, None, None, None] * 0.5 * spread * noise)
    close(dragan.disturbed(real=x, noise=noise, eps=torch.zeros(50)), x)


def test_fakes_have_no_part_in_dragans_penalty() -> None:
    one, two = (variant("dragan", POINTS) for _ in range(2))
    assert isinstance(two.G, nn.Module)
    with torch.no_grad():
        for weight in two.G.parameters():
            weight.mul_(3).add_(0.1)
    a, b = one.step(Reals((2,))), two.step(Reals((2,)))
    assert torch.equal(a["penalty"], b["penalty"])
    assert not torch.equal(a["D"], b["D"])


def test_dragans_noise_is_as_set() -> None:
    made = variant("dragan", POINTS, noise=(-0.5, 0.5), interpolate=False)
    assert isinstance(made, dragan.Dragan)
    x = batch(4000, (2,))
    moved = (made._around(x) - x) / (0.5 * x.std(correction=0))
    assert -0.5 <= float(moved.min()) < -0.49
    assert 0.49 < float(moved.max()) <= 0.5


# SN-GAN.


def test_the_hinge() -> None:
    close(slope(lambda x: sngan.d_loss(real_logits=x, fake_logits=OTHERS)), -(LOGITS < 1).float())
    close(slope(lambda x: sngan.d_loss(real_logits=OTHERS, fake_logits=x)), (LOGITS > -1).float())
    close(slope(lambda x: sngan.g_loss(fake_logits=x)), -1.0)
    close(sngan.d_loss(real_logits=torch.tensor([1.0, 4.0]), fake_logits=torch.tensor([-1.0, -4.0])), 0.0)
    close(sngan.d_loss(real_logits=torch.zeros(2), fake_logits=torch.zeros(2)), 2.0)


@pytest.mark.parametrize(("name", "shape"), [POINTS, COLOUR])
def test_every_layer_of_a_spectral_d_has_norm_one(name: str, shape: tuple[int, ...]) -> None:
    net = discriminator(name, shape, norm="spectral").train()
    x = batch(2, shape)
    with torch.no_grad():
        for _ in range(50):
            net(x)
    net.eval()
    weighted = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert weighted
    for module in weighted:
        assert isinstance(module, SpectralLinear | SpectralConv2d)
        largest = torch.linalg.svdvals(module.normed_weight().detach().flatten(1))[0]
        close(largest, 1.0, 1e-2)


def test_in_eval_the_power_iteration_rests() -> None:
    net = discriminator("mlp2d", (2,), norm="spectral")
    x = batch(3, (2,))

    def vectors() -> list[Tensor]:
        # A layer with one output has a single number, 1 or -1, that nothing turns.
        return [m.u.clone() for m in net.modules() if isinstance(m, SpectralLinear) and len(m.u) > 1]

    before = vectors()
    net.eval()(x)
    assert all(torch.equal(a, b) for a, b in zip(before, vectors(), strict=True))
    net.train()(x)
    assert not any(torch.equal(a, b) for a, b in zip(before, vectors(), strict=True))


def test_sngan_trains_a_spectral_d() -> None:
    made = variant("sngan", GRAY)
    assert isinstance(made, sngan.SnGan)
    layers = [m for m in made.D.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert all(isinstance(m, SpectralLinear | SpectralConv2d) for m in layers)


# RpGAN + R1 + R2.


def test_the_relativistic_pairs() -> None:
    d, g = rpgan_r1r2.d_loss, rpgan_r1r2.g_loss
    close(d(real_logits=LOGITS + 5, fake_logits=OTHERS + 5), d(real_logits=LOGITS, fake_logits=OTHERS))
    close(g(real_logits=LOGITS, fake_logits=OTHERS), d(real_logits=OTHERS, fake_logits=LOGITS))
    close(d(real_logits=LOGITS, fake_logits=OTHERS), nn.functional.softplus(OTHERS - LOGITS).mean())
    order = torch.tensor([1, 0, 2, 3, 4, 5, 6])
    assert not torch.allclose(
        d(real_logits=LOGITS[order], fake_logits=OTHERS), d(real_logits=LOGITS, fake_logits=OTHERS)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_r1_and_r2_of_a_linear_d(shape: tuple[int, ...]) -> None:
    net = linear_d(shape)
    for seed in (2, 3):
        x = batch(5, shape, seed).requires_grad_(True) * 1.0
        close(rpgan_r1r2.squared_slope(logits=net(x), x=x), net.w.detach().square().sum(), 1e-4)


def test_the_penalties_are_weighed_by_half_gamma() -> None:
    """One step of plain descent on a linear D moves w by the gradients written out."""
    made = variant("rpgan-r1r2", POINTS, gamma=0.3)
    assert isinstance(made, rpgan_r1r2.RpGan)
    made.D = LinearD(torch.tensor([0.5, -0.25]))
    made.opt_D = torch.optim.SGD(made.D.parameters(), lr=1.0)  # type: ignore[assignment]
    twin = variant("rpgan-r1r2", POINTS)
    w, x = made.D.w.detach().clone(), Reals((2,)).draw(6)
    fake = twin.G(twin.latent(6)).detach()
    weight = ((fake - x) @ w).sigmoid()[:, None]
    gradient = (weight * (fake - x)).mean(0) + 0.3 / 2 * 2 * (2 * w)
    losses = made._update_D(x)
    close(made.D.w.detach(), w - gradient, 1e-5)
    close(losses["r1"], w.square().sum())
    close(losses["r2"], w.square().sum())


def test_the_update_of_g_draws_reals_of_its_own() -> None:
    reals = Reals((2,))
    trained(variant("rpgan-r1r2", POINTS), 1, reals)
    assert reals.position == 12


# PacGAN.


def test_data_are_joined_in_their_order() -> None:
    points = torch.arange(12.0).view(6, 2)
    assert pacgan.joined(points, 3).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    images = batch(4, (3, 5, 5))
    found = pacgan.joined(images, 2)
    assert found.shape == (2, 6, 5, 5)
    assert torch.equal(found[1], torch.cat([images[2], images[3]]))


@pytest.mark.parametrize("m", [2, 3])
def test_d_judges_m_data_at_once(m: int) -> None:
    made, reals = variant("pacgan", GRAY, m=m), Reals((1, 28, 28))
    assert isinstance(made, pacgan.PacGan)
    shapes: list[tuple[int, ...]] = []
    made.D.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    made.step(reals)
    assert shapes == [(6, m, 28, 28)] * 3
    assert reals.position == 6 * m
    assert made.fakes == 2 * 6 * m


def test_pacs_of_one_are_the_plain_gan() -> None:
    one, plain = trained(variant("pacgan", POINTS, m=1), 2), trained(variant("ns-gan", POINTS), 2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), plain.parameters(), strict=True))


# Unrolled GAN.


def test_without_unrolling_it_is_the_plain_gan() -> None:
    settings = {"lr_G": 1e-3, "lr_D": 1e-4}
    none = trained(variant("unrolled", POINTS, unroll_steps=0, **settings), 3)
    plain = trained(variant("ns-gan", POINTS, **settings), 3)
    assert all(torch.equal(a, b) for a, b in zip(none.parameters(), plain.parameters(), strict=True))


def test_unrolling_leaves_d_its_one_update() -> None:
    some, none = (trained(variant("unrolled", POINTS, unroll_steps=k), 1) for k in (3, 0))
    assert isinstance(some, unrolled.Unrolled)
    assert isinstance(none, unrolled.Unrolled)
    assert all(torch.equal(a, b) for a, b in zip(some.D.parameters(), none.D.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(some.G.parameters(), none.G.parameters(), strict=True))
    states = [some.opt_D.state[w]["step"] for w in some.D.parameters()]
    assert all(float(step) == 1 for step in states)


def start(weights: dict[str, Tensor]) -> unrolled.Moments:
    zeros = tuple(torch.zeros_like(w) for w in weights.values())
    return unrolled.Moments(first=zeros, second=zeros, updates=torch.tensor(0.0, dtype=torch.float64))


def test_the_unrolled_updates_are_adams() -> None:
    target = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimiser = torch.optim.Adam([weight], lr=0.1, betas=(0.5, 0.999), eps=1e-8)
    for _ in range(4):
        optimiser.zero_grad()
        (weight - target).square().sum().backward()
        optimiser.step()
    begin = {"w": torch.zeros(3, dtype=torch.float64, requires_grad=True)}
    found = unrolled.unrolled(
        lambda w: (w["w"] - target).square().sum(), begin, start(begin), k=4, lr=0.1, betas=(0.5, 0.999)
    )
    close(found["w"].detach(), weight.detach(), 1e-8)


def test_the_gradient_goes_through_all_updates() -> None:
    begin = {"w": torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)}

    def ahead(s: Tensor) -> Tensor:
        loss = lambda w: (w["w"] * s).sin().sum() + w["w"].square().sum() * s.sum()  # noqa: E731
        return unrolled.unrolled(loss, begin, start(begin), k=3, lr=0.1, betas=(0.5, 0.9))["w"]

    s = torch.tensor([0.7, 1.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ahead, (s,))


def test_weights_without_gradient_leave_no_nan() -> None:
    begin = {"w": torch.tensor([0.3, -0.2], requires_grad=True)}
    s = torch.tensor(2.0, requires_grad=True)
    end = unrolled.unrolled(
        lambda w: s * w["w"][0] ** 2 + 0 * w["w"][1], begin, start(begin), k=2, lr=0.1, betas=(0.5, 0.9)
    )
    (found,) = torch.autograd.grad(end["w"].sum(), s)
    assert found.isfinite()


# VAE.


def test_the_divergence_is_that_of_monte_carlo() -> None:
    mu, log_var = torch.tensor([[0.5, -1.0, 0.0]]), torch.tensor([[0.2, -0.7, 0.0]])
    z = mu + (0.5 * log_var).exp() * torch.randn(400_000, 3, generator=torch.Generator().manual_seed(1))
    posterior, prior = torch.distributions.Normal(mu, (0.5 * log_var).exp()), torch.distributions.Normal(0.0, 1.0)
    wanted = (posterior.log_prob(z) - prior.log_prob(z)).sum(1).mean()
    close(vae.kl(mu=mu, log_var=log_var), wanted, 5e-3)
    close(vae.kl(mu=torch.zeros(4, 3), log_var=torch.zeros(4, 3)), 0.0)


def test_divergence_and_likelihood_are_sums_over_a_datum_and_means_over_the_batch() -> None:
    x, mean, log_sigma = batch(4, (3, 5, 5)), batch(4, (3, 5, 5), 3), torch.tensor(-0.4)
    wanted = -torch.distributions.Normal(mean, log_sigma.exp()).log_prob(x).sum((1, 2, 3)).mean()
    close(vae.nll(x=x, mean=mean, log_sigma=log_sigma), wanted)
    mu, log_var = batch(4, (6,)), batch(4, (6,), 3)
    each = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (0.5 * log_var).exp()), torch.distributions.Normal(torch.zeros(6), torch.ones(6))
    )
    close(vae.kl(mu=mu, log_var=log_var), each.sum(1).mean())


def test_the_bound_is_met_by_the_true_posterior() -> None:
    """x = w z + sigma e: there the loss is -log p(x), and above it for any other encoder."""
    w, sigma, x = 1.5, 0.6, 0.8
    total = w**2 + sigma**2
    evidence = 0.5 * math.log(2 * math.pi * total) + 0.5 * x**2 / total
    noise = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(1))

    def loss(mu: float, var: float) -> Tensor:
        means, log_vars = torch.full((200_000, 1), mu), torch.full((200_000, 1), math.log(var))
        z = means + math.sqrt(var) * noise
        part = vae.nll(x=torch.full_like(z, x), mean=w * z, log_sigma=torch.tensor(math.log(sigma)))
        return part + vae.kl(mu=means, log_var=log_vars)

    close(loss(w * x / total, sigma**2 / total), evidence, 1e-2)
    assert float(loss(0.0, 1.0)) > evidence + 0.5


def test_sigma_is_learnt_towards_the_error() -> None:
    x, mean, log_sigma = batch(50, (2,)), torch.zeros(50, 2), torch.tensor(0.3, requires_grad=True)
    for _ in range(500):
        (gradient,) = torch.autograd.grad(vae.nll(x=x, mean=mean, log_sigma=log_sigma), log_sigma)
        log_sigma = (log_sigma - 0.05 * gradient).detach().requires_grad_(True)
    close(log_sigma.detach().exp(), x.square().mean().sqrt(), 1e-3)
    made = variant("vae", POINTS)
    before = float(made.log_sigma.detach())  # type: ignore[arg-type]
    assert float(trained(made, 2).log_sigma.detach()) != before  # type: ignore[arg-type]


def test_the_vae_gives_the_mean_of_the_decoder() -> None:
    made = variant("vae", GRAY).eval()
    z = torch.ones(2, 64)
    with torch.no_grad():
        assert torch.equal(made.generate(z), made.G(z))
    assert made.judged == ("G",)


def test_settings_are_those_of_the_papers() -> None:
    wanted = {
        "minimax": {"lr_G": 2e-4, "betas": (0.5, 0.999), "n_critic": 1},
        "ns-gan": {"lr_G": 2e-4, "betas": (0.5, 0.999), "n_critic": 1},
        "lsgan": {"lr_G": 2e-4, "betas": (0.5, 0.999), "n_critic": 1},
        "wgan": {"lr_G": 5e-5, "alpha": 0.99, "n_critic": 5, "clip": 0.01},
        "wgan-gp": {"lr_G": 1e-4, "betas": (0.5, 0.9), "n_critic": 5, "lambda_gp": 10.0},
        "dragan": {"lr_G": 1e-4, "betas": (0.5, 0.999), "n_critic": 1, "lambda_gp": 10.0},
        "sngan": {"lr_G": 2e-4, "betas": (0.5, 0.999), "n_critic": 1},
        "rpgan-r1r2": {"lr_G": 2e-4, "betas": (0.0, 0.99), "gamma": 0.05},
        "pacgan": {"lr_G": 2e-4, "betas": (0.5, 0.999), "m": 2},
        "unrolled": {"lr_G": 1e-3, "lr_D": 1e-4, "betas": (0.5, 0.999), "unroll_steps": 5},
        "vae": {"lr": 1e-3},
    }
    for name, values in wanted.items():
        found = dataclasses.asdict(variant(name, POINTS).config)
        assert {key: found[key] for key in values} == values, name
