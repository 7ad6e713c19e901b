"""Results side by side, where they may be: one protocol, one reference, equal n, equal parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganbench import formatting as fmt
from ganbench.errors import UsageError
from ganbench.results import Direction, MetricResult, ReferenceInfo, Result

SCHEMA = "ganbench.comparison/1"
_MOST_SHOWN = 6  # differences in one message
# Parts of a protocol's record that name it and change no number.
_DESCRIPTIVE = ("name", "fingerprint", "summary", "labels")
LEGEND = "* best   ~ its 95 % interval overlaps that of the best: the difference may be sampling noise"

Named = tuple[str, Result]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One metric of one result.

    Attributes:
        value: the number, or None with a `reason`.
        ci95: the 95 % interval of the sampling noise of the fakes.
        best: no other result has a better value.
        within_noise: not the best, but its interval overlaps that of the best.
    """

    value: float | None
    ci95: tuple[float, float] | None = None
    reason: str | None = None
    best: bool = False
    within_noise: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric over all results; a cell is None where a result does not have the metric.

    `better` says in two words which values are; where it is "no rank", none is marked as the best.
    """

    key: str
    label: str
    direction: Direction
    n_fake: int
    n_real: int | None
    cells: list[Cell | None]
    better: str = ""

    @property
    def known(self) -> bool:
        """Whether any of the results has a value of it."""
        return any(cell is not None and cell.value is not None for cell in self.cells)

    def texts(self) -> list[str]:
        """The cells as text, each ending with its mark."""
        return [self._text(cell) for cell in self.cells]

    def _text(self, cell: Cell | None) -> str:
        if cell is None:
            return "-  "
        mark = "*" if cell.best else "~" if cell.within_noise else " "
        return f"{fmt.figure(cell.value, cell.ci95, self.direction)} {mark}"


@dataclass(frozen=True, kw_only=True)
class File:
    """One of the compared results, under the name that it was given."""

    name: str
    source: str
    fingerprint: str
    warnings: list[str]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Results side by side. The cells of each row stand in the order of `files`."""

    schema: str = SCHEMA
    protocol: dict[str, Any]
    reference: ReferenceInfo
    n: int
    files: list[File]
    rows: list[Row]
    warnings: list[str] = field(default_factory=list)

    def headings(self) -> list[str]:
        """The heading of the table: metric, direction, one for each result."""
        return ["metric", "better", *(fmt.printable(file.name) for file in self.files)]

    def table_rows(self) -> list[list[str]]:
        """The cells of the table as text, one list per metric."""
        return [
            [
                fmt.printable(row.label),
                row.better,
                *row.texts(),
            ]
            for row in self.rows
            if row.known
        ]

    def missing(self) -> list[str]:
        """The metrics that none of the results has a value of."""
        return [fmt.printable(row.label) for row in self.rows if not row.known]

    def about(self) -> str:
        """One line: what all of them share."""
        reference, protocol = self.reference, self.protocol
        return (
            f"{fmt.count(self.n)} samples each against {fmt.reference_name(reference)} ({fmt.images(reference.n)}, "
            f"{fmt.short(reference.fingerprint)}), protocol {fmt.printable(protocol.get('name', '?'))} "
            f"({fmt.short(protocol['fingerprint'])})"
        )

    def __str__(self) -> str:
        align = "ll" + "r" * len(self.files)
        table = fmt.aligned([self.headings(), *self.table_rows()], align)
        warned = [f"Warning: {fmt.printable(warning)}" for warning in self.warnings]
        missing = [f"In none of them: {', '.join(self.missing())}"] if self.missing() else []
        return "\n".join([self.about(), "", table, "", LEGEND, *missing, *([""] if warned else []), *warned])


def compare(results: Sequence[Named]) -> Comparison:
    """Sets results side by side.

    Args:
        results: two or more, each with the name under which it is shown.

    Raises:
        UsageError: there are fewer than two, they share no metric, or they differ in protocol, reference, n or the
            parameters of a metric; the message says which, in what, with both values.
    """
    if len(results) < 2:
        raise UsageError(f"{len(results)} result was given; a comparison needs at least 2. Name another file.")
    _refuse_differences(results)
    first = results[0][1]
    keys = dict.fromkeys(key for _, result in results for key in result.metrics)
    return Comparison(
        protocol=first.protocol,
        reference=first.reference,
        n=first.samples.n,
        files=[
            File(
                name=name,
                source=result.samples.source,
                fingerprint=result.samples.fingerprint,
                warnings=result.warnings,
            )
            for name, result in results
        ],
        rows=[_row(key, [result.metrics.get(key) for _, result in results]) for key in keys],
        warnings=[*_same_samples(results), *_warnings(results)],
    )


