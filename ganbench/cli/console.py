"""The two streams of the command line: results to `out`, talk to `err`; and the progress bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.progress import Progress, silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


@cache
def _console(stderr: bool) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def __getattr__(name: str) -> "Console":
    # Made when first used: rich must not slow down `ganbench --help`.
    if name in ("out", "err"):
        return _console(name == "err")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def warn(message: str) -> None:
    """Says something that the user should know, on stderr."""
    click.echo(f"{click.style('note:', fg='yellow')} {message}", err=True)


def emit_json(text: str, target: str) -> None:
    """Writes the JSON of a result: `-` is stdout, anything else a file, written atomically."""
    if target == "-":
        click.echo(text.rstrip("\n"))
    else:
        from ganbench.files import write_text

        path, text = Path(target).expanduser(), text if text.endswith("\n") else text + "\n"
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_text(text, encoding="utf-8")  # a pipe or a device is written to, never replaced
        else:
            write_text(path, text)


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Yields a callable for the engine; draws bars with rate and time left on stderr, where that is a terminal.

    A bar appears only for work that has steps to show; counts of bytes are shown as sizes.
    """
    console = _console(stderr=True)
    if quiet or not console.is_terminal:
        yield silent
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, rate="")
            speed = bars.tasks[bars.task_ids.index(tasks[stage])].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bars.update(tasks[stage], completed=done, total=total, rate=rate)

        yield report
