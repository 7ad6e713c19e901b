"""`ganbench board`: leaderboards out of records: build, check, show."""

from typing import TYPE_CHECKING

import click

from ganbench.cli.console import emit_json

if TYPE_CHECKING:
    from ganbench.leaderboard.board import Board
    from ganbench.track import TrackFolder


@click.group("board")
def board() -> None:
    """Leaderboards out of records.

    A TRACK is a name or a folder: those in ./leaderboards first, then those that travel with the package.
    """


@board.command("build")
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
def build(tracks: tuple[str, ...]) -> None:
    """Write the files of the boards of TRACKs, by default of all in ./leaderboards."""
    from ganbench.leaderboard.build import build as write

    for place in _places(tracks, shipped=False):
        changed = write(place)
        for path in changed:
            click.echo(path)
        if not changed:
            click.echo(f"{place.name}: up to date", err=True)


@board.command("check")
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--json", "json_file", metavar="FILE", help="Write what differs, by track, as JSON; - is stdout.")
def check(tracks: tuple[str, ...], json_file: str | None) -> None:
    """Whether boards are what their records give; status 1 where not, with each file and number that differs."""
    from ganbench.leaderboard.check import check as examine
    from ganbench.serialize import to_json

    found = {place.name: examine(place) for place in _places(tracks, shipped=True)}
    if json_file:
        emit_json(to_json([{"track": name, "differences": texts} for name, texts in found.items()]), json_file)
    if json_file != "-":
        for name, texts in found.items():
            for text in texts:
                click.echo(f"{name}/{text}")
            if not texts:
                click.echo(f"{name}: as its records give it")
    if any(found.values()):
        wrong = ", ".join(name for name, texts in found.items() if texts)
        click.echo(f"Not what the records give: {wrong}. `ganbench board build` writes boards anew.", err=True)
        raise click.exceptions.Exit(1)


@board.command("show")
@click.argument("track")
@click.option("--json", "json_file", metavar="FILE", help="Write the board as JSON; - is stdout.")
def show(track: str, json_file: str | None) -> None:
    """Print the board of TRACK, made from its records."""
    from ganbench.leaderboard.gather import gather
    from ganbench.leaderboard.rank import board_of
    from ganbench.serialize import to_json
    from ganbench.track import open_track

    made = board_of(gather(open_track(track)))
    if json_file:
        emit_json(to_json(made), json_file)
    if json_file != "-":
        _print(made)


def _places(tracks: tuple[str, ...], *, shipped: bool) -> "list[TrackFolder]":
    """The named tracks, or all in ./leaderboards; where there is none, those of the package if `shipped`."""
    from pathlib import Path

    from ganbench.errors import UsageError
    from ganbench.track import open_track, track_folders

    if tracks:
        return [open_track(spec) for spec in tracks]
    known = track_folders()
    local = [name for name, folder in known.items() if folder.parent == Path("leaderboards")]
    names = local or (list(known) if shipped else [])
    if not names:
        raise UsageError("There is no track in ./leaderboards. Go to where it is, or name a track or its folder.")
    return [open_track(name) for name in names]


def _print(made: "Board") -> None:
    """The table on stdout: drawn on a terminal, plain elsewhere."""
    from ganbench import formatting as fmt
    from ganbench.cli import console
    from ganbench.cli.tables import draw, print_paragraph, print_plain, say
    from ganbench.leaderboard import words
    from ganbench.leaderboard.terminal import headings, table_rows

    title = f"{fmt.printable(made.title)} ({made.track})"
    rows, out = table_rows(made), console.out
    align = "ll" + "r" * (len(headings(made)) - 2)
    if out.is_terminal:
        say(title, out, style="bold")
        if rows:
            draw(headings(made), rows, align=align, console=out)
    else:
        print_plain(title + "\n", out)
        if rows:
            print_plain(fmt.aligned([headings(made), *rows], align), out)
    make, _ = words.commands(made)
    print_paragraph(words.first_words(made) + ("" if made.rows else f" To make them: {make}"))
    if made.rows:
        print_paragraph(words.reading(made).replace("below it", "beside it"))
