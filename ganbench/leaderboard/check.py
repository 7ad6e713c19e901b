"""Whether the files of a board are what its records give: every number, and every record against its own text."""

import csv
import re
from collections.abc import Iterator
from itertools import zip_longest

from ganbench import formatting as fmt
from ganbench.errors import UsageError
from ganbench.leaderboard import readme, sheet
from ganbench.leaderboard.build import files_of, read_text
from ganbench.leaderboard.gather import gather
from ganbench.track import TrackFolder

_MOST_SHOWN = 12  # differences of one file
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_WIDE = 60  # letters of a line that are shown


def check(place: TrackFolder) -> list[str]:
    """What is wrong with a board, one sentence each, with the file; none where everything is as it must be."""
    faults = gather(place).faults
    if faults:
        return faults
    try:
        wanted = files_of(place).texts
    except UsageError as error:
        return [str(error)]
    return [f"{name}: {text}" for name in wanted for text in _file(place, name, wanted[name])]


def _file(place: TrackFolder, name: str, wanted: str) -> list[str]:
    path = place.folder / name
    if not path.exists():
        return [f"is absent; `ganbench board build {place.name}` writes it."]
    found = read_text(path)
    if name == readme.NAME:
        found, wanted = (readme.between_marks(text, where=name) for text in (found, wanted))
    if found == wanted:
        return []
    texts = list(_cells(found, wanted) if name == sheet.NAME else _lines(found, wanted))
    texts = texts or ["its spacing differs."]
    more = [f"and {len(texts) - _MOST_SHOWN} more."] if len(texts) > _MOST_SHOWN else []
    return [*texts[:_MOST_SHOWN], *more]


def _cells(found: str, wanted: str) -> Iterator[str]:
    """The cells of a table that differ, by row and column."""
    mine, theirs = (list(csv.reader(text.splitlines())) for text in (found, wanted))
    headings = theirs[0]
    for i, (a, b) in enumerate(zip_longest(mine, theirs, fillvalue=list[str]())):
        row = (b or a or ["?"])[0]
        for j, (x, y) in enumerate(zip_longest(a, b, fillvalue="")):
            if x != y:
                column = headings[j] if j < len(headings) else f"column {j + 1}"
                yield f"line {i + 1}, {_p(row)}, {_p(column)}: found {_p(x)!r}, the records give {_p(y)!r}."


def _lines(found: str, wanted: str) -> Iterator[str]:
    """The lines that differ; where only numbers do, these."""
    for i, (a, b) in enumerate(zip_longest(found.splitlines(), wanted.splitlines()), start=1):
        if a == b:
            continue
        mine, theirs = _NUMBER.findall(a or ""), _NUMBER.findall(b or "")
        if a is not None and b is not None and _NUMBER.sub("#", a) == _NUMBER.sub("#", b):
            for x, y in zip(mine, theirs, strict=True):
                if x != y:
                    yield f"line {i}: found {x}, the records give {y}."
        else:
            yield f"line {i}: found {_part(a, b)}, the records give {_part(b, a)}."


def _part(line: str | None, other: str | None) -> str:
    """Where a line begins to differ from another."""
    if line is None:
        return "nothing"
    same = next((i for i, (x, y) in enumerate(zip(line, other or "", strict=False)) if x != y), 0)
    return repr(_p(line[max(same - 10, 0) :][:_WIDE]))


def _p(text: str) -> str:
    return fmt.printable(text)
