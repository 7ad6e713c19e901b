"""`ganbench compare`: results side by side, if they can be compared."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli.console import emit_json

if TYPE_CHECKING:
    from ganbench.comparison import Named


@click.command("compare")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULT.json RESULT.json...")
@click.option("--json", "json_file", metavar="FILE", help="Write the comparison as JSON; - is stdout.")
def compare(files: tuple[Path, ...], json_file: str | None) -> None:
    """Set results of `ganbench eval --json` side by side.

    Refuses results that differ in protocol, reference, number of images or parameters of a metric: their numbers mean
    different things.
    """
    from ganbench import comparison
    from ganbench.serialize import to_json

    compared = comparison.compare(_named(files))
    if json_file:
        emit_json(to_json(compared), json_file)
    if json_file != "-":
        from ganbench.cli.tables import print_comparison

        print_comparison(compared)


def _named(files: tuple[Path, ...]) -> "list[Named]":
    """The results in the files, each under the shortest name that tells it from the others."""
    from ganbench.results import read_results

    found = []
    for file in files:
        results = read_results(file)
        # A file of several results is the list that `eval` writes for several SAMPLES: those name them best.
        found += [(file, result.samples.source if len(results) > 1 else None, result) for result in results]
    stems_differ = len({file.stem for file in files}) == len(files)
    return [
        (source if source is not None else file.stem if stems_differ else str(file), result)
        for file, source, result in found
    ]
