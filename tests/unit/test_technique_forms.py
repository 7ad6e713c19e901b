"""Each technique against its formula, a slow twin, or what it is known to do."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from variant_cases import COLOUR, POINTS, SMALL, Reals, problem, tools, trained, with_techniques

from ganbench.nets._base import Discriminator
from ganbench.techniques._augment import scaled, shifted, turned
from ganbench.techniques._base import Seen, Technique, Update
from ganbench.techniques._fitting import Tool, fitted
from ganbench.techniques._registry import TECHNIQUES
from ganbench.techniques.feature_matching import matching_loss
from ganbench.techniques.historical_averaging import distance
from ganbench.techniques.label_smoothing import is_cross_entropy, smoothing
from ganbench.techniques.minibatch_discrimination import closeness, distances
from ganbench.techniques.virtual_batch_norm import _Virtual, _WithReference
from ganbench.variants._base import Variant, descend
from ganbench.variants._registry import VARIANTS


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def configured(name: str, technique: str, case: Any = SMALL, **settings: Any) -> Variant:
    """A variant with one technique whose settings are given."""
    kind, tool = VARIANTS.get(name), TECHNIQUES.get(technique)
    return fitted(kind, kind.Config(), problem(case), [Tool(technique, tool, tool.Config(**settings))])


def parts(made: Variant) -> list[Technique]:
    found = made.get_submodule("techniques")
    assert isinstance(found, nn.ModuleList)
    return [each for each in found if isinstance(each, Technique)]


def networks(made: Variant) -> dict[str, list[Tensor]]:
    return {name: [p.detach().clone() for p in getattr(made, name).parameters()] for name in ("G", "D")}


# ---------------------------------------------------------------- feature matching


def test_matching_is_the_squared_distance_of_means() -> None:
    real, fake = normal(7, 3), normal(5, 3, seed=1)
    slow = sum((float(real[:, k].mean()) - float(fake[:, k].mean())) ** 2 for k in range(3))
    assert float(matching_loss(real_mean=real.mean(0), fake_mean=fake.mean(0))) == pytest.approx(slow)


def test_feature_matching_replaces_the_loss_of_G_alone() -> None:
    plain, matched = with_techniques("ns-gan"), with_techniques("ns-gan", "feature-matching")
    one, two = plain.step(Reals(SMALL[1])), matched.step(Reals(SMALL[1]))
    assert torch.equal(one["D"], two["D"])
    assert all(torch.equal(a, b) for a, b in zip(networks(plain)["D"], networks(matched)["D"], strict=True))
    assert float(two["G"]) != float(one["G"])
    assert float(two["G"]) >= 0


def test_its_gradient_is_that_of_the_formula() -> None:
    """By hand: the gradient of the loss in the last layer of G, from D's features of the same batches."""
    made = with_techniques("ns-gan", "feature-matching")
    (technique,), D = parts(made), made.get_submodule("D")
    assert isinstance(D, Discriminator)
    real, z = Reals(SMALL[1]).draw(6), normal(6, made.z_dim)
    fake = made.G(z)
    update = Update("D", made.optimisers()["opt_D"], [Seen(real, D.features(real))], [])
    technique.loss(torch.zeros(()), update)
    update = Update("G", made.optimisers()["opt_G"], [Seen(fake, D.features(fake))], [])
    loss = technique.loss(torch.zeros(()), update)
    assert loss is not None
    assert D.training
    found = torch.autograd.grad(loss, list(made.G.parameters()))
    D.eval()
    twin = (D.features(real).detach().mean(0) - D.features(made.G(z)).mean(0)).square().sum()
    for a, b in zip(found, torch.autograd.grad(twin, list(made.G.parameters())), strict=True):
        torch.testing.assert_close(a, b)