def _refuse_differences(results: Sequence[Named]) -> None:
    base = results[0]
    found = [text for other in results[1:] for text in _differences(base, other)]
    if found:
        more = f" (and {len(found) - _MOST_SHOWN} more)" if len(found) > _MOST_SHOWN else ""
        raise UsageError(
            f"These results cannot be compared. {' '.join(found[:_MOST_SHOWN])}{more} Evaluate again with the same "
            "--protocol, --ref, --num and metric parameters."
        )
    for name, result in results[1:]:
        if not set(result.metrics) & set(base[1].metrics):
            raise UsageError(f"{base[0]} and {name} have no metric in common. Evaluate them with the same --metrics.")


def _differences(base: Named, other: Named) -> Iterator[str]:
    """Everything in which `other` differs from `base` and may not, one sentence each; the gravest first."""
    names, a, b = (base[0], other[0]), base[1], other[1]
    if a.protocol["fingerprint"] != b.protocol["fingerprint"]:
        yield _sentence("protocol", names, _protocol_words(a, b), _protocol_words(b, a))
    if a.reference.fingerprint != b.reference.fingerprint:
        yield _sentence("reference", names, _reference_words(a), _reference_words(b))
    if a.samples.n != b.samples.n:
        yield _sentence("number of samples", names, str(a.samples.n), str(b.samples.n))
    for key in a.metrics:
        if key in b.metrics:
            same_n = a.samples.n == b.samples.n  # else every metric would say it again
            yield from _metric_differences(key, names, a.metrics[key], b.metrics[key], same_n=same_n)


def _metric_differences(
    key: str, names: tuple[str, str], a: MetricResult, b: MetricResult, *, same_n: bool
) -> Iterator[str]:
    if a.n_fake != b.n_fake and same_n:
        yield _sentence(f"n_fake of {key}", names, str(a.n_fake), str(b.n_fake))
    if a.n_real != b.n_real:
        yield _sentence(f"n_real of {key}", names, str(a.n_real), str(b.n_real))
    for name in dict.fromkeys([*a.params, *b.params]):
        x, y = a.params.get(name, "absent"), b.params.get(name, "absent")
        if x != y:
            yield _sentence(f"{name} of {key}", names, str(x), str(y))


def _sentence(what: str, names: tuple[str, str], first: str, second: str) -> str:
    a, b = (fmt.printable(name) for name in names)
    return f"The {what} differs: {fmt.printable(first)} in {a}, {fmt.printable(second)} in {b}."


def _protocol_words(result: Result, other: Result) -> str:
    """A protocol's name and fingerprint, with the fields in which it differs from the other."""
    mine, theirs = result.protocol, other.protocol
    fields = [
        f"{key} {mine.get(key, 'absent')}"
        for key in dict.fromkeys([*mine, *theirs])
        if key not in _DESCRIPTIVE and mine.get(key) != theirs.get(key)
    ]
    return f"{mine.get('name', '?')} ({', '.join([fmt.short(mine['fingerprint']), *fields])})"


def _reference_words(result: Result) -> str:
    reference = result.reference
    return f"{fmt.reference_name(reference)} ({fmt.short(reference.fingerprint)}, {fmt.images(reference.n)})"


def _same_samples(results: Sequence[Named]) -> list[str]:
    seen: dict[str, str] = {}
    found = []
    for name, result in results:
        other = seen.get(result.samples.fingerprint)
        if other is None:
            seen[result.samples.fingerprint] = name
        elif other == name:
            found.append(f"{name} is given twice.")
        else:
            found.append(f"{other} and {name} are about the very same images.")
    return found


def _warnings(results: Sequence[Named]) -> list[str]:
    """The warnings of all results, each once, with the names of those that have it."""
    having: dict[str, list[str]] = {}
    for name, result in results:
        for warning in result.warnings:
            having.setdefault(warning, []).append(name)
    return [
        f"{'all' if len(names) == len(results) else ', '.join(names)}: {warning}" for warning, names in having.items()
    ]


def _row(key: str, metrics: Sequence[MetricResult | None]) -> Row:
    some = next(metric for metric in metrics if metric is not None)
    known = [metric for metric in metrics if metric is not None and metric.value is not None]
    winner = max(known, key=_goodness, default=None) if some.unranked is None else None
    return Row(
        key=key,
        label=some.label,
        direction=some.direction,
        n_fake=some.n_fake,
        n_real=some.n_real,
        cells=[None if metric is None else _cell(metric, winner) for metric in metrics],
        better=fmt.better(some),
    )


def _goodness(metric: MetricResult) -> float:
    """The larger, the better."""
    assert metric.value is not None
    if metric.ideal is not None:
        return -abs(metric.value - metric.ideal)
    return -metric.value if metric.direction == "lower" else metric.value


def _cell(metric: MetricResult, winner: MetricResult | None) -> Cell:
    best = winner is not None and metric.value is not None and _goodness(metric) == _goodness(winner)
    return Cell(
        value=metric.value,
        ci95=metric.ci95,
        reason=metric.reason,
        best=best,
        within_noise=not best and winner is not None and _overlap(metric.ci95, winner.ci95),
    )


def _overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool:
    return a is not None and b is not None and a[0] <= b[1] and b[0] <= a[1]
