"""Emoji as datasets: which there are, how they are split, and what is to be made of what.

Of the emoji of one code point, four fifths are for training and one for testing: in `test` are those whose code point's
sha256, as lower-case hexadecimal text ("1f600"), is divisible by 5. So an emoji is in one split whatever the fonts and
their versions hold. Pictures are drawn with the fonts of this machine; nothing of them is shipped.
"""

import hashlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from ganbench.errors import Unavailable
from ganbench.images.captions import Captioned
from ganbench.images.datasets._base import CaptionedDataset, Dataset, PairedDataset
from ganbench.images.datasets._emoji_fonts import COLOUR, LINES, Pictures, blocks, find_font, pictures
from ganbench.images.indexed import IndexedSource
from ganbench.images.pairs import Pairs
from ganbench.images.source import ImageSource, Pixels
from ganbench.progress import Progress

_PARTS = 5
Rows = NDArray[np.int64]


class EmojiDataset(Dataset):
    """Pictures of emoji. Subclasses give their name, the side of a picture, and which fonts must draw one.

    Class attributes: the name, the side in pixels, and the fonts, the colour font first.
    """

    licence: ClassVar[str] = "SIL OFL 1.1 (Noto Color Emoji)"
    homepage: ClassVar[str] = "https://github.com/googlefonts/noto-emoji"
    downloads: ClassVar[bool] = False
    name: ClassVar[str]
    side: ClassVar[int] = 32
    fonts: ClassVar[tuple[str, ...]] = (COLOUR,)
    ways: ClassVar[tuple[str, ...]] = ("on Debian and Ubuntu: apt install fonts-noto-color-emoji",)

    @classmethod
    def locate(cls, split: str) -> Path | None:  # noqa: ARG003 - all are in one font
        """The colour font, where all fonts are there."""
        found = [find_font(name) for name in cls.fonts]
        return None if None in found else found[0]

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:  # noqa: ARG003 - there is nowhere to go
        """Raises Unavailable: fonts come with the system."""
        raise Unavailable(f"Its fonts, {' and '.join(cls.fonts)}, come with the system.")

    @classmethod
    def pictures(cls) -> Pictures | None:
        """All of them, of both splits."""
        colour, *lines = (find_font(name) for name in cls.fonts)
        if colour is None or None in lines:
            return None
        return pictures(colour, lines[0] if lines else None, cls.side)

    @classmethod
    def source(cls, split: str, all_of: Pictures, rows: Rows, pixels: Pixels | None = None) -> ImageSource:
        """Some of the pictures, in colour where no pixels are given for them all."""
        classes = blocks(all_of.characters)
        names = [f"{ord(all_of.characters[row]):x}" for row in rows]
        return IndexedSource(
            f"{cls.name}:{split}",
            names,
            read=lambda i: (all_of.colour if pixels is None else pixels)[rows[i]],
            labels=lambda: classes[rows],
        )


class CaptionedEmoji(EmojiDataset, CaptionedDataset):
    """Colour emoji with their CLDR names as captions and their Unicode blocks as classes."""

    @classmethod
    def captioned(cls, split: str) -> Captioned | None:
        """The pictures of a split, by code point."""
        found = cls.pictures()
        if found is None:
            return None
        rows = rows_of(found.characters, split)
        names = found.names
        return Captioned(cls.source(split, found, rows), [names[row] for row in rows])


class LineEmoji(EmojiDataset, PairedDataset):
    """Line drawings of emoji, and the same emoji in colour."""

    fonts: ClassVar[tuple[str, ...]] = (COLOUR, LINES)
    licence: ClassVar[str] = "SIL OFL 1.1 (Noto Color Emoji), free for any use (Symbola)"
    ways: ClassVar[tuple[str, ...]] = ("on Debian and Ubuntu: apt install fonts-noto-color-emoji fonts-symbola",)

    @classmethod
    def pairs(cls, split: str) -> Pairs | None:
        """Drawing and picture of each emoji of a split, by code point."""
        found = cls.pictures()
        if found is None:
            return None
        rows = rows_of(found.characters, split)
        return Pairs(cls.source(split, found, rows, found.drawings), cls.source(split, found, rows))


class HalvedEmoji(LineEmoji):
    """The drawings of some emoji and the pictures of others."""

    @classmethod
    def pairs(cls, split: str) -> Pairs | None:
        """For training the drawings of one half and the pictures of the other, both shuffled; pairs for testing."""
        found = cls.pictures()
        if found is None or split == "test":
            return super().pairs(split)
        order = np.random.default_rng(0).permutation(rows_of(found.characters, split))
        drawn, coloured = order[: len(order) // 2], order[len(order) // 2 :]
        sources = cls.source(split, found, drawn, found.drawings)
        return Pairs(sources, cls.source(split, found, coloured), f"{cls.name} has the drawings of some emoji and the "
                     "pictures of others; emoji-pairs has both of each")  # fmt: skip


class GrayEmoji(EmojiDataset, PairedDataset):
    """Emoji without their colours, and with them."""

    @classmethod
    def pairs(cls, split: str) -> Pairs | None:
        """The picture of each emoji of a split in gray, by ITU-R 601's luma, and in colour, by code point."""
        found = cls.pictures()
        if found is None:
            return None
        rows = rows_of(found.characters, split)
        return Pairs(cls.source(split, found, rows, _gray(found.colour)), cls.source(split, found, rows))


def _gray(pixels: Pixels) -> Pixels:
    return np.stack([np.asarray(Pillow.fromarray(each).convert("L").convert("RGB")) for each in pixels])


def rows_of(characters: list[str], split: str) -> Rows:
    """The places of the emoji of a split among all of them, ascending."""
    test = np.array([in_test(character) for character in characters])
    return np.flatnonzero(test if split == "test" else ~test)


def in_test(character: str) -> bool:
    """Whether an emoji is for testing."""
    digest = hashlib.sha256(f"{ord(character):x}".encode()).digest()
    return int.from_bytes(digest, "big") % _PARTS == 0
