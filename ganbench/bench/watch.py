"""Who is told of what while a run goes on, and what ends it early."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ganbench.bench.budget import Budget
from ganbench.bench.sinks._shown import Sinks
from ganbench.progress import Progress, Warn, silent, unheard

MINUTE = Budget("seconds", 60.0)
Tell = Callable[[Mapping[str, float]], None]


def untold(losses: Mapping[str, float]) -> None:
    """The losses of someone who does not want to know."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a caller wants of a run beside its record.

    Attributes:
        progress: told of steps and stages.
        tell: told of the losses.
        sinks: shown losses, scores and pictures.
        warn: told of what changes no number.
        checkpoint_every: what is spent between two checkpoints.
        max_seconds: of training; a run that takes longer is `truncated`.
        stop_after: ends the process's part after so many steps, with a checkpoint, as if it had been killed then.
    """

    progress: Progress = silent
    tell: Tell = untold
    sinks: Sinks = field(default_factory=Sinks)
    warn: Warn = unheard
    checkpoint_every: Budget = MINUTE
    max_seconds: float | None = None
    stop_after: int | None = None


class Stopped(Exception):
    """The part of a run that `stop_after` asked for is done."""
