"""The metrics against closed forms, and their intervals against what they are said to be."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.moments import GROUPS, Moments, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._base import TooFewImages
from ganbench.metrics._frechet import frechet, trace_root
from ganbench.metrics._jackknife import jackknife, t_quantile
from ganbench.metrics.density_coverage import DensityCoverage
from ganbench.metrics.fid import Fid
from ganbench.metrics.inception_score import InceptionScore
from ganbench.metrics.kid import Kid
from ganbench.metrics.precision_recall import PrecisionRecall, wilson
from ganbench.results import Score

Array = NDArray[np.floating]


def normal(n: int, d: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Array:
    return scale * np.random.default_rng(seed).normal(size=(n, d)) + shift


def spd(d: int, seed: int, decay: float = 0.0) -> Array:
    q, _ = np.linalg.qr(normal(d, d, seed))
    cov: Array = (q * np.logspace(0, -decay, d)) @ q.T
    return (cov + cov.T) / 2


def fid(fake: Features, real: Features) -> Score:
    return Fid().compute(fake=fake, real=real)["frechet_distance"]


def value(score: Score) -> float:
    assert score.value is not None
    return score.value


# Frechet distance


def known(mean: Array, cov: Array) -> Features:
    return Features(moments=Moments(0, mean, cov))


def test_gaussians_that_commute_have_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    a, b, mean = rng.uniform(0.1, 3, 40), rng.uniform(0.1, 3, 40), rng.normal(size=40)
    q, _ = np.linalg.qr(rng.normal(size=(40, 40)))
    wanted = mean @ mean + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    found = fid(known(mean, (q * a) @ q.T), known(np.zeros(40), (q * b) @ q.T))
    assert found.value == pytest.approx(wanted, rel=1e-12)
    assert (found.stderr, found.ci95, found.bias_estimate) == (None, None, None)


def test_gaussians_that_do_not_commute() -> None:
    """In two dimensions tr √M = √(tr M + 2 √det M)."""
    a, b = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    root = math.sqrt(np.trace(a @ b) + 2 * math.sqrt(np.linalg.det(a @ b)))
    wanted = np.trace(a) + np.trace(b) - 2 * root
    assert fid(known(np.zeros(2), a), known(np.zeros(2), b)).value == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("n", [30, 100, 400])
def test_a_shift_costs_its_square(n: int) -> None:
    x = normal(n, 50, 1)
    assert fid(Features(x + 0.3), Features(x)).value == pytest.approx(50 * 0.09, rel=1e-9)


@pytest.mark.parametrize("n", [30, 50, 51, 400])
@pytest.mark.parametrize("decay", [0, 6, 12])
def test_equal_sets_are_at_distance_nought(n: int, decay: float) -> None:
    x = normal(n, 50, 1) @ spd(50, 2, decay)
    trace = np.trace(np.cov(x, rowvar=False))
    assert value(fid(Features(x), Features(x))) <= 1e-6 * trace
    streamed = Features(moments=Features(x).moments)
    assert value(fid(streamed, streamed)) <= 1e-12 * trace


@pytest.mark.parametrize("n", [30, 49, 50, 51, 200])
@pytest.mark.parametrize("m", [20, 300])
def test_few_fakes_or_reals_give_the_nuclear_norm(n: int, m: int) -> None:
    x, y = normal(n, 50, 1, 1.1, 0.1), normal(m, 50, 2)
    a, b = ((v - v.mean(axis=0)) / math.sqrt(len(v) - 1) for v in (x, y))
    step = x.mean(axis=0) - y.mean(axis=0)
    wanted = step @ step + np.sum(a * a) + np.sum(b * b) - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()
    for fake in (Features(x), Features(moments=Features(x).moments)):
        assert fid(fake, Features(y)).value == pytest.approx(wanted, rel=1e-9)


def test_a_graded_matrix_keeps_its_small_eigenvalues() -> None:
    """With the columns of the factor the other way round the error is 1e-8."""
    cov = spd(60, 1, 14)
    factor = known(np.zeros(60), cov).factor
    assert trace_root(factor.T @ cov @ factor, 60) == pytest.approx(np.trace(cov), rel=1e-13)


@pytest.mark.parametrize("n", [40, 300])
def test_each_group_is_left_out_of_the_distance(n: int) -> None:
    x, real = normal(n, 50, 1, 1.2), Features(normal(500, 50, 2))
    fake = Features(x)
    group = group_of_each(0, n, fake.seed)
    wanted = [value(fid(Features(x[group != g]), real)) for g in range(GROUPS)]
    streamed = Features(moments=fake.moments, groups=fake.groups)
    for features in (fake, streamed):
        whole, parts = frechet(features, real)
        np.testing.assert_allclose(parts, wanted, rtol=1e-8)
        spread = jackknife(whole, wanted, sizes=np.bincount(group).tolist())
        assert fid(features, real).stderr == pytest.approx(spread.stderr, rel=1e-5)
        assert fid(features, real).bias_estimate == pytest.approx(min(spread.bias, whole), rel=1e-5)


def test_the_bias_estimate_is_the_bias() -> None:
    """Fakes and reals from one distribution, the reals known exactly: all of the distance is bias."""
    real = known(np.zeros(20), np.eye(20))
    scores = [fid(Features(normal(400, 20, seed)), real) for seed in range(20)]
    bias = np.mean([value(score) for score in scores])
    assert np.mean([score.bias_estimate for score in scores]) == pytest.approx(bias, rel=0.05)


def test_the_interval_covers_the_mean_of_many_draws() -> None:
    real = known(np.zeros(20), np.eye(20))
    scores = [fid(Features(normal(400, 20, seed, 1.1, 0.1)), real) for seed in range(40)]
    values = [value(score) for score in scores]
    inside = sum(score.ci95[0] <= np.mean(values) <= score.ci95[1] for score in scores if score.ci95)
    assert inside >= 35
    assert 0.7 <= np.mean([score.stderr for score in scores]) / np.std(values) <= 1.7


def test_fewer_fakes_than_two_a_group_have_no_interval() -> None:
    real = Features(normal(50, 4, 2))
    assert fid(Features(normal(19, 4, 1)), real).ci95 is None
    assert fid(Features(normal(20, 4, 1)), real).ci95 is not None
    assert fid(Features(moments=Moments.of(normal(50, 4, 1))), real).ci95 is None


# Jackknife


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    groups = np.array([1.0, 4, 2, 8, 5])
    without = [(groups.sum() - g) / 4 for g in groups]
    spread = jackknife(groups.mean(), without, least=3.0)
    stderr = groups.std(ddof=1) / math.sqrt(5)
    assert spread.stderr == pytest.approx(stderr)
    assert spread.bias == pytest.approx(0, abs=1e-12)
    assert spread.ci95 == (3.0, pytest.approx(4 + 2.776445 * stderr))


def test_the_jackknife_finds_a_bias_of_b_over_n() -> None:
    assert jackknife(3 + 7 / 100, [3 + 7 / 90] * 10).bias == pytest.approx(7 / 100)


def test_the_jackknife_of_unequal_groups_sees_through_their_sizes() -> None:
    """A score a + b/n has no spread, only a bias, however the groups are cut."""
    sizes, n = [3, 9, 20, 8], 40
    spread = jackknife(3 + 7 / n, [3 + 7 / (n - m) for m in sizes], sizes=sizes)
    assert spread.stderr == pytest.approx(0, abs=1e-12)
    assert spread.ci95 is None
    assert spread.bias == pytest.approx(7 / n)
    again = jackknife(3 + 7 / n, [*(3 + 7 / (n - m) for m in sizes), 99.0], sizes=[*sizes, 0])
    assert again.bias == pytest.approx(7 / n)


def test_the_order_of_the_fakes_does_not_narrow_the_interval() -> None:
    """Rows sorted by class, as class folders are, have the spread of shuffled ones."""
    centres = normal(10, 6, 1, 4.0)
    real = Features(np.concatenate([normal(200, 6, 50 + c) + centres[c] for c in range(10)]))
    ratios = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        y = np.sort(rng.integers(0, 10, 400))
        x = rng.normal(size=(400, 6)) + centres[y]
        in_order, shuffled = fid(Features(x), real), fid(Features(rng.permutation(x)), real)
        assert value(in_order) == pytest.approx(value(shuffled), rel=1e-9)
        assert in_order.stderr is not None
        assert shuffled.stderr is not None
        ratios.append(in_order.stderr / shuffled.stderr)
    assert 0.8 <= np.mean(ratios) <= 1.25


def test_a_matrix_that_is_no_covariance_is_refused() -> None:
    """Each pair of variables may be right, and the whole impossible: its distance would read 0."""
    impossible = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1.0]])
    with pytest.raises(BadInput, match="none can be negative"):
        fid(
            Features(moments=Moments(99, np.zeros(3), impossible)),
            Features(moments=Moments(99, np.zeros(3), impossible)),
        )
    with pytest.raises(BadInput, match="no negative variance"):
        Features(moments=Moments(99, np.zeros(3), -np.eye(3)))


def test_students_t() -> None:
    assert t_quantile(9) == pytest.approx(2.262157, abs=1e-6)


# Kernel distance


def slow_mmd(x: Array, y: Array, gamma: float) -> float:
    xx, yy, xy = ((gamma * a @ b.T + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    own = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(own - 2 * xy.mean())


@pytest.mark.parametrize("tile", [1024, 4])
@pytest.mark.parametrize("subsets", [2, 5, 9])  # 2: each block for itself; 9: every pair once
def test_kernel_distance_is_that_of_the_twin(subsets: int, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganbench.metrics._kernel._TILE", tile)
    x, y = normal(70, 6, 1), normal(55, 6, 2, 1.2, 0.4)
    rng = np.random.RandomState(2020)
    pairs = [(rng.choice(70, 30, replace=False), rng.choice(55, 30, replace=False)) for _ in range(subsets)]
    group = group_of_each(0, 70, 2020)
    without = [np.mean([slow_mmd(x[i[group[i] != g]], y[j], 1 / 6) for i, j in pairs]) for g in range(GROUPS)]
    wanted = [slow_mmd(x[i], y[j], 1 / 6) for i, j in pairs]
    spread = jackknife(float(np.mean(wanted)), without, sizes=np.bincount(group, minlength=GROUPS).tolist())
    kid = Kid(subsets=subsets, subset_size=30)
    found = kid.compute(fake=Features(x), real=Features(y))["kernel_distance"]
    assert found.value == pytest.approx(np.mean(wanted), rel=1e-10)
    assert found.details == {"subset_std": pytest.approx(np.std(wanted), rel=1e-10), "subset_size": 30}
    assert found.stderr == pytest.approx(spread.stderr, rel=1e-9)


def test_what_is_kept_of_the_reals_serves_only_the_same_draws() -> None:
    """Subsets of the reals are drawn behind those of the fakes, so that they depend on how many fakes there are."""
    y = normal(55, 6, 2, 1.2, 0.4)
    real, kids = Features(y), (Kid(subsets=9, subset_size=30), Kid(subsets=9, subset_size=30, gamma=0.3))
    for n in (70, 60, 70):
        for kid in kids:
            x = normal(n, 6, n)
            known = kid.compute(fake=Features(x), real=real)["kernel_distance"]
            assert known == kid.compute(fake=Features(x), real=Features(y))["kernel_distance"]


def test_subsets_are_no_larger_than_the_smaller_set() -> None:
    x, y = normal(20, 6, 1), normal(50, 6, 2, 1.2)
    small = Kid(subsets=4, subset_size=20).compute(fake=Features(x), real=Features(y))
    assert Kid(subsets=4).compute(fake=Features(x), real=Features(y)) == small
    both = Kid(subsets=1).compute(fake=Features(y), real=Features(y[:20] + 0.1))["kernel_distance"]
    assert both.value is not None


def test_kernel_parameters_do_what_they_say() -> None:
    x, y = normal(40, 3, 1), normal(40, 3, 2, 1.3)

    def kernel_distance(kid: Kid) -> float:
        return value(kid.compute(fake=Features(x), real=Features(y))["kernel_distance"])

    assert kernel_distance(Kid(gamma=1 / 3)) == pytest.approx(kernel_distance(Kid()), rel=1e-12)
    assert kernel_distance(Kid(degree=1)) == pytest.approx(kernel_distance(Kid(degree=1, coef0=5.0)), abs=1e-12)
    assert kernel_distance(Kid(seed=1, subset_size=10)) != kernel_distance(Kid(subset_size=10))


def test_the_noise_of_the_kernel_distance_is_that_of_many_draws() -> None:
    real = Features(normal(150, 8, 999))
    kid = Kid(subsets=4, subset_size=100)
    scores = [kid.compute(fake=Features(normal(120, 8, s, 1.2, 0.2)), real=real)["kernel_distance"] for s in range(40)]
    assert 0.7 <= np.mean([score.stderr for score in scores]) / np.std([value(score) for score in scores]) <= 1.4


def test_the_jackknife_of_the_kernel_distance_leaves_groups_out() -> None:
    """With one subset, which is the whole, it is the plain statistic without each group."""
    x, y = normal(60, 6, 1), normal(60, 6, 2, 1.2)
    group = group_of_each(0, 60, 2020)
    without = [slow_mmd(x[group != g], y, 1 / 6) for g in range(GROUPS)]
    wanted = jackknife(slow_mmd(x, y, 1 / 6), without, sizes=np.bincount(group, minlength=GROUPS).tolist())
    found = Kid(subsets=1).compute(fake=Features(x), real=Features(y))["kernel_distance"]
    assert found.stderr == pytest.approx(wanted.stderr, rel=1e-9)
    assert found.ci95 == pytest.approx(wanted.ci95, rel=1e-9)


def test_tiny_sets_have_a_kernel_distance_without_interval() -> None:
    found = Kid().compute(fake=Features(normal(2, 3, 1)), real=Features(normal(2, 3, 2)))["kernel_distance"]
    assert found.value is not None
    assert found.ci95 is None


# Inception Score


def inception(logits: Array, **params: int) -> Score:
    return InceptionScore(**params).compute(fake=Features(logits), real=None)["inception_score"]


def test_sure_and_even_predictions_score_the_number_of_classes() -> None:
    logits = 1000.0 * np.eye(7)[np.arange(700) % 7]
    assert inception(logits, splits=1).value == pytest.approx(7, rel=1e-12)
    assert inception(logits[np.random.default_rng(0).permutation(700)]).value == pytest.approx(7, rel=0.1)


def test_constant_predictions_score_one() -> None:
    found = inception(np.tile(normal(1, 9, 0), (50, 1)))
    assert found.value == pytest.approx(1, rel=1e-12)
    assert found.stderr == pytest.approx(0, abs=1e-12)
    assert found.ci95 is None, "an interval without width says nothing"
    assert inception(np.tile([[1e4, -1e4, 0.0]], (20, 1))).value == 1.0


def test_the_interval_is_students_over_the_splits() -> None:
    logits = normal(200, 5, 0, 3.0)
    found = inception(logits)
    order = np.random.RandomState(2020).permutation(200)
    parts = [value(inception(logits[order[i * 20 : (i + 1) * 20]], splits=1)) for i in range(10)]
    assert found.value == pytest.approx(np.mean(parts), rel=1e-12)
    assert found.details["split_std"] == pytest.approx(np.std(parts), rel=1e-9)
    assert found.stderr == pytest.approx(np.std(parts, ddof=1) / math.sqrt(10), rel=1e-9)
    assert found.ci95 is not None
    assert found.ci95[1] - found.ci95[0] == pytest.approx(2 * 2.262157 * found.stderr, rel=1e-6)
    assert inception(logits, splits=1).ci95 is None


def test_fewer_logits_than_splits_are_named() -> None:
    with pytest.raises(TooFewImages, match=r"Found 9 images for 10 splits, which need two images each\. Give more"):
        inception(normal(9, 4, 0))


# Precision, recall, density, coverage


def test_fakes_among_few_reals_have_precision_without_recall() -> None:
    real = np.concatenate([normal(100, 3, 1), normal(100, 3, 2, shift=100.0)])
    fake = normal(200, 3, 3, 0.1)
    found = PrecisionRecall().compute(fake=Features(fake), real=Features(real))
    assert found["precision"].value == 1.0
    assert found["recall"].value is not None
    assert found["recall"].value < 0.2
    assert found["recall"].ci95 is None
    dense = DensityCoverage().compute(fake=Features(fake), real=Features(real))
    assert value(dense["density"]) > 1
    assert value(dense["coverage"]) <= 0.5


def test_closed_balls_hold_their_edge_and_open_ones_do_not() -> None:
    real, fake = np.array([[0.0], [1], [10], [11]]), np.array([[2.0], [12], [-50], [-90]])
    found = PrecisionRecall(k=1).compute(fake=Features(fake), real=Features(real))
    assert found["precision"].value == 0.5
    assert DensityCoverage(k=1).compute(fake=Features(fake), real=Features(real))["density"].value == 0.0


def test_coverage_of_equal_distributions_is_as_the_paper_says() -> None:
    n, k = 600, 5
    wanted = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    pairs = [(Features(normal(n, 16, s)), Features(normal(n, 16, s + 100))) for s in range(6)]
    scores = [DensityCoverage().compute(fake=fake, real=real) for fake, real in pairs]
    assert np.mean([value(score["coverage"]) for score in scores]) == pytest.approx(wanted, abs=0.01)
    assert np.mean([value(score["density"]) for score in scores]) == pytest.approx(1, abs=0.05)


def test_their_noise_is_that_of_many_draws() -> None:
    real = Features(normal(200, 8, 999))
    found: dict[str, list[Score]] = {}
    for seed in range(40):
        fake = Features(normal(150, 8, seed, 0.9, 0.2))
        for metric in (PrecisionRecall(), DensityCoverage()):
            for key, score in metric.compute(fake=fake, real=real).items():
                found.setdefault(key, []).append(score)
    for key in ("precision", "density", "coverage"):
        ratio = np.mean([score.stderr for score in found[key]]) / np.std([value(score) for score in found[key]])
        assert 0.75 <= ratio <= 1.6, key


def test_the_coverage_interval_is_the_jackknife() -> None:
    x, y = normal(80, 4, 1), normal(90, 4, 2)
    group = group_of_each(0, 80, 2020)

    def coverage(fake: Array) -> Score:
        return DensityCoverage().compute(fake=Features(fake), real=Features(y))["coverage"]

    found = coverage(x)
    without = [value(coverage(x[group != g])) for g in range(GROUPS)]
    spread = jackknife(value(found), without, sizes=np.bincount(group, minlength=GROUPS).tolist())
    assert found.stderr == pytest.approx(spread.stderr)
    assert coverage(x[:19]).ci95 is None


def test_wilson() -> None:
    assert wilson(0.5, 100) == (pytest.approx(0.403832, abs=1e-6), pytest.approx(0.596168, abs=1e-6))
    assert wilson(1.0, 100) == (pytest.approx(0.963006, abs=1e-6), 1.0)
    assert wilson(0.0, 10)[0] == 0.0


def test_copies_of_one_picture_have_radius_nought() -> None:
    one, spread = np.tile(normal(1, 4, 0), (40, 1)), normal(50, 4, 1)
    same = PrecisionRecall().compute(fake=Features(one), real=Features(one.copy()))
    assert (same["precision"].value, same["recall"].value) == (1.0, 1.0)
    open_balls = DensityCoverage().compute(fake=Features(one), real=Features(one.copy()))
    assert (open_balls["density"].value, open_balls["coverage"].value) == (0.0, 0.0)
    assert PrecisionRecall().compute(fake=Features(one), real=Features(spread))["recall"].value == 0.0


@pytest.mark.parametrize("metric", [PrecisionRecall(), DensityCoverage()])
def test_too_few_for_k_are_named(metric: PrecisionRecall | DensityCoverage) -> None:
    k = metric.k
    enough, few = Features(normal(k + 1, 3, 1)), Features(normal(k, 3, 2))
    assert metric.compute(fake=enough, real=enough)
    for fake, real, side in ((few, enough, "fake"), (enough, few, "real")):
        with pytest.raises(TooFewImages, match=rf"{side} has {k} images; with k={k} at least {k + 1} are needed"):
            metric.compute(fake=fake, real=real)
    with pytest.raises(UsageError, match="needs the features of real, and only their moments are known"):
        metric.compute(fake=enough, real=Features(moments=Moments.of(normal(9, 3, 0))))
