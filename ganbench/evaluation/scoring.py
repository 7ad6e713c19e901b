"""Metrics over features that are at hand: what they need, and their numbers."""

import time
from collections.abc import Mapping, Sequence

from ganbench.features.extract import Wanted
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, TooFewImages
from ganbench.progress import Progress, silent
from ganbench.protocol import Protocol
from ganbench.results import MetricResult, Score


def head_of(metric: Metric, protocol: Protocol) -> str:
    """The network's head that the metric reads under this protocol."""
    return protocol.head if metric.head == "features" else protocol.logits_head


def wanted_of_fakes(metrics: Sequence[Metric], protocol: Protocol, *, seed: int) -> Wanted:
    """What the pass over the samples must keep."""
    return _wanted(metrics, [metric.needs_fake for metric in metrics], protocol, seed)


def wanted_of_reals(metrics: Sequence[Metric], protocol: Protocol, *, seed: int) -> Wanted:
    """What a pass over reference images must keep, where they are not among the cached ones."""
    return _wanted(metrics, [metric.needs_real for metric in metrics], protocol, seed)


def _wanted(metrics: Sequence[Metric], needs: Sequence[str], protocol: Protocol, seed: int) -> Wanted:
    pairs = list(zip(metrics, needs, strict=True))
    return Wanted(
        values=frozenset(head_of(m, protocol) for m, need in pairs if need == "values"),
        moments=frozenset(head_of(m, protocol) for m, need in pairs if need == "moments"),
        seed=seed,
    )


def compute(
    metrics: Mapping[str, Metric],
    *,
    fake: Mapping[str, Features],
    real: Mapping[str, Features],
    protocol: Protocol,
    real_name: str,
    progress: Progress = silent,
) -> tuple[dict[str, MetricResult], dict[str, float]]:
    """The results by key, and the seconds that each metric took.

    A metric whose needs the reference cannot meet gives None with a reason that names the cure.
    """
    results: dict[str, MetricResult] = {}
    seconds: dict[str, float] = {}
    for done, (name, metric) in enumerate(metrics.items()):
        progress("metrics", done, len(metrics))
        start = time.perf_counter()
        head = head_of(metric, protocol)
        fakes, reals = fake[head], real.get(head)
        scores = _scores(name, metric, fake=fakes, real=reals, real_name=real_name)
        for key, score in scores.items():
            results[key] = _result(key, score, metric, protocol=protocol, fake=fakes, real=reals)
        seconds[name] = round(time.perf_counter() - start, 4)
    progress("metrics", len(metrics), len(metrics))
    return results, seconds


def _scores(name: str, metric: Metric, *, fake: Features, real: Features | None, real_name: str) -> Mapping[str, Score]:
    if metric.needs_real == "nothing":
        real = None
    elif real is None or (metric.needs_real == "values" and real.values is None):
        return dict.fromkeys(metric.keys, Score(None, reason=_missing(name, real_name)))
    try:
        return metric.compute(fake=fake, real=real)
    except TooFewImages as error:  # other metrics may do with fewer
        return dict.fromkeys(metric.keys, Score(None, reason=f"{name}: {error}"))


def _missing(name: str, real_name: str) -> str:
    return (
        f"{name} needs features of the reference, but {real_name!r} has moments only. Make one of the reference's "
        "images: ganbench ref make NAME --from IMAGES, then --ref NAME"
    )


def _result(
    key: str, score: Score, metric: Metric, *, protocol: Protocol, fake: Features, real: Features | None
) -> MetricResult:
    n_real = None
    if real is not None and metric.needs_real != "nothing":
        n_real = len(real.values) if metric.needs_real == "values" and real.values is not None else real.n or None
    return MetricResult(
        value=score.value,
        label=protocol.labels.get(key, key.replace("_", " ").capitalize()),
        direction=metric.keys[key],
        params=metric.params(),
        n_fake=fake.n,
        n_real=n_real,
        ci95=score.ci95,
        stderr=score.stderr,
        bias_estimate=score.bias_estimate,
        reason=score.reason,
        details=dict(score.details),
    )
