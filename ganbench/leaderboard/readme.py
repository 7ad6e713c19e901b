"""A board as Markdown, between two marks of its README; what people write outside them stays."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import quote

from ganbench import formatting as fmt
from ganbench.errors import BadInput
from ganbench.leaderboard import words
from ganbench.leaderboard.board import Board, Column, Extra, EyesColumn, Row, Spread
from ganbench.leaderboard.curves import figure_of, file_name

NAME = "README.md"
_ACROSS = 4  # pictures in a row
BEGIN, END = "<!-- board -->", "<!-- /board -->"
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;"}
_SPECIAL = re.compile(r"""[\\`*_{}\[\]<>#|~&!"]""")


def between_marks(text: str, *, where: str) -> str:
    """What stands between the marks. Raises BadInput where they are not there once, in order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise BadInput(f"{where}: wanted the marks {BEGIN} and {END} once each, in this order. Put them in its text.")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def with_board(text: str | None, board: Board, samples: Sequence[str], *, where: str) -> str:
    """The README with the board in it: the text as it is outside the marks, or a new one where there is none."""
    if text is None:
        text = f"# {escaped(board.title)}\n\n{escaped(board.summary)}\n\n{BEGIN}{END}\n"
    old = between_marks(text, where=where)
    return text.replace(f"{BEGIN}{old}{END}", f"{BEGIN}\n{markdown(board, samples)}\n{END}")


def markdown(board: Board, samples: Sequence[str] = ()) -> str:
    """The board; `samples` are the paths of pictures, relative to the README."""
    make, build = words.commands(board)
    parts = [f"`{build}` makes what stands here, [index.html](index.html) and [leaderboard.csv](leaderboard.csv)."]
    if not board.rows:
        parts.append(f"**{words.first_words(board)}** To make them: `{make}`, then `{build}`.")
    if board.rows or board.anchors:
        parts += [_table(board), f"{words.reading(board)} {words.first_words(board)}"]
    parts += [part for make_part in _PARTS for part in make_part(board)]
    parts += _pictures(samples)
    return "\n\n".join(parts)


def escaped(text: object) -> str:
    """Text as Markdown shows it letter by letter, on one line."""
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), fmt.printable(text))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """A Markdown table; `align` has one letter for each column, "l" or "r"."""
    rule = ["---:" if side == "r" else "---" for side in align]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rule, *rows])


def _table(board: Board) -> str:
    headings = ["Rank", "Variant", *(escaped(words.heading(column)) for column in board.columns)]
    headings += [*(escaped(each.label) for each in board.eyes), "Failed", "Time"]
    rows = []
    for row in board.rows:
        name = escaped(row.name) + (f"<br><sub>unranked: {escaped(row.unranked)}</sub>" if row.unranked else "")
        cells = [_cell(row.scores[column.key], column) for column in board.columns]
        cells += [_eyes(column, row.name) for column in board.eyes]
        rows.append([words.rank(row), name, *cells, words.failures(row), words.duration(row.usage.seconds)])
    for anchor in board.anchors:
        cells = [_cell(anchor.scores[column.key], column) for column in board.columns] + [""] * len(board.eyes)
        rows.append([anchor.meaning, f"*{escaped(anchor.name)}*<br><sub>{escaped(anchor.made)}</sub>", *cells, "", ""])
    return table(headings, rows, "ll" + "r" * (len(board.columns) + len(board.eyes)) + "rr")


def _eyes(column: EyesColumn, variant: str) -> str:
    cell = column.cells.get(variant)
    return "" if cell is None else f"[{words.eyes(cell)}]({quote(cell.file)})<br><sub>{words.eyes_below(cell)}</sub>"


def _cell(spread: Spread, column: Column) -> str:
    main = words.middle(spread, column)
    below = [words.reach(spread, column), words.interval(spread, column) if column.ranked else ""]
    small = " ".join(part for part in below if part)
    return f"**{main}**" + (f"<br><sub>{small}</sub>" if small else "")


def _rules(board: Board) -> Iterator[str]:
    rows = [[escaped(fact.name), escaped(fact.value)] for fact in board.facts]
    yield "### Rules\n\n" + table(["Rule", "All runs"], rows, "ll")


def _curves(board: Board) -> Iterator[str]:
    shown = [c for c in board.columns if c.ranked and figure_of(board, c)]
    if shown:
        yield "### Score against budget\n\n" + words.CURVES
    for column in shown:
        yield f"{escaped(words.heading(column))}\n\n![{escaped(column.label)} by budget]({file_name(column)})"


def _wins(board: Board) -> Iterator[str]:
    names = [escaped(row.name) for row in board.ranked]
    if len(names) > 1:
        rows = [[name, *(words.win(p) for p in line)] for name, line in zip(names, board.wins, strict=True)]
        yield f"### Who beats whom\n\n{words.WINNING}\n\n" + table(["", *names], rows, "l" + "r" * len(names))


def _beside(board: Board) -> Iterator[str]:
    shown = [(kind, column) for kind in words.kinds_beside(board) for column in board.columns]
    if shown:
        headings = ["Variant", *(f"{escaped(words.heading(column))}, {kind}" for kind, column in shown)]
        rows = [[escaped(row.name), *(_weak(row, kind, column) for kind, column in shown)] for row in board.rows]
        about = f"### Beside, never ranked\n\n{words.beside(board)}\n\n"
        yield about + table(headings, rows, "l" + "r" * len(shown))


def _weak(row: Row, kind: str, column: Column) -> str:
    scores = {"raw": row.raw, "best": row.best}[kind]
    return words.middle(scores[column.key], column) if scores else ""


def _extras(board: Board) -> Iterator[str]:
    if board.extras:
        headings = ["Record", "Budget", "Steps", "Time", "Samples", *(escaped(words.heading(c)) for c in board.columns)]
        align = "llrrr" + "r" * len(board.columns)
        rows = [_extra(extra, board.columns) for extra in board.extras]
        yield f"### Long runs, unranked\n\n{words.EXTRAS}\n\n" + table(headings, rows, align)


def _extra(extra: Extra, columns: Sequence[Column]) -> list[str]:
    ended = "" if extra.status == "finished" else f" ({extra.status})"
    return [
        f"[{escaped(extra.variant)}, seed {extra.seed}]({quote(extra.file)}){ended}",
        escaped(extra.budget),
        fmt.count(extra.steps),
        words.duration(extra.seconds),
        fmt.count(extra.n),
        *(words.middle(extra.scores[column.key], column) for column in columns),
    ]


def _published(board: Board) -> Iterator[str]:
    if board.published:
        headings = ["Method", *(escaped(words.heading(c)) for c in board.columns), "Source", "Its protocol"]
        rows = [
            [
                escaped(p.method),
                *(escaped(p.values.get(c.key, "–")) for c in board.columns),
                escaped(p.source),
                escaped(p.protocol),
            ]
            for p in board.published
        ]
        yield f"### Published\n\n{words.PUBLISHED}\n\n" + table(headings, rows, "l" + "r" * len(board.columns) + "ll")


def _notes(board: Board) -> Iterator[str]:
    if board.notes:
        yield "### Notes\n\n" + "\n\n".join(escaped(note) for note in board.notes)


def _pictures(samples: Sequence[str]) -> Iterator[str]:
    if samples:
        yield f"### Samples\n\n{words.SAMPLES}"
    for i in range(0, len(samples), _ACROSS):
        row = samples[i : i + _ACROSS]
        names = [escaped(path.rpartition("/")[2].removesuffix(".png")) for path in row]
        shown = [f'<img src="{quote(path)}" width="200" alt="{name}">' for path, name in zip(row, names, strict=True)]
        yield table(names, [shown], "l" * len(names))


_PARTS: tuple[Callable[[Board], Iterator[str]], ...] = (_rules, _curves, _wins, _beside, _extras, _published, _notes)
