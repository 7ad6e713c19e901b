"""The data of what makes images from something: pairs, two domains, captions; each with some of them held out."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganbench.bench.conditions import Conditions
from ganbench.bench.data import TrainingSet, images_of, open_data
from ganbench.bench.pixels import digest, one_channel, padded, read
from ganbench.bench.texts._registry import TEXTS
from ganbench.errors import BadInput, UsageError
from ganbench.images.captions import FILE, Captioned, open_captioned
from ganbench.images.datasets._base import DATASETS, CaptionedDataset, Dataset, PairedDataset, open_dataset
from ganbench.images.pairs import Pairs, open_pairs
from ganbench.images.source import Pixels
from ganbench.mixtures import mixture_names
from ganbench.nets._base import Shape, described
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.records import ConditionInfo
from ganbench.variants._base import Variant
from ganbench.variants._given import CaptionedVariant, PairedVariant, TranslatingVariant

Fit = Callable[[Shape], Shape]


def open_for(
    kind: type[Variant],
    config: Any,
    spec: str,
    fitted: Fit,
    *,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> TrainingSet:
    """Opens what `--data` names as a variant wants it; arguments and errors are those of `open_data`."""
    if issubclass(kind, TranslatingVariant):
        learnt, held_out = _pairs(spec, paired=issubclass(kind, PairedVariant), offline=offline, told=(progress, warn))
        return _translated(spec, learnt, held_out, fitted, paired=issubclass(kind, PairedVariant), progress=progress)
    if issubclass(kind, CaptionedVariant):
        text = kind.text(config)
        TEXTS.check(text)
        found = _captioned(spec, offline=offline, told=(progress, warn))
        return _described(spec, *found, text, fitted, progress)
    labelled = kind.known(config) != "none"
    return open_data(spec, fitted, labelled=labelled, offline=offline, progress=progress, warn=warn)


# ---------------------------------------------------------------- images to images


def _pairs(spec: str, *, paired: bool, offline: bool, told: tuple[Progress, Warn]) -> tuple[Pairs, Pairs]:
    """What is to be learnt and what is held out. Raises UsageError where there are no pairs, or no two domains."""
    dataset, path = _named(spec), Path(spec).expanduser()
    found: tuple[Pairs | None, Pairs | None]
    if dataset is None:
        found = open_pairs(path)
    elif issubclass(dataset, PairedDataset):
        _here(spec, told, offline)
        found = dataset.pairs(_split(spec)), dataset.pairs("test")
    else:
        raise UsageError(
            f"{spec} has no images to translate into its own. Name data that have, such as emoji-pairs, or a folder "
            "with A/ and B/."
        )
    learnt, held_out = found
    assert learnt is not None
    assert held_out is not None
    if paired and learnt.unpaired is not None:
        raise BadInput(
            f"{spec} has no pairs to learn from: {learnt.unpaired}. Give pairs, or name a variant that needs none: "
            "cyclegan"
        )
    return learnt, held_out


def _translated(
    spec: str, learnt: Pairs, held_out: Pairs, fitted: Fit, *, paired: bool, progress: Progress
) -> TrainingSet:
    """Sources and targets with one size, and with one number of channels where they are no pairs."""
    sets = [read(source, progress) for pairs in (learnt, held_out) for source in (pairs.sources, pairs.targets)]
    gray_a, gray_b = sets[0][1] and sets[2][1], sets[1][1] and sets[3][1]
    if not paired:  # networks go both ways there, and compare what they make with where they began
        gray_a = gray_b = gray_a and gray_b
    a, b, held_a, held_b = (
        one_channel(pixels) if gray else pixels for (pixels, _), gray in zip(sets, (gray_a, gray_b) * 2, strict=True)
    )
    for one, other in ((a, b), (a, held_a), (a, held_b)):
        if one.shape[2:] != other.shape[2:]:
            raise BadInput(
                f"{spec} translates {described(one.shape[1:])} to {described(other.shape[1:])}. Networks keep a size: "
                "scale them to one."
            )
    data = images_of(b, *_name(spec), fitted)
    info = ConditionInfo(
        kind="pairs" if paired else "unpaired",
        fingerprint=digest(a),
        n=len(a),
        shape=list(a.shape[1:]),
        held_out=len(held_a),
        held_out_fingerprint=digest(held_a),
    )
    truth = replace(images_of(held_b, spec, None, fitted), given=_sources(held_a, fitted, held_out.unpaired is None))
    given = _sources(a, fitted, paired)
    return replace(data, info=replace(data.info, condition=info), given=given, held_out=truth)


def _sources(pixels: Pixels, fitted: Fit, paired: bool) -> Conditions:
    values = torch.from_numpy(padded(pixels, fitted(pixels.shape[1:])))
    return Conditions(values, torch.arange(len(values)) if paired else None)


# ---------------------------------------------------------------- captions to images


def _captioned(spec: str, *, offline: bool, told: tuple[Progress, Warn]) -> tuple[Captioned, Captioned]:
    dataset = _named(spec)
    if dataset is None:
        return open_captioned(Path(spec).expanduser())
    if not issubclass(dataset, CaptionedDataset):
        raise UsageError(f"{spec} has no captions. Name data that have, such as emoji, or a folder with {FILE}.")
    _here(spec, told, offline)
    learnt, held_out = (dataset.captioned(split) for split in (_split(spec), "test"))
    assert learnt is not None
    assert held_out is not None
    return learnt, held_out


def _described(
    spec: str, learnt: Captioned, held_out: Captioned, text: str, fitted: Fit, progress: Progress
) -> TrainingSet:
    (pixels, gray), (held, held_gray) = (read(each.images, progress) for each in (learnt, held_out))
    if gray and held_gray:
        pixels, held = one_channel(pixels), one_channel(held)
    data = images_of(pixels, *_name(spec), fitted)
    given = _vectors(learnt.captions, text, progress)
    if len(given.values) < 2:
        raise BadInput(f"{spec} has one caption for all of its images: {learnt.captions[0]!r}. Give different ones.")
    told = replace(_vectors(held_out.captions, text, progress), captions=tuple(held_out.captions))
    info = ConditionInfo(
        kind="captions",
        fingerprint=_digest_of_text(learnt.captions),
        n=len(learnt.captions),
        shape=list(given.shape),
        text=text,
        held_out=len(held_out.captions),
        held_out_fingerprint=_digest_of_text(held_out.captions),
    )
    truth = replace(images_of(held, spec, None, fitted), given=told)
    return replace(data, info=replace(data.info, condition=info), given=given, held_out=truth)


def _vectors(captions: list[str], text: str, progress: Progress) -> Conditions:
    """The vector of each caption, and which one is each image's."""
    different = sorted(set(captions))
    place = {caption: number for number, caption in enumerate(different)}
    rows = torch.tensor([place[caption] for caption in captions])
    return Conditions(TEXTS.get(text)().vectors(different, progress), rows)


