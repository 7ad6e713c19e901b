"""How the engine tells of its progress: a callable, so that no layer below the command line draws anything."""

from collections.abc import Callable

# progress(stage, done, total): the stage in words, units done, units in all (None where unknown).
Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """The progress of someone who does not want to know."""
