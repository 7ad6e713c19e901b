"""Columns are drawn true to their numbers, by what they are called."""

import math
import re

import pytest

from ganbench.charts import chart_of, table_of


def points(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+?) ([\d.-]+)", path)]


def scale(ticks, values):
    """Maps units of a drawing back to numbers by two of its ticks."""
    (a, b), (u, v) = (ticks[0].at, ticks[-1].at), values
    return lambda at: u + (at - a) / (b - a) * (v - u)


def test_precision_over_recall_is_a_curve_in_the_unit_square():
    recall, precision = [1.0, 0.75, 0.5, 0.0], [0.0, 0.5, 0.8, 0.9]
    chart = chart_of({"recall": recall, "precision": precision})
    assert (chart.across, chart.up) == ("recall", "precision")
    assert (chart.xs[0].text, chart.xs[-1].text, chart.ys[0].text, chart.ys[-1].text) == ("0.0", "1.0", "0.0", "1.0")
    assert chart.xs[-1].at - chart.xs[0].at == pytest.approx(chart.ys[0].at - chart.ys[-1].at)  # a square
    x, y = scale(chart.xs, (0, 1)), scale(chart.ys, (0, 1))
    found = points(chart.marks[0].path)
    # Drawings have one decimal of a unit, the square 148 units.
    assert [x(at) for at, _ in found] == pytest.approx(recall, abs=1e-3)
    assert [y(at) for _, at in found] == pytest.approx(precision, abs=1e-3)


def test_shares_of_classes_are_bars_with_the_prior_marked():
    chart = chart_of({"class": [3, 4, 5], "share": [0.5, 0.3, 0.2], "prior": [0.1, 0.2, 0.7]})
    assert [(mark.name, mark.style) for mark in chart.marks] == [("share", "bars"), ("prior", "dashes")]
    assert [tick.text for tick in chart.xs] == ["3", "4", "5"]
    assert chart.up == ""  # two columns: a legend names them
    y = scale(chart.ys, (float(chart.ys[0].text), float(chart.ys[-1].text)))
    tops = [float(v) for v in re.findall(r"V([\d.]+)H", chart.marks[0].path)]
    assert [y(top) for top in tops] == pytest.approx([0.5, 0.3, 0.2], abs=4e-3)
    assert [y(at) for _, at in points(chart.marks[1].path)] == pytest.approx([0.1, 0.2, 0.7], abs=4e-3)


@pytest.mark.parametrize("shares", [[0.0, 0.0], [None, 0.4], [math.nan, 0.4], [1.0, 1.0]])
def test_bars_of_nothing_missing_or_all(shares):
    chart = chart_of({"class": [0, 1], "accuracy": shares})
    assert "nan" not in chart.marks[0].path
    assert chart.marks[0].path.count("Z") == sum(v is not None and v == v for v in shares)


def test_a_thousand_classes_are_drawn_without_a_name_each():
    chart = chart_of({"class": range(1000), "share": [0.001] * 1000})
    assert chart.marks[0].path.count("Z") == 1000
    assert [tick.text for tick in chart.xs] == ["0", "200", "400", "600", "800"]


def test_lines_over_sizes_have_strokes_for_their_spread():
    chart = chart_of(
        {"labels": [100, 1000, 60000], "none": [0.2, 0.4, 0.8], "none_std": [0.05, 0.0, 0.02], "both": [0.5, 0.6, 0.9]}
    )
    assert [mark.name for mark in chart.marks] == ["none", "both"]
    assert [mark.path.count("V") for mark in chart.marks] == [2, 0]
    assert [tick.text for tick in chart.xs] == ["100", "1,000", "10,000"]  # far apart: logarithmic
    at = [tick.at for tick in chart.xs]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1], abs=0.2)
    assert points(chart.marks[1].path)[1][0] == at[1]


@pytest.mark.parametrize("values", [[5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [-3.0, None, 2e-9], [1e7, 1e7, 1e7 + 1]])
def test_lines_of_any_numbers_stay_within_the_drawing(values):
    chart = chart_of({"n": [10, 20, 30], "distance": values})
    for x, y in points(chart.marks[0].path):
        assert chart.left <= x <= chart.right
        assert 0 <= y <= chart.bottom
    assert all(0 <= tick.at <= chart.bottom for tick in chart.ys)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"class": [0], "share": [1.0]},
        {"class": [0, 1], "distance": [31.2, 40.0], "n_fake": [5, 5]},
        {"fake": [7, 3], "real": [1, 2], "distance": [0.1, 0.2]},
        {"n": [20, 10], "distance": [0.1, 0.2]},
        {"n": [10, 20]},
    ],
)
def test_what_is_no_drawing_is_left_to_a_table(columns):
    assert chart_of(columns) is None
    assert table_of(columns).total == len(next(iter(columns.values()), ()))


def test_tables_show_the_first_of_a_list_and_all_along_a_curve():
    pairs = table_of({"first": list(range(50)), "distance": [i / 7 for i in range(50)]})
    assert (len(pairs.rows), pairs.total, pairs.rows[0], pairs.rows[-1]) == (20, 50, ["0", "0.000"], ["19", "2.714"])
    curve = table_of({"recall": [i / 100 for i in range(101)], "precision": [None] * 101})
    assert (len(curve.rows), curve.rows[0], curve.rows[-1]) == (20, ["0.000", "-"], ["1.000", "-"])
    assert table_of({"n_fake": [3.0, 12.0]}).rows == [["3"], ["12"]]
    assert table_of({"distance": [12.0, 0.1234, None]}).rows == [["12.000"], ["0.123"], ["-"]]
