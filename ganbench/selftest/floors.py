"""What the metrics say of real images, which is the floor, and of uniform noise, which is about the worst."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganbench.evaluation.scoring import label_of
from ganbench.features.loading import Extractor
from ganbench.features.references import Reference
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, TooFewImages
from ganbench.metrics._registry import METRICS, build
from ganbench.progress import Progress
from ganbench.results import Direction
from ganbench.selftest.check import Check, Maker
from ganbench.selftest.draws import Pixels, digits, noise
from ganbench.selftest.network import Loaded, shipped_reference
from ganbench.selftest.record import Record

SEED = 2020
N = 400
_SIDE = 32
_AT_ONCE = 32  # images between two steps of the progress
Rows = dict[str, NDArray[np.float32]]
_MAKE = Maker(
    group="images",
    cure=(
        "Real digits or noise score otherwise here than where ganbench was made, though the same images come with "
        "every installation. If the checks of the network failed, too, begin there. Else look at the versions of "
        "pillow, scikit-learn and torch (`ganbench doctor`): the images or the resize may differ."
    ),
)


@dataclass(frozen=True)
class Floor:
    """What one key scores; values are None where there is none.

    Attributes:
        key: of the result.
        label: its name under the protocol.
        direction: of better.
        real: of held-out real digits.
        noise: of as many images of uniform noise.
    """

    key: str
    label: str
    direction: Direction
    real: float | None
    noise: float | None

    @property
    def noise_is_worse(self) -> bool:
        """Whether the score tells noise from images. Noise that gets no score at all counts as told."""
        sign = 1 if self.direction == "lower" else -1
        return self.real is not None and (self.noise is None or sign * self.noise > sign * self.real)


def measure_floors(loaded: Loaded, record: Record, *, progress: Progress) -> tuple[list[Check], list[Floor]]:
    """The checks, and the table of what both sets score."""
    found: list[Floor] = []

    def checks() -> Iterator[Check]:
        found.extend(floors(loaded.extractor, progress=progress))
        for floor in found:
            yield from _checked(floor, record)

    return _MAKE.guarded("digits and noise can be scored", checks), found


def _checked(floor: Floor, record: Record) -> Iterator[Check]:
    recorded = record.floors.get(floor.key)
    if recorded is None:  # a plug-in, or a metric younger than the record
        return
    for which, value in (("real", floor.real), ("noise", floor.noise)):
        wanted = recorded[which]
        name = f"{floor.label} of {'real digits' if which == 'real' else 'uniform noise'}"
        yield _MAKE.near(name, value, wanted.value, wanted.tolerance, error="" if value is not None else "no value")
    gap = recorded["noise"].value - recorded["real"].value
    if gap * (1 if floor.direction == "lower" else -1) > 0 and floor.real is not None and floor.noise is not None:
        found = (floor.noise - floor.real) / gap
        yield _MAKE.near(f"{floor.label}: how far noise is from real digits, of the recorded gap", found, 1.0, 0.1)


def floors(extractor: Extractor, *, progress: Progress) -> list[Floor]:
    """Both sets scored by every metric that needs no more than features and the shipped reference."""
    reference = shipped_reference(extractor)
    return score_all(features_of_both(extractor, progress=progress), extractor, reference, progress=progress)


def features_of_both(extractor: Extractor, *, progress: Progress) -> tuple[Rows, Rows]:
    """The features by head of held-out digits and of noise, N images each."""
    source = digits("test")
    chosen = [int(i) for i in np.linspace(0, len(source) - 1, N).astype(int)]
    reals = [image.pixels for image in source.images(chosen)]
    return (
        _features(reals, extractor, stage="real digits", progress=progress),
        _features(noise(N, _SIDE), extractor, stage="noise", progress=progress),
    )


def _features(images: list[Pixels], extractor: Extractor, *, stage: str, progress: Progress) -> Rows:
    parts = []
    for start in range(0, len(images), _AT_ONCE):
        progress(stage, start, len(images))
        parts.append(extractor(images[start : start + _AT_ONCE]))
    progress(stage, len(images), len(images))
    return {head: np.concatenate([part[head] for part in parts]) for head in extractor.heads}


def score_all(
    both: tuple[Rows, Rows], extractor: Extractor, reference: Reference, *, progress: Progress
) -> list[Floor]:
    """The two sets of features scored against the reference."""
    protocol = extractor.protocol
    metrics = {name: build(name, seed=SEED) for name in METRICS.names()}
    usable = [metric for metric in metrics.values() if _can_be_had(metric, extractor, reference)]
    found: list[Floor] = []
    for done, metric in enumerate(usable):
        progress("scoring", done, len(usable))
        head = _head(metric, extractor)
        real, fake = (_values(metric, rows[head], reference.heads.get(head)) for rows in both)
        found += [
            Floor(key, label_of(key, metric, protocol), direction, real[key], fake[key])
            for key, direction in metric.keys.items()
        ]
    progress("scoring", len(usable), len(usable))
    return found


def _values(metric: Metric, fake: NDArray[np.float32], real: Features | None) -> dict[str, float | None]:
    try:
        scores = metric.compute(fake=Features(fake), real=None if metric.needs_real == "nothing" else real)
    except TooFewImages:
        return dict.fromkeys(metric.keys)
    return {key: score.value for key, score in scores.items()}


def _head(metric: Metric, extractor: Extractor) -> str:
    protocol = extractor.protocol
    return {"features": protocol.head, "logits": protocol.logits_head}.get(metric.head, metric.head)


def _can_be_had(metric: Metric, extractor: Extractor, reference: Reference) -> bool:
    """Whether features of both sides, without classes or held-out images, are all that it needs."""
    head = _head(metric, extractor)
    if head not in extractor.heads or metric.labels_of or metric.needs_held_out or metric.costs:
        return False
    real = reference.heads.get(head)
    if metric.needs_real in ("nothing", "optional"):
        return True
    return real is not None and (metric.needs_real != "values" or real.values is not None)
