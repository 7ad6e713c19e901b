"""Metrics over features that are at hand: what they need, and their numbers."""

from collections.abc import Mapping

from ganbench import formatting as fmt
from ganbench.evaluation.sides import Missing, check_possible, head_of
from ganbench.features.extract import Wanted
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Need, SlowMetric, TooFewImages
from ganbench.progress import Progress, silent
from ganbench.protocol import Protocol
from ganbench.results import MetricResult, Score

_WITHOUT_NETWORK = ("images", "classes", "steps")  # what is read of others than the protocol's network


def reads_network(metrics: Mapping[str, Metric]) -> bool:
    """Whether any of them reads what the protocol's network makes of images."""
    return any(metric.head not in _WITHOUT_NETWORK for metric in metrics.values())


def reads_classes(metrics: Mapping[str, Metric]) -> bool:
    """Whether any of them reads, or would take, the classes that a classifier finds."""
    return any(metric.head == "classes" or metric.predicts_labels for metric in metrics.values())


def wanted_of_fakes(
    metrics: Mapping[str, Metric], protocol: Protocol, heads: Mapping[str, int], *, seed: int
) -> Wanted:
    """What the pass over the samples must keep. `heads`: those there are."""
    possible = {name: metric for name, metric in metrics.items() if is_possible(name, metric, protocol, heads)}
    wanted = _wanted({name: metric.needs_fake for name, metric in possible.items()}, possible, protocol, seed)
    if "classes" in heads and any(m.predicts_labels and m.labels_of for m in possible.values()):
        return Wanted(values=wanted.values | {"classes"}, moments=wanted.moments, seed=seed)
    return wanted


def wanted_of_reals(
    metrics: Mapping[str, Metric], protocol: Protocol, heads: Mapping[str, int], *, seed: int
) -> Wanted:
    """What a pass over reference images must keep, where they are not among the cached ones."""
    possible = {name: metric for name, metric in metrics.items() if is_possible(name, metric, protocol, heads)}
    return _wanted({name: metric.needs_real for name, metric in possible.items()}, possible, protocol, seed)


def is_possible(name: str, metric: Metric, protocol: Protocol, heads: Mapping[str, int]) -> bool:
    """Whether the network has what the metric reads."""
    try:
        check_possible(name, metric, protocol, heads)
    except Missing:
        return False
    return True


def _wanted(needs: Mapping[str, Need], metrics: Mapping[str, Metric], protocol: Protocol, seed: int) -> Wanted:
    heads = {name: head_of(metric, protocol) for name, metric in metrics.items()}
    return Wanted(
        values=frozenset(heads[name] for name, need in needs.items() if need == "values"),
        moments=frozenset(heads[name] for name, need in needs.items() if need == "moments"),
        seed=seed,
    )


def compute(
    name: str,
    metric: Metric,
    *,
    fake: Features,
    real: Features | None,
    protocol: Protocol,
    progress: Progress = silent,
) -> dict[str, MetricResult]:
    """The results of one metric by key. Where there are too few images, its values are None with a reason.

    `progress` is told of what takes long, with the metric's name before the stage.
    """

    def named(stage: str, done: int, total: int | None) -> None:
        progress(f"{name}: {stage}", done, total)

    try:
        if isinstance(metric, SlowMetric):
            scores = metric.compute(fake=fake, real=real, progress=named)
        else:
            scores = metric.compute(fake=fake, real=real)
    except TooFewImages as error:  # other metrics may do with fewer
        scores = dict.fromkeys(metric.keys, Score(None, reason=f"{name}: {error}"))
    n_real = _number(metric, real)
    return {key: result_of(key, score, metric, protocol, n_fake=fake.n, n_real=n_real) for key, score in scores.items()}


def absent(metric: Metric, reason: str, *, protocol: Protocol, n_fake: int) -> dict[str, MetricResult]:
    """The results of a metric that was not computed."""
    none = Score(None, reason=reason)
    return {key: result_of(key, none, metric, protocol, n_fake=n_fake, n_real=None) for key in metric.keys}


def _number(metric: Metric, real: Features | None) -> int | None:
    if real is None:
        return None
    return len(real.values) if metric.needs_real == "values" and real.values is not None else real.n or None


def label_of(key: str, metric: Metric, protocol: Protocol) -> str:
    """How a key is called in print under a protocol."""
    return protocol.labels.get(key) or metric.labels.get(key) or key.replace("_", " ").capitalize()


def result_of(
    key: str, score: Score, metric: Metric, protocol: Protocol, *, n_fake: int, n_real: int | None
) -> MetricResult:
    """A score with what is needed to read it."""
    return MetricResult(
        value=score.value,
        label=label_of(key, metric, protocol),
        direction=metric.keys[key],
        params=metric.params(),
        n_fake=n_fake,
        n_real=n_real,
        ci95=score.ci95,
        stderr=score.stderr,
        bias_estimate=score.bias_estimate,
        reason=score.reason,
        details=dict(score.details),
        series={name: list(column) for name, column in score.series.items()},
        ideal=metric.ideals.get(key),
        unranked=metric.unranked.get(key),
        reading=_reading(key, score, metric),
    )


def _reading(key: str, score: Score, metric: Metric) -> str | None:
    """How to read a value, with the details that tell; None where the number says it."""
    text = metric.readings.get(key)
    if text is None or score.value is None:
        return None
    return text.format_map({name: fmt.number(value) for name, value in score.details.items()})
