"""Moments: streamed, merged, taken apart; equal to a plain computation, whatever the portions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.moments import GROUPS, Moments, MomentsStream, group_of_each
from ganbench.features.stats import Features

Array = NDArray[np.floating]


def draw(n: int, d: int, *, mean: float = 0.0) -> Array:
    rng = np.random.default_rng(n * 31 + d)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + mean).astype(np.float32)


def streamed(x: Array, portions: list[int], seed: int = 2020) -> tuple[Moments, tuple[Moments, ...]]:
    stream = MomentsStream(x.shape[1], seed=seed)
    start = 0
    for size in portions:
        stream.update(x[start : start + size])
        start += size
    stream.update(x[start:])
    return stream.finish()


def same(a: Moments, b: Moments, rtol: float = 1e-12) -> None:
    assert a.n == b.n
    np.testing.assert_allclose(a.mean, b.mean, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(a.cov, b.cov, rtol=rtol, atol=rtol * np.trace(b.cov))


def plain(x: Array) -> Moments:
    wide = x.astype(np.float64)
    return Moments(len(x), wide.mean(axis=0), np.cov(wide, rowvar=False))


@pytest.mark.parametrize("n", [2, 37, 4096, 9000])
def test_the_stream_gives_mean_and_covariance(n: int) -> None:
    x = draw(n, 5)
    whole, parts = streamed(x, [])
    same(whole, plain(x))
    same(Moments.of(x), plain(x))
    group = group_of_each(0, n, 2020)
    assert sum(part.n for part in parts) == n
    for part, g in zip(parts, np.unique(group), strict=True):
        same(part, Moments.of(x[group == g]))


def test_no_bit_depends_on_the_portions() -> None:
    x = draw(9000, 4)
    whole, parts = streamed(x, [])
    for portions in ([1, 2, 3], [4096], [4095, 2], [5000], [32] * 200):
        again, parts_again = streamed(x, portions)
        np.testing.assert_array_equal(again.cov, whole.cov)
        np.testing.assert_array_equal(again.mean, whole.mean)
        for a, b in zip(parts_again, parts, strict=True):
            np.testing.assert_array_equal(a.cov, b.cov)


def test_features_have_the_moments_of_the_stream_to_the_bit() -> None:
    x = draw(500, 4)
    whole, parts = streamed(x, [100, 17], seed=3)
    features = Features(x, seed=3)
    np.testing.assert_array_equal(features.moments.cov, whole.cov)
    np.testing.assert_array_equal([g.mean for g in features.groups], [g.mean for g in parts])


def test_merge_and_without_undo_each_other() -> None:
    x, y = draw(300, 6, mean=3.0), draw(80, 6, mean=-2.0)
    a, b, both = Moments.of(x), Moments.of(y), Moments.of(np.concatenate([x, y]))
    same(a.merge(b), both)
    same(both.without(b), a)
    same(both.without(a), b, rtol=1e-11)


def test_the_parts_make_the_whole() -> None:
    whole, (first, *rest) = streamed(draw(333, 3), [])
    for part in rest:
        first = first.merge(part)
    same(first, whole)


def test_a_large_mean_does_not_cancel() -> None:
    x = draw(5000, 4).astype(np.float64) * 1e-2
    far, _ = streamed(x + 1e4, [])
    np.testing.assert_allclose(far.cov, np.cov(x, rowvar=False), rtol=1e-7)


def test_groups_are_alike_in_size_and_do_not_depend_on_n() -> None:
    group = group_of_each(0, 1003, 1)
    assert all(70 <= size <= 130 for size in np.bincount(group, minlength=GROUPS))
    np.testing.assert_array_equal(group_of_each(0, 57, 1), group[:57])
    np.testing.assert_array_equal(group_of_each(45, 57, 1), group[45:57])
    assert (group_of_each(0, 1003, 2) != group).any()


def test_project_is_the_moments_of_projected_rows() -> None:
    x, basis = draw(50, 6), np.random.default_rng(0).normal(size=(6, 3))
    same(Moments.of(x).project(basis), Moments.of(x.astype(np.float64) @ basis))


@pytest.mark.parametrize("n", [4, 6, 7, 40])
def test_the_factor_squares_to_the_covariance_and_has_its_rank(n: int) -> None:
    features = Features(draw(n, 6))
    np.testing.assert_allclose(features.factor @ features.factor.T, features.moments.cov, atol=1e-10)
    assert features.factor.shape == (6, min(n - 1, 6))
    lengths = np.linalg.norm(features.factor, axis=0)
    assert (np.diff(lengths) >= 0).all()


def test_a_given_factor_is_used() -> None:
    factor = np.eye(6)
    assert Features(draw(9, 6), factor=factor).factor is factor


def test_moments_of_many_beside_values_of_few() -> None:
    x = draw(100, 3)
    features = Features(x[:20], moments=Moments.of(x))
    assert features.n == 100
    assert features.moments.n == 100
    assert features.groups == ()
    assert features.moments_given
    assert not Features(x).moments_given


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_features_keep_their_precision(dtype: type) -> None:
    x = np.ones((3, 2), dtype=dtype)
    assert Features(x).values is x


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((4, 3), dtype=int), r"float array of shape \(n, d\); found int64 of shape \(4, 3\)"),
        (np.ones(4), r"found float64 of shape \(4,\)"),
        (np.ones((2, 3, 4)), r"found float64 of shape \(2, 3, 4\)"),
        (np.ones((4, 0)), r"found float64 of shape \(4, 0\)"),
        (np.ones((1, 3)), r"Found 1 feature vector\(s\); at least 2 are needed"),
        (np.ones((0, 3)), r"Found 0 feature vector\(s\)"),
        (np.array([[1.0, np.nan], [1, 2]]), r"Found NaN or infinite values in the features"),
        (np.array([[1.0, -np.inf], [1, 2]]), r"Found NaN or infinite values in the features"),
        (np.array([[1.0, -1e200], [1, 2]]), r"Found values up to 1e\+200 in the features; beyond 1e\+30"),
    ],
)
def test_what_cannot_be_features_is_named(values: Array, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Features(values)


def test_one_bad_value_among_many_rows_is_found() -> None:
    x = np.zeros((10_000, 2), dtype=np.float32)
    x[9_999, 1] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        Features(x)


@pytest.mark.parametrize(
    ("mean", "cov", "message"),
    [
        (np.zeros(3), np.eye(2), r"found \(3,\) and \(2, 2\)"),
        (np.zeros((3, 1)), np.eye(3), r"found \(3, 1\) and \(3, 3\)"),
        (np.array([0, np.nan]), np.eye(2), "NaN or infinite values in the mean"),
        (np.zeros(2), np.diag([1, np.inf]), "NaN or infinite values in the covariance"),
    ],
)
def test_what_cannot_be_moments_is_named(mean: Array, cov: Array, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Features(moments=Moments(10, mean, cov))
