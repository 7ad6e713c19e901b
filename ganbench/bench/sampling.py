"""Samples of a run from its newest checkpoint alone: no data are needed, but by what makes them from held-out ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from ganbench.bench.build import Built, build
from ganbench.bench.conditions import Conditions
from ganbench.bench.data import TrainingSet, no_data
from ganbench.bench.folder import open_run
from ganbench.bench.judge import sample
from ganbench.bench.pixels import padded, read
from ganbench.bench.spec import RunSpec
from ganbench.bench.texts._registry import TEXTS
from ganbench.errors import BadInput, UsageError
from ganbench.images.source import Pixels, open_images
from ganbench.nets._base import described
from ganbench.nets._registry import BACKBONES
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.records import ConditionInfo, DataInfo
from ganbench.serialize import from_json

_LARGEST = 16 << 20  # bytes of a file of captions


def open_trained(
    path: Path,
    *,
    raw: bool = False,
    given: Path | None = None,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Built:
    """A run with the weights of its newest checkpoint: the averaged ones, or with `raw` the plain ones.

    Args:
        path: its folder.
        raw: with the plain weights.
        given: what samples are to be made from, where the run learnt to make them from something: images to translate,
            as `open_images` takes them, or a file with a caption on each line. Without it these are the held-out
            ones of the run's data, which are opened then.
        offline: use no network.
        progress, warn: told of it.

    Raises:
        UsageError: `given` of a run whose samples are made from codes alone.
        BadInput: there is no run, or none with a checkpoint, or its data are others now; `given` does not fit.
        Unavailable: its data cannot be had.
    """
    folder, spec = open_run(path)
    found = folder.checkpoints.newest(warn)
    if found is None:
        raise BadInput(f"{path} has no checkpoint yet. Train for longer: ganbench train ... --out {path} --resume")
    info = from_json(DataInfo, found["data"], where=f"the checkpoint of {path}")
    data: TrainingSet | None = no_data(info)
    if given is not None:
        data = _with(no_data(info), spec, given, progress)
    elif info.condition is not None:
        data = None
    built = build(spec, data=data, offline=offline, progress=progress, warn=warn)
    if built.data.info != info:
        raise BadInput(
            f"{path} learnt from {spec.data} as it was: it holds other images or captions now. Samples are made from "
            "those held out of them: put it back, or give others by --from."
        )
    built.variant.restore(found["variant"])
    built.ema.restore(found["ema"])
    if not raw:
        built.ema.keep()
    return built


def _with(data: TrainingSet, spec: RunSpec, given: Path, progress: Progress) -> TrainingSet:
    """No data, and what samples are to be made from."""
    condition = data.info.condition
    if condition is None:
        raise UsageError(f"{spec.variant} makes its samples from codes alone. Leave --from out.")
    if condition.text is not None:
        captions = _lines(given)
        conditions = Conditions(TEXTS.get(condition.text)().vectors(captions, progress), captions=tuple(captions))
    else:
        pixels = _like(condition, read(open_images(given), progress)[0], given)
        conditions = Conditions(torch.from_numpy(padded(pixels, BACKBONES.get(spec.backbone).fitted(pixels.shape[1:]))))
    return replace(data, given=conditions, held_out=replace(data, given=conditions))


def _like(condition: ConditionInfo, pixels: Pixels, given: Path) -> Pixels:
    """Images (n, 3, h, w) with as many channels as those that were learnt from. Raises BadInput of another size."""
    if list(pixels.shape[2:]) != condition.shape[1:]:
        raise BadInput(
            f"{given} holds {described(pixels.shape[1:])}; the run translates {described(tuple(condition.shape))}. "
            "Scale them to that size."
        )
    if condition.shape[0] == 3:
        return pixels
    gray = [np.asarray(Pillow.fromarray(image.transpose(1, 2, 0)).convert("L")) for image in pixels]
    return np.stack(gray)[:, None]


def _lines(path: Path) -> list[str]:
    """The captions in a file, one on each line. Raises BadInput where there are none."""
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise BadInput(f"{path} is {size:,} bytes long; at most {_LARGEST:,} are read.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} cannot be read as text ({error}). Wanted: a file with a caption on each line."
        ) from error
    captions = [line.strip() for line in text.splitlines() if line.strip()]
    if not captions:
        raise BadInput(f"{path} is empty. Wanted: a file with a caption on each line.")
    return captions


def sample_run(
    path: Path, n: int, *, seed: int, raw: bool = False, progress: Progress = silent, warn: Warn = unheard
) -> Tensor:
    """n samples of a run: uint8 (n, c, h, w), or float32 points (n, d).

    Sample i is made from a code of its own, by (seed, i), and from the held-out source image or caption i modulo how
    many there are, where it is made from one: fewer samples are the first of more.
    """
    return sample(open_trained(path, raw=raw, progress=progress, warn=warn), n, seed=seed, progress=progress)
