"""`ganbench explore`: walks through the codes of a trained run, as pictures and JSON."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ganbench.cli.console import emit_json, progress_bar, warn


@click.command("explore")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="A new folder; default: RUN/explore.")
@click.option("--only", metavar="PARTS", help="Of interpolation, arithmetic, truncation, codes, classes, probe; with "
              "commas.")  # fmt: skip
@click.option("-n", "--num", type=click.IntRange(min=16), default=1000, show_default=True, metavar="N", help="Samples "
              "that a classifier judges, at most.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=2020, show_default=True, help="Of all codes.")
@click.option("--raw", is_flag=True, help="With the last weights instead of their average over training.")
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--json", "json_file", metavar="FILE", help="Write what explore.json holds here, too; - is stdout.")
@click.option("--quiet", is_flag=True, help="No progress, no notes.")
def explore(run: Path, out: Path | None, **given: Any) -> None:
    """Look at what RUN, the folder that `ganbench train` made, has learnt: pictures, and explore.json.

    Walks between codes and how even they are; codes moved from class to class, with a classifier's verdict; truncation;
    a sweep of every code that says something (infogan); rows of classes; a linear probe of D's features. What a run has
    nothing to show of is skipped, with the reason. Equal seeds give equal pictures.
    """
    from ganbench.explore.run import REPORT
    from ganbench.explore.run import explore as look
    from ganbench.progress import unheard
    from ganbench.serialize import to_json

    out = out or run / "explore"
    parts = [name.strip() for name in (given["only"] or "").split(",") if name.strip()]
    with progress_bar(quiet=given["quiet"]) as progress:
        found = look(
            run,
            out,
            parts=parts,
            seed=given["seed"],
            num=given["num"],
            raw=given["raw"],
            offline=given["offline"],
            progress=progress,
            warn=unheard if given["quiet"] else warn,
        )
    if given["json_file"]:
        emit_json(to_json(found), given["json_file"])
    if given["json_file"] != "-":
        for line in lines(found):
            click.echo(line)
        click.echo(f"Pictures and {REPORT}: {out}")


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What was found, a line for each part."""
    yield f"{found['variant']} on {found['data']}, {found['weights']} weights, codes of seed {found['seed']}"
    for name, part in found["parts"].items():
        yield f"  {name:14} {'skipped: ' + part['skipped'] if 'skipped' in part else _WORDS[name](part)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _walks(part: Mapping[str, Any]) -> str:
    told = []
    for space in (key for key in ("z", "w") if key in part):
        found = part[space]
        told.append(
            f"in {space}: path length {_number(found['path_length']['value'])}, unevenness "
            f"{_number(found['unevenness']['value'])}, detour {_number(found['detour']['value'])}"
        )
    return "; ".join(told)


def _arithmetic(part: Mapping[str, Any]) -> str:
    shares = part["share_judged_as_wanted"]
    told = ", ".join(f"{shares[f'times_{s:g}']:.0%} at {s:g} times" for s in part["strengths"])
    return f"moved by the difference of means, judged as wanted: {told}; at random: {shares['control']:.0%}"


def _truncation(part: Mapping[str, Any]) -> str:
    told = []
    for space in (key for key in ("z", "w") if key in part):
        first, last = part[space][0], part[space][-1]
        told.append(f"in {space}: spread {first['spread']:.3g} at {first['at']}, {last['spread']:.3g} at {last['at']}")
    return "; ".join(told)


def _codes(part: Mapping[str, Any]) -> str:
    real, fake = (_number(part["nmi"][side]["value"]) for side in ("real", "fake"))
    return f"NMI of the category with the class: {real} of held-out reals as Q reads them, {fake} of fakes"


def _classes(part: Mapping[str, Any]) -> str:
    if part["agreement"] is None:
        return f"{part['classes']} classes; {part['reason']}"
    return f"{part['classes']} classes; the classifier agrees on {part['agreement']:.1%}"


def _probe(part: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {found['accuracy']:.1%}" for name, found in part["features"].items())
    return f"accuracy on held-out reals: {told}"


_WORDS = {
    "interpolation": _walks,
    "arithmetic": _arithmetic,
    "truncation": _truncation,
    "codes": _codes,
    "classes": _classes,
    "probe": _probe,
}
