"""A board as rows of text for a terminal."""

from ganbench import formatting as fmt
from ganbench.leaderboard import words
from ganbench.leaderboard.board import Board, Column, EyesColumn, Spread


def headings(board: Board) -> list[str]:
    """The heading of the table."""
    scores = [*(words.heading(column) for column in board.columns), *(each.label for each in board.eyes)]
    return ["rank", "variant", *scores, "failed", "time"]


def table_rows(board: Board) -> list[list[str]]:
    """The cells of the table, one list for each row; floor and ceiling come last."""
    rows = [
        [
            words.rank(row),
            row.name + (f" (unranked: {row.unranked})" if row.unranked else ""),
            *_cells(board, row.scores),
            *(_eyes(column, row.name) for column in board.eyes),
            words.failures(row),
            words.duration(row.usage.seconds),
        ]
        for row in board.rows
    ]
    none = [""] * (len(board.eyes) + 2)
    anchors = [[each.meaning, each.name, *_cells(board, each.scores), *none] for each in board.anchors]
    return [[fmt.printable(cell) for cell in row] for row in [*rows, *anchors]]


def _eyes(column: EyesColumn, variant: str) -> str:
    cell = column.cells.get(variant)
    return "" if cell is None else f"{words.eyes(cell)} {words.eyes_below(cell)}"


def _cells(board: Board, scores: dict[str, Spread]) -> list[str]:
    return [_cell(scores[column.key], column) for column in board.columns]


def _cell(spread: Spread, column: Column) -> str:
    parts = [words.middle(spread, column), f"({words.reach(spread, column)})"]
    parts.append(words.interval(spread, column) if column.ranked else "")
    return " ".join(part for part in parts if part not in ("", "()"))
