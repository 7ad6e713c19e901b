"""What data are made from: the source images of a translation, or the vectors of captions."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.bench.pixels import as_floats
from ganbench.nets._base import Shape


@dataclass(frozen=True, eq=False)
class Conditions:
    """Source images or vectors of captions, and which of them belongs to which datum.

    Attributes:
        values: uint8 (m, c, h, w), padded with black, or float32 (m, d), no caption twice.
        rows: the place of each datum's in `values`, int64 (n,); None where sources and data are no pairs.
        captions: of the data, in words, where these are held out.
    """

    values: Tensor
    rows: Tensor | None = None
    captions: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        """Of one of them, as networks see it."""
        return tuple(self.values.shape[1:])

    def on(self, device: torch.device) -> "Conditions":
        """The same on a device."""
        rows = None if self.rows is None else self.rows.to(device)
        return Conditions(self.values.to(device), rows, self.captions)

    def batch(self, places: Tensor) -> Tensor:
        """Those at `places` in `values`, float32; images in [-1, 1]."""
        return as_floats(self.values[places])

    def of(self, indices: Tensor) -> Tensor:
        """Those of the data at `indices`; of no pairs, the sources at `indices`."""
        return self.batch(indices if self.rows is None else self.rows[indices])

    def __len__(self) -> int:
        """How many data there are that have one; of no pairs, how many sources."""
        return len(self.values if self.rows is None else self.rows)
