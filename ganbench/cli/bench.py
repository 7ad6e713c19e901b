"""`ganbench bench`: the runs of a track, begun, looked at, and run again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli.console import emit_json, progress_bar
from ganbench.errors import GanbenchError, UsageError

if TYPE_CHECKING:
    from ganbench.bench.sweep import Planned
    from ganbench.records import RunRecord
    from ganbench.track import TrackFolder

_JSON = click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON to FILE; - is stdout.")


@click.group("bench", context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """The runs of a track: run, status, anchors, reproduce."""


@bench.command("run")
@click.argument("track")
@click.option("--seeds", type=int, metavar="N", help="Only the first N of the track's seeds.")
@click.option("--only", metavar="VARIANT,...", default="", help="Only these variants.")
@click.option("--shard", default="1/1", show_default=True, metavar="I/N", help="Every N-th run from the I-th on: "
              "one part of a sweep over N machines.")  # fmt: skip
@click.option("--executor", default="local", show_default=True, metavar="local|ray", help="Where runs go.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Runs at once; default: one for each core.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads of each run.")
@click.option("--max-seconds", type=float, metavar="S", help="A run that trains longer is recorded as truncated.")
@click.option("--device", default="cpu", show_default=True, metavar="cpu|cuda|cuda:N|mps")
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--dry-run", is_flag=True, help="List the runs, and stop.")
@_JSON
def run(track: str, **given: Any) -> None:
    """Train every variant of TRACK with every seed under its one budget, and write a record for each.

    Runs whose record is there are not run again; one that was killed goes on from its checkpoint.
    """
    from ganbench.bench.executors._registry import EXECUTORS
    from ganbench.bench.sweep import plan_sweep, sweep
    from ganbench.features.devices import choose
    from ganbench.track import open_track

    place = open_track(track)
    planned = plan_sweep(
        place,
        seeds=given["seeds"],
        only=[name for name in given["only"].split(",") if name],
        shard=_shard(given["shard"]),
        device=choose(given["device"]),
        threads=given["threads"],
    )
    _say(f"{place.name}: {len(planned)} runs, {sum(each.done for each in planned)} of them done")
    if given["dry_run"]:
        _list(place, planned, given["json_file"])
        return
    executor = EXECUTORS.get(given["executor"])(given["jobs"])
    done, waiting = [], sum(not each.done for each in planned)
    with progress_bar() as progress:
        progress("runs", 0, waiting)
        for record in sweep(place, planned, executor, offline=given["offline"], max_seconds=given["max_seconds"]):
            done.append(record)
            progress("runs", len(done), waiting)
            _say(f"{_line(record)}   {len(done)} of {waiting}")
    if given["json_file"]:
        from ganbench.serialize import to_json

        emit_json(to_json([_brief(record) for record in done]), given["json_file"])


@bench.command("status")
@click.argument("track")
@_JSON
def status(track: str, json_file: str | None) -> None:
    """Which runs of TRACK are done, and how they ended."""
    from ganbench.bench.sweep import plan_sweep
    from ganbench.track import open_track

    place = open_track(track)
    _list(place, plan_sweep(place), json_file)


@bench.command("anchors")
@click.argument("track")
@click.option("--device", default="cpu", show_default=True, metavar="cpu|cuda|cuda:N|mps")
@click.option("--offline", is_flag=True, help="Use no network.")
def anchors(track: str, **given: Any) -> None:
    """Score real data and an untrained generator as TRACK scores its runs: the floor and the ceiling of its board.

    They are written to anchors.json in the track's folder, and are rows of the board that have no rank.
    """
    from ganbench.anchors import FILE
    from ganbench.bench.anchoring import make_anchors
    from ganbench.features.devices import choose
    from ganbench.files import write_text
    from ganbench.track import open_track

    place = open_track(track)
    with progress_bar() as progress:
        found = make_anchors(
            place, device=choose(given["device"]), offline=given["offline"], progress=progress, warn=_say
        )
    write_text(place.folder / FILE, found.to_json())
    for anchor in found.anchors:
        _say(f"{place.name}: {anchor.name}: {anchor.made}; seeds {', '.join(map(str, anchor.seeds))}")
    _say(f"Wrote {place.folder / FILE}. Next: ganbench board build {place.name}")


@bench.command("reproduce")
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep the run there.")
@click.option("--run-embedded-code", is_flag=True, help="Run the variant out of the record where the installed one is "
              "another. It is code: look at it first.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Use no network.")
@_JSON
def reproduce(record: Path, **given: Any) -> None:
    """Run RECORD.json again, from what it says, and tell whether weights and scores are the same.

    Equal weights are to be had on the same kind of processor, with the same number of threads and the same torch;
    elsewhere scores are held against the range over the records of the same variant beside it. Exit 1 where weights
    should be equal and are not.
    """
    from ganbench.bench.reproduce import reproduce as again
    from ganbench.bench.reproduce import row_of
    from ganbench.records import read_record
    from ganbench.serialize import to_json

    how = {"out": given["out"], "embedded": given["run_embedded_code"], "offline": given["offline"]}
    found = again(read_record(record), row=row_of(record), **how)
    if given["json_file"]:
        emit_json(to_json(found), given["json_file"])
    if given["json_file"] != "-":
        for line in found.lines():
            click.echo(line)
    if found.failed:
        raise GanbenchError("The run came out otherwise, on a machine where it should not.")


def _shard(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not slash or not number.isdecimal() or not of.isdecimal():
        raise UsageError(f"--shard is {text!r}; wanted I/N, such as 2/4.")
    return int(number), int(of)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _brief(record: "RunRecord") -> dict[str, Any]:
    return {"variant": record.variant, "seed": record.seed, "status": record.status, "reason": record.reason}


def _line(record: "RunRecord") -> str:
    why = f" ({record.reason})" if record.reason else ""
    return f"{record.variant}, seed {record.seed}: {record.status}{why}, {record.spent.seconds:,.0f} s"


def _list(place: "TrackFolder", planned: "list[Planned]", json_file: str | None) -> None:
    rows = [
        {"variant": each.spec.variant, "seed": each.spec.seed, "status": each.record.status if each.record else "to do"}
        for each in planned
    ]
    if json_file:
        from ganbench.serialize import to_json

        emit_json(to_json({"track": place.name, "runs": rows}), json_file)
    if json_file != "-":
        for row in rows:
            click.echo(f"{row['variant']:14} seed {row['seed']}  {row['status']}")