def test_means_differ_under_batch_norm_too() -> None:
    """Fakes of thrice the contrast: over each batch by itself D's norms would make their means those of the reals."""
    made = with_techniques("ns-gan", "feature-matching")
    (technique,), D, real = parts(made), made.get_submodule("D"), Reals(SMALL[1]).draw(32)
    assert isinstance(D, Discriminator)
    for _ in range(60):
        D.features(real)  # its running statistics become those of the reals
    with torch.no_grad():
        unlike = matching_loss(real_mean=D.features(real).mean(0), fake_mean=D.features(3 * real).mean(0))
        size = D.features(real).mean(0).square().sum()
        assert float(unlike) < 1e-3 * float(size), "the case is one that a norm over each batch does not see"
        for player, x in (("D", real), ("G", 3 * real)):
            optimiser = made.optimisers()[f"opt_{player}"]
            loss = technique.loss(torch.zeros(()), Update(player, optimiser, [Seen(x, D.features(x))], []))  # type: ignore[arg-type]
    assert loss is not None
    assert float(loss) > 0.1 * float(size)


def test_the_own_loss_stays_as_far_as_it_is_asked_for() -> None:
    own = float(with_techniques("ns-gan").step(Reals(SMALL[1]))["G"])
    only = float(configured("ns-gan", "feature-matching").step(Reals(SMALL[1]))["G"])
    both = float(configured("ns-gan", "feature-matching", weight=2.0, adversarial=0.5).step(Reals(SMALL[1]))["G"])
    assert both == pytest.approx(2 * only + 0.5 * own, rel=1e-5)


# ---------------------------------------------------------------- minibatch discrimination


def test_closeness_is_the_sum_over_the_others() -> None:
    M = normal(6, 4, 5) * 0.3
    slow = torch.zeros(6, 4)
    for i in range(6):
        for b in range(4):
            slow[i, b] = sum(math.exp(-float((M[i, b] - M[j, b]).abs().sum())) for j in range(6) if j != i)
    torch.testing.assert_close(closeness(distances(M)), slow, rtol=1e-5, atol=1e-5)


def test_equal_samples_are_as_close_as_there_are_others() -> None:
    torch.testing.assert_close(closeness(distances(torch.ones(9, 3, 5))), torch.full((9, 3), 8.0))


def test_D_reads_features_and_closeness() -> None:
    plain, made = with_techniques("ns-gan"), configured("ns-gan", "minibatch-discrimination", kernels=7, dims=2)
    D, before = made.get_submodule("D"), plain.get_submodule("D")
    assert isinstance(D, Discriminator)
    assert isinstance(before, Discriminator)
    assert D.width == before.width + 7
    same = D.features(torch.zeros(4, *SMALL[1]))
    torch.testing.assert_close(same[:, -7:], torch.full((4, 7), 3.0))


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_closeness_begins_neither_full_nor_empty_whatever_the_size_of_features(size: float) -> None:
    made = configured("ns-gan", "minibatch-discrimination", kernels=7, dims=2, case=POINTS)
    D = made.get_submodule("D")
    assert isinstance(D, Discriminator)
    assert isinstance(D.trunk, nn.Sequential)
    close, f = D.trunk[-1], size * normal(12, D.width - 7).abs()
    apart = distances((f @ close.T).view(12, 7, 2)).detach()
    found = close(f)[:, -7:].detach()
    nearest = torch.stack([apart[i, [j for j in range(12) if j != i]].amin(0) for i in range(12)]).mean(0)
    torch.testing.assert_close(found, (-2 * apart / nearest).exp().sum(1) - 1, rtol=1e-4, atol=1e-5)
    assert 0.1 < float(found.mean()) < 3
    later = close(0.01 * f)[:, -7:].detach()
    assert float(later.mean()) > 10, "what comes near later is seen to be near"


# ---------------------------------------------------------------- historical averaging


def test_the_distance_is_a_square() -> None:
    a, b = [normal(2, 3), normal(4)], [normal(2, 3, seed=1), normal(4, seed=2)]
    slow = sum(float((x - y).square().sum()) for x, y in zip(a, b, strict=True))
    assert float(distance(a, b)) == pytest.approx(slow)


def test_the_mean_is_that_of_the_weights_after_each_update() -> None:
    made, reals = configured("ns-gan", "historical-averaging", weight=0.1), Reals(SMALL[1])
    (technique,) = parts(made)
    history: dict[str, list[list[Tensor]]] = {"G": [], "D": []}
    for _ in range(4):
        made.step(reals)
        for player, values in networks(made).items():
            history[player].append(values)
    for player, steps in history.items():
        for i, values in enumerate(zip(*steps, strict=True)):
            mean = torch.stack(values).double().mean(0).float()
            torch.testing.assert_close(technique.get_buffer(f"mean_{player}_{i}"), mean, rtol=1e-5, atol=1e-7)


