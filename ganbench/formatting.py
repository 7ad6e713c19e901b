"""How results are put into words and figures: the same in plain text, in tables and in HTML."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ganbench.results import Direction, MetricResult, ReferenceInfo

ARROWS: dict[Direction, str] = {"lower": "↓", "higher": "↑"}
_MOST_DECIMALS = 8
_LARGE = 1e9  # from here on digits are not read one by one
_WHOLE = 1e-6  # relative: an expected count this near to a whole number is that number
_SHORT = 12  # hexadecimal digits of a fingerprint that people read


def decimals(value: float, ci95: tuple[float, float] | None = None) -> int:
    """How many decimals of `value` are worth reading.

    With an interval: as many as show its half-width with two digits. Without: four significant digits from 1 upwards,
    three below; none for whole numbers, which are counts.
    """
    half = float(f"{abs(ci95[1] - ci95[0]) / 2:.1e}") if ci95 else 0.0  # rounded: 0.00999... counts as 0.01
    if half > 0:
        wanted = 1 - _exponent(half)
        if value:
            wanted = min(wanted, 5 - _exponent(value))
    elif value == 0 or (ci95 is None and float(value).is_integer()):
        wanted = 0
    else:
        wanted = (3 if abs(value) >= 1 else 2) - _exponent(value)
    return min(max(wanted, 0), _MOST_DECIMALS)


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def number(value: float, ci95: tuple[float, float] | None = None) -> str:
    """`value` with the digits that its interval supports: 22.4 where the interval is 21.1 to 23.7."""
    if 0 < abs(value) < 10.0**-_MOST_DECIMALS:
        return f"{value:.1e}"
    if abs(value) >= _LARGE and not ci95:
        return f"{value:.3e}"
    return f"{value:.{decimals(value, ci95)}f}"


def figure(value: float | None, ci95: tuple[float, float] | None, direction: Direction) -> str:
    """The value of a metric as people read it; a dash where there is none.

    What should be high lies about 1 (shares, scores): without an interval it gets three decimals, so that 0.02 and
    0.873 line up; whole numbers over 1 are counts. What should be low may come near 0 and keeps its leading digits:
    0.00123.
    """
    if value is None:
        return "-"
    counted = ci95 is None and value > 1 and float(value).is_integer()
    if direction == "higher" and abs(value) < 10 and not counted and (ci95 is None or ci95[0] == ci95[1]):
        return f"{value:.3f}"
    return number(value, ci95)


def interval(value: float | None, ci95: tuple[float, float] | None) -> str:
    """The interval as "21.1 to 23.7", with the digits of its value.

    "" where there is none, and where it has no width: resampling zeros gives zeros, which is no certainty.
    """
    if value is None or ci95 is None or ci95[0] == ci95[1]:
        return ""
    places = decimals(value, ci95)
    return f"{ci95[0]:.{places}f} to {ci95[1]:.{places}f}"


def value_of(metric: MetricResult) -> str:
    """The value of a metric in a report. Where a perfect sampler reaches more than 1, whole numbers are counts."""
    counts = any(name.startswith("ceiling_") and most > 1 for name, most in metric.details.items())
    if counts and metric.ci95 is None and metric.value is not None and float(metric.value).is_integer():
        return number(metric.value)
    return figure(metric.value, metric.ci95, metric.direction)


def interval_of(metric: MetricResult) -> str:
    """The 95 % interval of a metric in a report; "" where there is none."""
    return interval(metric.value, metric.ci95)


def bias_sentence(metric: MetricResult) -> str:
    """What the finite number of samples adds to the value, in one sentence; "" where that is not estimated."""
    if metric.value is None or metric.bias_estimate is None or abs(metric.bias_estimate) < 1e-12:
        return ""
    extra = number(metric.bias_estimate, metric.ci95)
    higher = f"this distance reads about {extra} higher than with unlimited samples."
    if metric.ci95 is None:
        return f"At {count(metric.n_fake)} samples {higher}"
    return f"The interval is the sampling noise at {count(metric.n_fake)} samples; at that number {higher}"


def perfect(key: str, metric: MetricResult) -> str:
    """What a perfect sampler of as many scores, with the digits of the value; "" where that is not known."""
    known = [metric.details[name] for name in (f"ceiling_{key}", f"floor_{key}") if name in metric.details]
    if metric.value is None or not known:
        return ""
    reached = round(known[0]) if abs(known[0] - round(known[0])) < _WHOLE * abs(known[0]) else known[0]
    return figure(float(reached), metric.ci95, metric.direction)


def perfect_sentence(key: str, metric: MetricResult) -> str:
    """What a perfect sampler of as many scores, in one sentence; "" where that is not known."""
    reached = perfect(key, metric)
    return f"A perfect sampler of {count(metric.n_fake)} reaches {reached}." if reached else ""


def better(metric: MetricResult) -> str:
    """Which values are better, in two words."""
    if metric.unranked is not None:
        return "· no rank"
    if metric.ideal is not None:
        return f"→ {metric.ideal:g}"
    return f"{ARROWS[metric.direction]} {metric.direction}"


def count(n: int | None) -> str:
    """A number of images: "10,000"; "-" where it does not apply."""
    return "-" if n is None else f"{n:,}"


def images(n: int | None) -> str:
    """A number of images in words: "10,000 images"; some statistics do not say of how many they are."""
    return "unknown number of images" if n is None else f"{n:,} image{'' if n == 1 else 's'}"


def size(n: int | None, protocol: Mapping[str, Any]) -> str:
    """The size of a set in words: of images, or where the protocol is of points, of these."""
    if protocol.get("name") != "points":
        return images(n)
    return "known by its formula" if n is None else f"{n:,} point{'' if n == 1 else 's'}"


def reference_name(reference: ReferenceInfo) -> str:
    """The reference as a command line names it: "cifar10:train"."""
    return printable(f"{reference.name}:{reference.split}" if reference.split else reference.name)


def short(fingerprint: object) -> str:
    """The beginning of a fingerprint, enough to tell two apart by eye."""
    return printable(fingerprint)[:_SHORT]


def printable(text: object) -> str:
    """`text` on one line, without control, bidirectional or undecodable characters: file names are anyone's."""
    return "".join(c if c.isprintable() else " " if c in "\n\r\t" else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum((unicodedata.east_asian_width(c) in "WF") + (not unicodedata.combining(c)) for c in text)


def aligned(rows: Sequence[Sequence[str]], align: str) -> str:
    """Rows of cells as text in columns, two spaces apart.

    Args:
        rows: equally many cells in each; the first row is the heading.
        align: one letter for each column, "l" or "r".
    """
    widths = [max(width(row[i]) for row in rows) for i in range(len(align))]
    return "\n".join(
        "  ".join(_padded(cell, wide, side) for cell, wide, side in zip(row, widths, align, strict=True)).rstrip()
        for row in rows
    )


def _padded(cell: str, wide: int, side: str) -> str:
    gap = " " * (wide - width(cell))
    return gap + cell if side == "r" else cell + gap
