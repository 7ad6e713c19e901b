"""Line drawings of emoji and the same emoji in colour, 64 x 64: 1,145 pairs, drawn by the fonts of this machine."""

from typing import ClassVar

from ganbench.images.datasets._emoji import LineEmoji


class EmojiPairs64(LineEmoji):
    """Some 942 pairs for training and 203 for testing, by code point."""

    title: ClassVar[str] = "Symbola and Noto Color Emoji"

    name: ClassVar[str] = "emoji-pairs-64"
    side: ClassVar[int] = 64
