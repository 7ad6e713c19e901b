"""Emoji in gray and the same emoji in colour, 64 x 64: some 1,386 pairs, drawn by the fonts of this machine."""

from typing import ClassVar

from ganbench.images.datasets._emoji import GrayEmoji


class EmojiGray64(GrayEmoji):
    """Some 1,147 pairs for training and 239 for testing, by code point."""

    title: ClassVar[str] = "Noto Color Emoji, gray and in colour"

    name: ClassVar[str] = "emoji-gray-64"
    side: ClassVar[int] = 64
