"""One evaluation: the samples through the network once, the reference resolved, every metric scored."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ganbench.errors import BadImage, UsageError
from ganbench.evaluation.cautions import cautions
from ganbench.evaluation.options import Options
from ganbench.evaluation.pictures import choose, gallery
from ganbench.evaluation.real import Real, build_from, find_real
from ganbench.evaluation.scoring import compute, wanted_of_fakes
from ganbench.features.extract import Extraction, Wanted, extract
from ganbench.features.loading import Extractor, load_extractor
from ganbench.features.references import Reference
from ganbench.gallery import Gallery
from ganbench.images.source import ImageSource, open_images
from ganbench.metrics._base import Metric
from ganbench.metrics._registry import build
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.protocol import Protocol, get_protocol
from ganbench.provenance import machine, versions
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo


@dataclass
class Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 4)


@dataclass(frozen=True)
class Outcome:
    """A result, and the pictures to look at beside it."""

    result: Result
    gallery: Gallery


@dataclass(frozen=True)
class Engine:
    """What evaluations share: the options, the protocol, the network, the reference, the metrics."""

    options: Options
    protocol: Protocol
    extractor: Extractor
    metrics: dict[str, Metric]
    real: Real
    progress: Progress
    warn: Warn
    clock: Clock


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
    clock = Clock()
    with clock.stage("open"):
        opened = [_opened(fake, options) for fake in fakes]
    shared = prepare(real, options=options, progress=progress, warn=warn, clock=clock)
    for source, use in opened:
        engine = replace(shared, clock=Clock(dict(clock.seconds)))
        with engine.clock.stage("samples"):
            wanted = wanted_of_fakes(list(engine.metrics.values()), engine.protocol, seed=options.seed)
            extraction = run_pass(engine, source, use, wanted)
        yield finish(engine, extraction, name=source.name)


def _opened(fake: ImageSource | str | Path, options: Options) -> tuple[ImageSource, Sequence[int]]:
    """A source and the positions in it to use, its first image having been seen to decode."""
    if not isinstance(fake, ImageSource | str | Path):
        raise UsageError(
            f"fake is a {type(fake).__name__}; wanted a path or an opened source. Images in memory go to "
            "ganbench.Evaluator, features to ganbench.score."
        )
    source = fake if isinstance(fake, ImageSource) else open_images(fake, value_range=options.value_range)
    use = positions(source, options)
    _look_at_first(source, use, options)
    return source, use


def _look_at_first(source: ImageSource, use: Sequence[int], options: Options) -> None:
    """Decodes one image, so that a wrong value range or kind of file shows before a network is loaded."""
    if options.on_bad_image == "error":
        for _ in source.images(list(use[:1])):
            pass


def prepare(
    real: ImageSource | str | Path, *, options: Options, progress: Progress, warn: Warn, clock: Clock
) -> Engine:
    """Everything that does not depend on the samples."""
    metrics = {name: build(name, seed=options.seed) for name in options.metrics}
    found = find_real(real, options)
    with clock.stage("network"):
        extractor = _network(found.protocol, options, progress=progress, warn=warn)
    with clock.stage("reference"):
        reference = found.load(extractor, metrics, progress, warn)
    return Engine(options, extractor.protocol, extractor, metrics, reference, progress, warn, clock)


def _network(protocol: str, options: Options, *, progress: Progress, warn: Warn) -> Extractor:
    progress("network", 0, 1)
    extractor = load_extractor(
        get_protocol(protocol),
        device=options.device,
        backend=options.backend,
        weights=options.weights,
        allow_unverified=options.allow_unverified_weights,
        offline=options.offline,
        progress=progress,
        warn=warn,
    )
    progress("network", 1, 1)
    return extractor


def run_pass(engine: Engine, source: ImageSource, use: Sequence[int], wanted: Wanted) -> Extraction:
    """The samples through the network."""
    options = engine.options

    def skipped(error: BadImage) -> None:
        engine.warn(str(error))

    wanted = Wanted(
        values=wanted.values,
        moments=wanted.moments,
        pictures=frozenset(choose(use, seed=options.seed)),
        seed=options.seed,
    )
    return extract(
        source,
        engine.extractor,
        wanted,
        indices=use,
        batch_size=options.batch_size,
        on_bad=skipped if options.on_bad_image == "skip" else None,
        progress=engine.progress,
        stage="samples",
    )


def finish(engine: Engine, extraction: Extraction, *, name: str) -> Outcome:
    """Scores an extraction and puts the result together."""
    reference, clock, protocol = engine.real.reference, engine.clock, engine.protocol
    with clock.stage("metrics"):
        scores, seconds = compute(
            engine.metrics,
            fake=extraction.features,
            real=reference.heads,
            protocol=protocol,
            real_name=engine.real.label,
            progress=engine.progress,
        )
    clock.seconds |= {f"metric {metric}": value for metric, value in seconds.items()}
    with clock.stage("pictures"):
        pictures = gallery(extraction, engine.real, head=protocol.head, seed=engine.options.seed)
    result = Result(
        protocol=protocol.record(),
        samples=SampleInfo(
            source=name,
            fingerprint=extraction.fingerprint,
            n=extraction.n,
            skipped=len(extraction.skipped),
            notes=[f"{text} ({count} images)" for text, count in sorted(extraction.notes.items())],
        ),
        reference=ReferenceInfo(
            name=reference.name, split=reference.split, fingerprint=reference.fingerprint, n=reference.n
        ),
        metrics=scores,
        warnings=cautions(extraction, reference, protocol, d=engine.extractor.heads[protocol.head]),
        timings=clock.seconds,
        environment={**environment(engine.extractor), "seed": engine.options.seed},
        command=engine.options.command,
    )
    _check_some(result.metrics)
    return Outcome(result, pictures)


def _check_some(scores: dict[str, MetricResult]) -> None:
    """Raises UsageError with the first reason where nothing at all could be computed."""
    if all(score.value is None for score in scores.values()):
        reasons = dict.fromkeys(score.reason or "" for score in scores.values())
        raise UsageError("None of the metrics could be computed. " + " ".join(reasons))


def environment(extractor: Extractor) -> dict[str, object]:
    """What ran it: versions, machine, device, back-end."""
    import torch

    return {
        "versions": versions(),
        **machine(),
        "device": extractor.device,
        "backend": extractor.backend,
        "threads": torch.get_num_threads(),
    }


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
    extractor = _network(options.protocol, options, progress=progress, warn=warn)
    return build_from(source, name, split, extractor, options=options, progress=progress, warn=warn)
