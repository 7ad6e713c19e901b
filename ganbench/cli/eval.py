"""`ganbench eval`: samples in, numbers out."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli.console import emit_json, progress_bar, warn
from ganbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ganbench.evaluation.options import Options
    from ganbench.progress import Progress
    from ganbench.report import Report

_RANGES = {"0,1": (0.0, 1.0), "-1,1": (-1.0, 1.0), "0,255": (0.0, 255.0)}


@click.command("eval")
@click.argument("samples", nargs=-1, required=True, metavar="SAMPLES...")
@click.option("--ref", "reference", required=True, metavar="NAME[:SPLIT]|SOURCE", help="The reference: a name "
              "(`ganbench ref list`), images, or a statistics file.")  # fmt: skip
@click.option("--protocol", default="auto", show_default=True, help="How images become features; auto: by the "
              "reference alone. A name (`ganbench list protocols`), or your own .toml, .onnx or TorchScript "
              "file.")  # fmt: skip
@click.option("--allow-code", is_flag=True, help="Run the code of a TorchScript file given as --protocol.")
@click.option("--metrics", metavar="all|LIST", help="Names with commas; default: fid,kid,inception_score,"
              "precision_recall,density_coverage.")  # fmt: skip
@click.option("--num", type=int, metavar="N", help="Use N samples, drawn with --seed.")
@click.option("--seed", type=int, default=2020, show_default=True, help="Of every random choice.")
@click.option("--labels", type=click.Path(path_type=Path), metavar="FILE", help="The classes of the samples: .csv, "
              ".txt, .npy or .npz. Default: those that travel with them, as in labels.csv.")  # fmt: skip
@click.option("--ref-test", metavar="NAME:SPLIT|SOURCE", help="Real images that the model was not trained on; default: "
              "the test split of the reference's dataset.")  # fmt: skip
@click.option("--value-range", type=click.Choice(list(_RANGES)), help="What float arrays hold.")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Network weights to use.")
@click.option("--allow-unverified-weights", is_flag=True, help="Take weights with another sha256; the protocol's "
              "fingerprint changes with them.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N|mps")
@click.option("--backend", default="auto", show_default=True, metavar="auto|torch|compile|openvino")
@click.option("--batch-size", type=int, metavar="N", help="Images per network call: speed and memory only.")
@click.option("--on-bad-image", type=click.Choice(["error", "skip"]), default="error", show_default=True)
@click.option("--no-cache", is_flag=True, help="Ignore stored features, scores and statistics, and make them "
              "again.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - is stdout.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), metavar="FILE", help="Write a report with "
              "pictures, in one file.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be done, and stop.")
@click.option("--quiet", is_flag=True, help="No progress, no notes.")
def eval_(samples: tuple[str, ...], reference: str, **given: Any) -> None:
    """Score SAMPLES against a reference, in one network pass.

    SAMPLES is a folder (searched in depth), .zip, .tar, .npz, .npy, .pt or .safetensors of images. Several
    SAMPLES are scored one after the other; their JSON is a list.
    """
    from ganbench.cli.tables import print_report
    from ganbench.evaluation.options import Options, metric_names, unasked
    from ganbench.files import check_writable

    options = Options(
        metrics=metric_names(given["metrics"]),
        unasked=unasked(given["metrics"]),
        labels=given["labels"],
        ref_test=given["ref_test"],
        protocol=given["protocol"],
        allow_code=given["allow_code"],
        num=given["num"],
        seed=given["seed"],
        device=given["device"],
        backend=given["backend"],
        batch_size=given["batch_size"],
        weights=given["weights"],
        allow_unverified_weights=given["allow_unverified_weights"],
        on_bad_image=given["on_bad_image"],
        value_range=_RANGES[given["value_range"]] if given["value_range"] else None,
        offline=given["offline"],
        cache=not given["no_cache"],
        command=shlex.join(["ganbench", *sys.argv[1:]]),
    )
    if given["html_file"] and len(samples) > 1:
        raise UsageError("--html takes one SAMPLES; run the command once for each.")
    if given["labels"] and len(samples) > 1:
        raise UsageError("--labels are those of one SAMPLES; run the command once for each.")
    if given["dry_run"]:
        from ganbench.evaluation.plan import plan  # it imports torch, which stored results need not wait for
        from ganbench.serialize import to_json

        emit_json(to_json([plan(each, reference, options=options) for each in samples]), given["json_file"] or "-")
        return
    for file in (given["json_file"], given["html_file"]):
        if file and file != "-":
            check_writable(Path(file))
    reports = []
    for report in _reports(samples, reference, options, quiet=given["quiet"]):
        reports.append(report)
        if given["json_file"] != "-":
            print_report(report)
    _write(reports, given["json_file"], given["html_file"])


def _reports(samples: tuple[str, ...], reference: str, options: "Options", *, quiet: bool) -> "Iterator[Report]":
    """The reports one after the other; no bar is on the screen while one is shown."""
    from ganbench.evaluation.run import evaluate
    from ganbench.progress import unheard
    from ganbench.report import Report

    bars: list[Progress] = []
    outcomes = evaluate(
        samples,
        reference,
        options=options,
        progress=lambda *step: bars[0](*step),
        warn=unheard if quiet else warn,
    )
    while True:
        with progress_bar(quiet=quiet) as progress:
            bars[:] = [progress]
            outcome = next(outcomes, None)
        if outcome is None:
            return
        yield Report(outcome.result, outcome.gallery)


def _write(reports: "list[Report]", json_file: str | None, html_file: Path | None) -> None:
    if json_file:
        texts = [report.result.to_json().rstrip("\n") for report in reports]
        emit_json(texts[0] if len(texts) == 1 else "[" + ",\n".join(texts) + "]", json_file)
    if html_file:
        reports[0].to_html(html_file)
        click.echo(f"Report: {html_file}", err=True)
