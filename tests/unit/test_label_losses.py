"""Variants that learn from classes, from few of them, or find classes by themselves: their losses by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal
from variant_cases import CLASSES, COLOUR, GRAY, POINTS, Reals, problem, trained, variant

from ganbench.variants import acgan, cgan, infogan, sgan
from ganbench.variants._base import LabelledVariant, Variant

K = CLASSES.count
N = 7
LOGITS = torch.tensor([-30.0, -2.0, -0.5, 0.0, 0.7, 3.0, 30.0])
OTHERS = torch.tensor([1.0, -1.5, 2.0, 0.25, 0.0, -3.0, 4.0])
Y = torch.arange(N) % K


def close(found: Tensor, wanted: Tensor | float, tolerance: float = 1e-5) -> None:
    wanted = torch.as_tensor(wanted, dtype=found.dtype).expand_as(found)
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


def normal(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def slope(f: Callable[[Tensor], Tensor], at: Tensor = LOGITS) -> Tensor:
    """The gradient of a mean of terms, term by term."""
    x = at.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(f(x), x)
    return gradient * len(at)


def watched(monkeypatch: pytest.MonkeyPatch, kind: type[Variant], name: str) -> list[tuple[Tensor, ...]]:
    """The tensors with which a method of the variant is called from now on."""
    calls: list[tuple[Tensor, ...]] = []
    true = getattr(kind, name)

    def watch(self: Variant, *given: Tensor) -> Tensor:
        calls.append(given)
        found: Tensor = true(self, *given)
        return found

    monkeypatch.setattr(kind, name, watch)
    return calls


def blobs(stream: Reals) -> Tensor:
    """Makes the data of the stream one blob for each class, and returns their centres."""
    angles = torch.arange(K) * 2 * math.pi / K
    centres = torch.stack([angles.cos(), angles.sin()], dim=1)
    stream.pool = centres[stream.classes] + 0.1 * stream.pool
    return centres


# ---------------------------------------------------------------- what all of them share


@pytest.mark.parametrize("module", [cgan, acgan, infogan])
def test_real_against_fake_is_the_log_loss(module: object) -> None:
    d_loss, g_loss = module.d_loss, module.g_loss  # type: ignore[attr-defined]
    close(slope(lambda x: d_loss(real_logits=x, fake_logits=OTHERS)), -(1 - LOGITS.sigmoid()))
    close(slope(lambda x: d_loss(real_logits=OTHERS, fake_logits=x)), LOGITS.sigmoid())
    close(d_loss(real_logits=torch.zeros(3), fake_logits=torch.zeros(3)), 2 * math.log(2))
    close(slope(lambda x: g_loss(fake_logits=x)), -(1 - LOGITS.sigmoid()))
    assert g_loss(fake_logits=torch.tensor([-1e4, 1e4])).isfinite()


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_fakes_are_of_the_classes_of_the_reals_and_drawn_anew(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {"cgan": cgan.Cgan, "acgan": acgan.AcGan}[name]
    calls = watched(monkeypatch, kind, "generate_as")
    n = 4000
    kind(kind.Config(), problem(POINTS, batch_size=n)).step(Reals(POINTS[1]))
    (_, of_d), (_, of_g) = calls
    for y in (of_d, of_g):
        assert y.dtype == torch.int64
        shares = torch.bincount(y, minlength=K) / n
        close(shares, torch.tensor(CLASSES.shares), 0.04)  # five standard deviations; a third of each would be 0.13 off
    alike = sum(share**2 for share in CLASSES.shares)
    close((of_d == of_g).float().mean(), alike, 0.04)
    reals = Reals(POINTS[1]).draw_labelled(n)[1]
    close((of_d == reals).float().mean(), 1 / K, 0.04)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("cgan", {"condition": "concat"}), ("cgan", {"condition": "projection"}), ("acgan", {})],
)
def test_samples_are_of_the_class_that_was_asked_for(name: str, settings: dict[str, str]) -> None:
    kind = {"cgan": cgan.Cgan, "acgan": acgan.AcGan}[name]
    made = kind(kind.Config(lr_G=1e-3, lr_D=1e-3, **settings), problem(POINTS, batch_size=30))
    centres = blobs(stream := Reals(POINTS[1]))
    trained(made, 150, stream).eval()
    y = torch.arange(300) % K
    with torch.no_grad():
        nearest = torch.cdist(made.generate_as(normal(300, made.z_dim), y), centres).argmin(1)
    assert float((nearest == y).float().mean()) > 0.8


# ---------------------------------------------------------------- conditional GAN


def conditional(condition: str, case: tuple[str, tuple[int, ...]] = GRAY) -> tuple[cgan.Cgan, Tensor, Tensor]:
    made = variant("cgan", case, condition=condition, d_norm="none")
    assert isinstance(made, cgan.Cgan)
    return made, normal(N, *case[1]), made.one_hot(Y)


@pytest.mark.parametrize("condition", ["concat", "projection"])
@pytest.mark.parametrize("case", [POINTS, GRAY, COLOUR], ids=["points", "gray", "colour"])
def test_another_class_is_another_logit(condition: str, case: tuple[str, tuple[int, ...]]) -> None:
    made, x, y = conditional(condition, case)
    found, other = made.D(x, y), made.D(x, y.roll(1, 0))
    assert found.shape == (N, 1)
    moved = (Y.roll(1) != Y)[:, None]
    assert bool(((found != other) == moved).all()), "only rows with another class have another logit"
    with torch.no_grad():
        images, others = made.generate_as(normal(N, made.z_dim), Y), made.generate_as(normal(N, made.z_dim), Y.roll(1))
    assert not torch.allclose(images, others)


def test_projection_adds_the_product_with_an_embedding() -> None:
    made, x, y = conditional("projection")
    D = made.D
    assert isinstance(D, cgan.Projection)
    h, plain = D.D.features(x), D.D(x)
    for i, c in enumerate(Y.tolist()):
        embedding = D.e.weight[:, c]
        close(D(x, y)[i, 0], plain[i, 0] + sum(a * b for a, b in zip(embedding, h[i], strict=True)), 1e-4)
    assert D.e.bias is None


def test_concat_shows_d_a_learnt_map_of_the_class() -> None:
    made, x, y = conditional("concat")
    D = made.D
    assert isinstance(D, cgan.Concat)
    maps = torch.stack([D.maps.weight[:, c].view(1, 28, 28) for c in Y.tolist()])
    close(D(x, y), D.D(torch.cat([x, maps], dim=1)))
    before = D.maps.weight.detach().clone()
    trained(made, 1)
    assert not torch.equal(D.maps.weight, before)


@pytest.mark.parametrize("condition", ["concat", "projection"])
def test_d_judges_a_fake_by_the_class_that_it_was_made_for(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, _ = conditional(condition)
    seen: list[Tensor] = []
    made.D.register_forward_pre_hook(lambda _, given: seen.append(given[1].argmax(1)))
    calls = watched(monkeypatch, cgan.Cgan, "generate_as")
    trained(made, 1)
    reals = Reals(GRAY[1]).draw_labelled(len(seen[0]))[1]
    for found, wanted in zip(seen, [reals, calls[0][1], calls[1][1]], strict=True):
        assert torch.equal(found, wanted)


# ---------------------------------------------------------------- AC-GAN


def test_cross_entropy_is_of_logits_that_are_not_normalised() -> None:
    logits = 3 * normal(N, K)
    close(acgan.class_loss(class_logits=torch.full((N, K), 1.7), y=Y), math.log(K))
    by_hand = torch.stack([row.exp().sum().log() - row[c] for row, c in zip(logits, Y.tolist(), strict=True)]).mean()
    close(acgan.class_loss(class_logits=logits, y=Y), by_hand)
    made = variant("acgan", GRAY)
    assert isinstance(made, acgan.AcGan)
    x = normal(N, *GRAY[1])
    raw = made.D.last(made.D.features(x))
    logit, classes = made.judged_as(x)
    assert (logit.shape, classes.shape) == ((N, 1), (N, K))
    assert torch.equal(torch.cat([logit, classes], dim=1), raw)
    assert isinstance(made.D.last, nn.Linear)


def test_a_step_of_acgan_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = watched(monkeypatch, acgan.AcGan, "generate_as")
    made = variant("acgan", GRAY, lambda_G=0.3)
    assert isinstance(made, acgan.AcGan)
    seen: list[Tensor] = []
    made.D.register_forward_hook(lambda _, __, found: seen.append(found.detach()))
    losses = made.step(Reals(GRAY[1]))
    real, of_d, of_g = seen
    y = Reals(GRAY[1]).draw_labelled(len(real))[1]

    def surprise(outputs: Tensor, y: Tensor) -> Tensor:
        return torch.stack([-row[1:].softmax(0)[c].log() for row, c in zip(outputs, y.tolist(), strict=True)]).mean()

    chance = [outputs[:, 0].sigmoid() for outputs in (real, of_d, of_g)]
    source = -chance[0].log().mean() - (1 - chance[1]).log().mean()
    close(losses["D"], source + surprise(real, y) + surprise(of_d, calls[0][1]))
    close(losses["G"], -chance[2].log().mean() + 0.3 * surprise(of_g, calls[1][1]))
    close(losses["class_real"], surprise(real, y))
    close(losses["class_fake"], surprise(of_d, calls[0][1]))


def test_g_of_acgan_learns_from_the_classes() -> None:
    with_classes, without = (variant("acgan", GRAY, lambda_G=weight) for weight in (1.0, 0.0))
    trained(with_classes, 1), trained(without, 1)
    assert not torch.equal(next(with_classes.G.parameters()), next(without.G.parameters()))


# ---------------------------------------------------------------- InfoGAN


def informed(case: tuple[str, tuple[int, ...]] = GRAY, **settings: float) -> infogan.InfoGan:
    made = variant("infogan", case, **settings)
    assert isinstance(made, infogan.InfoGan)
    return made


def test_log_q_by_hand() -> None:
    logits, means, u = 3 * normal(N, 4), normal(N, 2, seed=3), normal(N, 2, seed=4).clamp(-1, 1)
    c = torch.arange(N) % 4
    wanted = math.log(4) + Categorical(logits=logits).log_prob(c).mean()
    close(infogan.category_information(category=c, logits=logits), wanted)
    wanted = 2 * math.log(2) + Normal(means, torch.ones(N, 2)).log_prob(u).sum(1).mean()
    close(infogan.continuous_information(continuous=u, means=means), wanted)
    close(infogan.category_information(category=c, logits=torch.full((N, 4), 0.3)), 0.0)
    certain = 1e3 * nn.functional.one_hot(c, 4).float()
    close(infogan.category_information(category=c, logits=certain), math.log(4))


def test_the_information_is_of_the_codes_that_g_was_given() -> None:
    made = informed(categories=4, continuous=3, lambda_category=0.7, lambda_continuous=0.2)
    z, said = normal(N, made.z_dim), normal(N, 7, seed=5)
    c, u, _ = made.codes(z)
    category = math.log(4) + Categorical(logits=said[:, :4]).log_prob(c).mean()
    continuous = 3 * math.log(2) + Normal(said[:, 4:], torch.ones(N, 3)).log_prob(u).sum(1).mean()
    close(made.information(z, said), 0.7 * category + 0.2 * continuous)


def test_the_information_reaches_the_first_layer_of_g() -> None:
    made = informed()
    z = made.latent(N)
    made.information(z, made.D(made.generate(z))[1]).backward()
    first = next(made.G.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().max()) > 0


@pytest.mark.parametrize("part", ["lambda_category", "lambda_continuous"])
def test_both_players_descend_the_information(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"lambda_category": 0.0, "lambda_continuous": 0.0}
    monkeypatch.setattr(infogan, "d_loss", lambda *, real_logits, fake_logits: 0 * fake_logits.sum())
    monkeypatch.setattr(infogan, "g_loss", lambda *, fake_logits: 0 * fake_logits.sum())

    def moved(**settings: float) -> list[bool]:
        made = informed(**settings)
        D = made.D
        watched_ = [next(made.G.parameters()), next(D.D.trunk.parameters()), next(D.Q.parameters())]
        before = [each.detach().clone() for each in watched_]
        made.step(Reals(GRAY[1]))
        return [not torch.equal(x, y) for x, y in zip(watched_, before, strict=True)]

    assert moved(**nothing) == [False, False, False]
    assert moved(**{**nothing, part: 1.0}) == [True, True, True]


def test_g_does_not_move_q() -> None:
    made = informed()
    optimised = {id(p) for group in made.opt_G.param_groups for p in group["params"]}
    assert optimised == {id(p) for p in made.G.parameters()}
    learnt = {id(p) for group in made.opt_D.param_groups for p in group["params"]}
    assert learnt == {id(p) for p in made.D.parameters()}
    assert {id(p) for p in made.D.Q.parameters()} < learnt


def test_a_code_holds_a_uniform_category_and_uniform_numbers() -> None:
    made = informed(POINTS)
    assert made.z_dim == 10 + 2 + 2
    codes = made.codes(normal(20_000, made.z_dim))
    close(torch.bincount(codes.category, minlength=10) / 20_000, torch.full((10,), 0.1), 0.01)
    for u in codes.continuous.T:
        edges = torch.histc(u, 8, -1, 1) / 20_000
        close(edges, torch.full((8,), 1 / 8), 0.012)
    close(codes.noise.std(0), 1.0, 0.03)
    assert codes.noise.shape == (20_000, 2)


def test_codes_can_be_set() -> None:
    made = informed(COLOUR).eval()
    z = normal(N, made.z_dim)
    kept = z.clone()
    c, u = torch.arange(N) % 10, normal(N, 2, seed=9).clamp(-0.99, 0.99)
    both = made.codes(made.coded(z, category=c, continuous=u))
    assert torch.equal(both.category, c)
    close(both.continuous, u)
    assert torch.equal(both.noise, made.codes(z).noise)
    assert torch.equal(made.codes(made.coded(z, category=c)).continuous, made.codes(z).continuous)
    assert torch.equal(made.codes(made.coded(z, continuous=u)).category, made.codes(z).category)
    assert torch.equal(made.coded(z, category=c)[:, :10].sort().values, z[:, :10].sort().values), "only places change"
    assert torch.equal(z, kept)
    assert bool(made.coded(z, continuous=torch.ones(N, 2)).isfinite().all())
    with torch.no_grad():
        one, two, three = (made.generate(each) for each in (z, made.coded(z, category=c), made.coded(z, continuous=u)))
    assert not torch.allclose(one, two)
    assert not torch.allclose(one, three)


def test_infogan_has_no_use_for_labels() -> None:
    class Unlabelled(Reals):
        def draw_labelled(self, n: int) -> tuple[Tensor, Tensor]:
            raise AssertionError("labels were asked for")

        def draw(self, n: int) -> Tensor:
            return Reals.draw_labelled(self, n)[0]

    made = informed()
    assert made.known(made.config) == "none"
    assert not isinstance(made, LabelledVariant)
    trained(made, 1, Unlabelled(GRAY[1]))


# ---------------------------------------------------------------- SGAN


def test_a_constant_moves_real_against_fake_and_no_class() -> None:
    logits = 2 * normal(N, K)
    for constant in (-3.0, 5.0):
        close(sgan.real_or_fake(logits + constant), sgan.real_or_fake(logits) + constant)
        close(sgan.class_loss(class_logits=logits + constant, y=Y), sgan.class_loss(class_logits=logits, y=Y))
        moved = sgan.d_loss(real_logits=logits + constant, fake_logits=logits)
        assert abs(float(moved - sgan.d_loss(real_logits=logits, fake_logits=logits))) > 0.05


def test_its_losses_are_those_of_a_softmax_with_a_class_of_fakes_whose_logit_is_0() -> None:
    real, fake = 2 * normal(N, K), 2 * normal(N, K, seed=3)

    def chance_of_fake(logits: Tensor) -> Tensor:
        return torch.cat([logits, torch.zeros(len(logits), 1)], dim=1).softmax(1)[:, -1]

    wanted = -0.5 * (1 - chance_of_fake(real)).log().mean() - 0.5 * chance_of_fake(fake).log().mean()
    close(sgan.d_loss(real_logits=real, fake_logits=fake), wanted)
    close(sgan.g_loss(fake_logits=fake), -(1 - chance_of_fake(fake)).log().mean())
    lse = torch.stack([row.exp().sum().log() for row in real])
    published = 0.5 * (-lse + nn.functional.softplus(lse)).mean() - 0.5 * chance_of_fake(fake).log().mean()
    close(sgan.d_loss(real_logits=real, fake_logits=fake), published)
    far = torch.full((2, K), 1e4)
    assert sgan.d_loss(real_logits=-far, fake_logits=far).isfinite()


def test_features_are_matched_in_their_means() -> None:
    real, fake = normal(N, 5), normal(3, 5, seed=8)
    wanted = sum((float(real[:, j].mean()) - float(fake[:, j].mean())) ** 2 for j in range(5))
    close(sgan.feature_loss(real_mean=real.mean(0), fake_mean=fake.mean(0)), wanted)


@pytest.mark.parametrize(("match", "reals"), [("features", 3), ("logits", 2)])
def test_a_step_of_sgan_by_hand(match: str, reals: int) -> None:
    made = variant("sgan", GRAY, match=match)
    assert isinstance(made, sgan.SGan)
    seen: list[Tensor] = []
    read: list[Tensor] = []
    made.D.register_forward_hook(lambda _, __, found: seen.append(found.detach()))
    made.D.trunk.register_forward_hook(lambda _, __, found: read.append(found.detach()))
    stream = Reals(GRAY[1])
    losses = made.step(stream)
    n = len(seen[0])
    assert stream.position == reals * n
    y = Reals(GRAY[1]).draw_few(n)[1]
    entropy = nn.functional.cross_entropy(seen[0], y)
    close(losses["class"], entropy)
    close(losses["D"], entropy + sgan.d_loss(real_logits=seen[1], fake_logits=seen[2]))
    if match == "logits":
        close(losses["G"], nn.functional.softplus(-seen[3].logsumexp(1)).mean())
    else:
        assert len(seen) == 3
        close(losses["G"], (read[3].mean(0) - read[4].mean(0)).square().sum())


def test_it_classifies_by_its_class_logits() -> None:
    made = variant("sgan", GRAY)
    assert isinstance(made, sgan.SGan)
    x = normal(N, *GRAY[1])
    close(made.classify(x), made.D(x))
    assert made.classify(x).shape == (N, K)
    assert made.known(made.config) == 100
    assert "D" in made.judged, "the classifier is of averaged weights"


def test_it_learns_the_classes_that_it_is_told() -> None:
    made = variant("sgan", POINTS, lr_D=1e-2)
    assert isinstance(made, sgan.SGan)
    blobs(stream := Reals(POINTS[1]))
    trained(made, 25, stream)
    with torch.no_grad():
        right = made.classify(stream.pool).argmax(1) == stream.classes
    assert float(right.float().mean()) > 0.95
