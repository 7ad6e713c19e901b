"""The distances beyond FID and KID: against closed forms, slow twins, and what their noise is said to be."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from ganbench.errors import BadInput, UsageError
from ganbench.features.backends._folding import folded
from ganbench.features.extractors.efficientnet_lite0 import EfficientNetLite0
from ganbench.features.extractors.inception import Inception
from ganbench.features.moments import GROUPS, Moments, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, TooFewImages
from ganbench.metrics._jackknife import jackknife
from ganbench.metrics._kernel import Polynomial
from ganbench.metrics._mmd import Gaussian, across, noise, within
from ganbench.metrics._score import score
from ganbench.metrics._sliced import sliced
from ganbench.metrics.cmmd import Cmmd
from ganbench.metrics.fid import Fid
from ganbench.metrics.fid_infinity import FidInfinity
from ganbench.metrics.intra_fid import IntraFid
from ganbench.metrics.kid import Kid
from ganbench.metrics.kid_full import KidFull
from ganbench.metrics.mifid import Mifid, nearest_cosine
from ganbench.metrics.mind import Mind
from ganbench.metrics.sfid import Sfid
from ganbench.metrics.sliced_wasserstein import SlicedWasserstein
from ganbench.results import Score

Array = NDArray[np.floating]


def normal(n: int, d: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Array:
    return scale * np.random.default_rng(seed).normal(size=(n, d)) + shift


def positive(n: int, d: int, seed: int, scale: float = 1.0) -> Array:
    return np.abs(normal(n, d, seed, scale))


def run(metric: Metric, fake: Array | Features, real: Array | Features) -> Score:
    """The one score of a metric."""
    sides = [x if isinstance(x, Features) else Features(x) for x in (fake, real)]
    (found,) = metric.compute(fake=sides[0], real=sides[1]).values()
    return found


def value(found: Score) -> float:
    assert found.value is not None
    return found.value


def stderr(found: Score) -> float:
    assert found.stderr is not None
    return found.stderr


# Spatial features and sFID


def test_spatial_features_of_inception_are_the_first_channels_place_by_place() -> None:
    """Those of branch1x1 of Mixed_6d after its ReLU, the channels innermost."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Inception().eval()
    seen: list[torch.Tensor] = []
    network.Mixed_6d.branch1x1.register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.no_grad():
        found = network(torch.randn((2, 3, 299, 299), generator=torch.Generator().manual_seed(1)))["spatial"]
    places = found.reshape(2, 17, 17, 7)
    assert torch.equal(places[1, 3, 16], seen[0][1, :7, 3, 16])
    assert torch.equal(places.permute(0, 3, 1, 2), seen[0][:, :7])
    assert 0.1 < (found > 0).float().mean() < 0.9


@pytest.fixture(scope="module")
def lite() -> EfficientNetLite0:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EfficientNetLite0().eval()


