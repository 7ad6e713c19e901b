"""One evaluation: the samples through the network once, the reference resolved, every metric scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ganbench.errors import CorruptFile, UsageError
from ganbench.evaluation.cautions import HeldOut, cautions
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.heads import Heads
from ganbench.evaluation.keys import score_key
from ganbench.evaluation.labels import classes_of, read_labels
from ganbench.evaluation.network import Network
from ganbench.evaluation.options import Options
from ganbench.evaluation.passes import Keys, Passes
from ganbench.evaluation.pictures import choose, gallery
from ganbench.evaluation.points import check_options, evaluate_points, is_distribution, point_gallery
from ganbench.evaluation.protocols import chosen_protocol
from ganbench.evaluation.real import build_from, find_real
from ganbench.evaluation.real_side import RealSide
from ganbench.evaluation.scoring import absent, compute, reads_classes, reads_network, wanted_of_fakes
from ganbench.evaluation.sides import FakeSide, Labels, Missing, check_possible, unlabelled
from ganbench.features.extract import Extraction, Wanted
from ganbench.features.reference_names import DEFAULT_PROTOCOL
from ganbench.features.references import Reference
from ganbench.features.source_images import SourceImages
from ganbench.features.store import FeatureStore
from ganbench.features.store_entry import CorruptEntry, Stored
from ganbench.gallery import Gallery
from ganbench.images.source import ImageSource, open_images
from ganbench.metrics._base import Metric
from ganbench.metrics._registry import build
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo


@dataclass(frozen=True)
class Outcome:
    """A result, and what gives the pictures to look at beside it."""

    result: Result
    gallery: Callable[[], Gallery]


@dataclass(frozen=True)
class Engine:
    """What evaluations share: the options, the network, the reference, the metrics."""

    options: Options
    passes: Passes
    metrics: dict[str, Metric]
    real: RealSide
    progress: Progress
    warn: Warn

    @property
    def clock(self) -> Clock:
        """Seconds by stage."""
        return self.passes.clock

    @property
    def network(self) -> Network:
        """The network."""
        return self.passes.network


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of one evaluation after their pass.

    Attributes:
        name: as the user named them.
        extraction: what the pass tells.
        heads: their features.
        environment: what ran the network over them.
        images: where they can be read again.
        classes: gives the class of each image used, where the user or the source says them. Raises Missing.
        stored: what the store has of them.
    """

    name: str
    extraction: Extraction
    heads: Mapping[str, Any]
    environment: Mapping[str, Any]
    images: ImageSource | None = None
    classes: Callable[[], Labels | None] = unlabelled
    stored: Stored | None = None


def positions(source: ImageSource, options: Options) -> Sequence[int]:
    """The positions to use: all, or `--num` of them drawn without replacement with the seed, ascending."""
    if options.num is None:
        return range(len(source))
    if options.num > len(source):
        raise UsageError(f"--num asks for {options.num} images; {source.name} has {len(source)}.")
    drawn = np.random.default_rng([options.seed, len(source)]).choice(len(source), options.num, replace=False)
    return [int(i) for i in np.sort(drawn)]


