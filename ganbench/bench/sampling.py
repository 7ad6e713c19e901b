"""Samples of a run from its newest checkpoint alone: no data are needed, but by what makes them from held-out ones."""

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
from ganbench.variants._base import CaptionedVariant, TranslatingVariant
from ganbench.variants._registry import VARIANTS


def open_trained(
    path: Path, *, raw: bool = False, offline: bool = False, progress: Progress = silent, warn: Warn = unheard
) -> Built:
    """A run with the weights of its newest checkpoint: the averaged ones, or with `raw` the plain ones.

    Data are opened, with `offline` and `progress`, where samples are made from source images or captions.

    Raises:
        BadInput: there is no run, or none with a checkpoint, or its data are others now.
        Unavailable: its data cannot be had.
    """
    folder, spec = open_run(path)
    found = folder.checkpoints.newest(warn)
    if found is None:
        raise BadInput(f"{path} has no checkpoint yet. Train for longer: ganbench train ... --out {path} --resume")
    info = from_json(DataInfo, found["data"], where=f"the checkpoint of {path}")
    needed = issubclass(VARIANTS.get(spec.variant), TranslatingVariant | CaptionedVariant)
    data = None if needed else no_data(info)
    built = build(spec, data=data, offline=offline, progress=progress, warn=warn)
    if built.data.info != info:
        raise BadInput(
            f"{path} learnt from {spec.data} as it was: it holds other images or captions now. Samples are made from "
            "those held out of them, so put it back."
        )
    built.variant.restore(found["variant"])
    built.ema.restore(found["ema"])
    if not raw:
        built.ema.keep()
    return built


def sample_run(
    path: Path, n: int, *, seed: int, raw: bool = False, progress: Progress = silent, warn: Warn = unheard
) -> Tensor:
    """n samples of a run: uint8 (n, c, h, w), or float32 points (n, d).

    Sample i is made from a code of its own, by (seed, i), and from the held-out source image or caption i modulo how
    many there are, where it is made from one: fewer samples are the first of more.
    """
    return sample(open_trained(path, raw=raw, progress=progress, warn=warn), n, seed=seed, progress=progress)
