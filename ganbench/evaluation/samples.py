"""The samples of an evaluation: opened, and through the network or out of the store."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ganbench.errors import CorruptFile, UsageError
from ganbench.evaluation.engine import Engine, Samples, open_ones
from ganbench.evaluation.heads import Heads
from ganbench.evaluation.labels import classes_of, read_labels
from ganbench.evaluation.options import Options
from ganbench.evaluation.passes import Keys
from ganbench.evaluation.pictures import choose
from ganbench.evaluation.scoring import reads_classes, reads_network, wanted_of_fakes
from ganbench.evaluation.sides import Labels
from ganbench.features.extract import Extraction, Wanted
from ganbench.features.store_entry import Stored
from ganbench.images.source import ImageSource, open_images


def positions(source: ImageSource, options: Options) -> Sequence[int]:
    """The positions to use: all, or `--num` of them drawn without replacement with the seed, ascending."""
    if options.num is None:
        return range(len(source))
    if options.num > len(source):
        raise UsageError(f"--num asks for {options.num} images; {source.name} has {len(source)}.")
    drawn = np.random.default_rng([options.seed, len(source)]).choice(len(source), options.num, replace=False)
    return [int(i) for i in np.sort(drawn)]


Opened = tuple[ImageSource, Sequence[int], Labels | None]


def open_samples(fake: ImageSource | str | Path, options: Options) -> Opened:
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


def pass_samples(engine: Engine, source: ImageSource, use: Sequence[int], labels: Labels | None) -> Samples:
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
