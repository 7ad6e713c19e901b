"""`ganbench sample`: samples of a trained run, from its newest checkpoint alone."""

import io
from pathlib import Path
from typing import Any

import click

from ganbench.cli.console import emit_json, progress_bar, warn
from ganbench.errors import UsageError


@click.command("sample")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "n", type=click.IntRange(min=1), help="How many; needed without --from, where it is one for each.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR|FILE.zip|FILE.npz", help="Where "
              "they go; points go to FILE.npy or FILE.npz.")  # fmt: skip
@click.option("--from", "given", type=click.Path(path_type=Path), metavar="SOURCE", help="What to make samples from: "
              "images, or a file with a caption on each line; default: what is held out of RUN's data.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=2020, show_default=True)
@click.option("--raw", is_flag=True, help="With the last weights instead of their average over training.")
@click.option("--json", "json_file", metavar="FILE", help="Write what was done as JSON; - is stdout.")
@click.option("--quiet", is_flag=True, help="No progress, no notes.")
def sample(run: Path, n: int | None, out: Path, **given: Any) -> None:
    """Write samples of RUN, the folder that `ganbench train` made.

    Sample i depends on the seed and i alone: fewer are the first of more. What translates images or makes them from
    captions is given those held out of its data in turn, which must be at hand, or those of --from.
    """
    from ganbench.bench.judge import image_source, labels_of
    from ganbench.bench.judge import sample as samples_of
    from ganbench.bench.sampling import open_trained
    from ganbench.images.export import export
    from ganbench.progress import unheard

    if n is None and given["given"] is None:
        raise UsageError("How many samples? Say -n N.")
    with progress_bar(quiet=given["quiet"]) as progress:
        told = unheard if given["quiet"] else warn
        built = open_trained(run, raw=given["raw"], given=given["given"], progress=progress, warn=told)
        held_out = built.data.held_out
        n = n or (len(held_out.given) if held_out and held_out.given else 1)
        samples = samples_of(built, n, seed=given["seed"], progress=progress)
        if samples.is_floating_point():
            _write_points(samples.numpy(), out)
        else:
            labels = labels_of(built, n, seed=given["seed"])
            export(image_source(samples, str(run), labels), out, progress=progress)
    if given["json_file"]:
        from ganbench.serialize import to_json

        emit_json(to_json({"run": str(run), "out": str(out), "n": n, "seed": given["seed"]}), given["json_file"])
    if given["json_file"] != "-":
        click.echo(f"{n:,} samples of {run} written to {out}")


def _write_points(points: Any, out: Path) -> None:
    import numpy as np

    from ganbench.files import write_bytes

    buffer = io.BytesIO()
    if out.suffix.lower() == ".npy":
        np.save(buffer, points)
    elif out.suffix.lower() == ".npz":
        np.savez_compressed(buffer, points)
    else:
        raise UsageError(f"{out} cannot hold points. Give FILE.npy or FILE.npz.")
    write_bytes(out, buffer.getvalue())
