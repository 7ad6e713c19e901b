"""`ganbench ref`: reference statistics, from where they are to where they are wanted."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli.console import emit_json, progress_bar, warn
from ganbench.cli.ref_store import keep, named, refuse_shipped, show_stored, show_ways, stored_under
from ganbench.errors import CorruptFile, UsageError

if TYPE_CHECKING:
    from ganbench.evaluation.options import Options
    from ganbench.features.references import Reference
    from ganbench.images.source import ImageSource
    from ganbench.progress import Progress

_RANGES = {"0,1": (0.0, 1.0), "-1,1": (-1.0, 1.0), "0,255": (0.0, 255.0)}
_json = click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - is stdout.")
_quiet = click.option("--quiet", is_flag=True, help="No progress, no notes.")


@click.group("ref")
def ref() -> None:
    """Reference statistics: what samples are compared with.

    A name is looked up among the shipped ones, then in your store, then it is made from a dataset found on this
    machine, then downloaded.
    """


@ref.command("list")
@_json
def list_(json_file: str | None) -> None:
    """List every reference that can be named here."""
    from ganbench.features.reference_inventory import inventory
    from ganbench.formatting import aligned, count
    from ganbench.serialize import to_json

    found = inventory(warn=warn)
    if json_file:
        emit_json(to_json(found), json_file)
    if json_file != "-":
        head = ["reference", "protocol", "images", "features", "from"]
        rows = [[f"{a.name}:{a.split}", ", ".join(a.protocols), count(a.n), count(a.features), a.where] for a in found]
        click.echo(aligned([head, *rows], "llrrl"))


@ref.command("show")
@click.argument("name", metavar="NAME[:SPLIT]")
@click.option("--protocol", help="Of this protocol, where there are several.")
@_json
def show(name: str, protocol: str | None, json_file: str | None) -> None:
    """Show what a reference is and where it comes from."""
    from ganbench.features.reference_names import check_name

    asked = check_name(name)
    found = [stored for stored in stored_under(asked) if protocol in (None, stored.record.protocol[0])]
    if found:
        show_stored(found[0].record, found[0].path, json_file)
        for other in found[1:]:
            click.echo(f"Also for protocol {other.record.protocol[0]}: {other.path}", err=True)
        return
    show_ways(asked, protocol, json_file)


@ref.command("make")
@click.argument("name", metavar="NAME[:SPLIT]")
@click.option("--from", "source", required=True, metavar="SOURCE", help="Images: a folder, archive, array file, or a "
              "dataset's NAME[:SPLIT].")  # fmt: skip
@click.option("--split", help="Instead of NAME:SPLIT.")
@click.option("--protocol", default="auto", show_default=True, help="See `ganbench list protocols`.")
@click.option("--allow-code", is_flag=True, help="Run the code of a TorchScript file given as --protocol.")
@click.option("--seed", type=int, default=2020, show_default=True, help="Of the draw of kept features.")
@click.option("--value-range", type=click.Choice(list(_RANGES)), help="What float arrays hold.")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Network weights to use.")
@click.option("--allow-unverified-weights", is_flag=True, help="Take weights with another sha256.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N|mps")
@click.option("--backend", default="auto", show_default=True, metavar="auto|torch|compile|openvino")
@click.option("--batch-size", type=int, metavar="N", help="Images per network call: speed and memory only.")
@click.option("--on-bad-image", type=click.Choice(["error", "skip"]), default="error", show_default=True)
@click.option("--offline", is_flag=True, help="Use no network.")
@_json
@_quiet
def make(name: str, source: str, split: str | None, json_file: str | None, quiet: bool, **given: Any) -> None:
    """Make a reference from images and keep it in your store."""
    from ganbench.evaluation.options import Options
    from ganbench.evaluation.protocols import chosen_protocol
    from ganbench.evaluation.run import make_reference
    from ganbench.features.reference_names import auto_protocol, looks_like_path

    asked = named(name, split)
    given["value_range"] = _RANGES.get(given["value_range"])
    options = Options(**given, command=shlex.join(["ganbench", *sys.argv[1:]]))
    protocol = chosen_protocol(options, auto=auto_protocol(str(asked)))
    options = replace(options, protocol=protocol)
    if options.weights is None:  # weights of the user's own make another protocol of it
        refuse_shipped(asked, protocol)
    say = _silence if quiet else warn
    with progress_bar(quiet=quiet) as progress:
        images = _images(source, options, progress)
        made = make_reference(images, asked.name, asked.split, options=options, progress=progress, warn=say)
    place = {"path": str(Path(source).expanduser().absolute())} if looks_like_path(source) else {}
    keep(replace(made, info={**made.info, "made": "by hand", **place}), json_file)


def _silence(message: str) -> None:
    """The notes of someone who asked for none."""


def _images(source: str, options: "Options", progress: "Progress") -> "ImageSource":
    from ganbench.features.foreign_stats import is_statistics
    from ganbench.features.reference_names import looks_like_path, parse
    from ganbench.images.datasets._base import open_dataset
    from ganbench.images.source import open_images

    if not looks_like_path(source):
        asked = parse(source)
        return open_dataset(asked.name, asked.split, offline=options.offline, progress=progress)
    path = Path(source).expanduser()
    if is_statistics(path) and not _has_images(path):
        raise UsageError(
            f"{source} holds statistics, not images. Take it in with: ganbench ref import {source} --as NAME"
        )
    return open_images(path, value_range=options.value_range)


def _has_images(path: Path) -> bool:
    from ganbench.features.npz import open_npz

    with open_npz(path) as file:
        return "arr_0" in file.names


@ref.command("verify")
@click.argument("name", required=False, metavar="[NAME[:SPLIT]]")
@_json
def verify(name: str | None, json_file: str | None) -> None:
    """Compare stored statistics with the sha256 beside them."""
    from ganbench.features.reference_inventory import verify as verdict_on
    from ganbench.features.reference_names import local, parse
    from ganbench.serialize import to_json

    unreadable: list[str] = []
    found = local(warn=unreadable.append)
    if name is not None:
        asked = parse(name)
        found = [s for s in found if s.record.name == asked.name and (":" not in name or s.record.split == asked.split)]
        if not found and not unreadable:
            raise UsageError(f"No statistics of {name!r} are stored here. See: ganbench ref list")
    verdicts = [verdict_on(stored) for stored in found]
    if json_file:
        emit_json(to_json([{**vars(v), "ok": not v.problem} for v in verdicts]), json_file)
    if json_file != "-":
        for v in verdicts:
            click.echo(f"{'corrupt' if v.problem else 'ok':8} {v.name}:{v.split} for {v.protocol}: {v.file}")
    if not found and not unreadable:
        click.echo("No statistics are stored here.", err=True)
    problems = [v.problem for v in verdicts if v.problem] + unreadable
    if problems:
        raise CorruptFile(f"{len(problems)} of the files cannot be used:\n  " + "\n  ".join(problems))


@ref.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--as", "name", required=True, metavar="NAME[:SPLIT]", help="The name to give it.")
@click.option("--protocol", help="What made it: tf (TTUR, ADM, EDM), pytorch (pytorch-fid) or clean (clean-fid).")
@click.option("--split", help="Instead of NAME:SPLIT.")
@click.option(
    "--n", "number", type=click.IntRange(min=2), metavar="N", help="Images behind it, where the file does not say."
)
@_json
def import_(
    file: Path, name: str, protocol: str | None, split: str | None, number: int | None, json_file: str | None
) -> None:
    """Take a file of statistics (`mu`, `sigma`) into your store under a name."""
    from ganbench.features.foreign_stats import is_statistics, open_statistics
    from ganbench.features.reference_names import auto_protocol
    from ganbench.protocol import get_protocol

    asked = named(name, split)
    if not file.exists():
        raise UsageError(f"There is no file {file}. Check the path.")
    if not is_statistics(file):
        raise UsageError(f"{file} holds no statistics: wanted an .npz with the arrays mu and sigma.")
    wanted = get_protocol(auto_protocol(str(file.absolute())) if protocol is None else protocol)
    reference = open_statistics(file, protocol=wanted, explicit=protocol is not None, n=number, warn=warn)
    refuse_shipped(asked, wanted)
    if reference.protocol_fingerprint is not None:  # one of ours: it knows what made it
        keep(replace(reference, name=asked.name, split=asked.split), json_file)
        return
    _check_width(reference, wanted.extractor, wanted.head, wanted.name)
    keep(reference.asserted(asked.name, asked.split, protocol=wanted, made="imported"), json_file)


def _check_width(reference: "Reference", extractor: str, head: str, protocol: str) -> None:
    from ganbench.features.registries import EXTRACTORS

    width = EXTRACTORS.get(extractor).heads[head]
    found = reference.heads[head].d
    if found != width:
        raise UsageError(
            f"The file has statistics of {found} features; protocol {protocol} has {width}. "
            "Name the protocol that made them."
        )


@ref.command("export")
@click.argument("name", metavar="NAME[:SPLIT]")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.npz")
@click.option("--protocol", default="auto", show_default=True, help="Of this protocol.")
@click.option("--offline", is_flag=True, help="Use no network.")
@_json
@_quiet
def export(name: str, file: Path, protocol: str, offline: bool, json_file: str | None, quiet: bool) -> None:
    """Write `mu` and `sigma` as pytorch-fid, clean-fid and their kin read them."""
    from ganbench.evaluation.options import Options
    from ganbench.evaluation.run import make_reference
    from ganbench.features.foreign_stats import export_foreign
    from ganbench.features.reference_names import auto_protocol, check_name
    from ganbench.features.reference_search import resolve
    from ganbench.protocol import get_protocol
    from ganbench.serialize import to_json

    if protocol == "auto":
        stored = {each.record.protocol[0] for each in stored_under(check_name(name))}
        protocol = stored.pop() if len(stored) == 1 else auto_protocol(name)
    wanted = get_protocol(protocol)
    options = Options(protocol=wanted, offline=offline, command=shlex.join(["ganbench", *sys.argv[1:]]))
    say = _silence if quiet else warn
    with progress_bar(quiet=quiet) as progress:

        def build(images: "ImageSource", name: str, split: str) -> "Reference":
            return make_reference(images, name, split, options=options, progress=progress, warn=say)

        reference = resolve(name, wanted, build=build, offline=offline, progress=progress, warn=say)
    export_foreign(reference, file, head=wanted.head)
    if json_file:
        result = {"name": reference.name, "split": reference.split, "n": reference.n, "protocol": wanted.name}
        emit_json(to_json({**result, "fingerprint": reference.fingerprint, "file": str(file)}), json_file)
    if json_file != "-":
        click.echo(f"Wrote mu and sigma of {reference.spec} for protocol {wanted.name} to {file}")