def test_spatial_features_of_efficientnet_leave_the_others_as_they_were(lite: EfficientNetLite0) -> None:
    """The pool is bit for bit that of timm's own way through the network."""
    seen: list[torch.Tensor] = []
    hook = lite.net.blocks[5][0].bn1.register_forward_hook(lambda module, given, out: seen.append(out.clone()))
    x = torch.randn((2, 3, 224, 224), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = lite(x)
        hook.remove()
        assert torch.equal(found["pool"], lite.net.forward_head(lite.net.forward_features(x), pre_logits=True))
        assert torch.equal(found["logits"], lite.net(x))
    places = found["spatial"].reshape(2, 14, 14, 7)
    assert torch.equal(places.permute(0, 3, 1, 2), seen[0][:, :7])
    assert seen[0].shape == (2, 672, 14, 14)
    assert 0.1 < (places > 0).float().mean() < 0.9


def test_folding_keeps_the_spatial_features(lite: EfficientNetLite0) -> None:
    x = torch.randn((1, 3, 224, 224), generator=torch.Generator().manual_seed(2))
    copy = folded(lite, x)
    assert not [module for module in copy.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        plain = lite(x)["spatial"]
        for network in (copy, copy.to(memory_format=torch.channels_last)):
            torch.testing.assert_close(network(x)["spatial"], plain, rtol=0, atol=1e-5 * float(plain.max()))


def test_sfid_is_the_frechet_distance_with_its_interval() -> None:
    x, y = normal(300, 9, 1, 1.2), normal(400, 9, 2)
    assert Sfid.head == "spatial"
    assert run(Sfid(), x, y) == run(Fid(), x, y)
    assert run(Sfid(), x + 0.5, x).value == pytest.approx(9 * 0.25, rel=1e-9)


# FID at infinity


def prefix_line(x: Array, y: Array, order: NDArray[np.intp], points: int) -> tuple[float, float, list[float]]:
    """The slow twin: a Frechet distance for each part, and a line by polyfit."""
    sizes = np.linspace(min(5000, len(x) // 10), len(x), points).astype(int)
    found = [value(run(Fid(), x[order[:n]], y)) for n in sizes]
    slope, intercept = np.polyfit(1 / sizes, found, 1)
    return float(intercept), float(slope), found


@pytest.mark.parametrize(("n", "d"), [(600, 8), (90, 40), (5000, 3), (30, 50)])
def test_fid_infinity_is_a_line_through_growing_parts(n: int, d: int) -> None:
    x, y = normal(n, d, 1, 1.2, 3.1), normal(80, d, 2, 1.0, 3.0)
    metric = FidInfinity(points=6, seed=7)
    intercept, slope, each = prefix_line(x, y, metric.generator(7).permutation(n), 6)
    found = run(metric, x, y)
    assert found.value == pytest.approx(intercept, rel=1e-8)
    assert found.details["slope"] == pytest.approx(slope, rel=1e-7)
    np.testing.assert_allclose(found.series["distance"], each, rtol=1e-9)
    assert found.series["n"][-1] == n
    assert (found.stderr is None) == (n < 2 * d)


def test_fid_infinity_is_without_the_bias_of_few_fakes() -> None:
    """Of the fakes alone: the reference is known exactly. FD is 0.10 too large."""
    real = Features(moments=Moments(0, np.zeros(12), np.eye(12)))
    truth = 12 * (0.1**2 + 0.1**2)
    found = [run(FidInfinity(), normal(600, 12, seed, 1.1, 0.1), real) for seed in range(25)]
    plain = [value(run(Fid(), normal(600, 12, seed, 1.1, 0.1), real)) for seed in range(25)]
    noise_of_mean = float(np.std([value(score) for score in found])) / 5
    assert np.mean(plain) - truth > 0.09
    assert np.mean([value(score) for score in found]) == pytest.approx(truth, abs=3 * noise_of_mean + 0.01)
    ratio = np.mean([stderr(score) for score in found]) / np.std([value(score) for score in found])
    assert 0.6 <= ratio <= 1.5
    assert all(score.ci95 is None for score in found)


def test_the_influence_is_the_derivative_of_the_distance() -> None:
    """A fake counted twice among many moves FD by its influence / n, and by what is the same for all."""
    from ganbench.metrics._prefixes import Prefixes

    x, real = normal(2000, 5, 1, 1.3, 0.2), Features(normal(500, 5, 2))
    prefixes = Prefixes(x, real)
    whole = prefixes.distance(2000)
    influence = prefixes.influence()
    moved = [value(run(Fid(), np.concatenate([x, x[i : i + 1]]), real)) - whole for i in range(6)]
    np.testing.assert_allclose(np.diff(moved) * 2000, np.diff(influence[:6]), rtol=0.02, atol=0.05)


def test_fid_infinity_needs_twenty_fakes() -> None:
    with pytest.raises(TooFewImages, match=r"fake has 19 images; the extrapolation needs at least 20. Give more"):
        run(FidInfinity(), normal(19, 4, 1), normal(40, 4, 2))
    assert value(run(FidInfinity(), normal(20, 4, 1), normal(40, 4, 2))) < 10
    with pytest.raises(UsageError, match="points must be a whole number of at least 2"):
        FidInfinity(points=1)


# Intra-FID


def labelled(values: Array, labels: NDArray[np.integer]) -> Features:
    return Features(values, labels=labels)


@pytest.mark.parametrize("d", [4, 40])
@pytest.mark.parametrize("n", [60, 300])
def test_intra_fid_is_the_mean_of_the_distances_of_the_classes(n: int, d: int) -> None:
    """Classes of unequal counts count the same; fewer and more images than features."""
    of_x, of_y = np.arange(n) % 3 + (np.arange(n) > n // 2), np.arange(200) % 4
    x, y = normal(n, d, 1, 1.2) + of_x[:, None], normal(200, d, 2) + 0.9 * of_y[:, None]
    found = run(IntraFid(), labelled(x, of_x), labelled(y, of_y))
    each = [value(run(Fid(), x[of_x == c], y[of_y == c])) for c in range(4)]
    assert found.value == pytest.approx(np.mean(each), rel=1e-9)
    np.testing.assert_allclose(found.series["distance"], each, rtol=1e-9)
    assert found.series["class"] == [0, 1, 2, 3]
    assert found.series["n_fake"] == np.bincount(of_x).tolist()
    assert found.series["n_real"] == [50.0] * 4


def test_classes_that_are_mixed_up_have_the_fid_but_not_the_intra_fid_of_right_ones() -> None:
    y = np.arange(400) % 4
    x = normal(400, 6, 1) + 3.0 * y[:, None]
    real = labelled(normal(400, 6, 2) + 3.0 * y[:, None], y)
    right, wrong = labelled(x, y), labelled(x, (y + 1) % 4)
    assert run(Fid(), right, real).value == run(Fid(), wrong, real).value
    assert value(run(IntraFid(), wrong, real)) > 10 * value(run(IntraFid(), right, real))


def test_a_class_with_one_image_of_a_side_is_named() -> None:
    x, y = labelled(normal(6, 2, 1), np.array([0, 0, 0, 5, 5, 5])), labelled(normal(5, 2, 2), np.array([0, 0, 0, 0, 5]))
    with pytest.raises(TooFewImages, match=r"Class 5 has 3 images of fake and 1 of real; .* Give more images of every"):
        run(IntraFid(), x, y)
    with pytest.raises(TooFewImages, match="Class 5 has 0 images of fake and 3 of real"):
        run(IntraFid(), labelled(normal(4, 2, 1), np.zeros(4, dtype=int)), x)


# Kernel distances over all pairs


def slow_sums(x: Array, y: Array, kernel: Polynomial | Gaussian) -> tuple[Array, Array, Array]:
    """Whole kernel matrices, those within without their diagonal."""
    own, theirs, between = kernel(x, x), kernel(y, y), kernel(x, y)
    np.fill_diagonal(own, 0)
    np.fill_diagonal(theirs, 0)
    return own, theirs, between


@pytest.mark.parametrize("kernel", [Polynomial(degree=3, gamma=0.2, coef0=1.0), Gaussian(1.5)])
def test_sums_over_tiles_are_those_of_the_whole_matrix(
    kernel: Polynomial | Gaussian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganbench.metrics._screen.TILE", 16)
    x, y = normal(55, 5, 1), normal(41, 5, 2, 1.3)
    whole, _, both = slow_sums(x, y, kernel)
    own, between = within(x, kernel), across(x, y, kernel)
    np.testing.assert_allclose(own.rows, whole.sum(axis=1), rtol=1e-12)
    assert own.squares == pytest.approx(np.sum(whole**2), rel=1e-12)
    assert own.mean == pytest.approx(whole.sum() / (55 * 54), rel=1e-12)
    np.testing.assert_allclose(between.rows, both.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(between.columns, both.sum(axis=0), rtol=1e-12)
    assert between.squares == pytest.approx(np.sum(both**2), rel=1e-12)
    assert between.mean == pytest.approx(both.mean(), rel=1e-12)
    left = both - both.mean(axis=0) - both.mean(axis=1)[:, None] + both.mean()
    assert between.interaction == pytest.approx(np.sum(left**2) / (54 * 40), rel=1e-9)


def test_a_gaussian_kernel_is_one_less_than_its_name() -> None:
    x, y = normal(7, 3, 1), normal(5, 3, 2)
    wanted = np.exp(-np.sum((x[:, None] - y) ** 2, axis=2) / (2 * 0.8**2)) - 1
    np.testing.assert_allclose(Gaussian(0.8)(x, y), wanted, atol=1e-14)
    assert Gaussian(0.8)(x, x).diagonal() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("weight", [1.0, 0.9])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 3.0), (1.5, 1.0)])
def test_the_noise_is_that_of_distinct_pairs_triples_and_quadruples(weight: float, scale: float, shift: float) -> None:
    """The slow twin runs through all of them, and sees no formula for their sums. An estimate ζ1 < 0 counts as 0."""
    n = 9
    x, y = normal(n, 2, 5, scale, shift), normal(8, 2, 6)
    kernel = Polynomial(degree=2, gamma=0.5, coef0=1.0)
    own, w = kernel(x, x), kernel(x, y).mean(axis=1)
    g = weight * own - w[:, None] - w
    index = np.indices((n,) * 4).reshape(4, -1)
    i, j, k, m = index[:, [len(set(column)) == 4 for column in index.T]]
    square = np.mean(g[i, j] * g[k, m])
    first, second = np.mean(g[i, j] * g[i, k]) - square, np.mean(g[i, j] ** 2) - square
    assert (first > 0) == (scale == 1)
    wanted = (4 * (n - 2) * max(first, 0.0) + 2 * second) / (n * (n - 1))
    assert noise(within(x, kernel), w, weight=weight) == pytest.approx(math.sqrt(wanted), rel=1e-9)
    assert noise(within(x[:3], kernel), w[:3]) is None


def test_kid_full_is_the_statistic_over_all_pairs() -> None:
    x, y = normal(70, 6, 1, 1.2, 0.1), normal(55, 6, 2)
    own, theirs, both = slow_sums(x, y, Polynomial(degree=3, gamma=1 / 6, coef0=1.0))
    wanted = own.sum() / (70 * 69) + theirs.sum() / (55 * 54) - 2 * both.mean()
    assert run(KidFull(), x, y).value == pytest.approx(wanted, rel=1e-10)
    assert run(KidFull(gamma=1 / 6), x, y) == run(KidFull(), x, y)
    assert run(KidFull(), x, y).stderr != pytest.approx(run(KidFull(), y, x).stderr, rel=0.01)
    assert run(KidFull(), x[:55], y).value == pytest.approx(value(run(Kid(subsets=1), x[:55], y)), rel=1e-10)


@pytest.mark.parametrize(("shift", "scale"), [(0.2, 1.2), (0.0, 1.0)])
def test_the_noise_of_kid_full_is_that_of_many_draws(shift: float, scale: float) -> None:
    """With the reference as it is, and over both samples; where they are alike as well."""
    real = normal(90, 8, 999)
    given = [run(KidFull(), normal(70, 8, seed, scale, shift), real) for seed in range(150)]
    spread = np.std([value(score) for score in given])
    assert math.sqrt(np.mean([stderr(score) ** 2 for score in given])) == pytest.approx(spread, rel=0.2)
    both = [run(KidFull(), normal(70, 8, seed, scale, shift), normal(90, 8, 500 + seed)) for seed in range(150)]
    spread = np.std([value(score) for score in both])
    expected = math.sqrt(np.mean([score.details["two_sample_stderr"] ** 2 for score in both]))
    assert expected == pytest.approx(spread, rel=0.2)


def test_the_intervals_of_kernel_distances_cover() -> None:
    real = normal(90, 8, 999)
    for metric in (KidFull(), Cmmd(sigma=1.0)):
        scores = [run(metric, normal(90, 8, seed, 1.1, 0.1), real) for seed in range(80)]
        mean = np.mean([value(score) for score in scores])
        assert sum(score.ci95[0] <= mean <= score.ci95[1] for score in scores if score.ci95) >= 68


def test_cmmd_is_the_mean_over_all_pairs_of_unit_vectors() -> None:
    x, y = normal(40, 6, 1, 2.0, 0.5), normal(55, 6, 2)
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))

    def mean(p: Array, q: Array) -> float:
        return float(np.mean(np.exp(-np.sum((p[:, None] - q) ** 2, axis=2) / 200)))

    wanted = 1000 * (mean(a, a) + mean(b, b) - 2 * mean(a, b))
    found = run(Cmmd(), x, y)
    assert found.value == pytest.approx(wanted, rel=1e-9)
    assert run(Cmmd(), 7 * x, y).value == pytest.approx(wanted, rel=1e-9)
    off_diagonal = (40 * mean(a, a) - 1) / 39
    assert found.bias_estimate == pytest.approx(1000 * (1 - off_diagonal) / 40, rel=1e-6)
    unscaled = run(Cmmd(scale=1.0), x, y)
    assert unscaled.value == pytest.approx(wanted / 1000, rel=1e-9)
    assert unscaled.stderr == pytest.approx(stderr(found) / 1000, rel=1e-9)
    assert value(run(Cmmd(), np.concatenate([x, np.zeros((1, 6))]), y)) > 0


def test_the_bias_and_the_noise_of_cmmd_are_those_of_many_draws() -> None:
    real = normal(1500, 5, 999)
    scores = [run(Cmmd(), normal(60, 5, seed, 1.0, 0.3), real) for seed in range(60)]
    many = value(run(Cmmd(), normal(3000, 5, 1234, 1.0, 0.3), real))
    assert np.mean([value(score) for score in scores]) - many == pytest.approx(
        np.mean([score.bias_estimate for score in scores if score.bias_estimate]), rel=0.25
    )
    spread = np.std([value(score) for score in scores])
    assert np.mean([stderr(score) for score in scores]) == pytest.approx(spread, rel=0.3)


def test_parameters_of_kernels_are_checked() -> None:
    with pytest.raises(UsageError, match="Cmmd: sigma must be a positive number; found 0"):
        Cmmd(sigma=0)
    with pytest.raises(UsageError, match=r"KidFull: gamma must be a positive number, or None"):
        KidFull(gamma=-1.0)


# Sliced distances


@pytest.mark.parametrize(("n", "m"), [(50, 50), (50, 31), (12, 60), (2, 3)])
def test_along_one_direction_it_is_the_distance_of_quantile_functions(n: int, m: int) -> None:
    """The slow twin repeats each sample up to a common count, lcm(n, m); the 1-distance is SciPy's."""
    x, y = normal(n, 3, 1, 1.5), normal(m, 3, 2, 1.0, 0.4)
    directions = np.eye(3)
    found = sliced(x, y, directions).squares
    common = math.lcm(n, m)
    for axis in range(3):
        a, b = (np.sort(v[:, axis]).repeat(common // len(v)) for v in (x, y))
        assert found[axis] == pytest.approx(np.mean((a - b) ** 2), rel=1e-12)
        assert np.mean(np.abs(a - b)) == pytest.approx(stats.wasserstein_distance(x[:, axis], y[:, axis]), rel=1e-12)


def test_a_shift_costs_its_projections() -> None:
    x, c = normal(80, 16, 1), np.random.default_rng(5).normal(size=16)
    metric = SlicedWasserstein(directions=400)
    u = metric.generator(2020).normal(size=(400, 16))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    found = run(metric, x + c, x)
    assert found.value == pytest.approx(math.sqrt(np.mean((u @ c) ** 2)), rel=1e-10)
    assert found.value == pytest.approx(np.linalg.norm(c) / 4, rel=0.1)
    assert run(metric, x, x).value == 0


def test_a_shift_costs_mind_three_times_its_square_along_each_direction() -> None:
    x, c = normal(80, 16, 1), np.random.default_rng(5).normal(size=16)
    u = torch.randn(1000, 16, generator=torch.Generator().manual_seed(2020))
    u = (u / u.norm(dim=1, keepdim=True)).double().numpy()
    found = run(Mind(), x + c, x)
    assert found.value == pytest.approx(3 * 16 * np.mean((u @ c) ** 2), rel=1e-10)
    assert found.value == pytest.approx(3 * c @ c, rel=0.1)
    assert run(Mind(), x, x).value == 0


def test_gaussians_have_a_closed_form_in_one_dimension() -> None:
    """W₂² = (μ - ν)² + (σ - τ)², up to what 20,000 draws are off being normal; the directions are there and back."""
    x, y = normal(20_000, 1, 1, 1.5, 1.0), normal(15_000, 1, 2)
    wanted = math.hypot(x.mean() - y.mean(), x.std() - y.std())
    assert run(SlicedWasserstein(directions=2), x, y).value == pytest.approx(wanted, rel=1e-3)


def test_the_potential_is_the_derivative_of_the_squared_distance() -> None:
    """A row counted twice moves the mean of the squared distances by its potential / n."""
    x, y, u = normal(400, 2, 1, 1.4, 0.3), normal(300, 2, 2), np.array([[0.6, 0.8], [1.0, 0.0]])
    before = float(sliced(x, y, u).squares.mean())
    moved = [float(sliced(np.concatenate([x, x[i : i + 1]]), y, u).squares.mean()) - before for i in range(400)]
    assert np.std(moved) * math.sqrt(400) == pytest.approx(sliced(x, y, u).stderr, rel=0.03)
    assert sliced(x, x, u).stderr == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(("shift", "scale"), [(0.3, 1.3), (0.0, 1.0)])
@pytest.mark.parametrize("metric", [SlicedWasserstein(directions=20), Mind(directions=20)])
def test_the_noise_of_sliced_distances_is_that_of_many_draws(metric: Metric, shift: float, scale: float) -> None:
    """A little wide where fakes and reals are alike."""
    real = normal(200, 8, 999)
    scores = [run(metric, normal(200, 8, seed, scale, shift), real) for seed in range(60)]
    values = [value(score) for score in scores]
    assert 0.8 <= np.mean([stderr(score) for score in scores]) / np.std(values) <= 1.5
    assert sum(score.ci95[0] <= np.mean(values) <= score.ci95[1] for score in scores if score.ci95) >= 53


def slow_mind(x: Array, y: Array, directions: int, seed: int) -> float:
    """As torch-fidelity has it, in float64."""
    generator, n = torch.Generator().manual_seed(seed), min(len(x), len(y))
    a, b = (v if len(v) == n else v[torch.randperm(len(v), generator=generator)[:n].numpy()] for v in (x, y))
    u = torch.randn(directions, x.shape[1], generator=generator)
    u = u / u.norm(dim=1, keepdim=True)
    gaps = np.sort(a @ u.double().numpy().T, axis=0) - np.sort(b @ u.double().numpy().T, axis=0)
    return float(3 * x.shape[1] * np.mean(gaps**2))


@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 45), (45, 60)])
def test_mind_is_that_of_the_twin(n: int, m: int) -> None:
    x, y = normal(n, 7, 1, 1.2, 0.3), normal(m, 7, 2)
    found = run(Mind(directions=40, seed=3), x, y)
    assert found.value == pytest.approx(slow_mind(x, y, 40, 3), rel=1e-10)
    assert found.details == {"n_used": min(n, m)}


def test_mind_is_what_torch_fidelity_gave() -> None:
    """Its mind_features_to_metric at 5e211a9 (May 2026), in float32: 1000 directions, seed 2020."""

    def drawn(seed: int, n: int, scale: float = 1.0, shift: float = 0.0) -> Array:
        return normal(n, 24, seed, scale, shift).astype(np.float32)

    x, y, z = drawn(1, 300, 1.1, 0.2), drawn(2, 300), drawn(3, 410)
    assert run(Mind(), x, y).value == pytest.approx(4.536453366279602, rel=1e-6)
    assert run(Mind(), x, z).value == pytest.approx(4.578259348869324, rel=1e-6)
    assert run(Mind(), z, x).value == pytest.approx(4.578259348869324, rel=1e-6)


def test_cmmd_is_what_its_pytorch_port_gave() -> None:
    """mmd() of cmmd-pytorch's distance.py on unit vectors, in float64."""
    x, z = normal(300, 24, 1, 1.1, 0.2).astype(np.float32), normal(410, 24, 3).astype(np.float32)
    assert run(Cmmd(), x, z).value == pytest.approx(0.3324521856242768, rel=1e-9)


# MiFID


def slow_nearest(x: Array, y: Array) -> Array:
    return np.array([min(1 - abs(a @ b) / math.sqrt((a @ a) * (b @ b)) for b in y) for a in x])


def test_nearest_cosines_are_those_of_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganbench.metrics._screen.TILE", 16)
    x, y = normal(40, 5, 1), normal(50, 5, 2)
    wanted = slow_nearest(x, y)
    np.testing.assert_allclose(nearest_cosine(x, y), wanted, atol=1e-14)
    np.testing.assert_allclose(nearest_cosine(-3 * x, y), wanted, atol=1e-14)
    holed, other = x.copy(), np.concatenate([y, np.zeros((3, 5))])
    holed[7] = 0
    found = nearest_cosine(holed, other)
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]
    np.testing.assert_allclose(np.delete(found, 7), np.delete(wanted, 7), atol=1e-14)


