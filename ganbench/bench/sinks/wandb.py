"""Weights & Biases: a run of the project `ganbench`, under the id of the run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.bench.sinks._base import Part, Sink, package
from ganbench.serialize import plain

PROJECT = "ganbench"


class WeightsAndBiases(Sink):
    """Sends to W&B, whose own files are in `wandb/` of the run's folder. See Sink."""

    name = "wandb"

    def __init__(self, part: Part) -> None:
        spec = part.spec
        self._wandb = _module()
        self._run: Any = self._wandb.init(
            project=PROJECT,
            id=spec.id,
            name=f"{spec.variant} on {spec.data}, seed {spec.seed}",
            config=plain(spec),
            dir=str(part.folder),
            resume="allow",
            mode="offline" if part.offline else None,
            settings={"console": "off"},
        )
        self._next = int(self._run.step)  # W&B takes no step twice, and a resumed run makes the same ones again

    @classmethod
    def check(cls) -> None:
        """See Sink."""
        _module()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """See Sink."""
        self._log(values, step)

    def picture(self, pixels: NDArray[np.uint8], step: int) -> None:
        """See Sink."""
        self._log({"samples": self._wandb.Image(pixels)}, step)

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        if step >= self._next:
            self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """W&B's own process has what was shown already."""

    def close(self) -> None:
        """See Sink."""
        self._run.finish()


def _module() -> Any:
    return package("wandb", "wandb")
