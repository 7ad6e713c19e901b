"""The drawing of points over the centres of their mixture, for a report."""

import numpy as np
from numpy.typing import NDArray

from ganbench.charts import Axis, Chart, Mark, square_axes
from ganbench.gallery import Scatter

Places = NDArray[np.floating]
_CENTRE = 6.0  # half the size of the sign for a centre, in units of the drawing
_DOTS, _RING, _CROSS = "M4 5h0M9 5h0M14 5h0", "M5 5a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M5 1l8 8m0 -8l-8 8"  # in a legend


def scatter_chart(scatter: Scatter) -> Chart:
    """The drawing: samples of high quality, others, centres that were captured and centres that were missed."""
    low, high = scatter.window
    x, y = square_axes((low[0], high[0]), (low[1], high[1]))
    inside, captured = scatter.inside, scatter.captured
    marks = [
        Mark("high quality", _dots(scatter.points[inside & scatter.good], x, y), "dots", _DOTS),
        Mark("other samples", _dots(scatter.points[inside & ~scatter.good], x, y), "dots", _DOTS),
        Mark("captured mode", _rings(scatter.centres[captured], x, y), "sign", _RING),
        Mark("missed mode", _crosses(scatter.centres[~captured], x, y), "sign", _CROSS),
    ]
    across, up = scatter.axes
    return Chart(
        across=across, upright=up, marks=marks, xs=x.ticks(), ys=y.ticks(), width=x.end + 10, height=y.start + 38,
        bottom=y.start,
    )  # fmt: skip


def _dots(places: Places, x: Axis, y: Axis) -> str:
    """Lines without length, whose round ends are dots; equal ones once."""
    return "".join(dict.fromkeys(f"M{x(a):.1f} {y(b):.1f}h0" for a, b in places))


def _rings(places: Places, x: Axis, y: Axis) -> str:
    r = _CENTRE
    return "".join(f"M{x(a) - r:.1f} {y(b):.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0" for a, b in places)


def _crosses(places: Places, x: Axis, y: Axis) -> str:
    r = _CENTRE
    return "".join(f"M{x(a) - r:.1f} {y(b) - r:.1f}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}" for a, b in places)
