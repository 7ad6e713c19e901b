"""Authenticity, C_T, nearest reals and the birthday test against closed forms, slow twins and known generators."""

import gc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import ganbench.metrics._nearest as nearest_module
from ganbench.errors import BadInput, UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import TooFewImages
from ganbench.metrics._components import reduced
from ganbench.metrics._near_pairs import closest_pairs, near_others
from ganbench.metrics._nearest import nearest, search
from ganbench.metrics._neighbours import radii
from ganbench.metrics._score import score
from ganbench.metrics.birthday import Birthday, support
from ganbench.metrics.c_t import CT, z_of
from ganbench.metrics.nearest import NearestReals
from ganbench.results import Score

Array = NDArray[np.floating]


def all_distances(x: Array, y: Array) -> NDArray[np.float64]:
    return np.stack([np.sqrt(((y.astype(np.float64) - row) ** 2).sum(axis=1)) for row in x.astype(np.float64)])


def normal(n: int, d: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def clusters(n: int, d: int, seed: int) -> Array:
    """Two far, tight clusters: float32 products cannot tell the distances within one apart."""
    draw = np.random.default_rng(seed)
    return (100.0 * draw.integers(0, 2, size=(n, 1)) + 1e-4 * draw.normal(size=(n, d))).astype(np.float64)


def lattice(n: int, d: int, seed: int) -> Array:
    """Small integers: hosts of equal distances and equal rows."""
    return np.random.default_rng(seed).integers(0, 3, size=(n, d)).astype(np.float32)


def collapsed(n: int, d: int, seed: int) -> Array:
    return normal(3, d, 5)[np.random.default_rng(seed).integers(0, 3, size=n)]


def with_outlier(n: int, d: int, seed: int) -> Array:
    x = normal(n, d, seed)
    x[n // 2] = 1e18
    return x


def offset(n: int, d: int, seed: int) -> Array:
    return normal(n, d, seed) + np.float32(1e4)


KINDS = [normal, clusters, lattice, collapsed, with_outlier, offset]
kinds = pytest.mark.parametrize("kind", KINDS)
sizes = pytest.mark.parametrize(("n", "m"), [(70, 90), (1300, 1100)])


def column(*numbers: float) -> Array:
    return np.array(numbers, dtype=np.float32)[:, None]


def rotation(d: int) -> Array:
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(d, d)))
    return q


def only(found: dict[str, Score]) -> Score:
    (score,) = found.values()
    return score


def value(found: dict[str, Score]) -> float:
    assert only(found).value is not None
    return float(only(found))


# The nearest row of another set


@kinds
@sizes
def test_the_search_finds_the_first_of_the_nearest(kind: Callable[..., Array], n: int, m: int) -> None:
    x, y = kind(n, 6, 1), kind(m, 6, 2)
    d = all_distances(x, y)
    found = search(x, y)
    np.testing.assert_array_equal(found.index, d.argmin(axis=1))
    np.testing.assert_array_equal(found.distance, d.min(axis=1))


@kinds
@sizes
def test_the_search_divides_by_the_reach(kind: Callable[..., Array], n: int, m: int) -> None:
    x, y = kind(n, 6, 1), kind(m, 6, 2)
    reach = 0.01 + np.abs(y[:, 0].astype(np.float64))  # equal for equal rows
    d = all_distances(x, y) / (reach / reach.min())
    found = search(x, y, reach=reach)
    np.testing.assert_array_equal(found.index, d.argmin(axis=1))
    np.testing.assert_array_equal(found.distance, all_distances(x, y)[np.arange(n), found.index])


