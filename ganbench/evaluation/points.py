"""Evaluation of points: samples of a named mixture, such as ring8-pacgan. No network runs."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.options import DEFAULT_METRICS, Options
from ganbench.features.point_files import read_points
from ganbench.features.stats import Features
from ganbench.gallery import DRAWN, Gallery, Scatter
from ganbench.metrics.mode_coverage import ModeCoverage
from ganbench.mixtures import Mixture, get_mixture, mixture_names
from ganbench.progress import Progress, silent
from ganbench.provenance import machine, versions
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo, Score

_METRIC = "mode_coverage"
# What says nothing about points, and why. --offline, --no-cache and --device cpu hold of them by themselves.
_IDLE = {
    "protocol": "each mixture is its own protocol",
    "allow_code": "no network runs over points",
    "weights": "no network runs over points",
    "allow_unverified_weights": "no network runs over points",
    "device": "points are counted on the CPU",
    "backend": "no network runs over points",
    "batch_size": "no network runs over points",
    "labels": "the mode of each point is the nearest one",
    "ref_test": "a mixture is known by its formula",
    "on_bad_image": "points are no images",
    "value_range": "points are taken as they are",
}
Points = NDArray[np.floating]


def is_distribution(name: object) -> bool:
    """Whether a reference is the name of a mixture, whose samples are points."""
    return isinstance(name, str) and name in mixture_names()


def evaluate_points(
    samples: str | Path | Points, name: str, *, options: Options, progress: Progress = silent
) -> Result:
    """Counts the modes that points reach, under the protocol of a named mixture.

    Args:
        samples: a .npy, .npz, .pt or .safetensors file with one array (n, d) of floats, or the array.
        name: the mixture.
        options: `metrics` may name mode_coverage, "all" or the default ones; `num`, `seed` and `command` count as
            for images.
        progress: told of each stage.

    Raises:
        UsageError: no such mixture, another metric, an option that says nothing about points, or fewer points than
            `num`.
        BadInput: the file does not hold such points.
    """
    mixture, clock = get_mixture(name), Clock()
    check_options(name, options)
    left_out = _check_metrics(options)
    with clock.stage("open"):
        points = read_points(Path(samples)) if isinstance(samples, str | Path) else samples
        points = _drawn(points, options)
    metric = ModeCoverage(distribution=name)
    progress("metrics", 0, 1)
    with clock.stage(f"metric {_METRIC}"):
        scores = metric.compute(fake=Features(points), real=None)
    progress("metrics", 1, 1)
    return Result(
        protocol=_record(mixture),
        samples=SampleInfo(
            source=str(samples) if isinstance(samples, str | Path) else "points in memory",
            fingerprint=fingerprint(points),
            n=len(points),
        ),
        reference=ReferenceInfo(name=name, split=None, fingerprint=mixture.fingerprint, n=None),
        metrics={key: _result(key, score, metric, n=len(points)) for key, score in scores.items()},
        warnings=_warnings(points, mixture) + left_out,
        timings=dict(clock.seconds),
        environment={"versions": versions(), **machine(), "device": "cpu", "seed": options.seed},
        command=options.command,
    )


def point_gallery(samples: str | Path | Points, name: str, *, options: Options) -> Gallery:
    """The points over the centres of the modes, in two coordinates, for the report."""
    mixture = get_mixture(name)
    points = _drawn(read_points(Path(samples)) if isinstance(samples, str | Path) else samples, options)
    mode, good = mixture.assign(points)
    captured = np.zeros(mixture.modes, dtype=bool)
    captured[mode[good]] = True
    shown = np.linspace(0, len(points) - 1, min(len(points), DRAWN)).round().astype(np.intp)
    plane, axes, words = _plane(mixture)
    scatter = Scatter(
        points=points[shown].astype(np.float64) @ plane,
        good=good[shown],
        centres=mixture.centres @ plane,
        captured=captured,
        axes=axes,
        words=words,
        total=len(points),
    )
    return Gallery(scatter=scatter)


def _plane(mixture: Mixture) -> tuple[NDArray[np.float64], tuple[str, str], str]:
    """The linear map from points to the two coordinates that are drawn, (d, 2), their names, and what they are.

    Principal axes would not do for more than two: of centres that are equally far apart all are alike.
    """
    if mixture.d == 2:
        return np.eye(2), ("first coordinate", "second coordinate"), ""
    angle = 2 * np.pi * np.arange(mixture.modes) / mixture.modes
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    words = (
        f"The {mixture.d:,} coordinates are brought to two by the linear map that lays the centres of the "
        f"{mixture.modes} modes evenly on a circle, the first at the right."
    )
    return np.linalg.pinv(mixture.centres) @ circle, ("across the circle", "up the circle"), words


def plan_points(samples: str | Path, name: str, *, options: Options) -> dict[str, Any]:
    """What `evaluate_points` would do, without doing it. Raises as it would."""
    mixture = get_mixture(name)
    check_options(name, options)
    left_out = _check_metrics(options)
    points = read_points(Path(samples))
    return {
        "samples": {"source": str(samples), "points": len(points), "used": len(_drawn(points, options))},
        "reference": f"the distribution {name!r}, known by its formula",
        "protocol": _record(mixture),
        "metrics": {_METRIC: ModeCoverage(distribution=name).params()},
        "left_out": left_out,
        "seed": options.seed,
    }


def check_options(name: str, options: Options) -> None:
    """Raises UsageError where an option was given that cannot count for the points of a mixture."""
    plain = Options()
    given = [field for field in _IDLE if getattr(options, field) != getattr(plain, field)]
    given = [field for field in given if (field, options.device) != ("device", "cpu")]
    if given:
        words = ", ".join(f"--{field.replace('_', '-')} ({_IDLE[field]})" for field in given)
        raise UsageError(
            f"{name} is a distribution of points, and what was given cannot count for these: {words}. Leave "
            f"{'it' if len(given) == 1 else 'them'} away; or, for images, name a reference of images with --ref."
        )


def _check_metrics(options: Options) -> list[str]:
    """Raises UsageError where mode coverage is not among the metrics that were named; tells of the others."""
    if options.metrics == DEFAULT_METRICS or _METRIC in options.unasked:
        return []
    if _METRIC not in options.metrics:
        raise UsageError(
            f"Points of a mixture are scored by {_METRIC} alone, and --metrics asks for {', '.join(options.metrics)}. "
            "Leave --metrics away."
        )
    others = [name for name in options.metrics if name != _METRIC]
    return [f"Not computed, since they look at images: {', '.join(others)}."] if others else []


def _drawn(points: Points, options: Options) -> Points:
    if options.num is None:
        return points
    if options.num > len(points):
        raise UsageError(f"--num asks for {options.num} points; there are {len(points)}.")
    chosen = np.random.default_rng([options.seed, len(points)]).choice(len(points), options.num, replace=False)
    return points[np.sort(chosen)]


def fingerprint(points: Points) -> str:
    """sha256 over the numbers and their order; the same for equal values in another precision."""
    total = hashlib.sha256(f"ganbench.points/1\n{points.shape[1]}\n".encode())
    for start in range(0, len(points), 4096):
        total.update(np.ascontiguousarray(points[start : start + 4096], dtype="<f8").tobytes())
    return total.hexdigest()


def _record(mixture: Mixture) -> dict[str, Any]:
    """The protocol as a result shows it."""
    return {"name": "points", "fingerprint": mixture.fingerprint, **mixture.record()}


def _result(key: str, score: Score, metric: ModeCoverage, *, n: int) -> MetricResult:
    return MetricResult(
        value=score.value,
        label=metric.labels[key],
        direction=metric.keys[key],
        params=metric.params(),
        n_fake=n,
        n_real=None,
        ci95=score.ci95,
        stderr=score.stderr,
        bias_estimate=score.bias_estimate,
        reason=score.reason,
        details=dict(score.details),
        series={name: list(column) for name, column in score.series.items()},
    )


def _warnings(points: Points, mixture: Mixture) -> list[str]:
    found = []
    if len(points) != mixture.n:
        found.append(
            f"{len(points)} points; the protocol of {mixture.name} draws {mixture.n}. Modes and divergences depend on "
            "the number: compare with results at the same one."
        )
    equal = len(points) - len({row.tobytes() for row in np.ascontiguousarray(points)})
    if equal:
        found.append(
            f"{equal} of {len(points)} points are exactly those of an earlier one: the number of different samples is "
            "smaller than n says."
        )
    return found