def test_mifid_punishes_what_is_near_and_nothing_else() -> None:
    y = positive(300, 20, 1)
    far, near = positive(250, 20, 2, 1.2), y[:250] * 1.2 + 1e-3 * positive(250, 20, 3)
    found, copied = run(Mifid(), far, y), run(Mifid(), near, y)
    assert found.details["cosine_distance"] > 0.1
    assert found.value == pytest.approx(value(run(Fid(), far, y)), rel=1e-10)
    assert found.stderr == pytest.approx(run(Fid(), far, y).stderr, rel=1e-9)
    assert found.ci95 == pytest.approx(run(Fid(), far, y).ci95, rel=1e-9)
    distance = slow_nearest(near, y).mean()
    assert distance < 1e-5
    assert copied.value == pytest.approx(value(run(Fid(), near, y)) / distance, rel=1e-6)
    assert run(Mifid(), y, y).value == 0
    assert run(Mifid(eps=1.0), far, y).value == pytest.approx(
        value(run(Fid(), far, y)) / slow_nearest(far, y).mean(), rel=1e-9
    )


def test_the_jackknife_of_mifid_leaves_groups_out_of_both_parts() -> None:
    x, y = positive(120, 4, 1, 1.2), positive(200, 4, 2)
    group = group_of_each(0, 120, 2020)
    without = [value(run(Mifid(eps=1.0), x[group != g], y)) for g in range(GROUPS)]
    found = run(Mifid(eps=1.0), x, y)
    wanted = jackknife(value(found), without, sizes=np.bincount(group, minlength=GROUPS).tolist(), least=0.0)
    assert found.stderr == pytest.approx(wanted.stderr, rel=1e-6)
    assert found.ci95 == pytest.approx(wanted.ci95, rel=1e-6)


