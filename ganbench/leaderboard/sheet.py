"""A board as CSV: one line for each row, every figure as it was computed."""

import csv
import io
from collections.abc import Iterator

from ganbench.leaderboard.board import Board, EyesCell, Row, Spread

NAME = "leaderboard.csv"


def sheet(board: Board) -> str:
    """The text of the file. An empty field is a number that there is none of; `failed` counts as infinitely bad."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(list(_headings(board)))
    for row in board.rows:
        rank = [row.rank, *(row.rank_interval or ("", ""))] if row.rank else ["", "", ""]
        about = [row.name, *rank, row.unranked or "", len(row.seeds), _number(row.failure_rate)]
        writer.writerow([*about, *_scores(board, row.scores), *_beside(board, row), *_usage(row), *_eyes(board, row)])
    for anchor in board.anchors:
        runs = max(len(spread.values) for spread in anchor.scores.values())
        about = [anchor.name, "", "", "", anchor.meaning, runs, ""]
        none = [""] * (2 * len(board.columns) + 5 + 4 * len(board.eyes))
        writer.writerow([*about, *_scores(board, anchor.scores), *none])
    return out.getvalue()


def _headings(board: Board) -> Iterator[str]:
    yield from ("row", "rank", "rank_low", "rank_high", "unranked", "runs", "failure_rate")
    for column in board.columns:
        yield from (f"{column.key}_{part}" for part in ("median", "low", "high", "ci_low", "ci_high", "values"))
    for kind in ("raw", "best"):
        yield from (f"{kind}_{column.key}_median" for column in board.columns)
    yield from ("steps", "flops", "reals", "seconds", "peak_memory")
    for eyes in board.eyes:
        yield from (f"{eyes.key}{part}" for part in ("", "_ci_low", "_ci_high", "_raters"))


def _scores(board: Board, scores: dict[str, Spread]) -> Iterator[str]:
    for column in board.columns:
        spread = scores[column.key]
        yield from (_middle(spread), _number(spread.low), _number(spread.high))
        yield from (_score(end) for end in spread.ci95) if spread.ci95 else ("", "")
        yield ";".join(_score(value) for value in spread.values)


def _beside(board: Board, row: Row) -> Iterator[str]:
    for scores in (row.raw, row.best):
        for column in board.columns:
            yield _middle(scores[column.key]) if scores else ""


def _usage(row: Row) -> Iterator[str]:
    used = row.usage
    yield from (_number(value) for value in (used.steps, used.flops, used.reals, used.seconds, used.peak_memory))


def _middle(spread: Spread) -> str:
    return "" if spread.untold else _score(spread.median)


def _eyes(board: Board, row: Row) -> Iterator[str]:
    for column in board.eyes:
        yield from _seen(column.cells.get(row.name))


def _seen(cell: EyesCell | None) -> list[str]:
    if cell is None:
        return [""] * 4
    low, high = cell.ci95 or (None, None)
    return [_number(cell.value), _number(low), _number(high), str(cell.raters)]


def _score(value: float | None) -> str:
    return "failed" if value is None else _number(value)


def _number(value: float | None) -> str:
    """A number with all its digits, so that it reads back the same; whole ones without a point."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e16 else repr(float(value))