def test_a_heavy_past_holds_a_player_back() -> None:
    start = networks(with_techniques("ns-gan"))["G"]
    moved = []
    for weight in (0.0, 100.0):
        made = trained(configured("ns-gan", "historical-averaging", weight=weight), 12)
        moved.append(float(distance(networks(made)["G"], start)))
    assert moved[1] < 0.5 * moved[0]


# ---------------------------------------------------------------- label smoothing


@pytest.mark.parametrize("target", [1.0, 0.9, 0.7])
def test_smoothing_is_the_cross_entropy_with_soft_labels(target: float) -> None:
    logits = normal(50, 1) * 3
    whole = binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
    hard = binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    torch.testing.assert_close(hard + smoothing(real_logits=logits, target=target), whole)


def test_the_best_D_is_target_p_over_the_sum() -> None:
    """At one point with densities p and q: the minimum of p (soft) + q (hard fake) over the logit, by search."""
    p, q, target = 0.3, 0.8, 0.9
    logit = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    loss = p * (torch.nn.functional.softplus(-logit) + (1 - target) * logit) + q * torch.nn.functional.softplus(logit)
    best = float(torch.sigmoid(logit[loss.argmin()]))
    assert best == pytest.approx(target * p / (p + q), abs=1e-4)


@pytest.mark.parametrize(("name", "of_reals"), [("ns-gan", "D"), ("infogan", "D.D")])
def test_smoothing_is_for_D_alone_and_adds_its_share_of_the_reals(name: str, of_reals: str) -> None:
    plain, smooth = with_techniques(name), with_techniques(name, "label-smoothing")
    D = plain.get_submodule(of_reals)
    with torch.no_grad():
        added = 0.1 * float(D(Reals(SMALL[1]).draw(6)).mean())
    one, two = plain.step(Reals(SMALL[1])), smooth.step(Reals(SMALL[1]))
    assert float(two["D"]) == pytest.approx(float(one["D"]) + added, rel=1e-5)


def test_what_a_cross_entropy_is() -> None:
    found = {name for name in VARIANTS.names() if is_cross_entropy(VARIANTS.get(name))}
    assert {"minimax", "ns-gan", "dragan", "pacgan", "cgan", "infogan"} <= found
    assert not {"lsgan", "wgan", "wgan-gp", "sngan", "rpgan-r1r2", "began", "ebgan", "vae", "ddpm"} & found


# ---------------------------------------------------------------- virtual batch norm


def slow_virtual(x: Tensor, size: int, eps: float) -> Tensor:
    """Row by row, in float64: the reference batch by itself, each other row with it."""
    reference, rest = x[:size].double(), x[size:].double()
    dims = [0, *range(2, x.dim())]
    column = (1, -1, *[1] * (x.dim() - 2))
    m_ref, s_ref = reference.mean(dims), reference.square().mean(dims)
    out = [(reference - m_ref.view(column)) / (s_ref - m_ref**2 + eps).sqrt().view(column)]
    for row in rest:
        own = row[None]
        m = (own.mean(dims) + size * m_ref) / (size + 1)
        s = (own.square().mean(dims) + size * s_ref) / (size + 1)
        out.append((own - m.view(column)) / (s - m**2 + eps).sqrt().view(column))
    return torch.cat(out).float()


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5)])
def test_virtual_norm_is_its_slow_twin(shape: tuple[int, ...]) -> None:
    norm: nn.Module = nn.BatchNorm1d(3) if len(shape) == 1 else nn.BatchNorm2d(3)
    assert isinstance(norm, nn.modules.batchnorm._BatchNorm)
    virtual = _Virtual(norm, 4)
    with torch.no_grad():
        virtual.reset(torch.Generator())
        x = normal(9, *shape) * 2 + 1
        torch.testing.assert_close(virtual(x), slow_virtual(x, 4, norm.eps), rtol=1e-4, atol=1e-5)


