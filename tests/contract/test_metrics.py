"""What every metric must keep, the ones to come included."""

import ast
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import IDEAL, NO_IDEAL, Array, N, as_features, case, labels, quick

from ganbench.errors import BadInput, UsageError
from ganbench.features.moments import Moments
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric
from ganbench.metrics._registry import METRICS, build, direction_of
from ganbench.metrics._score import score
from ganbench.results import Score
from ganbench.serialize import from_json, to_json


@pytest.fixture(params=METRICS.names())
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def metric(name: str) -> Metric:
    return quick(name, build(name, seed=2020))


def good(name: str, metric: Metric) -> Array:
    return case(name, metric).good(1)


def bad(name: str, metric: Metric) -> Array:
    return case(name, metric).bad(2)


def real_of(name: str, metric: Metric) -> Array:
    return case(name, metric).real(3)


def compute(metric: Metric, fake: Array | Features, real: Array | Features) -> Mapping[str, Score]:
    fake, real = as_features(fake, metric, "fake"), as_features(real, metric, "real")
    return metric.compute(fake=fake, real=None if metric.needs_real == "nothing" else real)


def value(found: Score) -> float:
    assert found.value is not None
    return found.value


def test_the_facts_about_itself_are_whole(name: str, metric: Metric) -> None:
    assert metric.keys
    assert set(metric.keys.values()) <= {"lower", "higher"}
    assert metric.head in ("features", "logits", "spatial", "classes", "images", "steps")
    assert {metric.needs_fake, metric.needs_real} <= {"values", "moments", "images", "optional", "nothing"}
    assert metric.needs_fake != "nothing"
    assert (metric.needs_fake == "images") == (metric.head == "images")
    for key in metric.keys:
        assert direction_of(key) == metric.keys[key]
    json_text = to_json(metric.params())
    assert "object at" not in json_text
    assert type(metric)(**metric.params()) == metric


def test_it_yields_its_keys(name: str, metric: Metric) -> None:
    assert set(compute(metric, good(name, metric), real_of(name, metric))) == set(metric.keys)


def test_equal_sets_give_the_ideal(name: str, metric: Metric) -> None:
    x = good(name, metric)
    for key, found in compute(metric, x, x.copy()).items():
        assert (key in IDEAL) != (key in NO_IDEAL), f"{key} needs an ideal, or a reason for having none"
        if key in IDEAL:
            ideal, tolerance = IDEAL[key]
            assert value(found) == pytest.approx(ideal, abs=tolerance), key


def test_how_to_read_it_speaks_of_what_there_is(name: str, metric: Metric) -> None:
    """Ideals, ranks and readings are of its own keys, and the details that a reading names are there."""
    assert set(metric.ideals) | set(metric.unranked) | set(metric.readings) <= set(metric.keys)
    found = compute(metric, good(name, metric), real_of(name, metric))
    for key, text in metric.readings.items():
        assert "{" not in text.format_map(dict(found[key].details))


def test_worse_samples_score_worse(name: str, metric: Metric) -> None:
    real = real_of(name, metric)
    better, worse = compute(metric, good(name, metric), real), compute(metric, bad(name, metric), real)
    for key, direction in metric.keys.items():
        sign = 1 if direction == "lower" else -1
        assert sign * value(worse[key]) > sign * value(better[key]), key


def test_the_order_of_the_images_is_nothing_to_it(name: str, metric: Metric) -> None:
    """Where the metric draws by position, up to its own noise."""
    x, real = good(name, metric), real_of(name, metric)
    order = np.random.default_rng(0).permutation(N)
    fake = as_features(x, metric, "fake")
    moved = as_features(x[order], metric, "fake")
    if fake.labels is not None:  # the classes move with their images
        moved = Features(moved.values, images=moved.images, labels=fake.labels[order])
    first, second = compute(metric, fake, real), compute(metric, moved, real)
    draws = "seed" in metric.params()
    for key, found in first.items():
        tolerance = 4 * (found.stderr or 0) if draws else 1e-9 * max(abs(value(found)), 1)
        assert value(second[key]) == pytest.approx(value(found), abs=tolerance), key


def test_it_changes_nothing_that_it_is_given(name: str, metric: Metric) -> None:
    """The arrays of these tests cannot be written to; nor may what is cached with a reference be touched."""
    x, real = good(name, metric), as_features(real_of(name, metric), metric, "real")
    if real.values is None:
        compute(metric, x, real)
        return
    kept = [real.moments.mean.copy(), real.moments.cov.copy(), real.factor.copy()]
    compute(metric, x, real)
    for before, after in zip(kept, [real.moments.mean, real.moments.cov, real.factor], strict=True):
        np.testing.assert_array_equal(before, after)


