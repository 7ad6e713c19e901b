"""The files of a board: made from a track's folder, and written into it."""

from dataclasses import dataclass
from pathlib import Path

from ganbench.errors import BadInput
from ganbench.files import read_limited, write_text
from ganbench.leaderboard import losses, page, readme, sheet
from ganbench.leaderboard.board import Board
from ganbench.leaderboard.curves import figure_of, file_name, svg
from ganbench.leaderboard.gather import gather
from ganbench.leaderboard.rank import board_of
from ganbench.track import TrackFolder

SAMPLES = "samples"
_LARGEST_TEXT = 64 << 20  # bytes
_LARGEST_PICTURE = 4 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Files:
    """A board and its files: text by the name below the track's folder."""

    board: Board
    texts: dict[str, str]


def files_of(place: TrackFolder) -> Files:
    """What `build` writes. Raises BadInput where records make no board, or the README has no place for it."""
    gathered = gather(place)
    board = board_of(gathered)
    samples = _samples(place)
    path = place.folder / readme.NAME
    old = read_text(path) if path.exists() else None
    texts = {
        sheet.NAME: sheet.sheet(board),
        readme.NAME: readme.with_board(old, board, [each.path for each in samples], where=str(path)),
        page.NAME: page.page(board, gathered.records, samples),
    }
    for column in board.columns:
        figure = figure_of(board, column) if column.ranked else None
        if figure is not None:
            texts[file_name(column)] = svg(figure, alone=True)
    return Files(board, {**texts, **_losses(place)})


def _losses(place: TrackFolder) -> dict[str, str]:
    """The drawings of losses by the name of the file."""
    paths = sorted((place.folder / losses.FOLDER).glob("*.jsonl"))
    found = {f"{losses.FOLDER}/{path.stem}.svg": losses.drawing(path) for path in paths}
    return {name: text for name, text in found.items() if text is not None}


def build(place: TrackFolder) -> list[Path]:
    """Makes a board and writes its files, each atomically. Returns those that changed."""
    changed = []
    for name, text in files_of(place).texts.items():
        path = place.folder / name
        if not path.exists() or path.read_bytes() != text.encode():
            write_text(path, text)
            changed.append(path)
    return changed


def read_text(path: Path) -> str:
    """The text of a file of a board. Raises BadInput where it is not UTF-8."""
    try:
        return read_limited(path, _LARGEST_TEXT, what="a file of a board").decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text in UTF-8: {error}.") from error


def _samples(place: TrackFolder) -> list[page.Sample]:
    """The pictures beside the board, in the order of the track's variants, then by name."""
    order = {variant: i for i, variant in enumerate(place.track.variants)}
    found = []
    for path in sorted((place.folder / SAMPLES).glob("*.png")):
        data = read_limited(path, _LARGEST_PICTURE, what="a picture in PNG")
        if not data.startswith(_PNG):
            raise BadInput(f"{path} is no PNG. Take it away, or write one with `ganbench bench run`.")
        found.append(page.Sample(f"{SAMPLES}/{path.name}", data))
    return sorted(found, key=lambda each: order.get(each.name, len(order)))
