"""`ganbench weights`: which weights the networks use, where they lie, adding and checking them."""

from pathlib import Path

import click

from ganbench.cli.console import emit_json, warn

_JSON = click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - is stdout.")


@click.group("weights")
def weights() -> None:
    """Network weights: list, add, verify."""


@weights.command("list")
@_JSON
def list_(json_file: str | None) -> None:
    """Show the weights that the networks use: licence, size, sha256, and where they lie on this machine."""
    from ganbench.features.loading import known_weights
    from ganbench.features.weights import listing
    from ganbench.serialize import to_json

    rows = listing(known_weights(), warn=warn)
    if json_file:
        emit_json(to_json(rows), json_file)
    if json_file == "-":
        return
    for row in rows:
        click.secho(row.filename, bold=True)
        click.echo(f"  used by  {', '.join(row.extractors)}")
        click.echo(f"  licence  {row.licence}")
        click.echo(f"  size     {row.size:,} bytes")
        click.echo(f"  sha256   {row.sha256}")
        click.echo(f"  here     {row.path or 'no'}")
        for url in row.urls if row.path is None else ():
            click.echo(f"  get it   {url}")


@weights.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@_JSON
def add(file: Path, json_file: str | None) -> None:
    """Copy a FILE of weights into ganbench's own store, if its sha256 is one that a network asks for."""
    from ganbench.features.loading import known_weights
    from ganbench.features.weights import add as add_file
    from ganbench.serialize import to_json

    found, place = add_file(file, [known for _, known in known_weights()])
    if json_file:
        row = {"filename": found.filename, "sha256": found.sha256, "licence": found.licence, "path": str(place)}
        emit_json(to_json(row), json_file)
    if json_file != "-":
        click.echo(f"{found.filename} ({found.licence}) is now at {place}")


@weights.command("verify")
@_JSON
def verify(json_file: str | None) -> None:
    """Read every file of weights on this machine and compare its sha256. Changes nothing; 1 where one is damaged."""
    from ganbench.errors import CorruptFile
    from ganbench.features.loading import known_weights
    from ganbench.features.weights import verify as verify_files
    from ganbench.serialize import to_json

    rows = verify_files([known for _, known in known_weights()])
    if json_file:
        emit_json(to_json(rows), json_file)
    if json_file != "-":
        for row in rows:
            click.echo(f"{row.state:8} {row.sha256[:12]}  {row.path}")
        if not rows:
            click.echo("There are no weights on this machine.")
    damaged = [row.path for row in rows if row.state == "damaged"]
    if damaged:
        raise CorruptFile(
            f"Damaged: {', '.join(damaged)}. What lies in ganbench's own store is removed and fetched again when it is "
            "needed; or replace it now: ganbench weights add FILE."
        )
