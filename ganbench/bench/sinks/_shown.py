"""All sinks of a run as one, by which no run ever ends."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.bench.sinks._base import Part, Sink
from ganbench.bench.sinks._registry import SINKS
from ganbench.bench.spec import RunSpec
from ganbench.progress import Warn, unheard
from ganbench.records import CurvePoint

_SPENT = ("flops", "kimg", "seconds")


class Sinks:
    """The sinks of a run. One that fails is said once, and is not asked again.

    Args:
        names: as in `--log`.
        offline: use no network.

    Raises:
        UsageError: there is no such sink.
        Unavailable: its package is not installed.
    """

    def __init__(self, names: Sequence[str] = (), *, offline: bool = False) -> None:
        self._kinds = [SINKS.get(name) for name in dict.fromkeys(names)]
        self._offline = offline
        self._open: list[Sink] = []
        self._warn: Warn = unheard
        for kind in self._kinds:
            kind.check()

    def open(self, folder: Path, spec: RunSpec, *, done: int, warn: Warn) -> None:
        """A run, or its next part, begins after `done` steps. `warn` is told of what fails from here on."""
        self._warn = warn
        part = Part(folder=folder, spec=spec, done=done, offline=self._offline)
        for kind in self._kinds:
            try:
                self._open.append(kind(part))
            except Exception as error:  # as below
                self._failed(kind.name, error)

    def losses(self, line: Mapping[str, float | int]) -> None:
        """Shows a line of metrics.jsonl."""
        step = int(line["step"])
        values = {
            f"{'spent' if key in _SPENT else 'loss'}/{key}": float(value)
            for key, value in line.items()
            if key != "step"
        }
        self._each(lambda sink: sink.scalars(values, step))

    def scores(self, point: CurvePoint) -> None:
        """Shows the scores of a point: of the averaged weights, the plain ones, and against the second reference."""
        sets = {"score": point.ema, "score_raw": point.raw, "score_validation": point.validation}
        values = {
            f"{name}/{key}": value
            for name, scores in sets.items()
            for key, value in scores.items()
            if value is not None
        }
        self._each(lambda sink: sink.scalars(values, point.step))

    def picture(self, pixels: NDArray[np.uint8], step: int) -> None:
        """Shows samples, uint8 (h, w, 3)."""
        self._each(lambda sink: sink.picture(pixels, step))

    def flush(self) -> None:
        """What was shown survives the end of the process."""
        self._each(lambda sink: sink.flush())

    def close(self) -> None:
        """The run, or this part of it, has come to its end."""
        self._each(lambda sink: sink.close())
        self._open = []

    def _each(self, call: Callable[[Sink], None]) -> None:
        for sink in tuple(self._open):
            try:
                call(sink)
            except Exception as error:  # a service's client may raise anything, and the run does not need it
                self._open.remove(sink)
                self._failed(sink.name, error)

    def _failed(self, name: str, error: Exception) -> None:
        self._warn(
            f"--log {name} failed and is left alone from now on. The run goes on; its losses are in metrics.jsonl. "
            f"What failed: {type(error).__name__}: {error}"
        )
