"""`ganbench data`: which datasets there are, fetching them, writing them out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli.console import emit_json, progress_bar, warn

if TYPE_CHECKING:
    from ganbench.images.source import ImageSource

_JSON = click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON to FILE; - is stdout.")
_QUIET = click.option("--quiet", is_flag=True, help="No progress.")
_OFFLINE = click.option("--offline", is_flag=True, help="Use no network.")


@click.group("data", context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Datasets: list, get, export."""


@data.command("list")
@_JSON
def list_(json_file: str | None) -> None:
    """List the datasets, their splits and licences, and where they lie on this machine."""
    rows = _rows()
    _emit(rows, json_file)
    if json_file == "-":
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:{width}}  {row['summary']}")
        for split, place in row["splits"].items():
            click.echo(f"{'':{width}}  {split}: {place or 'not on this machine'}")
        click.echo(f"{'':{width}}  licence: {row['licence']}; {row['homepage']}")


def _rows() -> list[dict[str, Any]]:
    from ganbench.images.datasets._base import DATASETS

    rows = []
    for entry in DATASETS:
        dataset = DATASETS.get(entry.name)
        places = {split: dataset.locate(split) for split in dataset.splits}
        rows.append(
            {
                "name": entry.name,
                "summary": entry.summary,
                "splits": {split: None if place is None else str(place) for split, place in places.items()},
                "licence": dataset.licence,
                "homepage": dataset.homepage,
            }
        )
    return rows


@data.command("get")
@click.argument("name")
@_OFFLINE
@_JSON
@_QUIET
def get(name: str, offline: bool, json_file: str | None, quiet: bool) -> None:
    """Make sure that every split of the dataset NAME is on this machine; download what is not."""
    from ganbench.images.datasets._base import DATASETS

    found = []
    for split in DATASETS.get(name).splits:
        source = _opened(name, split, offline=offline, quiet=quiet)
        place = DATASETS.get(name).locate(split)
        found.append({"name": name, "split": split, "images": len(source), "place": str(place)})
        if json_file != "-":
            click.echo(f"{name}:{split}  {len(source):,} images in {place}")
    _emit(found, json_file)


@data.command("export")
@click.argument("name")
@click.option("--split", metavar="S", help="One of the dataset's splits; default: train.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR|FILE.zip|FILE.npz")
@click.option("--num", type=int, metavar="N", help="Only the first N images, in the dataset's order.")
@_OFFLINE
@_JSON
@_QUIET
def export_(name: str, out: Path, **given: Any) -> None:
    """Write the images of the dataset NAME to a folder or .zip of PNG, or to an .npz."""
    from ganbench.images.export import export

    source = _opened(name, given["split"], offline=given["offline"], quiet=given["quiet"])
    with progress_bar(quiet=given["quiet"]) as progress:
        written = export(source, out, num=given["num"], progress=progress)
    _emit({"source": source.name, "out": str(out), "images": written}, given["json_file"])
    if given["json_file"] != "-":
        click.echo(f"{written:,} images of {source.name} written to {out}")


def _opened(name: str, split: str | None, *, offline: bool, quiet: bool) -> "ImageSource":
    from ganbench.images.datasets._base import open_dataset

    with progress_bar(quiet=quiet) as progress:
        return open_dataset(name, split, offline=offline, progress=progress, warn=warn)


def _emit(value: Any, json_file: str | None) -> None:
    if json_file:
        from ganbench.serialize import to_json

        emit_json(to_json(value), json_file)
