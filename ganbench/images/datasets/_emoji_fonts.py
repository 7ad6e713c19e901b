"""Emoji as pictures: the colour font's and the line drawings of another, found among the fonts of this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from ganbench.errors import BadInput, Unavailable
from ganbench.images.source import Pixels
from ganbench.places import data_folders

COLOUR, LINES = "NotoColorEmoji.ttf", "Symbola_hint.ttf"
_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts",
            "~/Library/Fonts")  # fmt: skip
_SIZE = 109  # the only one that the colour font has
_BOX = 136  # pixels: the colour font's pictures are 136 x 128
_INK = 0.92  # of the side of a line drawing
_NOBODY = "\U0010fffe"  # a code point that no font draws


def find_font(name: str) -> Path | None:
    """A font's file: in a folder of `GANBENCH_DATA`, else where systems keep fonts; None where it is not there."""
    for folder in data_folders():
        if (folder / name).is_file():
            return folder / name
    for top in _FOLDERS:
        found = sorted(Path(top).expanduser().rglob(name))
        if found:
            return found[0]
    return None


@dataclass(frozen=True)
class Pictures:
    """Emoji of one code point that a font draws, all of one size; drawn when first asked for.

    Attributes:
        font: the file of the colour font.
        lines: the file of the line drawings, which then decides, too, which emoji there are; None for all.
        side: of a picture, pixels.
    """

    font: Path
    lines: Path | None
    side: int

    @cached_property
    def characters(self) -> list[str]:
        """Which they are, by code point."""
        colour = _opened(self.font)
        drawn = [c for c in _code_points() if colour.getmask(c, mode="RGBA").getbbox() is not None]
        if self.lines is None:
            return drawn
        lines = _opened(self.lines)
        blank = bytes(lines.getmask(_NOBODY))  # what the font has in the place of what it lacks
        return [c for c in drawn if bytes(lines.getmask(c)) not in (b"", blank)]

    @property
    def names(self) -> list[str]:
        """Their CLDR names in words: "grinning face"."""
        known = _data()
        return [known[c]["en"].strip(":").replace("_", " ") for c in self.characters]

    @property
    def colour(self) -> Pixels:
        """uint8 (n, side, side, 3), laid over white."""
        with _LOCK:  # FreeType's faces are not for several threads
            return self._colour

    @property
    def drawings(self) -> Pixels:
        """uint8 (n, side, side, 3): black lines on white."""
        with _LOCK:
            return self._drawings

    @cached_property
    def _colour(self) -> Pixels:
        font = _opened(self.font)
        return np.stack([_scaled(_in_colour(font, c), self.side) for c in self.characters])

    @cached_property
    def _drawings(self) -> Pixels:
        assert self.lines is not None
        font = _opened(self.lines)
        return np.stack([_scaled(_in_lines(font, c), self.side) for c in self.characters])


_LOCK = Lock()


@lru_cache(maxsize=8)
def pictures(font: Path, lines: Path | None, side: int) -> Pictures:
    """The pictures of these fonts, drawn once in a process."""
    return Pictures(font, lines, side)


def blocks(characters: list[str]) -> NDArray[np.int64]:
    """The Unicode block of each, int64 (n,), those of older and rarer symbols together; see `BLOCKS`."""
    starts = np.array([0, *(start for start, _ in BLOCKS[1:])])
    found = np.searchsorted(starts, [ord(c) for c in characters], side="right") - 1
    return np.where(found == 4, 0, found - (found > 4)).astype(np.int64)  # 4 is a second range of symbols


# First code point and name; classes are 0 symbols, 1 pictographs, 2 emoticons, 3 transport, 4 supplemental, 5 extended.
BLOCKS = (
    (0, "symbols"),
    (0x1F300, "Miscellaneous Symbols and Pictographs"),
    (0x1F600, "Emoticons"),
    (0x1F680, "Transport and Map Symbols"),
    (0x1F700, "symbols"),
    (0x1F900, "Supplemental Symbols and Pictographs"),
    (0x1FA00, "Symbols and Pictographs Extended-A"),
)


def _code_points() -> Iterator[str]:
    """All emoji that are one code point, ascending."""
    return iter(sorted(c for c in _data() if len(c) == 1))


def _data() -> dict[str, dict[str, str]]:
    try:
        from emoji import EMOJI_DATA
    except ImportError as error:
        raise Unavailable(
            "The names of emoji come with a package. Install it: pip install 'ganbench[emoji]'"
        ) from error
    found: dict[str, dict[str, str]] = EMOJI_DATA
    return found


def _opened(path: Path) -> ImageFont.FreeTypeFont:
    try:  # of a path that is no font Pillow would take another font by that name
        return ImageFont.truetype(BytesIO(path.read_bytes()), _SIZE, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise BadInput(f"{path} cannot be read as a font ({error}). Install it anew.") from error


def _in_colour(font: ImageFont.FreeTypeFont, character: str) -> Pillow.Image:
    canvas = Pillow.new("RGB", (_BOX, _BOX), "white")
    left, top, right, bottom = font.getbbox(character)
    at = ((_BOX - (right - left)) / 2 - left, (_BOX - (bottom - top)) / 2 - top)
    ImageDraw.Draw(canvas).text(at, character, font=font, embedded_color=True)
    return canvas


def _in_lines(font: ImageFont.FreeTypeFont, character: str) -> Pillow.Image:
    """The drawing in the middle of a white square that its ink nearly fills, as the colour font's pictures do."""
    left, top, right, bottom = font.getbbox(character)
    side = round(max(right - left, bottom - top) / _INK)
    canvas = Pillow.new("L", (side, side), "white")
    at = ((side - (right - left)) / 2 - left, (side - (bottom - top)) / 2 - top)
    ImageDraw.Draw(canvas).text(at, character, font=font, fill="black")
    return canvas.convert("RGB")


def _scaled(picture: Pillow.Image, side: int) -> Pixels:
    return np.asarray(picture.resize((side, side), Pillow.Resampling.BICUBIC))
