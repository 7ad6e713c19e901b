"""`ganbench train`: one variant, one budget, one seed."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli.console import emit_json, warn
from ganbench.errors import GanbenchError

if TYPE_CHECKING:
    from ganbench.bench.budget import Budget
    from ganbench.bench.lead import Lead
    from ganbench.bench.watch import Watch
    from ganbench.records import RunRecord


@click.command("train")
@click.argument("variant")
@click.option("--data", required=True, metavar="NAME[:SPLIT]|SOURCE", help="What to learn: a dataset, a mixture such "
              "as ring8-pacgan, or images of your own.")  # fmt: skip
@click.option("--budget", required=True, metavar="SPEC", help="2e13flop, 200kimg, 5000steps, 10min, or a tier: pico, "
              "nano, micro, small, medium, base, large.")  # fmt: skip
@click.option("--backbone", metavar="B", help="The networks (`ganbench list backbones`); by default mlp2d for points, "
              "info28 for images.")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(min=2), metavar="N", help="Default: 64, for points 100.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder; default: "
              "runs/VARIANT-DATA-SEED.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the variant; several times.")
@click.option("--checkpoint-every", default="1min", show_default=True, metavar="SPEC", help="As --budget: "
              "what lies between two checkpoints.")  # fmt: skip
@click.option("--eval-num", type=click.IntRange(min=0), default=2000, show_default=True, metavar="N", help="Samples "
              "that are scored in the end; 0 for none.")  # fmt: skip
@click.option("--max-seconds", type=float, metavar="S", help="Stop a run that takes longer.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N|mps")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of the CPU; default: as many as torch takes.")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, or begin one where none is.")
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--log", "sinks", multiple=True, metavar="tensorboard|wandb", help="Show losses, scores and pictures "
              "there too; several times.")  # fmt: skip
@click.option("--json", "json_file", metavar="FILE", help="Write the record as JSON; - is stdout.")
@click.option("--quiet", is_flag=True, help="No progress, no notes.")
def train(variant: str, **given: Any) -> None:
    """Train VARIANT (`ganbench list variants`) under a budget, exactly resumable.

    Techniques (`ganbench list techniques`) are put behind it: ns-gan+ttur+label-smoothing; their settings are
    --set TECHNIQUE.KEY=VALUE.

    The folder then holds config.json, metrics.jsonl (losses), checkpoints, sample pictures over time with an animated
    GIF, and report.json. A run whose losses turn to NaN or whose samples collapse ends with status `diverged`, exit 1.

    On several devices: torchrun --nproc-per-node N -m ganbench train ... Each batch is split over N processes, and the
    run is that of one up to the rounding of sums.
    """
    from ganbench.bench.follow import follow
    from ganbench.bench.group import joined
    from ganbench.bench.lead import leading

    device = _device(given["device"])
    with joined(device) as ranks:
        if not ranks.first:
            follow(ranks)
            return
        with leading(ranks) as lead:
            _run(variant, device, lead, given)


def _run(variant: str, device: str, lead: "Lead", given: Mapping[str, Any]) -> None:
    from ganbench.bench.budget import Budget
    from ganbench.bench.plan import plan_run
    from ganbench.bench.sinks._shown import Sinks
    from ganbench.bench.train import train as run

    world = lead.ranks.world
    spec = plan_run(
        variant,
        data=given["data"],
        budget=given["budget"],
        backbone=given["backbone"],
        batch_size=given["batch_size"],
        seed=given["seed"],
        settings=given["settings"],
        device=device,
        threads=given["threads"] or _threads(),
        ranks=world,
        judged=given["eval_num"],
    )
    out = given["out"] or Path("runs") / f"{variant}-{Path(given['data']).name.replace(':', '-')}-{given['seed']}"
    every = Budget.parse(given["checkpoint_every"])
    sinks = Sinks(given["sinks"], offline=given["offline"])
    with watching(quiet=given["quiet"], checkpoint_every=every, max_seconds=given["max_seconds"]) as watch:
        record = run(
            spec,
            out,
            resume=given["resume"],
            offline=given["offline"],
            watch=replace(watch, sinks=sinks),
            command=shlex.join([*_started(world), *sys.argv[1:]]),
            lead=lead,
        )
    if given["json_file"]:
        emit_json(record.to_json(), given["json_file"])
    if given["json_file"] != "-":
        show(record, out)
    if record.status != "finished":
        raise GanbenchError(
            f"The run ended with status {record.status}: {record.reason}. Its record: {out}/report.json"
        )


def _started(world: int) -> list[str]:
    return ["ganbench"] if world == 1 else ["torchrun", "--nproc-per-node", str(world), "-m", "ganbench"]


def _device(asked: str) -> str:
    from ganbench.features.devices import choose

    return choose(asked)


def _threads() -> int:
    import torch

    return torch.get_num_threads()


@contextmanager
def watching(*, quiet: bool, checkpoint_every: "Budget", max_seconds: float | None = None) -> "Iterator[Watch]":
    """A watch that draws one line on stderr, where that is a terminal: budget spent, losses, time left."""
    from ganbench.bench.watch import Watch
    from ganbench.cli.console import err
    from ganbench.progress import unheard

    if quiet or not err.is_terminal:
        yield Watch(warn=unheard if quiet else warn, checkpoint_every=checkpoint_every, max_seconds=max_seconds)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[losses]}"))  # fmt: skip
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, losses="")
            bars.update(tasks[stage], completed=done, total=total)

        def tell(losses: Mapping[str, float]) -> None:
            words = [f"{name} {value:.4g}" for name, value in losses.items() if name not in ("spent", "seconds")]
            if "training" in tasks:
                bars.update(tasks["training"], losses="  ".join(words))

        yield Watch(progress=progress, tell=tell, warn=warn, checkpoint_every=checkpoint_every, max_seconds=max_seconds)


def show(record: "RunRecord", out: Path) -> None:
    """What came out, in a few lines."""
    spent = record.spent
    click.echo(
        f"{record.variant} on {record.data.name}, seed {record.seed}: {record.status}\n"
        f"{spent.steps:,} steps, {spent.flops:.3g} FLOP, {spent.reals / 1000:,.1f} thousand reals, "
        f"{spent.seconds:.1f} s of training, {spent.seconds_evaluating:.1f} s of evaluation"
    )
    if record.final is not None:
        for name, metric in record.final.metrics.items():
            value = "-" if metric.value is None else f"{metric.value:.4g}"
            n = metric.n_fake or metric.n_real
            click.echo(f"  {metric.label:20} {value:>10}   {metric.direction} is better   ({name}, n = {n})")
    click.echo(f"Run: {out}   Samples: ganbench sample {shlex.quote(str(out))} -n 64 --out samples/")
