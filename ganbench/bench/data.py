"""The real data of a training: read once, kept on the device, drawn in an order that two numbers tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.bench.budget import Meter
from ganbench.bench.conditions import Conditions
from ganbench.bench.few import balanced
from ganbench.bench.labels import labels_with_shares
from ganbench.bench.pixels import as_floats, digest, one_channel, padded, read, window
from ganbench.bench.seeds import CONDITION_ORDER, FEW_ORDER, ORDER, stream_seed
from ganbench.errors import UsageError
from ganbench.images.classes import labels_sha256
from ganbench.images.datasets._base import DATASETS, open_dataset
from ganbench.images.source import ImageSource, Pixels, open_images
from ganbench.mixtures import get_mixture, mixture_names
from ganbench.nets._base import Shape
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.records import DataInfo
from ganbench.variants._classes import Classes

POINTS = 100_000  # fixed training points of a mixture, as PacGAN has them


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Real data.

    Attributes:
        info: what they are; `padded_to` is the shape that networks see.
        values: uint8 (n, c, h, w), padded with black, or float32 points (n, d).
        labels: the class of each, int64 (n,); None where nobody learns from classes.
        few: those of the data whose class is known, where it is known of some alone: then `labels` is None.
        given: what they are made from, where that is learnt.
        held_out: data that are not learnt from, with what samples are made from.
    """

    info: DataInfo
    values: Tensor
    labels: Tensor | None = None
    few: "TrainingSet | None" = None
    given: Conditions | None = None
    held_out: "TrainingSet | None" = None

    @property
    def classes(self) -> Classes | None:
        """The classes and their shares."""
        return Classes(tuple(self.info.classes)) if self.info.classes else None

    def on(self, device: torch.device) -> "TrainingSet":
        """The same data on a device."""
        labels = None if self.labels is None else self.labels.to(device)
        few, held_out = (None if other is None else other.on(device) for other in (self.few, self.held_out))
        given = None if self.given is None else self.given.on(device)
        return TrainingSet(self.info, self.values.to(device), labels, few, given, held_out)

    @property
    def shape(self) -> Shape:
        """Of one datum as networks see it."""
        return tuple(self.values.shape[1:])

    def batch(self, indices: Tensor) -> Tensor:
        """Data at `indices`, float32; images in [-1, 1]."""
        return as_floats(self.values[indices])

    def judged(self, values: Tensor) -> Tensor:
        """What a network made, as it is judged: images uint8 (n, c, h, w), cut to the true size; points as they are.

        x -> round(127.5 (x + 1)), clipped to 0..255.
        """
        if self.values.is_floating_point():
            return values
        return self.cut(values).add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)

    def cut(self, values: Tensor) -> Tensor:
        """Images (n, c, h, w) as networks see them, cut to the true size."""
        return values[(..., *window(self.info.shape, self.info.padded_to))]


def no_data(info: DataInfo) -> TrainingSet:
    """A set without data that knows what data are like: enough to make samples."""
    points = len(info.shape) == 1
    return TrainingSet(info, torch.empty(0, *info.padded_to, dtype=torch.float32 if points else torch.uint8))


def knowing_few(data: TrainingSet, n: int, *, seed: int) -> TrainingSet:
    """The same data, where of n alone the class is known, of as many of each class: the other classes are gone.

    Raises UsageError where there cannot be so many.
    """
    assert data.labels is not None
    k = len(data.info.classes)
    rows = torch.from_numpy(balanced(data.labels.numpy(), n, k=k, seed=seed, name=data.info.name))
    info = replace(data.info, classes=[1 / k] * k)
    return TrainingSet(info, data.values, few=TrainingSet(info, data.values[rows], data.labels[rows]))