def _digest_of_text(captions: list[str]) -> str:
    total = hashlib.sha256(b"ganbench.captions/1\n")
    for caption in captions:
        encoded = caption.encode()
        total.update(np.uint64(len(encoded)).tobytes() + encoded)
    return total.hexdigest()


# ---------------------------------------------------------------- names


def _named(spec: str) -> type[Dataset] | None:
    """The dataset that `--data` names; None of a path. Raises UsageError of a mixture, or of an unknown name."""
    name = spec.partition(":")[0]
    if spec in mixture_names():
        raise UsageError(f"{spec} are points, and images are wanted. Name others: ganbench data list")
    if name not in DATASETS.names() and (Path(spec).expanduser().exists() or "/" in spec or "." in spec):
        return None
    return DATASETS.get(name)


def _here(spec: str, told: tuple[Progress, Warn], offline: bool) -> None:
    """Sees to it that both splits are on this machine. Raises Unavailable."""
    for split in (_split(spec), "test"):
        open_dataset(spec.partition(":")[0], split, offline=offline, progress=told[0], warn=told[1])


def _split(spec: str) -> str:
    return spec.partition(":")[2] or "train"


def _name(spec: str) -> tuple[str, str | None]:
    """Name and split as a record tells them."""
    name = spec.partition(":")[0]
    return (name, _split(spec)) if name in DATASETS.names() else (spec, None)
