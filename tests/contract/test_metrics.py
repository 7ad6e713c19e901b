"""What every metric must keep, the ones to come included."""

import ast
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.stats import Features, Moments
from ganbench.metrics._base import Metric
from ganbench.metrics._registry import METRICS, build, direction_of
from ganbench.metrics._score import score
from ganbench.results import Score
from ganbench.serialize import from_json, to_json

Array = NDArray[np.floating]
N, D = 240, 12
# What equal sets score: exactly or within the second number.
IDEAL = {
    "frechet_distance": (0, 1e-6 * D),
    "kernel_distance": (0, 0.2),
    "precision": (1, 0),
    "recall": (1, 0),
    "coverage": (1, 0),
    "density": (1, 0.25),
}


@pytest.fixture(params=METRICS.names())
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def metric(name: str) -> Metric:
    return build(name, seed=2020)


def draw(seed: int, n: int = N) -> Array:
    x = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    x.flags.writeable = False
    return x


def logits(seed: int, sure: float = 6.0, n: int = N) -> Array:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, D)) + sure * np.eye(D)[rng.integers(0, D, n)]).astype(np.float32)
    x.flags.writeable = False
    return x


def good(metric: Metric) -> Array:
    return draw(1) if metric.head == "features" else logits(1)


def bad(metric: Metric) -> Array:
    """Far from all reals, or images that could be anything."""
    return draw(2) * np.float32(0.1) + np.float32(20) if metric.head == "features" else logits(2, sure=0.0)


def compute(metric: Metric, fake: Array | Features, real: Array | Features) -> Mapping[str, Score]:
    pair = [x if isinstance(x, Features) else Features(x) for x in (fake, real)]
    return metric.compute(fake=pair[0], real=None if metric.needs_real == "nothing" else pair[1])


def value(found: Score) -> float:
    assert found.value is not None
    return found.value


def test_the_facts_about_itself_are_whole(name: str, metric: Metric) -> None:
    assert metric.keys
    assert set(metric.keys.values()) <= {"lower", "higher"}
    assert metric.head in ("features", "logits")
    assert {metric.needs_fake, metric.needs_real} <= {"values", "moments", "nothing"}
    assert metric.needs_fake != "nothing"
    for key in metric.keys:
        assert direction_of(key) == metric.keys[key]
    json_text = to_json(metric.params())
    assert "object at" not in json_text
    assert type(metric)(**metric.params()) == metric


def test_it_yields_its_keys(metric: Metric) -> None:
    assert set(compute(metric, good(metric), draw(3))) == set(metric.keys)


def test_equal_sets_give_the_ideal(metric: Metric) -> None:
    x = good(metric)
    for key, found in compute(metric, x, x.copy()).items():
        if key in IDEAL:
            ideal, tolerance = IDEAL[key]
            assert value(found) == pytest.approx(ideal, abs=tolerance), key


def test_worse_samples_score_worse(metric: Metric) -> None:
    better, worse = compute(metric, good(metric), draw(3)), compute(metric, bad(metric), draw(3))
    for key, direction in metric.keys.items():
        sign = 1 if direction == "lower" else -1
        assert sign * value(worse[key]) > sign * value(better[key]), key


def test_the_order_of_the_images_is_nothing_to_it(metric: Metric) -> None:
    """Where the metric draws by position, up to its own noise."""
    x, real = good(metric), draw(3)
    order = np.random.default_rng(0).permutation(N)
    first, second = compute(metric, x, real), compute(metric, x[order], real[order])
    draws = "seed" in metric.params()
    for key, found in first.items():
        tolerance = 4 * (found.stderr or 0) if draws else 1e-9 * max(abs(value(found)), 1)
        assert value(second[key]) == pytest.approx(value(found), abs=tolerance), key


def test_it_changes_nothing_that_it_is_given(metric: Metric) -> None:
    """The arrays of these tests cannot be written to; nor may what is cached with a reference be touched."""
    x, real = good(metric), Features(draw(3))
    kept = [real.moments.mean.copy(), real.moments.cov.copy(), real.factor.copy()]
    compute(metric, Features(x), real)
    for before, after in zip(kept, [real.moments.mean, real.moments.cov, real.factor], strict=True):
        np.testing.assert_array_equal(before, after)