def open_data(
    spec: str,
    fitted: Callable[[Shape], Shape],
    *,
    labelled: bool = False,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> TrainingSet:
    """Opens what `--data` names: a mixture, a dataset (`NAME[:SPLIT]`), or a path to images.

    Args:
        spec: the name or path.
        fitted: tells the shape that the backbone is built for; raises UsageError where it is not for such data.
        labelled: the classes are wanted, too.
        offline: use no network.
        progress, warn: told of download and reading.

    Raises:
        UsageError, BadInput: it cannot be used: no such name, images of several sizes, too many for the memory, no
            classes where they are wanted.
        Unavailable: the dataset is not on this machine and cannot be fetched.
    """
    if spec in mixture_names():
        if labelled:
            raise UsageError(f"{spec} has no classes to learn from. Name labelled images: --data fashion-mnist")
        return _points(spec, fitted)
    name, _, split = spec.partition(":")
    if name in DATASETS.names():
        source = open_dataset(name, split or None, offline=offline, progress=progress, warn=warn)
        return _with_labels(_images(source, name, split or "train", fitted, progress), source, labelled)
    if Path(spec).expanduser().exists() or "/" in spec or "." in spec:
        source = open_images(spec)
        return _with_labels(_images(source, spec, None, fitted, progress), source, labelled)
    DATASETS.check(name)
    raise AssertionError("unreachable: the name is neither known nor unknown")


def _points(name: str, fitted: Callable[[Shape], Shape]) -> TrainingSet:
    mixture = get_mixture(name)
    points = mixture.sample(POINTS, np.random.default_rng(0)).astype(np.float32)
    shape = fitted((mixture.d,))
    info = DataInfo(
        name=name, split=None, fingerprint=digest(points), n=POINTS, shape=[mixture.d], padded_to=list(shape)
    )
    return TrainingSet(info, torch.from_numpy(points))


def _images(
    source: ImageSource, name: str, split: str | None, fitted: Callable[[Shape], Shape], progress: Progress
) -> TrainingSet:
    pixels, gray = read(source, progress)
    return images_of(one_channel(pixels) if gray else pixels, name, split, fitted)


def images_of(pixels: Pixels, name: str, split: str | None, fitted: Callable[[Shape], Shape]) -> TrainingSet:
    """Images uint8 (n, c, h, w) as data, padded to what the backbone is built for."""
    true: Shape = pixels.shape[1:]
    shape = fitted(true)
    info = DataInfo(
        name=name,
        split=split,
        fingerprint=digest(pixels),
        n=len(pixels),
        shape=list(true),
        padded_to=list(shape),
    )
    return TrainingSet(info, torch.from_numpy(padded(pixels, shape)))


def _with_labels(data: TrainingSet, source: ImageSource, labelled: bool) -> TrainingSet:
    if not labelled:
        return data
    labels, shares = labels_with_shares(source)
    info = replace(data.info, classes=shares, labels_sha256=labels_sha256(labels))
    return TrainingSet(info, data.values, torch.from_numpy(labels))


class Stream:
    """The real data without end: epoch after epoch, each in an order of its own that the seed and its number decide.

    Where several ranks share a batch, all of them go through the same data and each takes its rows.

    Args:
        data: the data.
        meter: charged for what is drawn.
        seed: of the run.
        device: where batches are wanted.
        ranks: that share a batch.
        key: of the order, among what the seed decides.
    """

    def __init__(
        self,
        data: TrainingSet,
        meter: Meter,
        *,
        seed: int,
        device: torch.device,
        ranks: Ranks = ALONE,
        key: int = ORDER,
    ) -> None:
        self._data, self._meter, self._seed, self._key = data, meter, seed, key
        self._device, self._ranks = device, ranks
        self._few: Stream | None = None
        if data.few is not None:
            self._few = Stream(data.few, meter, seed=seed, device=device, ranks=ranks, key=FEW_ORDER)
        self._given: Stream | None = None
        if data.given is not None:
            # A caption that goes with a datum as one of another is no datum more; a source image is.
            charged = meter if data.given.rows is None else Meter(None)
            conditions = TrainingSet(data.info, data.given.values)
            self._given = Stream(conditions, charged, seed=seed, device=device, ranks=ranks, key=CONDITION_ORDER)
        self._order = torch.empty(0, dtype=torch.int64)
        self.epoch, self.offset = -1, 0  # no epoch has begun

    def draw(self, n: int) -> Tensor:
        """The next n data, float32 on the device; on each of several ranks its n of the next n world. BudgetSpent."""
        return self._data.batch(self._next(n))

    def draw_labelled(self, n: int) -> tuple[Tensor, Tensor]:
        """The same with their classes, int64 (n,)."""
        assert self._data.labels is not None, "what learns from classes is given data with labels"
        indices = self._next(n)
        return self._data.batch(indices), self._data.labels[indices]

    def draw_few(self, n: int) -> tuple[Tensor, Tensor]:
        """The next n of the few data whose class is known, which go round on their own, and their classes."""
        assert self._few is not None, "what learns from few classes says how many by `known`"
        return self._few.draw_labelled(n)

    def draw_pairs(self, n: int) -> tuple[Tensor, Tensor]:
        """The next n data, and before them their source images, float32 (n, *condition)."""
        given, indices = self._conditions, self._next(n)
        return given.of(indices), self._data.batch(indices)

    def draw_sources(self, n: int) -> Tensor:
        """The next n source images, which go round on their own. BudgetSpent."""
        assert self._given is not None, "what translates images is given data with sources"
        return self._given.draw(n)

    def draw_captioned(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """The next n data, their captions' vectors (n, d), and the vectors of other captions, no one its datum's own.

        The others are all captions in turn; where it is a datum's own turn, it gets the one behind it.
        """
        given, indices = self._conditions, self._next(n)
        assert self._given is not None
        assert given.rows is not None
        own, others = given.rows[indices], self._given._next(n)
        others = torch.where(others == own, (others + 1) % len(given.values), others)
        return self._data.batch(indices), given.batch(own), given.batch(others)

    @property
    def _conditions(self) -> Conditions:
        assert self._data.given is not None, "what learns from pairs or captions is given data with them"
        return self._data.given

    def _next(self, n: int) -> Tensor:
        mine = self._ranks.rows(n)
        n *= self._ranks.world
        self._meter.charge(n)
        parts = []
        while n:
            if self.offset == len(self._order):
                self.seek(self.epoch + 1, 0)
            part = self._order[self.offset : self.offset + n]
            parts.append(part)
            self.offset += len(part)
            n -= len(part)
        indices = parts[0] if len(parts) == 1 else torch.cat(parts)
        return indices[mine]

    def seek(self, epoch: int, offset: int) -> None:
        """Goes to a place: the next datum is number `offset` of that epoch's order."""
        self.epoch, self.offset = epoch, offset
        if epoch >= 0:
            rng = np.random.default_rng(stream_seed(self._seed, self._key, epoch))
            order = torch.from_numpy(rng.permutation(len(self._data.values)))
            self._order = order.to(self._data.values.device)

    def state(self) -> dict[str, Any]:
        """Where it stands."""
        beside = {name: stream.state() for name, stream in self._beside().items()}
        return {"epoch": self.epoch, "offset": self.offset, **beside}

    def _beside(self) -> "dict[str, Stream]":
        """What goes round on its own."""
        streams = {"few": self._few, "given": self._given}
        return {name: stream for name, stream in streams.items() if stream is not None}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes back to where `state` was taken."""
        self.seek(int(state["epoch"]), int(state["offset"]))
        for name, stream in self._beside().items():
            stream.restore(state[name])
