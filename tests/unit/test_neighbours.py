"""The fast search and the pass over tiles decide as a slow, readable twin does, on kind and on spiteful data."""

import gc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import ganbench.metrics._balls as balls_module
import ganbench.metrics._neighbours as neighbours_module
from ganbench.errors import BadInput, UsageError
from ganbench.features.moments import Moments, group_of_each
from ganbench.features.stats import Features
from ganbench.metrics._balls import Balls, balls
from ganbench.metrics._base import TooFewImages
from ganbench.metrics._neighbours import kth_distances, radii
from ganbench.metrics._screen import Screen, centre_of, distances, scale_for

Array = NDArray[np.floating]


def all_distances(x: Array, y: Array) -> NDArray[np.float64]:
    rows = [np.sqrt(((y.astype(np.float64) - row) ** 2).sum(axis=1)) for row in x.astype(np.float64)]
    return np.stack(rows)


def slow_radii(x: Array, k: int) -> NDArray[np.float64]:
    d = all_distances(x, x)
    np.fill_diagonal(d, np.inf)
    return np.sort(d, axis=1)[:, :k]


def slow_balls(x: Array, y: Array, k: int, seed: int) -> Balls:
    d, around_fake, around_real = all_distances(x, y)[:, :, None], slow_radii(x, k), slow_radii(y, k)
    in_real_closed = 1 + (d > around_real[None]).sum(axis=2)
    in_real_open = 1 + (d >= around_real[None]).sum(axis=2)
    in_fake_closed = 1 + (d > around_fake[:, None]).sum(axis=2)
    group = group_of_each(0, len(x), seed)
    covers = [in_real_open[group == g].min(axis=0, initial=k + 1) for g in range(10)]
    return Balls(
        k_max=k,
        fake_in_real=in_real_closed.min(axis=1),
        real_in_fake=in_fake_closed.min(axis=0),
        real_covers=np.stack(covers, axis=1),
        covering=np.stack([(in_real_open <= j).sum(axis=1) for j in range(1, k + 1)], axis=1),
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def normal(n: int, d: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def clusters(n: int, d: int, seed: int = 0, width: float = 1e-4) -> Array:
    """Two far, tight clusters: float32 products cannot tell the distances within one apart."""
    draw = np.random.default_rng(seed)
    return (100.0 * draw.integers(0, 2, size=(n, 1)) + width * draw.normal(size=(n, d))).astype(np.float64)


def lattice(n: int, d: int, seed: int = 0) -> Array:
    """Small integers: hosts of equal distances, equal rows and points exactly on a radius."""
    return np.random.default_rng(seed).integers(0, 3, size=(n, d)).astype(np.float32)


def collapsed(n: int, d: int, seed: int = 0) -> Array:
    """A generator that knows three pictures."""
    return normal(3, d, seed)[np.random.default_rng(seed).integers(0, 3, size=n)]


def with_outlier(n: int, d: int, seed: int = 0) -> Array:
    x = normal(n, d, seed)
    x[n // 2] = 1e18
    return x


def offset(n: int, d: int, seed: int = 0) -> Array:
    return normal(n, d, seed) + np.float32(1e4)


def tiny(n: int, d: int, seed: int = 0) -> Array:
    return normal(n, d, seed) * np.float32(1e-30)


DATA: list[Callable[..., Array]] = [normal, clusters, lattice, collapsed, with_outlier, offset, tiny]


@pytest.mark.parametrize("make", DATA, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("n", "d"), [(6, 3), (40, 5), (1030, 4), (130, 67)])
def test_distances_to_the_nearest_are_those_of_the_twin(make: Callable[..., Array], n: int, d: int) -> None:
    x = make(n, d)
    before = x.copy()
    np.testing.assert_array_equal(kth_distances(x, 5), slow_radii(x, 5))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("make", DATA, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("n", "m", "d"), [(6, 6, 3), (300, 40, 5), (1030, 60, 4), (50, 1030, 4)])
def test_balls_are_those_of_the_twin(make: Callable[..., Array], n: int, m: int, d: int) -> None:
    x, y = make(n, d, 1), make(m, d, 2)
    y[:3] = x[:3]
    found, wanted = balls(fake=Features(x), real=Features(y), k=5), slow_balls(x, y, 5, 2020)
    for name in ("fake_in_real", "real_in_fake", "covering"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    np.testing.assert_array_equal(found.real_covers, wanted.real_covers)


@pytest.mark.parametrize("make", DATA, ids=lambda f: f.__name__)
def test_a_set_against_itself(make: Callable[..., Array]) -> None:
    x = make(200, 6)
    found, wanted = balls(fake=Features(x), real=Features(x.copy()), k=3), slow_balls(x, x, 5, 2020)
    assert (found.fake_in_real == 1).all()
    assert (found.real_in_fake == 1).all()
    np.testing.assert_array_equal(found.covering, wanted.covering)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("make", DATA, ids=lambda f: f.__name__)
@pytest.mark.parametrize("d", [1, 3, 300])
def test_the_bounds_hold(make: Callable[..., Array], d: int, precision: type) -> None:
    x, y = make(70, d, 3), make(50, d, 4)
    y[:5] = x[:5]
    centre = centre_of(y)
    scale = scale_for(centre, x, y)
    left, right = (Screen.of(v, centre=centre, scale=scale, precision=precision) for v in (x, y))
    upper = left.upper(right).astype(np.float64)
    truth = left.level(all_distances(x, y))
    assert (np.linalg.norm(left.rows, axis=1) <= 1.0001).all()
    assert (upper >= truth).all()
    assert (upper - 2 * (left.slack[:, None] + right.slack) <= truth).all()


def test_the_bounds_are_worth_having() -> None:
    x = normal(500, 64)
    screen = Screen.of(x, centre=centre_of(x), scale=scale_for(centre_of(x), x))
    assert (4 * screen.slack <= 1e-4 * np.linalg.norm(screen.rows, axis=1) ** 2).all()


def test_float64_features_are_compared_in_float64() -> None:
    x = np.array([[0.0, 0], [1, 0], [1 + 1e-12, 1], [1, 1 + 3e-12]])
    np.testing.assert_array_equal(kth_distances(x, 2), slow_radii(x, 2))
    assert kth_distances(x, 1)[2, 0] == pytest.approx(np.hypot(1e-12, 3e-12), rel=1e-3)


def test_a_distance_is_the_same_wherever_it_is_computed() -> None:
    x, y = normal(90, 777, 5), normal(80, 777, 6)
    i, j = np.divmod(np.arange(90 * 80), 80)
    whole = distances(x, y, i, j)
    np.testing.assert_array_equal(whole.reshape(90, 80), all_distances(x, y))
    np.testing.assert_array_equal(whole, distances(y, x, j, i))
    np.testing.assert_array_equal(whole[37:38], distances(x, y, i[37:38], j[37:38]))


@pytest.mark.parametrize("make", DATA, ids=lambda f: f.__name__)
def test_many_small_tiles_agree(make: Callable[..., Array], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganbench.metrics._screen.TILE", 16)
    monkeypatch.setattr(neighbours_module, "_CROWDED", 1e-3)
    x, y = make(203, 5, 1), make(170, 5, 2)
    np.testing.assert_array_equal(kth_distances(x, 5), slow_radii(x, 5))
    found, wanted = balls(fake=Features(x), real=Features(y), k=5), slow_balls(x, y, 5, 2020)
    for name in ("fake_in_real", "real_in_fake", "covering", "real_covers"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def test_pairs_are_settled_whenever_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal(1500, 4)
    monkeypatch.setattr(neighbours_module, "_PENDING", 100)
    np.testing.assert_array_equal(kth_distances(x, 5), slow_radii(x, 5))


def test_pairs_are_ranked_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(200, 3, 1), normal(100, 3, 2)
    monkeypatch.setattr(balls_module, "_CHUNK", 7)
    np.testing.assert_array_equal(
        balls(fake=Features(x), real=Features(y), k=5).covering, slow_balls(x, y, 5, 2020).covering
    )


def test_one_pass_serves_both_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = Features(normal(60, 4, 1)), Features(normal(60, 4, 2))
    first = balls(fake=fake, real=real, k=3)
    monkeypatch.setattr(balls_module, "_Crossing", lambda *_: pytest.fail("a second pass"))
    assert balls(fake=fake, real=real, k=5) is first


def test_a_larger_k_makes_its_own_pass_and_agrees() -> None:
    x, y = normal(60, 4, 1), normal(60, 4, 2)
    fake, real = Features(x), Features(y)
    small, large = balls(fake=fake, real=real, k=3), balls(fake=fake, real=real, k=9)
    np.testing.assert_array_equal(large.covering, slow_balls(x, y, 9, 2020).covering)
    np.testing.assert_array_equal(large.covering[:, :5], small.covering)


def test_what_is_kept_goes_with_the_features() -> None:
    fake, real = Features(normal(30, 4, 1)), Features(normal(30, 4, 2))
    balls(fake=fake, real=real, k=3)
    assert fake in balls_module._found
    before = len(balls_module._found), len(neighbours_module._found)
    del fake, real
    gc.collect()
    assert (len(balls_module._found), len(neighbours_module._found)) == (before[0] - 1, before[1] - 2)


def test_cached_radii_are_used_where_they_reach() -> None:
    x = normal(30, 4)
    cached = kth_distances(x, 5) + 1.0
    features = Features(x, neighbours=cached)
    assert radii(features, 5, "real") is cached
    np.testing.assert_array_equal(radii(features, 6, "real")[:, :6], slow_radii(x, 6))


def test_too_few_rows_and_moments_alone_are_named() -> None:
    few = Features(normal(5, 4))
    with pytest.raises(TooFewImages, match=r"^fake has 5 images; with k=5 at least 6 are needed"):
        radii(few, 5, "fake")
    assert issubclass(TooFewImages, BadInput)
    with pytest.raises(UsageError, match="needs the features of real, and only their moments"):
        radii(Features(moments=Moments.of(normal(9, 4))), 3, "real")