def test_it_says_the_same_again_and_beside_others(metric: Metric) -> None:
    alone = compute(metric, good(metric), draw(3))
    fake, real = Features(good(metric)), Features(draw(3))
    for other in METRICS.names():
        compute(build(other, seed=2020), fake, real)
    assert compute(metric, fake, real) == alone
    assert compute(metric, good(metric), draw(3)) == alone


def test_float64_is_taken_as_well(metric: Metric) -> None:
    x, real = good(metric), draw(3)
    wide = compute(metric, x.astype(np.float64), real.astype(np.float64))
    for key, found in compute(metric, x, real).items():
        assert value(wide[key]) == pytest.approx(value(found), rel=1e-6), key


def test_an_interval_holds_its_value(metric: Metric) -> None:
    for found in compute(metric, good(metric), draw(3)).values():
        if found.ci95 is not None:
            assert found.ci95[0] <= value(found) <= found.ci95[1]
            assert found.stderr is not None
            assert found.stderr >= 0


def test_scores_survive_json(metric: Metric) -> None:
    for found in compute(metric, good(metric), draw(3)).values():
        assert from_json(Score, to_json(found), where="a test") == found


def test_bad_features_are_named(name: str, metric: Metric) -> None:
    x, real = good(metric), draw(3)
    holed = x.copy()
    holed[5, 3] = np.nan
    with pytest.raises(BadInput, match="Found NaN or infinite values in the features"):
        score(name, fake=holed, real=real)
    with pytest.raises(BadInput, match=r"Found 1 feature vector\(s\); at least 2 are needed"):
        score(name, fake=x[:1], real=real)
    with pytest.raises(BadInput, match=r"must be a float array of shape \(n, d\); found float32 of shape \(12,\)"):
        score(name, fake=x[0], real=real)
    with pytest.raises(BadInput, match="must be a float array"):
        score(name, fake=x.astype(np.int64), real=real)


def test_bad_references_are_named(name: str, metric: Metric) -> None:
    if metric.needs_real == "nothing":
        pytest.skip("it looks at no reference")
    with pytest.raises(BadInput, match="fake has features of width 12, real of width 5; both must come from one"):
        score(name, fake=good(metric), real=draw(3)[:, :5])
    with pytest.raises(UsageError, match=f"{name} compares with real images, and real= is missing"):
        score(name, fake=good(metric))


def test_moments_are_enough_or_refused(name: str, metric: Metric) -> None:
    x, real = good(metric), draw(3)
    if metric.needs_fake == "moments" and metric.needs_real == "moments":
        found = score(name, fake=Moments.of(x), real=Moments.of(real))
        for key, full in score(name, fake=x, real=real).items():
            assert value(found[key]) == pytest.approx(value(full), rel=1e-6)
    else:
        with pytest.raises(UsageError, match="needs the features of fake, and Moments were given"):
            score(name, fake=Moments.of(x), real=real)


def test_two_images_give_a_score_or_a_reason(name: str, metric: Metric) -> None:
    try:
        found = score(name, fake=good(metric)[:2], real=draw(3)[:2])
    except BadInput as error:
        assert re.search(r"2 images.*Give more", str(error))  # noqa: PT017 - either outcome is right
    else:
        assert all(np.isfinite(value(each)) for each in found.values())


def test_its_file_says_what_it_computes_and_whose_idea_it_was(name: str, metric: Metric) -> None:
    path = Path(str(import_module(type(metric).__module__).__file__))
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    doc = ast.get_docstring(ast.parse(text)) or ""
    assert doc.partition("\n")[0] == METRICS.summary(name)
    assert doc.partition("\n")[0].endswith(".")
    assert re.search(r"^    \S.* = ", doc, re.MULTILINE), "a formula, indented"
    assert re.search(r"Paper: .*\b(19|20)\d\d\b", doc), "a paper with its year"
    assert re.search(r"https://(arxiv|doi)\.org/", doc), "and where to find it"
    for parameter in metric.params():
        assert f"{parameter}:" in (type(metric).__doc__ or ""), f"{parameter} is not explained"
