"""What the contract tests give to each metric: good fakes, bad ones, and reals, by the head that the metric reads.

A metric whose idea of bad is its own (copies of the reals, classes mixed up) has an entry in CASES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.features.image_set import ImageArray
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric

Array = NDArray[Any]
N, D, CLASSES = 240, 12, 4

# What equal sets score: exactly or within the second number.
IDEAL: dict[str, tuple[float, float]] = {
    "frechet_distance": (0, 1e-6 * D),
    "kernel_distance": (0, 0.2),
    "precision": (1, 0),
    "recall": (1, 0),
    "coverage": (1, 0),
    "density": (1, 0.25),
}


def draw(seed: int, n: int = N, d: int = D) -> Array:
    """Standard normal features, which cannot be written to."""
    return frozen(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


def logits(seed: int, sure: float = 6.0, n: int = N) -> Array:
    """Logits over D classes, all equally frequent; with `sure` 0 they say nothing."""
    rng = np.random.default_rng(seed)
    return frozen((rng.normal(size=(n, D)) + sure * np.eye(D)[rng.integers(0, D, n)]).astype(np.float32))


def frozen(x: Array) -> Array:
    """The array, read-only."""
    x.flags.writeable = False
    return x


def pictures(seed: int, n: int = N, contrast: float = 1.0) -> Array:
    """Smooth random uint8 images (n, 3, 32, 32); those of low contrast look alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(n, 3, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
    return frozen(np.clip(127 + 50 * contrast * coarse + 2 * rng.normal(size=coarse.shape), 0, 255).astype(np.uint8))


def labels(n: int = N) -> Array:
    """Classes in turn."""
    return frozen(np.arange(n) % CLASSES)


@dataclass(frozen=True)
class Case:
    """The sets that a metric is tried on; each function takes a seed."""

    good: Callable[[int], Array]
    bad: Callable[[int], Array]
    real: Callable[[int], Array]


_FEATURES = Case(draw, lambda seed: frozen(draw(seed) * np.float32(0.1) + np.float32(20)), draw)
_LOGITS = Case(logits, lambda seed: logits(seed, sure=0.0), logits)
_IMAGES = Case(pictures, lambda seed: pictures(seed, contrast=0.1), pictures)
_BY_HEAD = {
    "features": _FEATURES,
    "spatial": _FEATURES,
    "logits": _LOGITS,
    "classes": _LOGITS,
    "images": _IMAGES,
    "steps": _FEATURES,
}
# By the metric's name, where the head does not say it all.
CASES: dict[str, Case] = {}


def case(name: str, metric: Metric) -> Case:
    """The sets for a metric."""
    return CASES.get(name, _BY_HEAD[metric.head])


def as_features(given: Array | Features, metric: Metric, side: str) -> Features:
    """An array as the harness would hand it over: with classes and held-out images where the metric asks for them."""
    if isinstance(given, Features):
        return given
    classes = labels(len(given)) if side in metric.labels_of else None
    kept = None
    if side == "real" and metric.needs_held_out:
        other = np.roll(given, 1, axis=0) if given.dtype == np.uint8 else given + np.float32(1e-3)
        kept = as_features(other, metric, "held out")
    if given.dtype == np.uint8:
        return Features(images=ImageArray(given), labels=classes, held_out=kept)
    return Features(given, labels=classes, held_out=kept)
