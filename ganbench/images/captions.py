"""Captions that travel with images: a `captions.csv` beside them."""

from dataclasses import dataclass
from pathlib import Path

from ganbench.errors import BadInput
from ganbench.images.classes import MAX_BYTES, rows_of
from ganbench.images.derived import Subset
from ganbench.images.pairs import shared_out
from ganbench.images.source import ImageSource, open_images

FILE = "captions.csv"
_HEADER = ("name", "caption")
_SHOWN = 60  # characters of a file's text in a message


@dataclass(frozen=True)
class Captioned:
    """Images and what they show.

    Attributes:
        images: the images.
        captions: one for each, in their order.
    """

    images: ImageSource
    captions: list[str]


def open_captioned(path: Path) -> tuple[Captioned, Captioned]:
    """The images of a folder with `captions.csv`: those to learn from, and a tenth that is held out.

    The file begins with the line `name,caption`; then, for each image, its path within the folder, with forward
    slashes, and its caption. Lines for images that are not there are passed over.

    Raises BadInput where it is not there, does not fit, or is over 256 MiB.
    """
    images = open_images(path)
    captions = read_captions(path, [item.name for item in images.items(range(len(images)))])
    learnt, held_out = (
        Captioned(Subset(images, rows, images.name), [captions[row] for row in rows])
        for rows in shared_out(len(images), str(path))
    )
    return learnt, held_out


def read_captions(path: Path, names: list[str]) -> list[str]:
    """The captions of the images `names` of a folder, in their order. Raises BadInput."""
    file = path / FILE
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(f"{file} is {size:,} bytes long; at most {MAX_BYTES:,} are read.")
        data = file.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{file} cannot be read ({error.strerror}). Captions are wanted: a {FILE} beside the images, the line "
            f"{','.join(_HEADER)} and then a line for each."
        ) from error
    rows = rows_of(data, str(file))
    head = next(rows, [])
    if tuple(cell.strip().lower() for cell in head) != _HEADER:
        raise BadInput(f"{file} begins with {_shortened(','.join(head))}; wanted {','.join(_HEADER)}.")
    found: dict[str, str] = {}
    for row in rows:
        if len(row) != len(_HEADER) or not row[1].strip():
            raise BadInput(f"{file} holds the line {_shortened(','.join(row))}; wanted a name and a caption.")
        if found.setdefault(row[0], row[1].strip()) != row[1].strip():
            raise BadInput(f"{file} gives {_shortened(row[0])} two captions; wanted one.")
    missing = [name for name in names if name not in found]
    if missing:
        raise BadInput(
            f"{file} does not name {missing[0]!r} ({len(missing)} such images of {path}). Add a line for each."
        )
    return [found[name] for name in names]


def _shortened(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
