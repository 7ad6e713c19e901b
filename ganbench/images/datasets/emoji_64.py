"""Emoji in colour, 64 x 64, with their names as captions: some 1,386, drawn by the fonts of this machine."""

from typing import ClassVar

from ganbench.images.datasets._emoji import CaptionedEmoji


class Emoji64(CaptionedEmoji):
    """Some 1,147 for training and 239 for testing, by code point."""

    title: ClassVar[str] = "Noto Color Emoji"

    name: ClassVar[str] = "emoji-64"
    side: ClassVar[int] = 64
