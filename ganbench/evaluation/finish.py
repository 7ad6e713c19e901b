"""The end of an evaluation: every metric scored, the result put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ganbench.errors import UsageError
from ganbench.evaluation.cautions import HeldOut, cautions
from ganbench.evaluation.engine import Engine, Samples, open_ones
from ganbench.evaluation.keys import score_key
from ganbench.evaluation.pictures import gallery
from ganbench.evaluation.scoring import absent, compute, reads_network
from ganbench.evaluation.sides import FakeSide, Missing, check_possible
from ganbench.features.extract import Extraction
from ganbench.features.source_images import SourceImages
from ganbench.gallery import Gallery
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo


@dataclass(frozen=True)
class Outcome:
    """A result, and what gives the pictures to look at beside it."""

    result: Result
    gallery: Callable[[], Gallery]


def finish(engine: Engine, samples: Samples) -> Outcome:
    """Scores samples and puts the result together."""
    with engine.clock.stage("metrics"):
        scores = _all_scores(engine, samples)
    _check_some(scores)
    reference, extraction, protocol = engine.real.facts, samples.extraction, engine.network.protocol
    result = Result(
        protocol=protocol.record(),
        samples=SampleInfo(
            source=samples.name,
            fingerprint=extraction.fingerprint,
            n=extraction.n,
            skipped=len(extraction.skipped),
            notes=[*_conversions(extraction), *_predictions(engine, samples)],
        ),
        reference=ReferenceInfo(
            name=reference.name, split=reference.split, fingerprint=reference.fingerprint, n=reference.n
        ),
        metrics=scores,
        warnings=cautions(
            extraction, reference, protocol, d=_width(engine, samples), held_out=_held_out(engine, scores)
        ),
        timings=dict(engine.clock.seconds),
        environment={**samples.environment, "seed": engine.options.seed},
        command=engine.options.command,
    )
    return Outcome(result, lambda: _gallery(engine, samples, result))


def _held_out(engine: Engine, scores: Mapping[str, MetricResult]) -> HeldOut | None:
    """The images kept from the generator, where a score is by them."""
    names = [
        name
        for name, metric in engine.metrics.items()
        if metric.needs_held_out and any(scores[key].value is not None for key in metric.keys)
    ]
    return HeldOut(engine.real.held_out(names[0]).facts, names) if names else None


def _conversions(extraction: Extraction) -> list[str]:
    return [f"{text} ({count} images)" for text, count in sorted(extraction.notes.items())]


def _predictions(engine: Engine, samples: Samples) -> list[str]:
    """Whose classes they are, where a metric took those that a classifier finds."""
    names = [name for name, metric in open_ones(engine).items() if metric.predicts_labels]
    if not names or "classes" not in samples.heads or not _are_predicted(samples):
        return []
    return [f"classes for {', '.join(names)}: those that the classifier of {engine.real.facts.name} finds"]


def _are_predicted(samples: Samples) -> bool:
    try:
        return samples.classes() is None
    except Missing:
        return False


def _all_scores(engine: Engine, samples: Samples) -> dict[str, MetricResult]:
    side = FakeSide(
        n=samples.extraction.n,
        heads=samples.heads,
        images=SourceImages(samples.images, samples.extraction.used) if samples.images else None,
        classes=samples.classes,
        positions=samples.extraction.used,
    )
    found: dict[str, MetricResult] = {}
    for done, name in enumerate(engine.metrics):
        engine.progress("metrics", done, len(engine.metrics))
        with engine.clock.stage(f"metric {name}"):
            found |= _scored(engine, samples, side, name)
    engine.progress("metrics", len(engine.metrics), len(engine.metrics))
    return found


def _scored(engine: Engine, samples: Samples, side: FakeSide, name: str) -> dict[str, MetricResult]:
    """The results of one metric: out of the store, or computed and kept there. Where it cannot be, the reason."""
    metric, protocol = engine.metrics[name], engine.network.protocol
    try:
        check_possible(name, metric, protocol, samples.heads)
        if metric.costs and name in engine.options.unasked:
            raise Missing(f"{name} takes {metric.costs}, so it is computed where it is named: --metrics {name}")
        key = _key(engine, samples, name)
        known = samples.stored.score(key) if samples.stored else None
        if known is not None:
            return known
        predicts = bool(metric.labels_of) and side.predicts
        real = engine.real.of(name, metric, protocol, predicts=predicts)
        fake = side.of(name, metric, protocol)
        found = compute(name, metric, fake=fake, real=real, protocol=protocol, progress=engine.progress)
    except Missing as missing:
        return absent(metric, str(missing), protocol=protocol, n_fake=side.n)
    if samples.stored is not None and all(each.value is not None for each in found.values()):
        samples.stored.keep_score(key, found)
    return found


def _key(engine: Engine, samples: Samples, name: str) -> str:
    metric = engine.metrics[name]
    return score_key(
        name,
        metric,
        seed=engine.options.seed,
        real=engine.real.identity(name, metric),
        labels=samples.classes() if "fake" in metric.labels_of else None,
        classifier=engine.network.classifier_identity,
    )


def _gallery(engine: Engine, samples: Samples, result: Result) -> Gallery:
    listed = result.metrics.get("nearest")
    return gallery(
        samples.extraction,
        samples.heads,
        engine.real.real,
        images=samples.images,
        head=engine.network.protocol.head,
        seed=engine.options.seed,
        nearest=listed.series if listed else None,
    )


def _width(engine: Engine, samples: Samples) -> int:
    """How many features there are; 0 where no metric reads them."""
    head = engine.network.protocol.head
    if not reads_network(open_ones(engine)):
        return 0
    return samples.stored.entry.heads[head] if samples.stored else engine.network.heads[head]


def _check_some(scores: dict[str, MetricResult]) -> None:
    """Raises UsageError with the first reason where nothing at all could be computed."""
    if all(score.value is None for score in scores.values()):
        reasons = dict.fromkeys(score.reason or "" for score in scores.values())
        raise UsageError("None of the metrics could be computed. " + " ".join(reasons))
