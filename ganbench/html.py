"""Reports as HTML: single files without outside links, from the templates beside this module."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench import formatting as fmt
from ganbench.charts import Chart, Table, chart_of, table_of
from ganbench.comparison import Comparison
from ganbench.gallery import SIDE, Gallery, Picture, png_data_uri
from ganbench.results import MetricResult, Result
from ganbench.scatter import scatter_chart

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_PIXEL_ART = 96  # pixels: pictures below this size are enlarged without smoothing
# Parts of a protocol's record that are shown elsewhere.
_SHOWN_APART = ("name", "fingerprint", "summary", "labels")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of one metric as a report shows them: drawn where that says more, and as a table.

    Attributes:
        key: of the metric.
        metric: whose they are.
        chart: the drawing, or None.
        table: some or all rows.
    """

    key: str
    metric: MetricResult
    chart: Chart | None
    table: Table


@dataclass(frozen=True, kw_only=True)
class Version:
    """One row of a page that sets several evaluations side by side.

    Attributes:
        name: what it is, in a few words.
        words: how it was made, in one sentence.
        gallery: its pictures.
        href: its own report, relative to the page.
    """

    name: str
    words: str
    gallery: Gallery
    href: str


def report_page(result: Result, gallery: Gallery | None) -> str:
    """The whole report as one HTML file."""
    return render("report.html", result=result, gallery=gallery or Gallery())


def report_fragment(result: Result) -> str:
    """The table and the warnings alone, to stand inside another page such as a notebook."""
    return render("fragment.html", result=result)


def versions_page(
    *, title: str, intro: Sequence[str], comparison: Comparison, versions: Sequence[Version], reading: str
) -> str:
    """Several evaluations side by side, with some pictures of each.

    Args:
        title: of the page.
        intro: what this is, one string per paragraph.
        comparison: the numbers, its files in the order of `versions`.
        versions: what was evaluated.
        reading: how to read the numbers, in a paragraph.
    """
    return render("versions.html", title=title, intro=intro, comparison=comparison, versions=versions, reading=reading)


def render(template: str, **values: Any) -> str:
    """A template of the folder beside this module, filled in; all text in `values` is escaped."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # File names, notes and warnings are anyone's text: everything is escaped, whatever the template is called.
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": fmt.short,
        "n": fmt.count,
        "images": fmt.images,
        "value": fmt.value_of,
        "interval": fmt.interval_of,
        "better": fmt.better,
        "bias": fmt.bias_sentence,
        "columns": _columns,
        "missing": _missing,
        "biased": _biased,
        "rankless": _rankless,
        "perfects": _perfects,
        "size": _size,
        "number": fmt.number,
        "figure": fmt.figure,
        "between": fmt.interval,
        "exact": _exact,
        "uri": png_data_uri,
        "scatter_chart": scatter_chart,
        "is_picture": lambda shown: isinstance(shown, Picture),
        "pixel_art": _is_pixel_art,
        "protocol_fields": _protocol_fields,
        "flat": _flat,
        "particulars": _particulars,
        "cited": _cited,
        "reference_name": fmt.reference_name,
        "slug": _slug,
    }
    environment.globals |= {"arrows": fmt.ARROWS, "side": SIDE, "perfect": fmt.perfect}
    return environment


def _clean(value: Any) -> Any:
    """Text without control characters; what templates made themselves passes as it is."""
    return fmt.printable(value) if type(value) is str else value


def _columns(result: Result) -> list[Columns]:
    """The columns of all metrics that have some; drawings first, each group in the order of the metrics."""
    found = [
        Columns(key=key, metric=metric, chart=chart_of(metric.series), table=table_of(metric.series))
        for key, metric in result.metrics.items()
        if metric.series
    ]
    return sorted(found, key=lambda columns: columns.chart is None)


def _missing(result: Result) -> dict[str, list[tuple[str, MetricResult]]]:
    """The metrics without a value by the reason for it."""
    found: dict[str, list[tuple[str, MetricResult]]] = {}
    for key, metric in result.metrics.items():
        if metric.value is None:
            found.setdefault(metric.reason or "No reason was recorded.", []).append((key, metric))
    return found


def _biased(result: Result) -> list[MetricResult]:
    """The metrics whose bias is told in a sentence."""
    return [metric for metric in result.metrics.values() if fmt.bias_sentence(metric)]


def _rankless(result: Result) -> bool:
    """Whether there is a metric that is not simply the better the lower or higher it is."""
    return any(metric.ideal is not None or metric.unranked for metric in result.metrics.values())


def _perfects(result: Result) -> bool:
    """Whether it is known of some metric what a perfect sampler reaches."""
    return any(fmt.perfect(key, metric) for key, metric in result.metrics.items())


def _size(n: int | None, result: Result) -> str:
    return fmt.size(n, result.protocol)


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def _is_pixel_art(picture: Picture) -> bool:
    return bool(max(picture.pixels.shape[1:]) < _PIXEL_ART)


def _protocol_fields(result: Result) -> list[tuple[str, str]]:
    return _flat({key: value for key, value in result.protocol.items() if key not in _SHOWN_APART})


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as (dotted name, text), in their own order."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            text = ("yes" if value else "no") if isinstance(value, bool) else fmt.printable(value)
            found.append((fmt.printable(f"{prefix}{key}"), text))
    return found


def _particulars(metric: MetricResult) -> list[tuple[str, str]]:
    """The further numbers of a metric: standard error, bias, spread over subsets and what else it tells."""
    numbers = {"stderr": metric.stderr, "bias_estimate": metric.bias_estimate} | dict(metric.details)
    return [(fmt.printable(name), fmt.number(value)) for name, value in numbers.items() if value is not None]


def _slug(text: str) -> str:
    """A name that may stand in an address: letters, digits, dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def _cited(result: Result) -> str:
    """The result in one sentence, with all that a reader needs to compare it."""
    parts = []
    for metric in result.metrics.values():
        if metric.value is not None:
            between = f" ({fmt.interval_of(metric)})" if metric.ci95 else ""
            parts.append(f"{fmt.printable(metric.label)} {fmt.value_of(metric)}{between}")
    version = result.environment.get("versions", {})
    by = f", ganbench {version['ganbench']}" if isinstance(version, Mapping) and "ganbench" in version else ""
    return (
        f"{', '.join(parts)}: {fmt.count(result.samples.n)} samples against {fmt.reference_name(result.reference)} "
        f"({_size(result.reference.n, result)}), protocol {fmt.printable(result.protocol.get('name', '?'))} "
        f"{fmt.short(result.protocol['fingerprint'])}{fmt.printable(by)}. In brackets: 95 % interval of the sampling "
        "noise of the samples."
    )
