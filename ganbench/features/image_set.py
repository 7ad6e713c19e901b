"""The images behind a set of features, for the metrics that look at pixels: each is fetched when it is asked for."""

from collections.abc import Iterator, Sequence
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput

Pixels = NDArray[np.uint8]


class ImageSet(Interface):
    """A finite, ordered set of images that can be read again and again."""

    def __len__(self) -> int: ...

    def take(self, rows: Sequence[int]) -> Iterator[Pixels]:
        """The images at `rows`, in the order asked: uint8 RGB (3, h, w)."""
        ...


class ImageArray(ImageSet):
    """Images in memory.

    Args:
        array: uint8 (n, 3, h, w) or (n, 1, h, w) in 0..255.

    Raises:
        BadInput: another dtype or shape.
    """

    def __init__(self, array: NDArray[np.uint8]) -> None:
        if array.ndim != 4 or array.shape[1] not in (1, 3) or array.dtype != np.uint8:
            raise BadInput(
                f"Images must be uint8 of shape (n, 3, h, w) or (n, 1, h, w); found {array.dtype} {array.shape}."
            )
        self._images = np.broadcast_to(array, (len(array), 3, *array.shape[2:]))

    def __len__(self) -> int:
        return len(self._images)

    def take(self, rows: Sequence[int]) -> Iterator[Pixels]:
        """The images at `rows`, in the order asked."""
        return (self._images[int(i)] for i in rows)
