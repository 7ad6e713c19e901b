"""Results as tables: drawn on a terminal, plain text anywhere else."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganbench import formatting as fmt
from ganbench.report import HEADINGS, Report, facts, not_computed, notes, table_rows, title, wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from ganbench.comparison import Comparison

_PLAIN_ARROWS = str.maketrans({"↓": "v", "↑": "^"})


def print_report(report: Report, console: "Console | None" = None) -> None:
    """Prints a report on `console`, or on stdout."""
    console = console or _stdout()
    if not console.is_terminal:
        print_plain(str(report), console)
        return
    result = report.result
    say(title(result), console, style="bold")
    if rows := table_rows(result):
        draw(HEADINGS, rows, align="lrllrr", console=console)
    for note in notes(result):
        say(note, console)
    if missing := not_computed(result):
        for line in ("Not computed:", *wrapped(missing, console.width)):
            say(line, console)
    for name, what in facts(result):
        say(f"{name:9}  {what}", console, style="dim")
    print_warnings(result.warnings, console)


def print_comparison(comparison: "Comparison", console: "Console | None" = None) -> None:
    """Prints a comparison on `console`, or on stdout."""
    from ganbench.comparison import LEGEND

    console = console or _stdout()
    if not console.is_terminal:
        print_plain(str(comparison), console)
        return
    say(comparison.about(), console, style="bold")
    align = "ll" + "r" * len(comparison.files)
    draw(comparison.headings(), comparison.table_rows(), align=align, console=console)
    say(LEGEND, console, style="dim")
    print_warnings(comparison.warnings, console)


def print_paragraph(text: str, console: "Console | None" = None) -> None:
    """Prints a paragraph of running text after an empty line; wrapped to the terminal where it is one."""
    console = console or _stdout()
    if console.is_terminal:
        console.print()
        say(text, console)
    else:
        print_plain("\n" + textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False), console)


def print_plain(text: str, console: "Console") -> None:
    """Prints text as it is; what the stream's encoding lacks is replaced."""
    import click

    encoding = console.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN_ARROWS).encode(encoding, "replace").decode(encoding)
    click.echo(text, file=console.file)


def say(text: str, console: "Console", *, style: str = "") -> None:
    """Prints one paragraph without reading markup in it: names in it are anyone's."""
    from rich.text import Text

    console.print(Text(fmt.printable(text), style=style), soft_wrap=False)


def draw(headings: Sequence[str], rows: Sequence[Sequence[str]], *, align: str, console: "Console") -> None:
    """Draws a table; `align` has one letter for each column, "l" or "r"."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for heading, side in zip(headings, align, strict=True):
        table.add_column(Text(heading), justify="right" if side == "r" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table, soft_wrap=False)


def print_warnings(warnings: Sequence[str], console: "Console") -> None:
    """Prints warnings in yellow, one paragraph each."""
    for warning in warnings:
        say(f"Warning: {warning}", console, style="yellow")


def _stdout() -> "Console":
    from ganbench.cli import console

    return console.out
