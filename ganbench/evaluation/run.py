"""One evaluation: the samples through the network once, the reference resolved, every metric scored."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ganbench.errors import UsageError
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.engine import Engine
from ganbench.evaluation.finish import Outcome, finish
from ganbench.evaluation.heads import Heads
from ganbench.evaluation.network import Network
from ganbench.evaluation.options import Options
from ganbench.evaluation.passes import Passes
from ganbench.evaluation.points import check_options, evaluate_points, is_distribution, point_gallery
from ganbench.evaluation.protocols import chosen_protocol
from ganbench.evaluation.real import build_from, find_real
from ganbench.evaluation.real_side import RealSide
from ganbench.evaluation.samples import Opened, open_samples, pass_samples
from ganbench.features.reference_names import DEFAULT_PROTOCOL
from ganbench.features.references import Reference
from ganbench.features.store import FeatureStore
from ganbench.features.store_entry import CorruptEntry
from ganbench.images.source import ImageSource
from ganbench.metrics._registry import build
from ganbench.progress import Progress, Warn, silent, unheard


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
        opened = [open_samples(fake, options) for fake in fakes]
    yield from score_opened(prepare(real, options=options, progress=progress, warn=warn, clock=clock), opened)


def score_opened(engine: Engine, opened: Sequence[Opened]) -> Iterator[Outcome]:
    """Scores samples that `open_samples` opened. May be called again: network and reference stay loaded."""
    start = dict(engine.clock.seconds)
    for each in opened:
        engine.clock.seconds = dict(start)
        yield _one(engine, each)
    engine.clock.seconds = start


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


def _one(engine: Engine, opened: Opened) -> Outcome:
    """One evaluation. Stored features of the samples that turn out to be damaged are made again, and only those."""
    samples = pass_samples(engine, *opened)
    try:
        return finish(engine, samples)
    except CorruptEntry as error:  # any other corrupted file is not the samples': it says itself what to do
        if not isinstance(samples.heads, Heads) or error.folder not in samples.heads.folders:
            raise
        assert engine.passes.store is not None
        engine.passes.store.drop(error.folder, str(error))
    return finish(engine, pass_samples(engine, *opened))


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