def evaluate(
    fakes: Sequence[ImageSource | str | Path],
    real: ImageSource | str | Path,
    *,
    options: Options,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Iterator[Outcome]:
    """Scores each of `fakes` against `real`; they share the network and the reference.

    Features and scores of the same images under the same protocol come out of the store, where they are there.

    Args:
        fakes: the samples: sources, or paths to them. All are opened before anything is computed.
        real: the reference: a name (`cifar10`, `cifar10:test`), a path to images or statistics, or a source.
        options: everything else.
        progress: told of each stage.
        warn: told of what happens on the way and does not change a number, such as a cache file rebuilt.

    Yields:
        An outcome for each of `fakes`, in their order.

    Raises:
        UsageError: an argument or input cannot be used (status 2).
        GanbenchError: something outside is missing or full (status 1).
    """
    if isinstance(real, str) and is_distribution(real):
        yield from _points(fakes, real, options, progress)
        return
    clock = Clock()
    with clock.stage("open"):
        opened = [_opened(fake, options) for fake in fakes]
    engine = prepare(real, options=options, progress=progress, warn=warn, clock=clock)
    start = dict(clock.seconds)
    for each in opened:
        clock.seconds = dict(start)
        yield _one(engine, each)


def _points(
    fakes: Sequence[ImageSource | str | Path], name: str, options: Options, progress: Progress
) -> Iterator[Outcome]:
    """Samples that are points, against a distribution that is known by its formula."""
    check_options(name, options)
    for fake in fakes:
        if isinstance(fake, ImageSource):
            raise UsageError(f"{name} is a distribution of points, and {fake.name} holds images. Give an (n, d) array.")
        result = evaluate_points(fake, name, options=options, progress=progress)
        yield Outcome(result, partial(point_gallery, fake, name, options=options))


def _one(engine: Engine, opened: "_Opened") -> Outcome:
    """One evaluation. Stored features of the samples that turn out to be damaged are made again, and only those."""
    samples = _samples(engine, *opened)
    try:
        return finish(engine, samples)
    except CorruptEntry as error:  # any other corrupted file is not the samples': it says itself what to do
        if not isinstance(samples.heads, Heads) or error.folder not in samples.heads.folders:
            raise
        assert engine.passes.store is not None
        engine.passes.store.drop(error.folder, str(error))
    return finish(engine, _samples(engine, *opened))


_Opened = tuple[ImageSource, Sequence[int], Labels | None]


def _opened(fake: ImageSource | str | Path, options: Options) -> _Opened:
    """A source, the positions in it to use, the classes of all by `--labels`; its first image was seen to decode."""
    if not isinstance(fake, ImageSource | str | Path):
        raise UsageError(
            f"fake is a {type(fake).__name__}; wanted a path or an opened source. Images in memory go to "
            "ganbench.Evaluator, features to ganbench.score."
        )
    source = fake if isinstance(fake, ImageSource) else open_images(fake, value_range=options.value_range)
    use = positions(source, options)
    _look_at_first(source, use, options)
    return source, use, read_labels(options.labels, source) if options.labels else None


def _look_at_first(source: ImageSource, use: Sequence[int], options: Options) -> None:
    """Decodes one image, so that a wrong value range or kind of file shows before a network is loaded."""
    if options.on_bad_image == "error":
        for _ in source.images(list(use[:1])):
            pass


def prepare(
    real: ImageSource | str | Path, *, options: Options, progress: Progress, warn: Warn, clock: Clock
) -> Engine:
    """Everything that does not depend on the samples. Network and reference are loaded when something needs them."""
    metrics = {name: build(name, seed=options.seed) for name in options.metrics}
    found = find_real(real, options)
    network = Network(found.protocol, options, dataset=found.dataset, progress=progress, warn=warn, clock=clock)
    store = FeatureStore(warn=warn) if options.cache else None
    passes = Passes(network, store, options, progress, warn, clock)
    return Engine(options, passes, metrics, RealSide(found, label_of(real), passes, metrics), progress, warn)


def label_of(real: ImageSource | str | Path) -> str:
    """How a message names the reference."""
    return real.name if isinstance(real, ImageSource) else str(real)


def _samples(engine: Engine, source: ImageSource, use: Sequence[int], labels: Labels | None) -> Samples:
    """The samples through the network, or out of the store."""
    passes, seed = engine.passes, engine.options.seed
    with engine.clock.stage("reading"):
        keys = passes.keys(source, use)
        known = (keys.network,) if reads_network(open_ones(engine)) else (keys.images, keys.network)
        stored = next((each for key in known if (each := passes.find(key)) is not None), None)
    with engine.clock.stage("samples"):
        extraction = None if stored is None else _remembered(engine, stored)
        if extraction is None or stored is None:
            extraction, found = _passed(engine, source, use, keys)
        else:
            found = [stored, *_classes(engine, source, use, keys)]
    main = next((each for each in found if each.folder.name in known), None)
    return Samples(
        name=source.name,
        extraction=extraction,
        heads=Heads(extraction, found, seed=seed),
        environment=main.entry.environment if main else passes.network.environment(),
        images=source,
        classes=partial(classes_of, source, labels, extraction.used),
        stored=main,
    )


def _passed(engine: Engine, source: ImageSource, use: Sequence[int], keys: Keys) -> tuple[Extraction, list[Stored]]:
    """The samples through the network, where a metric reads what it makes of them; else only looked at."""
    passes, metrics, seed = engine.passes, open_ones(engine), engine.options.seed
    pictures = frozenset(choose(use, seed=seed))
    if not reads_network(metrics):
        passes.network.check()
        wanted, classes = Wanted(pictures=pictures, seed=seed), reads_classes(metrics)
        _ = engine.real.facts  # a reference that cannot be had is said before the pass, not after it
        return passes.look(source, use, wanted, keys=keys, stage="samples", classes=classes)
    network = passes.network
    wanted = wanted_of_fakes(metrics, network.protocol, network.heads, seed=seed)  # weights that are missing come first
    _ = engine.real.facts
    return passes.run(source, use, replace(wanted, pictures=pictures), keys=keys, stage="samples")


def _classes(engine: Engine, source: ImageSource, use: Sequence[int], keys: Keys) -> list[Stored]:
    """The classes of samples whose features are stored: out of the store, or found now where a metric asks for them."""
    known = engine.passes.find(keys.classifier)
    if known is not None:
        return [known]
    if keys.classifier is None or not reads_classes(open_ones(engine)):
        return []
    return engine.passes.classify(source, use, keys=keys, seed=engine.options.seed)


def _remembered(engine: Engine, stored: Stored) -> Extraction | None:
    """The pass as it was, its features to be read when they are asked for; None where it is damaged."""
    try:
        return stored.extraction(frozenset(), seed=engine.options.seed)
    except CorruptFile as error:
        assert engine.passes.store is not None
        engine.passes.store.drop(stored.folder, str(error))
        return None


def open_ones(engine: Engine) -> dict[str, Metric]:
    """The metrics that are to be computed: under "all", those without costs."""
    return {n: m for n, m in engine.metrics.items() if not (m.costs and n in engine.options.unasked)}


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


def make_reference(
    source: ImageSource,
    name: str,
    split: str | None,
    *,
    options: Options,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Reference:
    """Reference statistics out of images, under `options.protocol`; nothing is stored.

    Raises UsageError where the images cannot be used, GanbenchError where weights are missing.
    """
    protocol = chosen_protocol(options, auto=DEFAULT_PROTOCOL)
    network = Network(protocol, options, dataset=name, progress=progress, warn=warn)
    return build_from(source, name, split, network, options=options, progress=progress, warn=warn)