def test_a_sample_does_not_depend_on_the_rest_of_its_batch() -> None:
    made = trained(with_techniques("ns-gan", "virtual-batch-norm"), 2)
    assert made.G.training
    z = normal(6, made.z_dim)
    with torch.no_grad():
        torch.testing.assert_close(made.G(z)[:1], made.G(torch.cat([z[:1], 9 * z[1:]]))[:1], rtol=1e-4, atol=1e-5)


def test_the_reference_batch_stays() -> None:
    made = with_techniques("ns-gan", "virtual-batch-norm")
    assert isinstance(made.G, _WithReference)
    before = made.G.reference.clone()
    trained(made, 3)
    assert torch.equal(made.G.reference, before)
    assert not any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in made.G.modules())


# ---------------------------------------------------------------- rates, norms, pre-training


def test_ttur_sets_the_rates() -> None:
    made = with_techniques("ns-gan", "ttur")
    rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in made.optimisers().items()}
    assert rates == {"opt_G": 1e-4, "opt_D": 4e-4}


def test_spectral_norm_bounds_every_layer() -> None:
    made = trained(with_techniques("ns-gan", "spectral-norm"), 40)
    D = made.get_submodule("D").eval()
    assert isinstance(D, Discriminator)
    assert isinstance(D.last, nn.Linear)
    x = normal(20, D.width)
    with torch.no_grad():
        apart = (D.last(x[:10]) - D.last(x[10:])).norm(dim=1)
    assert bool((apart <= 1.05 * (x[:10] - x[10:]).norm(dim=1)).all())


