"""Scores against budget as SVG: one panel for each variant, the others in grey behind it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.charts import Tick, step_of
from ganbench.html import render
from ganbench.leaderboard import words
from ganbench.leaderboard.board import Board, Column, Row, Spread

_ACROSS = 4  # panels in a row
_WIDE, _HIGH = 190.0, 140.0  # of a panel, with its margins
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 8.0, 22.0, 20.0
_MARGIN = 1.25
_UP = 2  # the fewest steps of the upright axis: panels are small
_FAR_APART = 30.0  # the largest is so many times the smallest: a logarithmic scale shows both


@dataclass(frozen=True)
class Panel:
    """One variant: where its panel lies, the range over its seeds and the median as SVG paths, and its points."""

    name: str
    x: float
    y: float
    band: str
    line: str
    dots: list[tuple[float, float]]


@dataclass(frozen=True)
class Figure:
    """The drawing of one key."""

    label: str
    width: float
    height: float
    panels: list[Panel]
    xs: list[Tick]
    ys: list[Tick]
    left: float = _LEFT
    right: float = _WIDE - _RIGHT
    bottom: float = _HIGH - _BOTTOM


def figure_of(board: Board, column: Column) -> Figure | None:
    """The drawing of one key over the budget; None where no run has a value on the way."""
    rows = [row for row in board.rows if any(spread.median is not None for spread in row.curve[column.key])]
    there = [v for row in rows for spread in row.curve[column.key] for v in spread.values if v is not None]
    if not there:
        return None
    y = _Scale.over(there, log=column.lower)
    xs = _places(board.fractions)
    panels = [_panel(row, i, row.curve[column.key], xs, y) for i, row in enumerate(rows)]
    return Figure(
        label=words.heading(column),
        width=_WIDE * min(len(rows), _ACROSS),
        height=_HIGH * -(-len(rows) // _ACROSS),
        panels=panels,
        xs=[Tick(x, words.share(fraction)) for x, fraction in zip(xs, board.fractions, strict=True)],
        ys=y.ticks(),
    )


def svg(figure: Figure, *, alone: bool) -> str:
    """The drawing as SVG; `alone` with its colours on white, else in those of the page it stands in."""
    return render("curves.svg", figure=figure, alone=alone).strip() + "\n"


def file_name(column: Column) -> str:
    """The file of the drawing of a key, beside the board."""
    return f"{''.join(c if c.isalnum() else '-' for c in column.key)}-by-budget.svg"


def _places(fractions: Sequence[float]) -> list[float]:
    left, right = _LEFT + 8, _WIDE - _RIGHT - 8
    if len(fractions) == 1:
        return [(left + right) / 2]
    return [round(left + i * (right - left) / (len(fractions) - 1), 1) for i in range(len(fractions))]


def _panel(row: Row, i: int, curve: Sequence[Spread], xs: Sequence[float], y: "_Scale") -> Panel:
    medians = [(x, y(s.median)) for x, s in zip(xs, curve, strict=True) if s.median is not None]
    ends = [(x, s.low, s.high) for x, s in zip(xs, curve, strict=True) if s.low is not None and s.high is not None]
    around = [(x, y(high)) for x, _, high in ends] + [(x, y(low)) for x, low, _ in reversed(ends)]
    return Panel(
        name=row.name,
        x=_WIDE * (i % _ACROSS),
        y=_HIGH * (i // _ACROSS),
        band=_path(around) + "Z" if len(ends) > 1 else "",
        line=_path(medians),
        dots=medians,
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(points))


@dataclass(frozen=True)
class _Scale:
    """From scores to heights in a panel."""

    low: float
    high: float
    log: bool

    @staticmethod
    def over(values: Sequence[float], *, log: bool) -> "_Scale":
        low, high = min(values), max(values)
        if log and low > 0 and high >= _FAR_APART * low:
            return _Scale(low / _MARGIN, high * _MARGIN, True)
        step = step_of((high - low) or abs(high) or 1.0, _UP)
        low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
        return _Scale(low, high if high > low else low + step, False)

    def __call__(self, value: float) -> float:
        given = (self.low, self.high, value)
        low, high, at = (math.log10(v) for v in given) if self.log else given
        return round(_HIGH - _BOTTOM + (at - low) / (high - low) * (_TOP + _BOTTOM - _HIGH), 1)

    def ticks(self) -> list[Tick]:
        if self.log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [Tick(self(10.0**e), f"{10.0**e:g}") for e in powers[:: -(-len(powers) // 5)]]
        step = step_of(self.high - self.low, _UP)
        count = round((self.high - self.low) / step)
        return [Tick(self(value), f"{value:g}") for i in range(count + 1) for value in [round(self.low + i * step, 10)]]
