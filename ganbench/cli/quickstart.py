"""`ganbench quickstart`: the main job, offline, on data that come with the installation."""

import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli.console import emit_json, progress_bar

if TYPE_CHECKING:
    from ganbench.comparison import Comparison
    from ganbench.images.source import ImageSource, Pixels
    from ganbench.progress import Progress
    from ganbench.records import RunRecord
    from ganbench.report import Report

_SEED = 2020
_KEPT_CLASSES = (0, 1)
_BLUR = 1.0  # pixels
_NOISE = 8.0  # grey levels
_BUDGET = "1e12flop"  # some half a minute on two cores
_RATE = 1e-3  # so few steps want a higher rate than the paper's
_LEAST = 20  # the Inception Score's ten splits need two images each

READING = (
    "The distances FD and KD grow as images get worse. Blurred and noisy images no longer look real to the network, "
    "which minds noise far more than an eye does: precision falls. Two classes alone still look real, so precision "
    "hardly changes, but most of what is real is never shown: recall falls. The Inception Score never looks at the "
    "reference, and its classes are those of photographs: on digits it tells nothing."
)


@dataclass(frozen=True)
class _Version:
    stem: str
    name: str
    words: str
    images: "ImageSource"


@click.command("quickstart")
@click.option("--out", type=click.Path(path_type=Path), default=Path("ganbench-quickstart"), show_default=True,
              metavar="DIR", help="Where the reports go.")  # fmt: skip
@click.option("--num", type=click.IntRange(min=_LEAST), metavar="N", help="Images in each version; by default as many "
              "as the smallest has.")  # fmt: skip
@click.option("--budget", default=_BUDGET, show_default=True, metavar="SPEC", help="Of the GAN's training.")
@click.option("--json", "json_file", metavar="FILE", help="Write all results as JSON; - is stdout.")
@click.option("--quiet", is_flag=True, help="No progress.")
def quickstart(out: Path, num: int | None, budget: str, json_file: str | None, quiet: bool) -> None:
    """Score real digits, and versions of them made worse, against the digits reference; then train a small GAN on
    them for half a minute, sample it and score it likewise. Needs no network.

    Each version has equally many images, because distances depend on how many there are.
    """
    real = _versions(num)
    reports = _reports(real, quiet=quiet)
    if json_file != "-":
        _show(_compared(real, reports))
    gan, record = _trained(out, len(real[0].images), budget, quiet=quiet)
    versions = [*real, gan]
    reports += _reports([gan], quiet=quiet)
    page = _write(out, versions, reports)
    if json_file:
        emit_json(_as_json(versions, reports), json_file)
    if json_file != "-":
        _show_gan(record, reports[-1])
        click.echo(f"\nReport with pictures: {page}")  # never wrapped: paths are there to be copied
        click.echo(f"The GAN over its training: {out / 'gan' / 'samples' / 'training.gif'}")
        click.echo(f"All tables again: ganbench compare {shlex.quote(str(out))}/*.json")


def _trained(out: Path, n: int, budget: str, *, quiet: bool) -> "tuple[_Version, RunRecord]":
    """A small GAN on the digits, and n of its samples. A finished one in the folder is taken as it is."""
    from ganbench.bench.judge import image_source
    from ganbench.bench.plan import plan_run
    from ganbench.bench.sampling import sample_run
    from ganbench.bench.train import train
    from ganbench.bench.watch import MINUTE
    from ganbench.cli.train import watching

    settings = (f"lr_G={_RATE}", f"lr_D={_RATE}")
    spec = plan_run(
        "ns-gan",
        data="digits",
        backbone="info28-nano",
        budget=budget,
        batch_size=32,
        settings=settings,
        judged=0,
    )
    with watching(quiet=quiet, checkpoint_every=MINUTE) as watch:
        record = train(spec, out / "gan", resume=True, offline=True, watch=watch, command="ganbench quickstart")
    samples = sample_run(out / "gan", n, seed=_SEED)
    spent = record.spent
    words = f"{n} samples of a GAN that saw {spent.reals:,} digits in {spent.steps:,} steps (ns-gan, {budget})."
    return _Version("gan-samples", "GAN", words, image_source(samples, "a GAN of half a minute")), record


def _show_gan(record: "RunRecord", report: "Report") -> None:
    from ganbench import formatting as fmt
    from ganbench.cli.tables import print_paragraph

    values = [
        f"{metric.label} {fmt.value_of(metric)}"
        for metric in report.result.metrics.values()
        if metric.value is not None
    ]
    print_paragraph(
        f"A GAN trained on the digits ({record.variant}, {record.spent.steps:,} steps, {record.spent.seconds:.0f} s) "
        f"scores {', '.join(values)}. Look at its samples: an eye forgives more than the network does."
    )


