"""What the contract tests give to each metric: good fakes, bad ones, and reals, by the head that the metric reads.

A metric whose idea of bad is its own (copies of the reals, classes mixed up) has an entry in CASES.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    "prd_f8": (1, 1e-9),
    "prd_f1_8": (1, 1e-9),
    "authenticity": (0, 0),
    "modes": (D, 0),
    "mode_kl": (0, 0),
    "mode_jsd": (0, 0),
    "nearest": (0, 0),
    "sfid": (0, 1e-6 * D),
    "intra_fid": (0, 1e-6 * D),
    "mifid": (0, 0),
    "cmmd": (0, 1e-9),
    "kid_full": (0, 0.2),
    "mind": (0, 0),
    "sliced_wasserstein": (0, 0),
    "fid_infinity": (0, 0.5),  # a line through the parts of the set
}
# Keys for which equal sets are no ideal, and why.
NO_IDEAL = {
    "inception_score": "it looks at no reference: how many classes the set shows",
    "realism": "a copy has the largest value there is",
    "rarity": "how rare the set itself is",
    "vendi": "it looks at no reference: how many different images the set has",
    "ms_ssim": "it looks at no reference: how alike the set's own images are",
    "birthday": "it looks at no reference: the size of the support",
    "c_t": "copies lie far below 0, the ideal",
    "high_quality": "how sure the classifier is of the set itself",
    "ppl": "it looks at no reference: the length of paths",
    "cas": "the classifier learns from the set and is tested on others",
    "gan_test": "the classifier learns from the reals and is tested on the set",
    "augmentation": "what the set adds to the reals",
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


def classed(seed: int, turn: int = 0) -> Array:
    """uint8 images (N, 3, 4, 4) that show their class under noise; with a `turn`, another class than their own."""
    patterns = np.random.default_rng(0).uniform(60, 190, size=(CLASSES, 3, 4, 4))
    noise = np.random.default_rng(seed).normal(scale=60, size=(N, 3, 4, 4))
    return frozen(np.clip(patterns[(labels() + turn) % CLASSES] + noise, 0, 255).astype(np.uint8))


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
# By the metric's name, parameters for which the tests do not have to wait.
QUICK: dict[str, dict[str, Any]] = {
    "cas": {"repeats": 1, "epochs": 15},
    "gan_test": {"repeats": 1, "epochs": 15},
    "augmentation": {"repeats": 1, "epochs": 8},
}
_CLASSED = Case(classed, lambda seed: classed(seed, turn=1), classed)
CASES |= dict.fromkeys(("cas", "gan_test", "augmentation"), _CLASSED)
CASES["ppl"] = Case(lambda seed: frozen(draw(seed) ** 2), lambda seed: frozen(3 * draw(seed) ** 2), draw)
# To copy the reals, drawn with seed 3, is what these take for bad; what rarity does, is to stay in the middle of them.
_COPIED = Case(draw, lambda seed: frozen(draw(3) + np.float32(1e-4) * draw(seed)), draw)
CASES |= dict.fromkeys(("authenticity", "nearest", "c_t"), _COPIED)
CASES["rarity"] = Case(draw, lambda seed: frozen(np.float32(0.2) * draw(seed)), draw)
# Collapsed upon two of the classes, between which the classifier is seldom sure.
CASES["mode_coverage"] = Case(
    logits, lambda seed: frozen(logits(seed, sure=0.0) - np.float32(6) * (np.arange(D) > 1).astype(np.float32)), logits
)
CASES["birthday"] = Case(draw, lambda seed: frozen(draw(seed)[np.arange(N) % 20]), draw)


def case(name: str, metric: Metric) -> Case:
    """The sets for a metric."""
    return CASES.get(name, _BY_HEAD[metric.head])


def quick(name: str, metric: Metric) -> Metric:
    """The metric with parameters that take less time, where its own take long."""
    return replace(metric, **QUICK.get(name, {}))


def as_features(given: Array | Features, metric: Metric, side: str) -> Features:
    """An array as the harness would hand it over: with classes and held-out images where the metric asks for them."""
    if isinstance(given, Features):
        return given
    classes = labels(len(given)) if side in metric.labels_of else None
    kept = None
    if side == "real" and metric.needs_held_out:
        other = np.roll(given, 1, axis=0) if given.dtype == np.uint8 else given + np.float32(1e-3)
        kept = as_features(other, metric, "held out")
        if classes is not None:
            kept.labels = np.roll(classes, 1)
    if given.dtype == np.uint8:
        return Features(images=ImageArray(given), labels=classes, held_out=kept)
    return Features(given, labels=classes, held_out=kept)