def test_it_says_the_same_again_and_beside_others(name: str, metric: Metric) -> None:
    alone = compute(metric, good(name, metric), real_of(name, metric))
    fake = as_features(good(name, metric), metric, "fake")
    real = as_features(real_of(name, metric), metric, "real")
    for other in METRICS.names():
        kind = build(other, seed=2020)
        if kind.head == metric.head and not kind.labels_of and not kind.needs_held_out and not kind.costs:
            compute(kind, fake, real)
    assert compute(metric, fake, real) == alone
    assert compute(metric, good(name, metric), real_of(name, metric)) == alone


def test_float64_is_taken_as_well(name: str, metric: Metric) -> None:
    if metric.head == "images":
        pytest.skip("it reads uint8 images")
    x, real = good(name, metric), real_of(name, metric)
    wide = compute(metric, x.astype(np.float64), real.astype(np.float64))
    for key, found in compute(metric, x, real).items():
        assert value(wide[key]) == pytest.approx(value(found), rel=1e-6), key


def test_an_interval_holds_its_value(name: str, metric: Metric) -> None:
    for found in compute(metric, good(name, metric), real_of(name, metric)).values():
        if found.ci95 is not None:
            assert found.ci95[0] <= value(found) <= found.ci95[1]
            assert found.stderr is not None
            assert found.stderr >= 0


def test_scores_survive_json(name: str, metric: Metric) -> None:
    for found in compute(metric, good(name, metric), real_of(name, metric)).values():
        assert from_json(Score, to_json(found), where="a test") == found


def sides(name: str, metric: Metric) -> dict[str, Any]:
    """The keyword arguments of `score` for good fakes."""
    real = real_of(name, metric)
    given: dict[str, Any] = {"fake": good(name, metric), "real": real}
    given |= {f"{side}_labels": labels(len(given[side])) for side in metric.labels_of}
    if metric.needs_held_out:
        given["test"] = np.roll(real, 1, axis=0) if metric.head == "images" else real + np.float32(1e-3)
        if "real" in metric.labels_of:
            given["test_labels"] = np.roll(given["real_labels"], 1)
    return given


def test_bad_features_are_named(name: str, metric: Metric) -> None:
    given = sides(name, metric) | ({"fake_labels": None} if "fake" in metric.labels_of else {})
    x = given["fake"]
    if metric.head == "images":
        with pytest.raises(BadInput, match=r"Images must be uint8 of shape"):
            score(name, **given | {"fake": x.astype(np.float32)})
        with pytest.raises(BadInput, match=r"Images must be uint8 of shape"):
            score(name, **given | {"fake": x[0]})
        if not metric.labels_of:
            with pytest.raises(BadInput, match=r"Found 1 image\(s\); at least 2 are needed"):
                score(name, **given | {"fake": x[:1]})
        return
    holed = x.copy()
    holed[5, 3] = np.nan
    with pytest.raises(BadInput, match="Found NaN or infinite values in the features"):
        score(name, **given | {"fake": holed})
    with pytest.raises(BadInput, match=r"Found 1 feature vector\(s\); at least 2 are needed"):
        score(name, **given | {"fake": x[:1]})
    with pytest.raises(BadInput, match=r"must be a float array of shape \(n, d\); found float32 of shape \(12,\)"):
        score(name, **given | {"fake": x[0]})
    with pytest.raises(BadInput, match="must be a float array"):
        score(name, **given | {"fake": x.astype(np.int64)})


def test_missing_classes_are_named(name: str, metric: Metric) -> None:
    for side in metric.labels_of:
        with pytest.raises(UsageError, match=f"needs the classes of {side}"):
            score(name, **sides(name, metric) | {f"{side}_labels": None})
    if metric.needs_held_out:
        with pytest.raises(UsageError, match="that the generator was not trained on: give them as test="):
            score(name, **sides(name, metric) | {"test": None})


def test_bad_references_are_named(name: str, metric: Metric) -> None:
    if metric.needs_real in ("nothing", "optional"):
        pytest.skip("it needs no reference")
    given = sides(name, metric)
    with pytest.raises(UsageError, match=f"{name} compares with real images, and real= is missing"):
        score(name, **given | {"real": None})
    if metric.head != "images":
        with pytest.raises(BadInput, match="fake has features of width 12, real of width 5; both must come from one"):
            score(name, **given | {"real": given["real"][:, :5]})


def test_moments_are_enough_or_refused(name: str, metric: Metric) -> None:
    given = sides(name, metric)
    if metric.head == "images":
        pytest.skip("images have no moments")
    x, real = given["fake"], given["real"]
    if metric.needs_fake == "moments" and metric.needs_real == "moments":
        found = score(name, **given | {"fake": Moments.of(x), "real": Moments.of(real)})
        for key, full in score(name, **given).items():
            assert value(found[key]) == pytest.approx(value(full), rel=1e-6)
    else:
        with pytest.raises(UsageError, match="needs the features of fake, and Moments were given"):
            score(name, **given | {"fake": Moments.of(x)})


def test_two_images_give_a_score_or_a_reason(name: str, metric: Metric) -> None:
    given = sides(name, metric)
    two = {key: each[:2] for key, each in given.items()}
    try:
        found = score(name, **two)
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
