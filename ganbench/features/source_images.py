"""The images of a source as a metric sees them: by row, decoded when asked for."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ganbench.features.image_set import ImageSet, Pixels
from ganbench.images.source import ImageSource


class SourceImages(ImageSet):
    """Images of a source.

    Args:
        source: where they lie.
        used: positions in the source, in the order of the rows; all where None.
    """

    def __init__(self, source: ImageSource, used: Sequence[int] | NDArray[np.int64] | None = None) -> None:
        self._source = source
        self._used = np.arange(len(source)) if used is None else np.asarray(used, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._used)

    def take(self, rows: Sequence[int]) -> Iterator[Pixels]:
        """The images at `rows`, in the order asked. Raises BadImage where one cannot be read."""
        wanted = self._used[np.asarray(rows, dtype=np.int64)]
        order = np.unique(wanted)
        if np.array_equal(order, wanted):
            yield from (image.pixels for image in self._source.images([int(i) for i in order]))
            return
        found = {image.index: image.pixels for image in self._source.images([int(i) for i in order])}
        yield from (found[int(i)] for i in wanted)
