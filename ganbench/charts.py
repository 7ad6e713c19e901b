"""The columns of a metric as drawings and tables for a report, by what their names and numbers are.

Columns called recall and precision make a curve in the unit square; classes with shares make bars; a column of sizes
or places, in ascending order, makes lines of the others over it. Everything has a table of at most 20 rows besides.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ganbench import formatting as fmt

Columns = Mapping[str, Sequence[float | None]]
_OVER = ("n", "t", "labels", "steps")  # columns that others are drawn over
_SPREAD = "_std"  # ends the name of a column that holds the spread of another
_ROWS = 20
_FAR_APART = 50.0  # the largest is so many times the smallest: a logarithmic scale shows both
_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BOTTOM = 290.0, 210.0, 46.0, 10.0, 24.0, 38.0
_ACROSS, _UP = 2, 3  # the fewest steps of an axis: figures are wider than they are high
_SQUARE = 148.0  # the side of the unit square: as high as the other drawings
_PLANE = 380.0  # the side of a square of points, which stands alone
_NAMED_CLASSES = 12  # up to so many classes each bear their name


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in units of the drawing, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    """One column as it is drawn: its name, the outline as SVG path data, and whether it is filled, a line or dashes.

    Of points: dots, or the signs of their centres. `key` stands for it in a legend.
    """

    name: str
    path: str
    style: Literal["bars", "line", "dashes", "dots", "sign"]
    key: str = "M0 5H18"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing of `width` x `height` units whose axes cross at (`left`, `bottom`).

    Attributes:
        across: what the lower axis is.
        marks: the columns, in order; the first is the one to look at.
        xs, ys: the ticks.
        upright: what the upright axis is, where that is not the only column.
    """

    across: str
    marks: list[Mark]
    xs: list[Tick]
    ys: list[Tick]
    width: float = _WIDE
    height: float = _HIGH
    left: float = _LEFT
    bottom: float = _HIGH - _BOTTOM
    upright: str = ""

    @property
    def up(self) -> str:
        """What the upright axis is; "" where there are several columns, which a legend tells apart."""
        return self.upright or (self.marks[0].name if len(self.marks) == 1 else "")

    @property
    def right(self) -> float:
        """Where the drawn part ends."""
        return self.width - _RIGHT


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of figures under headings; `total` counts the rows that there are."""

    headings: list[str]
    rows: list[list[str]] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True)
class Axis:
    """A scale from numbers to units of a drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    fewest: int = _UP

    def __call__(self, value: float) -> float:
        """Where in the drawing a number stands."""
        low, high, x = (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start + (x - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[Tick]:
        """Round numbers along it."""
        if self.log:
            places = [10.0**e for e in range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)]
            return [Tick(round(self(v), 1), f"{v:,.10g}") for v in places]
        step = step_of(self.high - self.low, self.fewest)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [Tick(round(self(i * step), 1), f"{i * step:,.{decimals}f}") for i in range(first, last + 1)]


def square_axes(across: tuple[float, float], up: tuple[float, float]) -> tuple[Axis, Axis]:
    """The scales of a square drawing of points, from the ends of what it shows."""
    low = _TOP + _PLANE
    return Axis(*across, _LEFT, _LEFT + _PLANE, fewest=4), Axis(*up, low, _TOP, fewest=4)


def chart_of(columns: Columns) -> Chart | None:
    """The drawing of columns of equal length, or None where a table says it better."""
    columns = {name: [_finite(value) for value in column] for name, column in columns.items()}
    names = list(columns)
    if not names or len(columns[names[0]]) < 2:
        return None
    if set(names) == {"recall", "precision"}:
        return _curve(columns)
    others = [name for name in names[1:] if not name.endswith(_SPREAD)]
    if not others or any(value is None for value in columns[names[0]]):
        return None
    if names[0] == "class" and all(_is_share(value) for name in others for value in columns[name]):
        return _bars(columns, others)
    if names[0] in _OVER and _ascends([float(value or 0) for value in columns[names[0]]]):
        return _lines(columns, names[0], others)
    return None


def table_of(columns: Columns) -> Table:
    """At most 20 rows: the first where the order is that of a list, else spread evenly over a curve."""
    length = len(next(iter(columns.values()), ()))
    chosen = list(range(min(length, _ROWS)))
    if length > _ROWS and ("recall" in columns or next(iter(columns)) in _OVER):
        chosen = [round(i * (length - 1) / (_ROWS - 1)) for i in range(_ROWS)]
    texts = [_figures([_finite(column[i]) for i in chosen]) for column in columns.values()]
    return Table(
        headings=[_words(name) for name in columns],
        rows=[list(row) for row in zip(*texts, strict=True)],
        total=length,
    )


def _curve(columns: Columns) -> Chart:
    low, high = _HIGH - _BOTTOM, _TOP
    x, y = Axis(0, 1, _LEFT, _LEFT + _SQUARE, fewest=_ACROSS), Axis(0, 1, low, high)
    mark = Mark("precision", _path(columns["recall"], columns["precision"], x, y), "line")
    width = _LEFT + _SQUARE + _RIGHT
    return Chart(across="recall", marks=[mark], xs=x.ticks(), ys=y.ticks(), width=width)


def _bars(columns: Columns, others: Sequence[str]) -> Chart:
    classes = [int(value or 0) for value in columns["class"]]
    top = max((value or 0.0) for name in others for value in columns[name]) or 1.0
    y = Axis(0, min(step_of(top) * math.ceil(top / step_of(top) - 1e-9), 1.0), _HIGH - _BOTTOM, _TOP)
    slot = (_WIDE - _LEFT - _RIGHT) / len(classes)
    gap = 0.15 * slot if slot > 4 else 0.0
    marks: list[Mark] = []
    for name in others:
        parts = []
        for i, value in enumerate(columns[name]):
            if value is None:
                continue
            a, b, at = _LEFT + i * slot + gap, _LEFT + (i + 1) * slot - gap, y(value)
            parts.append(
                f"M{a:.2f} {y(0):.1f}V{at:.1f}H{b:.2f}V{y(0):.1f}Z" if not marks else f"M{a:.2f} {at:.1f}H{b:.2f}"
            )
        marks.append(Mark(_words(name), "".join(parts), *(("dashes",) if marks else ("bars", "M2 0H16V10H2Z"))))
    every = 1 if len(classes) <= _NAMED_CLASSES else max(1, int(step_of(len(classes))))
    xs = [Tick(round(_LEFT + (i + 0.5) * slot, 1), str(classes[i])) for i in range(0, len(classes), every)]
    return Chart(across="class", marks=marks, xs=xs, ys=y.ticks())


def _lines(columns: Columns, over: str, others: Sequence[str]) -> Chart:
    places = [float(value or 0) for value in columns[over]]
    far = over != "steps" and places[0] > 0 and places[-1] >= _FAR_APART * places[0]
    x = Axis(places[0], places[-1], _LEFT + 6, _WIDE - _RIGHT - 6, far, _ACROSS)
    spreads = {name: columns.get(name + _SPREAD, [0.0] * len(places)) for name in others}
    ends = [
        value + sign * (wide or 0.0)
        for name in others
        for value, wide in zip(columns[name], spreads[name], strict=True)
        if value is not None
        for sign in (-1, 1)
    ]
    low, high = min(ends), max(ends)
    step = step_of((high - low) or abs(high) or 1.0)
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    y = Axis(low, high if high > low else low + step, _HIGH - _BOTTOM, _TOP)
    marks = [Mark(_words(name), _line(places, columns[name], spreads[name], x, y), "line") for name in others]
    return Chart(across=_words(over), marks=marks, xs=x.ticks(), ys=y.ticks())


def _line(
    places: Sequence[float], values: Sequence[float | None], spreads: Sequence[float | None], x: Axis, y: Axis
) -> str:
    """A line through the values, with a stroke as long as their spread up and down."""
    strokes = [
        f"M{x(at):.1f} {y(value - wide):.1f}V{y(value + wide):.1f}"
        for at, value, wide in zip(places, values, spreads, strict=True)
        if value is not None and wide
    ]
    return _path(places, values, x, y) + "".join(strokes)


def _path(across: Sequence[float | None], up: Sequence[float | None], x: Axis, y: Axis) -> str:
    """The points joined by straight lines, with a gap where one is missing."""
    parts, joined = [], False
    for a, b in zip(across, up, strict=True):
        if a is not None and b is not None:
            parts.append(f"{'L' if joined else 'M'}{x(a):.1f} {y(b):.1f}")
        joined = a is not None and b is not None
    return "".join(parts)


def step_of(span: float, fewest: int = _UP) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides `span` into at least `fewest`, at most 2.5 times that."""
    most = span / fewest * (1 + 1e-9)
    power: float = 10.0 ** math.floor(math.log10(most))
    return next(power * times for times in (5.0, 2.0, 1.0) if power * times <= most)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _ascends(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _is_share(value: float | None) -> bool:
    return value is None or 0 <= value <= 1


def _figures(column: Sequence[float | None]) -> list[str]:
    """A column with as many decimals throughout as its largest broken number needs; whole numbers as such."""
    broken = [value for value in column if value is not None and not float(value).is_integer()]
    if not broken:
        return ["-" if value is None else f"{value:.0f}" for value in column]
    places = fmt.decimals(max(broken, key=abs))
    return ["-" if value is None else f"{value:.{places}f}" for value in column]


def _words(name: str) -> str:
    return fmt.printable(name.replace("_", " "))
