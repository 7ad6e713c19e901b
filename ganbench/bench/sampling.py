"""Samples of a run from its newest checkpoint alone: no data are needed."""

from pathlib import Path

from torch import Tensor

from ganbench.bench.build import Built, build
from ganbench.bench.data import no_data
from ganbench.bench.folder import open_run
from ganbench.bench.judge import sample
from ganbench.errors import BadInput
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.records import DataInfo
from ganbench.serialize import from_json


def open_trained(path: Path, *, raw: bool = False, warn: Warn = unheard) -> Built:
    """A run with the weights of its newest checkpoint: the averaged ones, or with `raw` the plain ones.

    Raises BadInput where there is no run, or none with a checkpoint.
    """
    folder, spec = open_run(path)
    found = folder.checkpoints.newest(warn)
    if found is None:
        raise BadInput(f"{path} has no checkpoint yet. Train for longer: ganbench train ... --out {path} --resume")
    info = from_json(DataInfo, found["data"], where=f"the checkpoint of {path}")
    built = build(spec, data=no_data(info))
    built.variant.restore(found["variant"])
    built.ema.restore(found["ema"])
    if not raw:
        built.ema.keep()
    return built


def sample_run(
    path: Path, n: int, *, seed: int, raw: bool = False, progress: Progress = silent, warn: Warn = unheard
) -> Tensor:
    """n samples of a run: uint8 (n, c, h, w), or float32 points (n, d).

    Sample i is made from a code of its own, by (seed, i): fewer samples are the first of more.
    """
    return sample(open_trained(path, raw=raw, warn=warn), n, seed=seed, progress=progress)