def _reports(versions: "list[_Version]", *, quiet: bool) -> "list[Report]":
    from ganbench.api import evaluate

    reports = []
    for version in versions:
        with progress_bar(quiet=quiet) as progress:
            report = evaluate(
                fake=version.images,
                real="digits",
                protocol="embedded",
                offline=True,
                progress=_about_version(version.name, progress),
            )
        reports.append(_with_command(report))
    return reports


def _versions(num: int | None) -> list[_Version]:
    """The held-out half of the digits, and what was made of it, all with the same number of images."""
    import numpy as np

    from ganbench.degrade import blur, noise
    from ganbench.errors import UsageError
    from ganbench.images.datasets._base import open_dataset
    from ganbench.images.derived import Mapped, Subset

    held_out = open_dataset("digits", "test")
    assert held_out.labels is not None
    of_two = np.flatnonzero(np.isin(held_out.labels, _KEPT_CLASSES))
    n = len(of_two) if num is None else num
    if n > len(of_two):
        raise UsageError(
            f"--num is {n}, but the classes {_KEPT_CLASSES[0]} and {_KEPT_CLASSES[1]} have {len(of_two)} held-out "
            f"images, and every version needs equally many. Give {_LEAST} to {len(of_two)}."
        )
    rng = np.random.default_rng(_SEED)
    real = Subset(held_out, np.sort(rng.choice(len(held_out), n, replace=False)), "digits:test")
    two = Subset(held_out, np.sort(rng.choice(of_two, n, replace=False)), "digits:test, two classes")

    def noisy(pixels: "Pixels", index: int) -> "Pixels":
        return noise(pixels, _NOISE, np.random.default_rng([_SEED, index]))

    return [
        _Version("real", "real", f"{n} real digits that the reference does not contain.", real),
        _Version("blurred", "blurred", f"The same {n} digits, blurred by a Gaussian of {_BLUR:g} pixel.",
                 Mapped(real, "digits:test, blurred", lambda pixels, _: blur(pixels, _BLUR))),
        _Version("noisy", "noisy", f"The same {n} digits with Gaussian noise of {_NOISE:g} grey levels.",
                 Mapped(real, "digits:test, noisy", noisy)),
        _Version("two-classes", "two classes", f"{n} real held-out digits, zeros and ones alone: a model that "
                 "has lost most of its modes.", two),
    ]  # fmt: skip


def _about_version(name: str, progress: "Progress") -> "Progress":
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)


def _with_command(report: "Report") -> "Report":
    return replace(report, result=replace(report.result, command="ganbench quickstart"))


def _write(out: Path, versions: list[_Version], reports: "list[Report]") -> Path:
    """Writes a report and a result for each version, and the page over all. Returns the page's path."""
    from ganbench import html
    from ganbench.files import write_text
    from ganbench.gallery import Gallery

    for version, report in zip(versions, reports, strict=True):
        report.to_json(out / f"{version.stem}.json")
        report.to_html(out / f"{version.stem}.html")
    page = out / "index.html"
    text = html.versions_page(
        title="Real digits, versions of them made worse, and a GAN's",
        intro=[_about(reports[0])],
        comparison=_compared(versions, reports),
        versions=[
            html.Version(name=v.name, words=v.words, gallery=r.gallery or Gallery(), href=f"{v.stem}.html")
            for v, r in zip(versions, reports, strict=True)
        ],
        reading=READING,
    )
    write_text(page, text)
    return page


def _compared(versions: list[_Version], reports: "list[Report]") -> "Comparison":
    from ganbench.comparison import compare

    return compare([(version.name, report.result) for version, report in zip(versions, reports, strict=True)])


def _about(report: "Report") -> str:
    result = report.result
    return (
        f"{result.samples.n} images in each version, scored against {result.reference.n} other real digits (the "
        f"reference {result.reference.name}:{result.reference.split}, protocol {result.protocol['name']}). Equally "
        "many, because a distance depends on the number of images: with so few it is not 0 even for real ones. "
        "Compare each version with the first."
    )


def _as_json(versions: list[_Version], reports: "list[Report]") -> str:
    from ganbench.serialize import to_json

    rows = [
        {"name": version.stem, "summary": version.words, "result": json.loads(report.result.to_json())}
        for version, report in zip(versions, reports, strict=True)
    ]
    return to_json({"schema": "ganbench.quickstart/1", "versions": rows})


def _show(compared: "Comparison") -> None:
    from ganbench.cli.tables import print_comparison, print_paragraph

    print_comparison(compared)
    print_paragraph(f"How to read it: {READING}")
