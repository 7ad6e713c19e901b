"""TensorBoard: event files in the run's folder, for `tensorboard --logdir FOLDER`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.bench.sinks._base import Part, Sink, package


class TensorBoard(Sink):
    """Writes `tensorboard/` in the run's folder. See Sink."""

    name = "tensorboard"

    def __init__(self, part: Part) -> None:
        # Each part is a file of its own; purge_step hides what an earlier one has of steps that are made again.
        self._writer: Any = _module().SummaryWriter(str(part.folder / "tensorboard"), purge_step=part.done + 1)

    @classmethod
    def check(cls) -> None:
        """See Sink."""
        _module()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """See Sink."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, pixels: NDArray[np.uint8], step: int) -> None:
        """See Sink."""
        self._writer.add_image("samples", pixels, step, dataformats="HWC")

    def flush(self) -> None:
        """See Sink."""
        self._writer.flush()

    def close(self) -> None:
        """See Sink."""
        self._writer.close()


def _module() -> Any:
    return package("torch.utils.tensorboard", "tensorboard")