def test_mifid_has_no_interval_at_the_edge() -> None:
    x, y = positive(120, 4, 1), positive(200, 4, 2)
    mean = nearest_cosine(x, y).mean()
    for eps in (mean * 1.0001, mean * 0.9999):
        assert run(Mifid(eps=float(eps)), x, y).ci95 is None
    with pytest.raises(UsageError, match="eps must be a number from 0 to 1; found 2"):
        Mifid(eps=2)


def test_mifid_takes_the_moments_of_all_reals() -> None:
    """Where the features of a part of them are known."""
    x, y = positive(100, 6, 1, 1.3), positive(400, 6, 2)
    part = Features(y[:150], moments=Moments.of(y))
    found = run(Mifid(eps=1.0), x, part)
    assert found.details["frechet_distance"] == pytest.approx(value(run(Fid(), x, y)), rel=1e-9)
    assert found.details["cosine_distance"] == pytest.approx(slow_nearest(x, y[:150]).mean(), rel=1e-9)


@pytest.mark.parametrize("metric", [FidInfinity(), KidFull(), Cmmd(), Mind(), SlicedWasserstein(), Mifid(), Sfid()])
def test_other_widths_are_named(metric: Metric) -> None:
    with pytest.raises(BadInput, match="fake has features of width 4, real of width 5"):
        run(metric, normal(40, 4, 1), normal(40, 5, 2))


def test_classes_that_the_reals_lack_are_named() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(
        BadInput, match="fake has images of class 11, of which real has none; the classes of real are 0 to 3"
    ):
        score(
            "intra_fid",
            fake=x,
            real=x,
            fake_labels=np.where(np.arange(40) % 4 == 3, 11, np.arange(40) % 4),
            real_labels=np.arange(40) % 4,
        )
