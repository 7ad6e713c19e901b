"""What the commands of `ganbench ref` share: finding a name's files, showing one, putting one into the store."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli.console import emit_json, warn
from ganbench.errors import UsageError

if TYPE_CHECKING:
    from ganbench.features.reference_files import Record, Stored
    from ganbench.features.reference_names import RefName
    from ganbench.features.references import Reference
    from ganbench.protocol import Protocol


def named(name: str, split: str | None) -> "RefName":
    """NAME[:SPLIT], with the split from an option where that is given."""
    from ganbench.features.reference_names import parse

    return parse(f"{name.partition(':')[0]}:{split}" if split else name)


def stored_under(asked: "RefName") -> "list[Stored]":
    """The files of that name and split; the one that `--protocol auto` takes comes first."""
    from ganbench.features.reference_names import auto_protocol, local

    auto = auto_protocol(str(asked))
    same = [s for s in local(warn=warn) if (s.record.name, s.record.split) == (asked.name, asked.split)]
    return sorted(same, key=lambda stored: stored.record.protocol[0] != auto)


def show_stored(record: "Record", path: Path, json_file: str | None) -> None:
    """One reference on stdout, in words or as JSON."""
    from ganbench.formatting import count
    from ganbench.serialize import plain, to_json

    if json_file:
        emit_json(to_json({**plain(record), "stored": True, "file": str(path)}), json_file)
    if json_file == "-":
        return
    info, (protocol, fingerprint) = record.info, record.protocol
    lines = {
        "reference": f"{record.name}:{record.split}",
        "protocol": f"{protocol} ({fingerprint[:12]})",
        "images": count(record.n),
        "features": ", ".join(f"{head}: {count(h.rows)} of width {h.width}" for head, h in record.heads.items()),
        "source": f"{info.get('source', '-')} ({str(info.get('source_fingerprint') or info.get('file_sha256'))[:12]})",
        "fingerprint": record.fingerprint,
        "sha256": record.sha256,
        "file": f"{path} ({record.size:,} bytes)",
        "command": info.get("command") or "-",
    }
    for label, text in lines.items():
        click.echo(f"{label:12} {text}")


def show_ways(asked: "RefName", protocol: str | None, json_file: str | None) -> None:
    """On stdout: how a reference that is not stored yet can be had."""
    from ganbench.features.reference_inventory import inventory
    from ganbench.serialize import to_json

    ways = [
        a
        for a in inventory(warn=warn)
        if (a.name, a.split) == (asked.name, asked.split) and (protocol is None or protocol in a.protocols)
    ]
    if json_file:
        emit_json(to_json({"name": asked.name, "split": asked.split, "stored": False, "ways": ways}), json_file)
    if json_file != "-":
        click.echo(f"{asked} is not stored yet.")
        for way in ways:
            what = "will be made from" if way.where == "dataset" else "can be taken from"
            click.echo(f"  for {', '.join(way.protocols)}: {what} {way.place or 'clean-fid (downloaded)'}")
        if not ways:
            click.echo(f"  Make it: ganbench ref make {asked.name} --from IMAGES --protocol {protocol or 'NAME'}")


def refuse_shipped(asked: "RefName", protocol: "Protocol") -> None:
    """Raises UsageError where a shipped reference would always be found first."""
    from ganbench.places import shipped_references

    for stored in stored_under(asked):
        if stored.path.parent == shipped_references() and stored.record.protocol[1] == protocol.fingerprint:
            raise UsageError(
                f"{asked} is shipped for protocol {protocol.name}, and shipped ones come first: yours would never be "
                "used. Choose another name."
            )


def keep(reference: "Reference", json_file: str | None) -> None:
    """Saves a reference into the user's store and shows it."""
    from ganbench.features.reference_files import read_record, save
    from ganbench.features.reference_names import auto_protocol, store

    for stored in stored_under(named(reference.name, reference.split)):
        if stored.path.parent == store() and stored.record.protocol[1] == reference.protocol_fingerprint:
            warn(f"This replaces the statistics that were stored as {stored.path.name}.")
    path = save(reference, store())
    show_stored(read_record(path), path, json_file)
    extra = "" if reference.protocol_name == auto_protocol(reference.spec) else f" --protocol {reference.protocol_name}"
    click.echo(f"Use it: ganbench eval SAMPLES --ref {reference.spec}{extra}", err=True)
