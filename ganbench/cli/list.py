"""`ganbench list`: what there is of each kind, read from file names without importing anything heavy."""

from collections.abc import Callable, Iterable

import click

from ganbench.cli.console import emit_json
from ganbench.registry import Entry
from ganbench.serialize import to_json


def _metrics() -> Iterable[Entry]:
    from ganbench.metrics._registry import METRICS

    return METRICS


def _protocols() -> Iterable[Entry]:
    from ganbench.protocol import list_protocols

    return list_protocols()


def _extractors() -> Iterable[Entry]:
    from ganbench.features.registries import EXTRACTORS

    return EXTRACTORS


def _backends() -> Iterable[Entry]:
    from ganbench.features.registries import BACKENDS

    return BACKENDS


def _datasets() -> Iterable[Entry]:
    from ganbench.images.datasets._base import DATASETS

    return DATASETS


def _variants() -> Iterable[Entry]:
    from ganbench.variants._registry import VARIANTS

    return VARIANTS


def _techniques() -> Iterable[Entry]:
    from ganbench.techniques._registry import TECHNIQUES

    return TECHNIQUES


def _backbones() -> Iterable[Entry]:
    from ganbench.nets._registry import BACKBONES

    return BACKBONES


def _texts() -> Iterable[Entry]:
    from ganbench.bench.texts._registry import TEXTS

    return TEXTS


def _tracks() -> Iterable[Entry]:
    from ganbench.track import open_track, track_folders

    return [Entry(name, open_track(str(folder)).track.title) for name, folder in sorted(track_folders().items())]


_KINDS: dict[str, Callable[[], Iterable[Entry]]] = {
    "metrics": _metrics,
    "protocols": _protocols,
    "extractors": _extractors,
    "backends": _backends,
    "datasets": _datasets,
    "variants": _variants,
    "techniques": _techniques,
    "backbones": _backbones,
    "texts": _texts,
    "tracks": _tracks,
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.option("--json", "json_file", metavar="FILE", help="Write [{name, summary}, ...] to FILE; - is stdout.")
def list_(kind: str, json_file: str | None) -> None:
    """List what there is of a KIND, one line each."""
    entries = list(_KINDS[kind]())
    if json_file:
        emit_json(to_json(entries), json_file)
    if json_file != "-":
        width = max((len(entry.name) for entry in entries), default=0)
        for entry in entries:
            click.echo(f"{entry.name:{width}}  {entry.summary}")