def test_G_waits_until_D_is_ready() -> None:
    made, reals = configured("ns-gan", "discriminator-pretraining", updates=2), Reals(SMALL[1])
    start = networks(made)
    for _ in range(2):
        made.step(reals)
    waited = networks(made)
    assert all(torch.equal(a, b) for a, b in zip(start["G"], waited["G"], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(start["D"], waited["D"], strict=True))
    made.step(reals)
    assert not all(torch.equal(a, b) for a, b in zip(waited["G"], networks(made)["G"], strict=True))
    assert made.optimisers()["opt_G"].state[next(made.G.parameters())]["step"] == 1


def test_what_another_technique_looked_at_is_forgotten_where_an_update_is_left_out() -> None:
    """Feature matching shows D the reals once more; D's next update still begins with reals of its own."""
    made, reals = with_techniques("ns-gan", "feature-matching", "discriminator-pretraining"), Reals(SMALL[1])
    matching, _ = parts(made)
    for i in range(3):
        made.step(reals)
        assert torch.equal(matching._real, Reals(SMALL[1], 6 * i).draw(6))  # type: ignore[arg-type]


# ---------------------------------------------------------------- augmentation


def test_images_move_by_whole_pixels_and_zeros_come_in() -> None:
    x = torch.arange(2 * 4 * 4, dtype=torch.float32).view(2, 1, 4, 4) + 1
    found = shifted(x, torch.tensor([1, 0]), torch.tensor([-2, 3]))
    slow = torch.zeros_like(x)
    slow[0, 0, 1:, :2] = x[0, 0, :-1, 2:]
    slow[1, 0, :, 3:] = x[1, 0, :, :1]
    assert torch.equal(found, slow)


def test_images_turn_and_scale() -> None:
    x = normal(4, 3, 5, 5)
    found = turned(x, torch.tensor([0, 1, 2, 3]))
    for k in range(4):
        assert torch.equal(found[k], torch.rot90(x[k], k, (1, 2)))
    by = torch.tensor([0.0, 1.0, 2.0, 0.5]).view(4, 1, 1, 1)
    gray = scaled(x, by, dims=[1])
    torch.testing.assert_close(gray.mean(1), x.mean(1))
    torch.testing.assert_close(gray[0], x[0].mean(0, keepdim=True).expand(3, 5, 5))


@pytest.mark.parametrize("technique", ["diffaugment", "ada"])
def test_augmentation_has_gradients_of_second_order(technique: str) -> None:
    made = with_techniques("ns-gan", technique, case=COLOUR)
    (part,) = parts(made)
    if technique == "ada":
        part.get_buffer("p").fill_(0.5)
    x = normal(6, 3, 8, 8).requires_grad_(True)
    (slope,) = torch.autograd.grad(part.into_D(x).square().sum(), x, create_graph=True)
    assert slope.square().sum().requires_grad
    torch.autograd.grad(slope.square().sum(), x)


def test_cutout_takes_a_square_of_half_the_side() -> None:
    made = configured("ns-gan", "diffaugment", color=False, translation=False)
    (part,) = parts(made)
    gone = (part.into_D(torch.ones(400, 1, 8, 8)) == 0).sum((1, 2, 3))
    assert int(gone.max()) == 16
    assert int(gone.min()) >= 4  # at a corner a quarter of it is outside
    assert gone.unique().numel() > 2


def test_ada_with_p_0_changes_nothing_and_with_1_everything() -> None:
    made = with_techniques("ns-gan", "ada", case=COLOUR)
    (part,), x = parts(made), normal(64, 3, 8, 8)
    assert torch.equal(part.into_D(x), x)
    part.get_buffer("p").fill_(1.0)
    changed = (part.into_D(x) != x).flatten(1).any(1)
    assert bool(changed.all())


def test_p_follows_how_well_D_knows_the_reals() -> None:
    made = configured("ns-gan", "ada", kimg=0.1, interval=2)
    (part,) = parts(made)
    optimiser = made.optimisers()["opt_D"]
    found = []
    for sure in (1.0, 1.0, 1.0, 1.0, -1.0, -1.0):
        part.stepped(Update("D", optimiser, [], [torch.full((6, 1), sure)]))
        found.append(round(float(part.get_buffer("p")), 6))
    assert found == [0, 0.12, 0.12, 0.24, 0.24, 0.12]
    part.stepped(Update("G", optimiser, [], [torch.full((6, 1), 1.0)]))
    assert float(part.get_buffer("reals")) == 0


@pytest.mark.parametrize(("name", "pac", "beside"), [("cgan", 1, 1), ("pacgan", 2, 0), ("ns-gan", 1, 0)])
def test_each_datum_is_augmented_by_itself_and_maps_of_classes_are_not(name: str, pac: int, beside: int) -> None:
    made = with_techniques(name, "diffaugment", case=COLOUR)
    (part,) = parts(made)
    shapes: list[tuple[int, ...]] = []

    def brighter(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return x + 1

    part.into_D = brighter  # type: ignore[method-assign]
    D = next(m for m in made.modules() if isinstance(m, Discriminator))
    assert isinstance(D.trunk, nn.Sequential)
    read: list[Tensor] = []
    D.trunk[0].register_forward_pre_hook(lambda _, given: read.append(given[0]))
    x = normal(4, 3 * pac + beside, 8, 8)
    D(x)
    assert shapes == [(4 * pac, 3, 8, 8)]
    wanted = x.clone()
    wanted[:, : 3 * pac] += 1
    assert torch.equal(read[0], wanted)


def test_what_is_not_augmented_is_what_penalties_are_taken_at() -> None:
    """The gradient of D(T(x)) in x, by the variant's own penalty: it stays finite and trains."""
    trained(with_techniques("rpgan-r1r2", "diffaugment", case=COLOUR), 2)
    trained(with_techniques("wgan-gp", "ada", case=COLOUR), 2)


# ---------------------------------------------------------------- how they are put on


def test_without_techniques_nothing_is_changed() -> None:
    kind = VARIANTS.get("ns-gan")
    plain, none = kind(kind.Config(), problem(POINTS)), fitted(kind, kind.Config(), problem(POINTS), tools())
    for made in (plain, none):
        trained(made, 2)
    assert list(plain.state_dict()) == list(none.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), none.state_dict().values(), strict=True))


def test_one_training_does_not_alter_the_next() -> None:
    trained(with_techniques("ns-gan", "feature-matching"), 1)
    weight = nn.Parameter(torch.ones(()))
    optimiser = torch.optim.SGD([weight], lr=0.25)
    assert float(descend(optimiser, weight * 2)) == 2
    assert float(weight.detach()) == 0.5
