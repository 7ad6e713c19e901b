"""`ganbench human`: the two protocols of HYPE as a page that anyone can serve: new, serve, score."""

import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli.console import emit_json, progress_bar, warn
from ganbench.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from ganbench.human.create import Asked, Made
    from ganbench.hype import HumanScore

_RANGES = {"0,1": (0.0, 1.0), "-1,1": (-1.0, 1.0), "0,255": (0.0, 255.0)}
_PORT = 8765
_SEED_BITS = 53  # too many to try, and every reader of JSON keeps them
_LARGEST_CONSENT = 64 << 10  # bytes
_STUDY = click.argument("study", type=click.Path(path_type=Path))


@click.group("human", context_settings={"help_option_names": ["-h", "--help"]})
def human() -> None:
    """Human eyes: HYPE on your own samples, as a page that anyone can serve: new, serve, score."""


@human.command("new")
@_STUDY
@click.option("--fake", required=True, metavar="SAMPLES", help="The model's samples, as `ganbench eval` takes them.")
@click.option("--real", required=True, metavar="NAME[:SPLIT]|SOURCE", help="Real images: a dataset, or a path.")
@click.option("--protocol", type=click.Choice(["infinity", "time"]), default="infinity", show_default=True,
              help="infinity: no time limit, the error rate. time: a staircase of exposures.")  # fmt: skip
@click.option("--raters", type=click.IntRange(1, 10_000), default=30, show_default=True, help="Places.")
@click.option("--shared", is_flag=True, help="One link for all, which closes when the places are taken; else one each.")
@click.option("--images", type=click.IntRange(min=1), metavar="N", help="Of each kind, to draw the raters' pictures "
              "from. Default: five times what one rater judges, or as many as there are.")  # fmt: skip
@click.option("--staircase", type=click.Choice(["default", "paper"]), default="default", show_default=True,
              help="paper: the steps and lengths as printed in HYPE.")  # fmt: skip
@click.option("--qualification-fake", multiple=True, metavar="SAMPLES", help="Fakes for tutorial and qualification; "
              "several times for several models. Default: from --fake.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the study, such as "
              "trials=60; several times.")  # fmt: skip
@click.option("--title", default="Real or fake?", show_default=True, help="What raters read above the page.")
@click.option("--consent", type=click.Path(path_type=Path), metavar="FILE", help="Your own text to agree to: "
              "paragraphs with empty lines between them.")  # fmt: skip
@click.option("--value-range", type=click.Choice(list(_RANGES)), help="What float arrays hold.")
@click.option("--seed", type=click.IntRange(min=0), help="Of every random choice. Default: drawn at random, for who "
              "knows it can work out the answers; study.json has it.")  # fmt: skip
@click.option("--url", default=f"http://127.0.0.1:{_PORT}", show_default=True, help="Where raters will find the page: "
              "it stands before the links.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--json", "json_file", metavar="FILE", help="Write the links as JSON; - is stdout.")
@click.option("--quiet", is_flag=True, help="No progress, no notes.")
def new(study: Path, **given: Any) -> None:
    """Make a study in the folder STUDY, and print its links.

    Its pictures are drawn by the seed, as many real as fake, and written anew under random names. study.json says
    everything that is needed to repeat it. The links are told once: only their digests are stored.
    """
    from ganbench.human.create import create
    from ganbench.progress import unheard
    from ganbench.serialize import to_json

    with progress_bar(quiet=given["quiet"]) as progress:
        asked = _asked(given, progress)
        made = create(study, asked, progress=progress, warn=unheard if given["quiet"] else warn)
    links = _links(made, given["url"].rstrip("/"))
    if given["json_file"]:
        emit_json(to_json({"study": str(study), "fingerprint": made.study.fingerprint} | links), given["json_file"])
    if given["json_file"] != "-":
        _print(study, made, links)


def _asked(given: dict[str, Any], progress: Any) -> "Asked":
    from ganbench.human.create import Asked
    from ganbench.human.sources import open_source
    from ganbench.human.study import CONSENT, settings_of

    own = [*given["settings"], *([f"images={given['images']}"] if given["images"] else [])]
    settings = settings_of(given["protocol"], given["staircase"], own)
    exact = any(each.startswith("images=") for each in own)

    def opened(spec: str) -> Any:
        source = open_source(
            spec,
            value_range=_RANGES[given["value_range"]] if given["value_range"] else None,
            offline=given["offline"],
            progress=progress,
            warn=warn,
        )
        return spec, source

    return Asked(
        protocol=given["protocol"],
        title=given["title"],
        fake=opened(given["fake"]),
        real=opened(given["real"]),
        qualification_fake=[opened(spec) for spec in given["qualification_fake"]],
        raters=given["raters"],
        shared=given["shared"],
        seed=secrets.randbits(_SEED_BITS) if given["seed"] is None else given["seed"],
        settings=settings,
        exact=exact,
        consent=_consent(given["consent"]) if given["consent"] else CONSENT,
        command=shlex.join(["ganbench", *sys.argv[1:]]),
    )


