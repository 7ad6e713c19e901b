"""How the engine tells of its progress and of what it noticed: callables, so that only the command line draws."""

from collections.abc import Callable

# progress(stage, done, total): the stage in words, units done, units in all (None where unknown).
Progress = Callable[[str, int, int | None], None]
# warn(message): something the user should know and that changes no number, such as a cache file made again.
Warn = Callable[[str], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """The progress of someone who does not want to know."""


def unheard(message: str) -> None:
    """The warnings of someone who does not want to know."""
