"""What an evaluation hands to its user: the result with its pictures, as text, JSON or HTML."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench import formatting as fmt
from ganbench.errors import BadInput, UsageError
from ganbench.files import write_text
from ganbench.gallery import Gallery
from ganbench.registry import unknown
from ganbench.results import MetricResult, Result, read_results

_WIDTH = 100  # columns of plain text
# What people type for a key that is spelt out in results.
_NICKNAMES = {
    "fid": "frechet_distance",
    "fd": "frechet_distance",
    "kid": "kernel_distance",
    "kd": "kernel_distance",
    "is": "inception_score",
}


class MetricKeyError(UsageError, KeyError):
    """A report was asked for a metric that it does not hold."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, repr=False, eq=False)
class Report(Mapping[str, MetricResult]):
    """The outcome of one evaluation. A mapping from metric keys to their results.

    Attributes:
        result: the plain values, as the JSON has them.
        pictures: the pictures for the HTML report, or what gives them when they are first looked at.

    Example:
        >>> report = Report.from_json("result.json")  # doctest: +SKIP
        >>> report["frechet_distance"].value  # doctest: +SKIP
    """

    result: Result
    pictures: Gallery | Callable[[], Gallery] | None = field(default=None)

    @cached_property
    def gallery(self) -> Gallery | None:
        """The pictures, where there are any."""
        return self.pictures() if callable(self.pictures) else self.pictures

    def __getitem__(self, key: str) -> MetricResult:
        """The result of one metric. Raises MetricKeyError, with the nearest key, where it was not computed."""
        if key in self.result.metrics:
            return self.result.metrics[key]
        raise MetricKeyError(_unknown_metric(key, list(self.result.metrics)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.result.metrics)

    def __len__(self) -> int:
        return len(self.result.metrics)

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before trusting the numbers."""
        return self.result.warnings

    @property
    def protocol(self) -> dict[str, Any]:
        """How images became features; `fingerprint` says with which results this one compares."""
        return self.result.protocol

    def to_json(self, path: str | Path) -> None:
        """Writes the result as JSON, atomically. Raises UsageError or GanbenchError where that cannot be done."""
        write_text(Path(path), self.result.to_json())

    def to_html(self, path: str | Path) -> None:
        """Writes one HTML file that needs nothing else, atomically. Raises as `to_json`."""
        from ganbench.html import report_page

        write_text(Path(path), report_page(self.result, self.gallery))

    @staticmethod
    def from_json(path: str | Path) -> "Report":
        """Reads a report back; it has no pictures. Raises BadInput where the file does not hold one result."""
        found = read_results(Path(path))
        if len(found) != 1:
            raise BadInput(f"{path} holds {len(found)} results; a report is one. `ganbench compare` takes several.")
        return Report(found[0])

    def __str__(self) -> str:
        return text(self.result)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ganbench.html import report_fragment

        return report_fragment(self.result)


def _unknown_metric(key: str, keys: list[str]) -> str:
    meant = _NICKNAMES.get(key.lower())
    if meant in keys:
        return f"Unknown metric {key!r}. Did you mean {meant!r}? There are: {', '.join(keys)}."
    return str(unknown("metric", key, keys))


def text(result: Result) -> str:
    """A result as plain text: the table, what it lacks and why, what it is about, warnings."""
    rows, missing = table_rows(result), not_computed(result)
    warnings = [f"Warning: {fmt.printable(warning)}" for warning in result.warnings]
    blocks = [
        title(result),
        fmt.aligned([list(HEADINGS), *rows], "lrllrr") if rows else "",
        "\n".join(notes(result)),
        "\n".join(["Not computed:", *wrapped(missing, _WIDTH)]) if missing else "",
        fmt.aligned([[name, what] for name, what in facts(result)], "ll"),
        "\n".join(warnings),
    ]
    return "\n\n".join(block for block in blocks if block)


def notes(result: Result) -> list[str]:
    """What must stand beside the table: the bias of a distance, what a perfect sampler reaches, how to read a value."""
    return [
        fmt.printable(f"{metric.label}: {note}")
        for key, metric in result.metrics.items()
        for note in (fmt.bias_sentence(metric), fmt.perfect_sentence(key, metric), metric.reading)
        if note
    ]


def not_computed(result: Result) -> list[tuple[str, str]]:
    """The metrics without a value, those of one reason together: their labels, and the reason."""
    why: dict[str, list[str]] = {}
    for metric in result.metrics.values():
        if metric.value is None:
            why.setdefault(fmt.printable(metric.reason or "no reason was recorded"), []).append(
                fmt.printable(metric.label)
            )
    return [(", ".join(labels), reason) for reason, labels in why.items()]


def wrapped(missing: list[tuple[str, str]], width: int) -> list[str]:
    """Each metric without a value with its reason, in lines of at most `width` where words allow it."""
    return [
        line
        for labels, reason in missing
        for line in textwrap.wrap(
            f"{labels}: {reason}",
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def title(result: Result) -> str:
    """One line: what was compared with what."""
    return f"{fmt.printable(result.samples.source)} against {fmt.reference_name(result.reference)}"


HEADINGS = ("metric", "value", "95 % interval", "better", "samples", "reference")


def table_rows(result: Result) -> list[list[str]]:
    """One row of cells per metric that has a value, under HEADINGS."""
    return [
        [
            fmt.printable(metric.label),
            fmt.value_of(metric),
            fmt.interval_of(metric),
            fmt.better(metric),
            fmt.count(metric.n_fake),
            fmt.count(metric.n_real),
        ]
        for metric in result.metrics.values()
        if metric.value is not None
    ]


def facts(result: Result) -> list[tuple[str, str]]:
    """What the numbers are about, by name: protocol, samples, reference, each with the start of its fingerprint."""
    samples, reference, protocol = result.samples, result.reference, result.protocol
    skipped = f", {fmt.count(samples.skipped)} skipped" if samples.skipped else ""
    used = f"{fmt.printable(samples.source)}, {fmt.size(samples.n, protocol)}{skipped}"
    against = f"{fmt.reference_name(result.reference)}, {fmt.size(reference.n, protocol)}"
    return [
        ("protocol", f"{fmt.printable(protocol.get('name', '?'))}, {fmt.short(protocol.get('fingerprint', '?'))}"),
        ("samples", f"{used}, {fmt.short(samples.fingerprint)}"),
        ("reference", f"{against}, {fmt.short(reference.fingerprint)}"),
        *(("note", fmt.printable(note)) for note in samples.notes),
    ]
