"""`ganbench doctor`: what this machine can do, and what it lacks."""

import click

from ganbench.cli.console import emit_json


@click.command("doctor")
@click.option("--json", "json_file", metavar="FILE", help="Write it as JSON; - is stdout.")
def doctor(json_file: str | None) -> None:
    """Show devices, back-ends, weights, references, datasets, versions."""
    from ganbench.diagnosis import diagnose
    from ganbench.serialize import to_json

    found = diagnose()
    if json_file:
        emit_json(to_json(found), json_file)
    if json_file != "-":
        for section, rows in found.items():
            click.secho(section, bold=True)
            for name, text in rows.items():
                click.echo(f"  {name:24}  {text}")