def test_crowded_tiles_are_done_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nearly all pairs of tight clusters would have to be measured one by one."""
    measured = 0
    exact = nearest_module.distances

    def counting(x: Array, y: Array, i: Array, j: Array) -> Array:
        nonlocal measured
        measured += len(i)
        return exact(x, y, i, j)

    monkeypatch.setattr(nearest_module, "distances", counting)
    search(clusters(1000, 6, 1), clusters(1000, 6, 2))
    assert measured < 20_000


def test_the_nearest_are_searched_for_once_and_let_go() -> None:
    fake, real = Features(normal(50, 4, 1)), Features(normal(60, 4, 2))
    first = nearest(fake=fake, real=real)
    assert nearest(fake=fake, real=real) is first
    assert len(nearest(fake=real, real=fake).index) == 60
    before = len(nearest_module._found)
    del fake, real, first
    gc.collect()
    assert len(nearest_module._found) < before


# Near pairs within a set


@kinds
@pytest.mark.parametrize("n", [90, 1300])
def test_near_others_are_counted_as_a_slow_twin_does(kind: Callable[..., Array], n: int) -> None:
    x = kind(n, 6, 1)
    d = all_distances(x, x)
    for limit in (0.0, float(np.quantile(d, 0.02)), float(np.quantile(d, 0.9))):
        np.testing.assert_array_equal(near_others(x, limit), (d <= limit).sum(axis=1) - 1)


@pytest.mark.parametrize("kind", [normal, clusters, offset])
def test_the_closest_pairs_are_each_rows_nearest_once(kind: Callable[..., Array]) -> None:
    x = kind(200, 6, 1)
    d = all_distances(x, x)
    np.fill_diagonal(d, np.inf)
    wanted = sorted({(d[i].min(), min(i, j), max(i, j)) for i, j in enumerate(d.argmin(axis=1))})[:7]
    i, j, gap = closest_pairs(x, d.min(axis=1), 7)
    assert list(zip(gap, i, j, strict=True)) == wanted
    assert [len(part) for part in closest_pairs(x, d.min(axis=1), 0)] == [0, 0, 0]


# Authenticity


def test_authenticity_of_single_points() -> None:
    real = column(0, 1, 3, 7)  # own distances 1, 1, 2, 4
    fake = column(0, 0.5, -1, 2, 3.5, 12)
    #             copy, near, on the limit: not farther, 1 from the real 1: not farther, near, 5 > 4: authentic
    assert value(score("authenticity", fake=fake, real=real)) == pytest.approx(100 / 6)
    assert value(score("authenticity", fake=real, real=fake)) != pytest.approx(100 / 6)


def test_copies_are_not_authentic() -> None:
    real = normal(300, 8, 1)
    assert value(score("authenticity", fake=real[::2], real=real)) == 0
    assert value(score("authenticity", fake=real + 100, real=real)) == 100


@pytest.mark.parametrize(("d", "mutual"), [(1, 2 / 3), (2, 6 * np.pi / (8 * np.pi + 3 * np.sqrt(3)))])
def test_fresh_draws_are_authentic_unless_they_and_a_real_are_each_others_nearest(d: int, mutual: float) -> None:
    """The share of mutual nearest neighbours of a Poisson process is 2/3 on the line, 6π/(8π + 3√3) in the plane."""
    draw = np.random.default_rng(4)
    found = only(score("authenticity", fake=draw.random((8000, d)), real=draw.random((8000, d))))
    assert found.stderr is not None
    # The same reals serve all fakes, which adds about as much noise again.
    assert found.value == pytest.approx(100 * (1 - mutual), abs=5 * found.stderr)


def test_authenticity_has_wilsons_interval() -> None:
    found = only(score("authenticity", fake=normal(400, 6, 1), real=normal(400, 6, 2)))
    assert found.ci95 is not None
    assert found.value is not None
    assert found.stderr == pytest.approx(100 * np.sqrt(found.value / 100 * (1 - found.value / 100) / 400))
    assert found.ci95[0] < found.value < found.ci95[1]
    assert found.ci95[1] - found.ci95[0] == pytest.approx(2 * 1.96 * found.stderr, rel=0.02)


def test_authenticity_takes_known_neighbours_of_the_reals() -> None:
    fake, real = normal(50, 4, 1), normal(60, 4, 2)
    known = Features(real, neighbours=np.full((60, 1), 1e9))
    assert value(score("authenticity", fake=fake, real=known)) == 0


# Nearest reals


def test_ratios_of_single_points() -> None:
    real = column(0, 1, 3, 7)
    fake = column(4, 0.25, 13, 3, 2.5)  # ratios 1/2, 1/4, 6/4, 0, 1/4 (0.5/2)
    found = only(score("nearest", fake=fake, real=real, pairs=4))
    assert found.value == pytest.approx(0.25)
    assert found.details == {"exact_copies": 1, "near_copies": 3}
    assert found.series == {
        "fake": [3, 1, 4, 0],
        "real": [2, 0, 2, 2],
        "distance": [0, 0.25, 0.5, 1],
        "ratio": [0, 0.25, 0.25, 0.5],
    }


def test_the_list_names_positions_in_the_sources() -> None:
    real = Features(column(0, 1, 3, 7), positions=np.array([10, 20, 30, 40]))
    fake = Features(column(0.5, 7.25, 50), positions=np.array([5, 6, 8]))
    series = only(score("nearest", fake=fake, real=real, pairs=2)).series
    assert (series["fake"], series["real"]) == ([6, 5], [40, 10])


def test_doubles_among_the_reals() -> None:
    """A copy of a double has the ratio 0; what lies beside it has none, and is not listed."""
    real = column(0, 0, 5, 6)
    found = only(score("nearest", fake=column(0, 5.5, 0.5), real=real))
    assert found.series["ratio"] == [0, 0.5]
    assert found.value == 0.5
    beside = only(score("nearest", fake=column(0.5, 0.25, 5.5), real=real))
    assert beside.value is None


def test_nearest_parameters_are_checked() -> None:
    with pytest.raises(UsageError, match="near must be a positive number"):
        NearestReals(near=0)
    with pytest.raises(UsageError, match="pairs must be a whole number"):
        NearestReals(pairs=-1)


# C_T


def test_z_is_mann_and_whitneys() -> None:
    from scipy.stats import mannwhitneyu

    draw = np.random.default_rng(1)
    x, y = draw.integers(0, 30, 50).astype(float), draw.integers(5, 40, 70).astype(float)  # with ties
    u = mannwhitneyu(x, y).statistic
    assert z_of(x, y) == pytest.approx((u - (50 * 70 / 2 - 0.5)) / np.sqrt(50 * 70 * 121 / 12), rel=1e-12)
    assert z_of(x, y) < -1 < 1 < z_of(y, x)


def test_c_t_of_fresh_draws_is_standard_normal() -> None:
    draw = np.random.default_rng(8)
    found = np.array(
        [
            value(score("c_t", fake=draw.normal(size=(60, 3)), real=draw.normal(size=(50, 3)), test=test, cells=1))
            for test in draw.normal(size=(300, 40, 3))
        ]
    )
    # Of 300 standard normal numbers the mean has the deviation 0.058, the deviation 0.041.
    assert abs(found.mean()) < 4 * 0.058
    assert abs(found.std() - 1) < 4 * 0.041


def test_c_t_tells_copies_from_draws_and_from_noise() -> None:
    real, test = normal(400, 5, 1), normal(300, 5, 2)
    copies = only(score("c_t", fake=real + np.float32(1e-3) * normal(400, 5, 3), real=real, test=test))
    draws = only(score("c_t", fake=normal(400, 5, 4), real=real, test=test))
    noise = only(score("c_t", fake=3 * normal(400, 5, 5), real=real, test=test))
    assert float(copies) < -10
    assert abs(float(draws)) < 4 * draws.details["null_std"]
    assert float(noise) > 8
    assert float(only(score("c_t", fake=test, real=real, test=copies_of(real)))) > 10


def copies_of(x: Array) -> Array:
    return x + np.float32(1e-3) * normal(*x.shape, 6)


def test_c_t_is_nothing_to_rotation() -> None:
    """k-means draws by number, so it draws the same images."""
    fake, real, test = (normal(300, 6, seed).astype(np.float64) for seed in (1, 2, 3))
    fake *= 1.1
    q = rotation(6)
    turned = score("c_t", fake=fake @ q, real=real @ q, test=test @ q)
    assert value(turned) == pytest.approx(value(score("c_t", fake=fake, real=real, test=test)), rel=1e-9)


def test_main_components_keep_the_distances_of_sklearns() -> None:
    from sklearn.decomposition import PCA

    mix = np.random.default_rng(9).normal(size=(40, 40))
    real, fake = normal(300, 40, 1) @ mix, normal(50, 40, 2) @ mix
    found = reduced(fake, real, among=real, dims=7)
    theirs = PCA(n_components=7, svd_solver="full").fit(real)
    for ours, given in zip(found, (fake, real), strict=True):
        wanted = theirs.transform(given)
        np.testing.assert_allclose(all_distances(ours, ours), all_distances(wanted, wanted), atol=1e-6 * 40)
    narrow = reduced(fake, among=real, dims=40)[0]
    np.testing.assert_array_equal(narrow, fake)
    sets = {"fake": normal(200, 40, 2) @ mix, "real": real, "test": real + 1}
    assert value(score("c_t", **sets, dims=3)) != value(score("c_t", **sets))


def test_cells_without_fakes_or_held_out_images_do_not_count() -> None:
    near, far = normal(100, 2, 1), normal(100, 2, 2) + 1000
    both = np.concatenate([near, far])
    alone = only(score("c_t", fake=normal(50, 2, 3), real=both, test=np.concatenate([normal(60, 2, 4), far]), cells=2))
    assert alone.details["cells"] == 1
    assert abs(float(alone)) < 5
    none = only(score("c_t", fake=normal(50, 2, 3), real=both, test=far, cells=2))
    assert (none.value, none.details["cells"]) == (None, 0)
    assert "no cell has more than 20 fakes and a held-out image" in str(none.reason)


def test_c_t_refuses_what_it_cannot_use() -> None:
    x = normal(50, 4, 1)
    with pytest.raises(BadInput, match="test has features of width 3, real of width 4"):
        score("c_t", fake=x, real=x, test=x[:, :3])
    with pytest.raises(TooFewImages, match="fake has 20 images; at least 21"):
        score("c_t", fake=x[:20], real=x, test=x)
    with pytest.raises(TooFewImages, match="real has 2 images; at least 3"):
        score("c_t", fake=x, real=x[:2], test=x)
    with pytest.raises(UsageError, match="cells"):
        CT(cells=0)


# Birthday


def duplicates_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(counts - 1, counts)[np.repeat(counts, counts) > 0]


def test_a_generator_of_known_support() -> None:
    """5,000 pictures, a little noise on each draw; every pair of fakes drawn from one picture is a duplicate."""
    draw = np.random.default_rng(2)
    pictures = draw.normal(size=(5000, 16))
    fake = pictures[draw.integers(0, 5000, 1000)] + 1e-3 * draw.normal(size=(1000, 16))
    found = only(score("birthday", fake=fake, real=draw.normal(size=(1000, 16))))
    expected = 1000 * 999 / 2 / 5000
    assert found.details["duplicate_pairs"] == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert found.value == pytest.approx(5000, rel=0.4)
    assert found.details["at_least"] < 5000 < found.details["of_reals"]


def test_the_threshold_and_the_duplicates_are_those_of_a_slow_twin() -> None:
    fake, real = normal(300, 3, 1), 1.5 * normal(200, 3, 2)
    d, own = all_distances(fake, fake), all_distances(real, real)
    np.fill_diagonal(own, np.inf)
    limit = np.sort(own.min(axis=1))[int(0.1 * 199)]
    m = (np.sum(d <= limit) - 300) / 2
    assert m > 10
    found = only(score("birthday", fake=fake, real=real, quantile=0.1))
    assert found.details["threshold"] == limit
    assert found.details["duplicate_pairs"] == m
    assert found.value == 300 * 299 / 2 / (m + 1)
    assert found.details["of_reals"] == 200 * 199 / 2 / (np.sum(own <= limit) / 2 + 1)


def test_without_duplicates_the_rule_of_three_bounds_the_support() -> None:
    found = support(np.zeros(1000, dtype=np.int64))
    assert (found.value, found.ci95) == (1000 * 999 / 2, None)
    assert found.details["at_least"] == pytest.approx(1000 * 999 / 2 / -np.log(0.05))


def test_a_collapsed_generator_has_a_support_of_one() -> None:
    found = only(score("birthday", fake=np.ones((50, 3)), real=normal(50, 3, 1).astype(np.float64)))
    assert found.value == pytest.approx(1, abs=1e-3)
    assert found.details["at_least"] == 1
    assert len(found.series["first"]) == 20


@pytest.mark.parametrize("skewed", [False, True])
def test_the_support_is_unbiased_and_its_interval_holds_it(skewed: bool) -> None:
    p = np.full(3000, 1.0)
    if skewed:
        p[:30] = 40.0
    p /= p.sum()
    truth = 1 / np.sum(p**2)
    draw = np.random.default_rng(1)
    found = [support(duplicates_of(draw.multinomial(400, p))) for _ in range(400)]
    assert np.mean([float(each) for each in found]) == pytest.approx(truth, rel=0.05)
    held = [each.ci95[0] <= truth <= each.ci95[1] for each in found if each.ci95 is not None]
    assert len(held) == 400
    # 95 % of 400 with a binomial deviation of 1.1 %; counts are whole numbers, so that it may hold more often.
    assert 0.92 <= np.mean(held) <= 1
    above = np.mean([each.details["at_least"] > truth for each in found])
    assert above <= 0.085


def test_the_pairs_of_fakes_to_look_at() -> None:
    fake = Features(column(0, 10, 10.5, 30, 31, 50), positions=np.arange(6) * 100)
    series = only(score("birthday", fake=fake, real=column(0, 1, 3, 7), pairs=2)).series
    assert series == {"first": [100, 300], "second": [200, 400], "distance": [0.5, 1.0]}


def test_the_birthday_test_takes_a_share_for_its_quantile() -> None:
    with pytest.raises(UsageError, match=r"quantile must lie in 0\.\.1"):
        Birthday(quantile=1.0)
    x = Features(normal(100, 3, 1))
    radii(x, 1, "real")
    assert value(score("birthday", fake=normal(100, 3, 2), real=x, quantile=0)) > 0
