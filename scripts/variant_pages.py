"""The sections of docs/variants.md: what each variant's paper claims, what the boards measured, and a picture."""

import sys
import tomllib
from functools import cache
from pathlib import Path

from ganbench.leaderboard import words
from ganbench.leaderboard.board import Board, Row
from ganbench.leaderboard.gather import gather
from ganbench.leaderboard.rank import board_of
from ganbench.track import open_track
from ganbench.variants._registry import VARIANTS

REPOSITORY = Path(__file__).resolve().parents[1]
BOARDS = REPOSITORY / "leaderboards"
CLAIMS = REPOSITORY / "docs" / "claims.toml"


def variants() -> str:
    """A section for each variant, in alphabetical order."""
    claims = tomllib.loads(CLAIMS.read_text(encoding="utf-8"))
    return "\n\n".join(_section(name, claims.get(name)) for name in VARIANTS.names())


@cache
def _boards() -> list[Board]:
    places = [open_track(str(path.parent)) for path in sorted(BOARDS.glob("*/track.toml"))]
    return [board for place in places if (board := board_of(gather(place))).rows]


def _section(name: str, claim: dict[str, str] | None) -> str:
    text = sys.modules[VARIANTS.get(name).__module__].__doc__ or ""
    parts = [f"### `{name}`", " ".join(text.partition("\n")[0].split())]
    if claim:
        parts.append(f"Claimed: {claim['claim']} ({claim['where']})")
    found = [(board, row) for board in _boards() for row in board.rows if row.name == name]
    measured = "".join(f"\n- {_measured(board, row)}" for board, row in found)
    parts.append(f"Measured:\n{measured}" if measured else "Measured: no board has a record of it yet.")
    return "\n\n".join([*parts, *_pictures(name, [board.track for board, _ in found])])


def _measured(board: Board, row: Row) -> str:
    column = next(column for column in board.columns if column.ranked)
    spread = row.scores[column.key]
    reach = words.reach(spread, column)
    told = f"{column.label} {words.middle(spread, column)}" + (f" ({reach})" if reach else "")
    link = f"[{board.track}](../leaderboards/{board.track}/README.md)"
    if row.rank is None:
        return f"{link}: {told}; unranked: {row.unranked}"
    return f"{link}: {told}; rank {words.rank(row)} of {len(board.ranked)}; {words.failures(row)} failed"


def _pictures(name: str, tracks: list[str]) -> list[str]:
    """Samples of the first seed and its losses, of the board with the largest pictures that has them."""
    there = [track for track in tracks if (BOARDS / track / "samples" / f"{name}.png").is_file()]
    if not there:
        return []
    images = [track for track in there if (BOARDS / track / "losses" / f"{name}.svg").is_file()]
    track = (images or there)[0]
    place = f"../leaderboards/{track}"
    shown = [f'<img src="{place}/samples/{name}.png" height="210" alt="samples of {name} on {track}">']
    if track in images:
        shown.append(f'<img src="{place}/losses/{name}.svg" height="210" alt="losses of {name} on {track}">')
    return [f"{' '.join(shown)}\n\n*{track}, first seed*"]
