"""`score`: one metric on two arrays."""

import numpy as np
import pytest
import torch

from ganbench.errors import BadInput, UsageError
from ganbench.features.moments import Moments
from ganbench.features.stats import Features
from ganbench.metrics._registry import METRICS, build, direction_of
from ganbench.metrics._score import score
from ganbench.metrics.kid import Kid

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.random.default_rng(1).normal(size=(70, 4)) + 0.5


def test_arrays_tensors_and_moments_give_one_number() -> None:
    wanted = score("fid", fake=X, real=Y)["frechet_distance"]
    for fake in (torch.from_numpy(X), torch.from_numpy(X).requires_grad_(), Features(X)):
        assert score("fid", fake=fake, real=torch.from_numpy(Y))["frechet_distance"] == wanted
    moments = score("fid", fake=Moments.of(X), real=Moments.of(Y))["frechet_distance"]
    assert moments.value == pytest.approx(wanted.value, rel=1e-9)
    assert (moments.stderr, moments.ci95, moments.bias_estimate) == (None, None, None)
    assert wanted.stderr is not None


def test_precision_is_kept() -> None:
    """Both would come out otherwise in float32."""
    shifted = score("fid", fake=X + 1e-5, real=X)["frechet_distance"].value
    assert shifted == pytest.approx(X.shape[1] * 1e-10, rel=1e-3)
    fake, real = np.array([[0.0], [1], [2 - 1e-10]]), np.array([[0.0], [1], [2]])
    assert score("density_coverage", fake=fake, real=real, k=1)["density"].value == pytest.approx(4 / 3)


def test_bfloat16_and_half_tensors_are_read() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        value = score("fid", fake=torch.from_numpy(X).to(dtype), real=Y)["frechet_distance"].value
        assert value == pytest.approx(score("fid", fake=X, real=Y)["frechet_distance"].value, rel=0.05)


def test_parameters_are_keywords() -> None:
    few = score("kid", fake=X, real=Y, subset_size=20, subsets=3)["kernel_distance"]
    assert few != score("kid", fake=X, real=Y)["kernel_distance"]


def test_the_inception_score_looks_at_no_real_image() -> None:
    alone = score("inception_score", fake=X)
    assert alone == score("inception_score", fake=X, real=Y)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("fod", {}, r"Unknown metric 'fod'\. Did you mean 'fid'\?"),
        ("kid", {"subset": 3}, r"kid has no parameter 'subset'. Its parameters: subsets, subset_size, degree"),
        ("fid", {"k": 3}, r"fid has no parameter 'k'. Its parameters: none"),
        ("kid", {"subsets": 0}, r"Kid: subsets must be a whole number of at least 1; found 0"),
        ("kid", {"gamma": -1.0}, r"Kid: gamma must be a positive number, or None for 1/d; found -1.0"),
        ("kid", {"subset_size": 2.5}, r"subset_size must be a whole number of at least 2; found 2.5"),
        ("precision_recall", {"k": True}, r"k must be a whole number of at least 1; found True"),
        ("density_coverage", {"k": "5"}, r"k must be a whole number of at least 1; found '5'"),
        ("inception_score", {"splits": 0}, r"splits must be a whole number of at least 1; found 0"),
    ],
)
def test_wrong_names_and_parameters_are_named(name: str, params: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        score(name, fake=X, real=Y, **params)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match="fid compares with real images, and real= is missing"):
        score("fid", fake=X)
    with pytest.raises(UsageError, match="kid needs the features of real, and Moments were given"):
        score("kid", fake=X, real=Moments.of(Y))
    with pytest.raises(UsageError, match="precision_recall needs the features of fake, and Moments were given"):
        score("precision_recall", fake=Moments.of(X), real=Y)


@pytest.mark.parametrize("given", ["samples/", [[1.0, 2.0], [3.0, 4.0]], None])
def test_what_is_no_array_is_named(given: object) -> None:
    with pytest.raises(BadInput, match=rf"fake= must be an \(n, d\) array .* found {type(given).__name__}"):
        score("fid", fake=given, real=Y)


def test_integers_are_refused() -> None:
    with pytest.raises(BadInput, match="Features must be a float array"):
        score("fid", fake=torch.ones((3, 4), dtype=torch.int64), real=Y)


def test_the_registry_builds_with_a_seed_where_there_is_one() -> None:
    assert build("kid", seed=5) == Kid(seed=5)
    assert build("fid", seed=5).params() == {}
    assert {"fid", "kid", "inception_score", "precision_recall", "density_coverage"} <= set(METRICS.names())


def test_directions() -> None:
    assert direction_of("frechet_distance") == "lower"
    assert direction_of("coverage") == "higher"
    with pytest.raises(UsageError, match=r"Unknown score 'recal'\. Did you mean 'recall'\?"):
        direction_of("recal")
