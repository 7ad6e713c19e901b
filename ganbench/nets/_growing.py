"""Progressive growing: networks that begin at small images and fade larger ones in (Karras et al. 2018).

https://arxiv.org/abs/1710.10196. Images come at the sides s_0 < s_1 < ... < s_K, each twice the one before. A level
says where growth stands: k for images of side s_k, and k - 1 + alpha, 0 <= alpha < 1, while side s_k is faded in:

    G: (1 - alpha) up(rgb_{k-1}) + alpha rgb_k,    D: (1 - alpha) from_{k-1}(down(x)) + alpha block_k(from_k(x)),
    reals: (1 - alpha) up(down(x)) + alpha x

up takes the nearest neighbour, down the mean of 2 x 2. At alpha = 0 this is the net before, bit for bit.
"""

import math

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

_LEAST = 4  # the side of the smallest map of features, at least
_FIRST = 7  # the side of the smallest images, at least
_MOST = 16  # channels at most, as a multiple of those at the image


def sides(side: int) -> list[int]:
    """The sides of maps, from the smallest to the image: halved as often as it is a whole number of at least 4."""
    found = [side]
    while found[0] % 2 == 0 and found[0] // 2 >= _LEAST:
        found.insert(0, found[0] // 2)
    return found


def first_image(side: int) -> int:
    """The place in `sides` of the smallest images."""
    found = sides(side)
    return next((i for i, each in enumerate(found) if each >= _FIRST), len(found) - 1)


def levels(side: int) -> int:
    """K, the level at which growth ends."""
    return len(sides(side)) - 1 - first_image(side)


def channels(side: int, width: int) -> list[int]:
    """Channels for each of `sides`: `width` at the image, twice as many at each half."""
    count = len(sides(side))
    return [width * min(2**i, _MOST) for i in range(count)][::-1]


def split(level: float) -> tuple[int, float]:
    """k and alpha of a level; alpha is 1 where side s_k is there in full."""
    k = math.ceil(level)
    return k, 1 - (k - level)


def doubled(x: Tensor) -> Tensor:
    """Twice the side, by the nearest neighbour."""
    return interpolate(x, scale_factor=2.0, mode="nearest")


def shrunk(x: Tensor, side: int) -> Tensor:
    """Images at a side that divides theirs, by means over squares."""
    return x if x.shape[2] == side else avg_pool2d(x, x.shape[2] // side)


def enlarged(x: Tensor, side: int) -> Tensor:
    """Images at a multiple of their side, by the nearest neighbour."""
    return x if x.shape[2] == side else interpolate(x, size=(side, side), mode="nearest")


def faded(x: Tensor, side: int, alpha: float) -> Tensor:
    """Reals as they are shown while `side` is faded in: at that side, (1 - alpha) up(down(x)) + alpha x."""
    x = shrunk(x, side)
    return x if alpha == 1 else doubled(shrunk(x, side // 2)).lerp(x, alpha)
