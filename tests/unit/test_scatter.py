"""The picture of points: true to their places, with captured and missed modes told apart."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganbench.charts import Chart
from ganbench.evaluation.options import Options
from ganbench.evaluation.points import _plane, evaluate_points, point_gallery
from ganbench.evaluation.run import evaluate
from ganbench.gallery import DRAWN, Scatter
from ganbench.mixtures import get_mixture, mixture_names
from ganbench.report import Report
from ganbench.scatter import scatter_chart

RING = "ring8-pacgan"


def draw(name: str, n: int, seed: int = 0) -> Any:
    return get_mixture(name).sample(n, np.random.default_rng(seed))


def shown(points: Any, name: str = RING, **given: Any) -> Scatter:
    found = point_gallery(points, name, options=Options(**given)).scatter
    assert found is not None
    return found


def back(chart: Chart, path: str) -> Any:
    """The numbers behind the first place of each part of a path, by two ticks of each axis."""
    places = np.array([(float(a), float(b)) for a, b in re.findall(r"M(\S+) ([\d.-]+)", path)])
    for i, ticks in enumerate((chart.xs, chart.ys)):
        (a, b), (u, v) = (ticks[0].at, ticks[-1].at), (float(ticks[0].text), float(ticks[-1].text))
        places[:, i] = u + (places[:, i] - a) / (b - a) * (v - u)
    return places


def paths(scatter: Scatter) -> dict[str, str]:
    return {mark.name: mark.path for mark in scatter_chart(scatter).marks}


def test_points_are_drawn_where_they_are() -> None:
    points = np.array([[1.0, 0.005], [0.0, 0.5], [-0.3, -0.2]])
    scatter = shown(points)
    assert scatter.good.tolist() == [True, False, False]
    chart, found = scatter_chart(scatter), paths(scatter)
    # Drawings have one decimal of a unit; 1.6 times the diameter of the ring is 380 of them.
    np.testing.assert_allclose(back(chart, found["high quality"]), points[:1], atol=0.005)
    np.testing.assert_allclose(back(chart, found["other samples"]), points[1:], atol=0.005)
    assert (chart.across, chart.up) == ("first coordinate", "second coordinate")
    span = chart.xs[-1].at - chart.xs[0].at
    assert span == pytest.approx(chart.ys[0].at - chart.ys[-1].at, abs=0.2)  # as wide as high


def test_captured_and_missed_modes_are_told_apart() -> None:
    points = draw(RING, 400)
    scatter = shown(points[points[:, 0] > -0.5])
    assert scatter.missed == [3, 4, 5]
    found = paths(scatter)
    assert found["captured mode"].count("a6.0") == 2 * 5  # a ring is two arcs
    assert found["missed mode"].count("M") == 3
    assert not shown(points).missed
    assert paths(shown(points))["missed mode"] == ""


@pytest.mark.parametrize("name", mixture_names())
def test_they_are_the_modes_that_the_metric_counts(name: str) -> None:
    points = draw(name, 300)
    points[:100] = 0.37
    some = points[get_mixture(name).assign(points)[0] != 1]
    counted = evaluate_points(some, name, options=Options()).metrics["modes"].value
    assert shown(some, name).captured.sum() == counted
    assert 1 in shown(some, name).missed


def test_a_mode_counts_although_its_point_is_not_among_those_drawn() -> None:
    points = np.repeat(get_mixture(RING).centres[:1], 3 * DRAWN, axis=0)
    points[1] = get_mixture(RING).centres[4]
    scatter = shown(points)
    assert (len(scatter.points), scatter.total) == (DRAWN, 3 * DRAWN)
    assert not (scatter.points[:, 0] < 0).any()
    assert scatter.captured[4]


def test_the_points_of_num_are_those_that_were_counted() -> None:
    scatter = shown(draw(RING, 400), num=50)
    assert scatter.total == len(scatter.points) == 50


def test_many_coordinates_are_laid_out_so_that_no_two_modes_meet() -> None:
    mixture = get_mixture("mog1200d")
    plane, _, words = _plane(mixture)
    centres = mixture.centres @ plane
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1)
    np.testing.assert_allclose(centres[0], [1, 0], atol=1e-12)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(10, 1)]
    assert apart.min() > 0.6
    assert "linear map" in words
    assert _plane(get_mixture("grid25"))[2] == ""


def test_what_lies_beyond_the_frame_is_counted() -> None:
    scatter = shown(np.array([[1.0, 0.0], [90.0, 0.0], [0.0, -7.0]]))
    assert scatter.outside == 2
    assert paths(scatter)["other samples"] == ""


def test_the_report_of_points_draws_them(tmp_path: Path) -> None:
    points = draw(RING, 300)
    np.save(tmp_path / "x.npy", points[points[:, 0] > -0.5])
    (outcome,) = evaluate([tmp_path / "x.npy"], RING, options=Options())
    Report(outcome.result, outcome.gallery).to_html(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    text = " ".join(page.split())
    assert "5 of 8 are; missed, counted from 0: 3, 4, 5." in text
    assert 'aria-label="Points: high quality, other samples, captured mode, missed mode by first coordinate"' in text
    assert ">missed mode</span>" in text
    assert f"All {outcome.result.samples.n} points" in text
    assert "<script" not in page
    assert "http" not in page


def test_without_points_nothing_is_drawn(make_result: Callable[..., Any], tmp_path: Path) -> None:
    Report(make_result()).to_html(tmp_path / "x.html")
    assert 'id="points"' not in (tmp_path / "x.html").read_text(encoding="utf-8")
