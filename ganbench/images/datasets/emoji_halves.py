"""Line drawings of one half of the emoji and the other half in colour, 32 x 32: two domains without a pair."""

from typing import ClassVar

from ganbench.images.datasets._emoji import HalvedEmoji


class EmojiHalves(HalvedEmoji):
    """Some 471 drawings and as many pictures for training, the 203 pairs of emoji-pairs for testing."""

    title: ClassVar[str] = "Symbola and Noto Color Emoji, unpaired"

    name: ClassVar[str] = "emoji-halves"
