"""A run whose samples are looked at: codes by number, pictures of them, and what a classifier says of these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.data import TrainingSet, open_data
from ganbench.bench.judge import judging
from ganbench.bench.seeds import judged_codes
from ganbench.errors import UsageError
from ganbench.features.classifier_files import way_to_classifier
from ganbench.features.classifiers import Classifier, classifier_for
from ganbench.images.datasets._base import DATASETS
from ganbench.progress import Progress, silent
from ganbench.variants._base import LabelledVariant, Variant, made

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
Picture = Callable[[Tensor], Tensor]
_BATCH = 250
_LEAST = 8
_AFFORDED = 4e12  # operations for the samples of one part: slow samplers make fewer


class Skipped(Exception):
    """A part has nothing to show of this run, and why."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a part found.

    Attributes:
        numbers: for the JSON: what was done, and what was measured.
        sheets: pictures by the name of their file, uint8 (h, w, 3).
    """

    numbers: dict[str, Any]
    sheets: Mapping[str, U8] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Scene:
    """A run, and what it is looked at by.

    Attributes:
        built: the run with the weights that are looked at.
        seed: of all codes.
        num: samples that a classifier judges, at most.
        classifier: of the run's dataset; None where there is none.
        offline: use no network.
        progress: told of each part.
    """

    built: Built
    seed: int
    num: int
    classifier: Classifier | None
    offline: bool = False
    progress: Progress = silent

    @property
    def variant(self) -> Variant:
        """The trained one."""
        return self.built.variant

    @property
    def dataset(self) -> str:
        """The name of what it learnt."""
        return self.built.data.info.name

    @property
    def judge(self) -> Classifier:
        """The classifier. Raises Skipped where there is none."""
        if self.classifier is None:
            raise Skipped(way_to_classifier(self.dataset))
        return self.classifier

    def afforded(self, wanted: int, *, times: int = 1) -> int:
        """How many things a part makes, of `times` samples each: fewer than are wanted where a sample costs much."""
        return min(wanted, max(_LEAST, int(_AFFORDED / self.built.cost.sampling_flops / times)))

    def codes(self, n: int, *, start: int = 0) -> Tensor:
        """Codes start..start+n-1 of this seed, (n, z_dim), on the CPU: each the same whatever else is drawn."""
        return judged_codes(self.seed, start, start + n, self.variant.z_dim)

    def labels(self, n: int, label: int = 0) -> Tensor | None:
        """One class for n codes; None of a variant that is told none."""
        return torch.full((n,), label) if isinstance(self.variant, LabelledVariant) else None

    def floats(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Pictures of codes as networks make them, cut to the data's size, float32 (n, c, h, w), on the CPU."""
        y = self.labels(len(z)) if y is None else y
        device = self.variant.problem.device

        def make(rows: slice) -> Tensor:
            return made(self.variant, z[rows].to(device), None if y is None else y[rows].to(device))

        return self._of(z, make)

    def _of(self, z: Tensor, make: Callable[[slice], Tensor]) -> Tensor:
        parts = []
        with judging(self.variant):
            for at in range(0, len(z), _BATCH):
                self.progress("pictures", at, len(z))
                parts.append(self.built.data.cut(make(slice(at, at + _BATCH))).float().cpu())
        self.progress("pictures", len(z), len(z))
        return torch.cat(parts)

    def by(self, z: Tensor, make: Picture) -> Tensor:
        """Pictures that `make` gives for codes on the run's device, as `floats`."""
        device = self.variant.problem.device
        return self._of(z, lambda rows: make(z[rows].to(device)))

    def scores(self, pictures: Tensor) -> NDArray[np.float64]:
        """The probabilities that the classifier gives each class, (n, k), for float pictures. Raises Skipped."""
        pixels = to_pixels(pictures)
        found: list[NDArray[np.float64]] = []
        for at in range(0, len(pixels), _BATCH):
            self.progress("classifying", at, len(pixels))
            logits = self.judge(list(pixels[at : at + _BATCH]))["classes"].astype(np.float64)
            exps = np.exp(logits - logits.max(axis=1, keepdims=True))
            found.append(exps / exps.sum(axis=1, keepdims=True))
        self.progress("classifying", len(pixels), len(pixels))
        return np.concatenate(found)

    def verdicts(self, pictures: Tensor) -> I64:
        """The most probable class of each, int64 (n,)."""
        found: I64 = self.scores(pictures).argmax(axis=1).astype(np.int64)
        return found

    def reals(self, split: str) -> TrainingSet:
        """Labelled images of a split of the run's dataset, as its networks see them.

        Raises Skipped where the run learnt no dataset that has a split of this name.
        """
        name = self.dataset
        if name not in DATASETS.names() or split not in DATASETS.get(name).splits:
            raise Skipped(f"held-out images with classes are known of datasets; this run learnt {name}")
        data = open_data(
            f"{name}:{split}",
            self.variant.problem.backbone.fitted,
            labelled=True,
            offline=self.offline,
            progress=self.progress,
        )
        return data.on(self.variant.problem.device)


def scene_of(built: Built, *, seed: int, num: int, offline: bool, progress: Progress = silent) -> Scene:
    """The scene of a run. Raises UsageError where it makes points, or images of something else than codes."""
    if built.variant.problem.backbone.points:
        raise UsageError(
            f"This run learnt points, {built.data.info.name}: there are no pictures to walk through. For the modes "
            "that it reaches: ganbench sample RUN -n 2500 --out points.npy, then ganbench eval points.npy --ref "
            f"{built.data.info.name}"
        )
    if built.variant.problem.condition is not None:
        raise UsageError(
            f"{built.spec.variant} makes images of images or captions, and codes alone say little there. Look at its "
            "samples instead: ganbench sample RUN --from SOURCE --out samples"
        )
    return Scene(built, seed, num, classifier_for(built.data.info.name), offline, progress)


def to_pixels(pictures: Tensor) -> U8:
    """Pictures (n, c, h, w) in [-1, 1] as they are judged, uint8 RGB (n, 3, h, w)."""
    found: U8 = pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1).numpy()
    return found