def _consent(path: Path) -> list[str]:
    from ganbench.files import read_limited

    try:
        text = read_limited(path, _LARGEST_CONSENT, what="a text to agree to").decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8: {error}.") from error
    found = [" ".join(part.split()) for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
    if not found:
        raise UsageError(f"{path} is empty. Wanted: what raters agree to.")
    return found


def _links(made: "Made", url: str) -> dict[str, Any]:
    raters = [f"{url}/r/{token}" for token in made.raters]
    shared = None if made.shared is None else f"{url}/join/{made.shared}"
    return {"results": f"{url}/results/{made.owner}", "shared": shared, "raters": raters}


def _print(folder: Path, made: "Made", links: dict[str, Any]) -> None:
    study = made.study
    click.echo(
        f"{folder}: HYPE {study.protocol}, {study.settings.images} real and {study.settings.images} fake images, "
        f"{study.settings.trials} trials for each rater, places for {study.raters}\n"
    )
    click.echo(f"Results, for you alone:\n  {links['results']}\n")
    if links["shared"]:
        click.echo(f"One link for all {study.raters} raters:\n  {links['shared']}")
    else:
        click.echo("One link for each rater:")
        for link in links["raters"]:
            click.echo(f"  {link}")
    click.echo(f"\nThese links are not stored: keep them. Next: ganbench human serve {shlex.quote(str(folder))}")


@human.command("serve")
@_STUDY
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0 takes a free one.")
def serve(study: Path, host: str, port: int) -> None:
    """Serve the page of STUDY until Ctrl-C. Answers are stored one by one; a server that dies loses none."""
    from ganbench.human.session import Sessions

    Sessions(study)  # what is wrong with a study is said before anything else
    try:
        from ganbench.human.server import listen
        from ganbench.human.server import serve as run
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        raise Unavailable(
            f"Serving needs the package {package}, which is not installed. Install the extra `human`: "
            "pip install 'ganbench[human]'"
        ) from error
    at = listen(host, port)
    bound = at.getsockname()
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    click.echo(f"Serving {study} at http://{shown}:{bound[1]}  (Ctrl-C stops)", err=True)
    if not bound[0].startswith("127.") and bound[0] != "::1":
        warn(
            "Other machines can reach this page, and its links travel in the clear: put a server with HTTPS before it."
        )
    run(study, at)


@human.command("score")
@_STUDY
@click.option("--json", "json_file", metavar="FILE", help="Write the score as JSON; - is stdout.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), metavar="FILE", help="Write a report with the "
              "pictures that fooled most, in one file.")  # fmt: skip
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Write every answer as CSV.")
def score(study: Path, **given: Any) -> None:
    """The score of STUDY so far: HYPE with its interval, errors on fakes and reals, the pictures that fooled most."""
    from ganbench.files import write_text
    from ganbench.human.score import score as made

    found = made(study, command=shlex.join(["ganbench", *sys.argv[1:]]))
    if given["json_file"]:
        emit_json(found.to_json(), given["json_file"])
    if given["html_file"]:
        from ganbench.human.report import page_of

        write_text(given["html_file"], page_of(found, study))
        click.echo(f"Report: {given['html_file']}", err=True)
    if given["csv_file"]:
        from ganbench.human.sheet import sheet

        write_text(given["csv_file"], sheet(study))
        click.echo(f"Answers: {given['csv_file']}", err=True)
    if given["json_file"] != "-":
        _show(found)


def _show(found: "HumanScore") -> None:
    from ganbench import formatting as fmt
    from ganbench.human.report import between, figure

    click.echo(f"{fmt.printable(found.fake.source)} against {fmt.printable(found.real.source)}\n")
    rows = [["score", "value", "95 % interval"]]
    rows += [[each.label, figure(each), between(each)] for each in found.scores.values()]
    click.echo(fmt.aligned(rows, "lrl"))
    who = found.raters
    click.echo(
        f"\nraters  {who.counted} counted, {who.set_apart} set apart, {who.failed_qualification} not qualified, "
        f"{who.unfinished} not finished, {who.places - who.begun} places free"
    )
    if found.exposures and found.exposures.within is not None:
        click.echo(f"exposures  {found.exposures.within:.1%} of {found.exposures.n:,} within one frame")
    for one in [one for one in found.pictures if one.kind == "fake" and one.wrong][:5]:
        click.echo(f"fooled   image {one.index} of the fakes: {one.wrong} of {one.answers} took it for real")
    for key, each in found.scores.items():
        if each.reason:
            click.echo(f"{key}: {each.reason}", err=True)
    for note in found.notes:
        click.echo(f"Warning: {fmt.printable(note)}")
