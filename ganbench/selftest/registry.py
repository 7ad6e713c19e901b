"""Every metric that reads features, on generated ones: the values that were recorded, and worse for worse fakes."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Side
from ganbench.metrics._registry import METRICS, build
from ganbench.results import Score
from ganbench.selftest.check import Check, Maker
from ganbench.selftest.draws import logits, normal
from ganbench.selftest.record import Record

SEED = 2020
# Of the value: float64 sums in another order differ by far less, also where sums of the size of 1 nearly cancel.
TOLERANCE = 1e-6
_LEAST = 1e-3  # smaller values are taken for this size
BAD = ("far", "narrow")  # off the reals, and a few in the midst of them: which of them is bad is the metric's own idea
SETS = ("good", *BAD)
_N, _D, _CLASSES = 240, 12, 4
_NOT_HERE = ("images", "steps")  # heads that are no features
_MAKE = Maker(
    group="arithmetic",
    cure=(
        "This metric gives another number here than where ganbench was made, from the same features. If all known "
        "answers passed, look at the versions of numpy, scipy, scikit-learn and torch (`ganbench doctor`), and do not "
        "compare values of this metric with those from other machines."
    ),
)


def every_metric(record: Record) -> list[Check]:
    """The checks of each metric of the registry, those of plug-ins included."""
    found: list[Check] = []
    for name in METRICS.names():
        found += _MAKE.guarded(f"{name}: can be run", partial(_one, name, record))
    return found


def _one(name: str, record: Record) -> Iterator[Check]:
    metric = build(name, seed=SEED)
    if not reads_features(metric):
        return
    found = {which: values(metric, which) for which in SETS}
    noticed = sum(_notices(metric, key, found) for key in metric.keys)
    yield _MAKE.near(f"{name}: scores that notice worse features", noticed, len(metric.keys), 0.0)
    for key, recorded in record.metrics.get(name, {}).items():
        apart = max(abs(found[which][key] - value) / max(abs(value), _LEAST) for which, value in recorded.items())
        yield _MAKE.near(f"{key}: relative difference from the record", apart, 0.0, TOLERANCE)


def reads_features(metric: Metric) -> bool:
    """Whether generated features will do, and computing takes no more than arithmetic."""
    return metric.head not in _NOT_HERE and not metric.costs


def _notices(metric: Metric, key: str, found: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether fakes that are far off, or few and alike, score worse."""
    sign = 1 if metric.keys[key] == "lower" else -1
    return any(sign * found[which][key] > sign * found["good"][key] for which in BAD)


def values(metric: Metric, which: str) -> dict[str, float]:
    """The values of a metric by key on one of the generated sets; NaN where there is none."""
    real = _features(metric, "real", "real")
    scores: Mapping[str, Score] = metric.compute(
        fake=_features(metric, which, "fake"), real=None if metric.needs_real == "nothing" else real
    )
    return {key: float("nan") if each.value is None else each.value for key, each in scores.items()}


def _features(metric: Metric, which: str, side: Side) -> Features:
    rows = _rows(metric.head, which)
    classes = np.arange(_N) % _CLASSES if side in metric.labels_of else None
    held_out = None
    if side == "real" and metric.needs_held_out:
        held_out = Features(_rows(metric.head, "held out"), labels=classes)
    return Features(rows, labels=classes, held_out=held_out)


def _rows(head: str, which: str) -> NDArray[np.float32]:
    return _of_logits(which) if head in ("logits", "classes") else _of_features(which)


def _of_features(which: str) -> NDArray[np.float32]:
    match which:
        case "far":
            return normal(2, _N, _D) * np.float32(0.1) + np.float32(20)
        case "narrow":  # twenty different ones in the middle
            return normal(6, _N, _D)[np.arange(_N) % 20] * np.float32(0.2)
    return normal({"good": 1, "real": 3, "held out": 5}[which], _N, _D)


def _of_logits(which: str) -> NDArray[np.float32]:
    match which:
        case "far":
            return logits(2, _N, _D, sure=0.0)
        case "narrow":  # two classes
            return normal(6, _N, _D) + np.float32(6) * np.eye(_D, dtype=np.float32)[np.arange(_N) % 2]
    return logits({"good": 1, "real": 3, "held out": 5}[which], _N, _D, sure=6.0)
