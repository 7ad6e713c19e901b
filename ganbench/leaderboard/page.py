"""A board as one HTML file that needs nothing else: table, curves, pictures, and where each record comes from."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganbench import formatting as fmt
from ganbench.html import render
from ganbench.leaderboard import words
from ganbench.leaderboard.board import Board, Column, Named, Row
from ganbench.leaderboard.curves import figure_of, svg
from ganbench.serialize import canonical_sha256

NAME = "index.html"
_STRIP = 150.0  # units across in which the runs of a row are drawn


@dataclass(frozen=True)
class Sample:
    """A picture beside the board: its path from there, and its bytes (PNG)."""

    path: str
    data: bytes

    @property
    def name(self) -> str:
        """What it shows."""
        return self.path.rpartition("/")[2].removesuffix(".png")

    @property
    def uri(self) -> str:
        """A `data:` address of it."""
        return "data:image/png;base64," + base64.b64encode(self.data).decode("ascii")


@dataclass(frozen=True)
class Source:
    """Where a record comes from, in the words of the page."""

    file: str
    status: str
    steps: str
    flops: str
    time: str
    memory: str
    weights: str
    code: str
    machine: int
    command: str


@dataclass(frozen=True)
class Strip:
    """The runs of one row on the board's own scale, drawn: their places, those that have no score, their median."""

    dots: list[float]
    failed: list[float]
    median: float | None


def page(board: Board, records: Sequence[Named], samples: Sequence[Sample]) -> str:
    """The whole board as one HTML file."""
    machines = _machines(records)
    curves = [(c, f) for c in board.columns if (f := figure_of(board, c)) is not None]
    return render(
        "board.html",
        board=board,
        words=words,
        first=next((column for column in board.columns if column.ranked), None),
        strips=_strips(board),
        strip_width=_STRIP,
        curves=[(column, _safe(svg(figure, alone=False))) for column, figure in curves],
        samples=samples,
        sources=[_source(named, machines) for named in records],
        machines=[_flat(machine) for machine in machines.values()],
        commands=words.commands(board),
    )


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own template made it and escaped what is in it


def _strips(board: Board) -> dict[str, Strip]:
    """For each row its runs by the first ranking key."""
    column = board.columns[0]
    there = [v for row in board.rows for v in row.scores[column.key].values if v is not None]
    if not there or min(there) == max(there):
        return {}
    return {row.name: _strip(row, column, min(there), max(there)) for row in board.rows}


def _strip(row: Row, column: Column, low: float, high: float) -> Strip:
    def place(value: float) -> float:
        return round(6 + (value - low) / (high - low) * (_STRIP - 12), 1)

    spread = row.scores[column.key]
    worst, inwards = (_STRIP - 6, -9.0) if column.lower else (6.0, 9.0)
    return Strip(
        failed=[worst + inwards * i for i in range(spread.values.count(None))],
        dots=[place(value) for value in spread.values if value is not None],
        median=None if spread.median is None else place(spread.median),
    )


def _machines(records: Sequence[Named]) -> dict[str, dict[str, Any]]:
    """The environments that records name, each once, by a digest."""
    return {canonical_sha256(each.record.environment): each.record.environment for each in records}


def _source(named: Named, machines: dict[str, Any]) -> Source:
    record = named.record
    spent = record.spent
    return Source(
        file=named.file.removeprefix("records/"),
        status=record.status + (f": {fmt.printable(record.reason)[:300]}" if record.reason else ""),
        steps=fmt.count(spent.steps),
        flops=words.flops(spent.flops),
        time=words.duration(spent.seconds),
        memory=f"{spent.peak_memory / 2**20:,.0f} MiB",
        weights=fmt.short(record.weights_sha256 or "none"),
        code=fmt.short(record.variant_sha256),
        machine=1 + list(machines).index(canonical_sha256(record.environment)),
        command=record.command,
    )


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", fmt.printable(value)))
    return found
