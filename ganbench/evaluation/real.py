"""The real side of an evaluation: which protocol it asks for, its statistics, and its images where they are at hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadImage, BadInput, CorruptFile, UsageError
from ganbench.evaluation.network import Network
from ganbench.evaluation.options import Options
from ganbench.evaluation.passes import Passes
from ganbench.evaluation.protocols import chosen_protocol, is_own
from ganbench.evaluation.scoring import reads_network, wanted_of_reals
from ganbench.features.extract import Extraction, Wanted, extract
from ganbench.features.factors import FactorCache
from ganbench.features.foreign_stats import is_statistics, read_foreign, unnamed_protocol
from ganbench.features.reference_making import Keep, Origin, build_reference, described, drawn
from ganbench.features.reference_names import auto_protocol, check_name, looks_like_path
from ganbench.features.reference_search import at_hand, check_protocol_of, made_from, recorded, resolve
from ganbench.features.references import Reference
from ganbench.features.registries import EXTRACTORS
from ganbench.images.derived import Subset
from ganbench.images.source import ImageSource, open_images
from ganbench.metrics._base import Metric
from ganbench.metrics._neighbours import kth_distances
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.protocol import Protocol


@dataclass(frozen=True)
class Real:
    """A resolved reference.

    Attributes:
        reference: its statistics.
        label: how the user names it.
        images: its images, where they are at hand.
    """

    reference: Reference
    label: str
    images: ImageSource | None = None

    def row_positions(self) -> NDArray[np.int64] | None:
        """For each row of kept features the position of its image in `images`; None where that is not known."""
        if self.images is None:
            return None
        if self.reference.indices is not None:
            return self.reference.indices
        return np.arange(self.reference.n) if self.reference.n == len(self.images) else None

    def shown_from(self) -> Sequence[int]:
        """Positions of images that stand for the reference."""
        return range(len(self.images)) if self.images is not None else ()


@dataclass(frozen=True)
class Found:
    """A reference that is known to exist, before anything is computed.

    Attributes:
        protocol: the protocol that the evaluation runs under.
        load: gives the statistics, by reading or by making them, with what the metrics ask for.
        facts: gives the reference without its numbers where that takes no work; else None.
        how: in words, for `--dry-run`.
        dataset: the dataset that it is named after.
        images: gives the images behind the statistics, where they are at hand.
        classes: gives the class of each row of features, where they are known. Raises BadInput.
    """

    protocol: Protocol
    load: Callable[[Passes, Mapping[str, Metric]], Real]
    facts: Callable[[Passes], Reference | None]
    how: str
    dataset: str | None = None
    images: Callable[[Reference], ImageSource | None] = lambda _: None
    classes: Callable[[Reference], NDArray[np.int64] | None] = lambda reference: reference.labels


def find_real(real: ImageSource | str | Path, options: Options) -> Found:
    """Decides what `real` is: a name, a file of statistics, or images.

    Raises:
        UsageError: no such name or path, or statistics that need their protocol named.
    """
    if isinstance(real, ImageSource):
        return _images(real, options)
    if not str(real):
        raise UsageError("An empty reference was given; name one (`ganbench ref list`), or a path.")
    if isinstance(real, str) and not looks_like_path(real):
        return _named(real, options)
    path = Path(real).expanduser()
    if is_statistics(path):
        return _statistics(path, options)
    return _images(open_images(path, value_range=options.value_range), options)


def _named(spec: str, options: Options) -> Found:
    asked = check_name(spec)
    protocol = chosen_protocol(options, auto=auto_protocol(spec))
    if options.weights is None:  # other weights make another protocol, whose statistics are asked for later
        check_protocol_of(spec, protocol)

    def load(passes: Passes, _: Mapping[str, Metric]) -> Real:
        def build(source: ImageSource, name: str, split: str) -> Reference:
            return build_from(
                source, name, split, passes.network, options=options, progress=passes.progress, warn=passes.warn
            )

        reference = resolve(
            spec,
            passes.network.protocol,
            build=build,
            offline=options.offline,
            cache=options.cache,
            progress=passes.progress,
            warn=passes.warn,
        )
        return Real(reference, spec, at_hand(reference))

    def facts(passes: Passes) -> Reference | None:
        return recorded(asked, passes.network.protocol)

    how = f"the reference {spec!r}: shipped, stored, made or downloaded, in this order"
    return Found(protocol, load, facts, how, asked.name, lambda reference: at_hand(reference) or made_from(reference))


def _statistics(path: Path, options: Options) -> Found:
    # Read at once: its errors must come before any work, and before any download of weights.
    stated = read_foreign(path)
    if options.protocol == "auto" and stated.protocol_name is None:
        raise unnamed_protocol(path)
    protocol = chosen_protocol(options, auto=str(stated.protocol_name))
    if options.weights is None:
        stated.check_protocol(protocol)
    _check_width(path, stated, protocol)

    def load(passes: Passes, _: Mapping[str, Metric]) -> Real:
        used = passes.network.protocol
        factors = FactorCache(warn=passes.warn)
        return Real(read_foreign(path, factors=factors, head=used.head).check_protocol(used), str(path))

    return Found(protocol, load, lambda _: replace(stated, heads={}), f"the statistics in {path}")


def _check_width(path: Path, reference: Reference, protocol: Protocol) -> None:
    if is_own(protocol):
        return  # the width of a network of the user's own is known when it has run
    found, width = next(iter(reference.heads.values())).d, EXTRACTORS.get(protocol.extractor).heads[protocol.head]
    if found != width:
        raise UsageError(
            f"{path} has statistics of {found} features; the protocol {protocol.name} has {width}. "
            "Name the protocol that they were made with."
        )


def _images(source: ImageSource, options: Options) -> Found:
    protocol = chosen_protocol(options, auto="tf")
    everything = range(len(source))

    def load(passes: Passes, metrics: Mapping[str, Metric]) -> Real:
        used = passes.network.protocol
        keys = passes.keys(source, everything)
        if not reads_network(metrics):
            wanted = Wanted(seed=options.seed)
            extraction, _ = passes.look(source, everything, wanted, keys=keys, stage="reference")
            return Real(without_numbers(passes, extraction), source.name, source if not extraction.skipped else None)
        stored = passes.find(keys.network)
        heads = stored.entry.heads if stored else passes.network.heads
        wanted = wanted_of_reals(metrics, used, heads, seed=options.seed)
        if not wanted.values and not wanted.moments:  # a reference without any numbers would be none
            wanted = replace(wanted, moments=frozenset({used.head}))
        extraction, _ = passes.run(source, everything, wanted, keys=keys, stage="reference")
        reference = build_reference(
            _origin(source, source.name, None, extraction, options),
            extraction.features,
            protocol=used,
            keep=Keep(features=None),
        )
        reference = replace(reference, used=_passed_over(source, extraction))
        return Real(reference, source.name, _behind(source, reference))

    def facts(passes: Passes) -> Reference | None:
        keys = passes.keys(source, everything)
        stored = passes.find(keys.network) or passes.find(keys.images)
        try:
            known = stored.extraction(frozenset(), seed=options.seed) if stored else None
        except CorruptFile:
            known = None  # told when its features are read
        return None if known is None else without_numbers(passes, known)

    def without_numbers(passes: Passes, known: Extraction) -> Reference:
        used, n = passes.network.protocol, known.n
        origin = _origin(source, source.name, None, known, options)
        fingerprint, info = described(origin, n, protocol=used, keep=Keep(features=None), chosen=None)
        left = _passed_over(source, known)
        return Reference(source.name, None, n, used.fingerprint, {}, fingerprint, info=info, used=left)

    return Found(
        protocol,
        load,
        facts,
        f"the {len(source)} images of {source.name}",
        images=lambda reference: _behind(source, reference),
        classes=lambda reference: _behind(source, reference).labels,
    )


def _passed_over(source: ImageSource, extraction: Extraction) -> NDArray[np.int64] | None:
    """Which images of a source are left, where some could not be read."""
    return None if extraction.n == len(source) else extraction.used


def _behind(source: ImageSource, reference: Reference) -> ImageSource:
    """The very images of a reference that is given as a source."""
    return source if reference.used is None else Subset(source, reference.used, source.name)


def build_from(
    source: ImageSource,
    name: str,
    split: str | None,
    network: Network,
    *,
    options: Options,
    keep: Keep | None = None,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Reference:
    """Reference statistics of images as the store keeps them.

    Moments of all images at the protocol's head, the spatial one and that of the dataset's classifier; of some
    images the features of the first and the last, and who is near to whom.
    """
    keep = keep or Keep()
    protocol = network.protocol
    rows = drawn(len(source), keep) if keep.features != 0 else None
    heads = frozenset({protocol.head, *({"spatial", "classes"} & set(network.heads))})
    wanted = Wanted(
        values=heads - {"spatial"} if keep.features != 0 else frozenset(),
        moments=heads,
        rows=None if rows is None else frozenset(rows.tolist()),
        seed=keep.seed,
    )
    extraction = _pass(source, network, wanted, options=options, progress=progress, warn=warn)
    if rows is not None:
        rows = rows[rows < extraction.n]  # images that were passed over leave fewer rows than were drawn
    progress("neighbours", 0, None)
    return build_reference(
        _origin(source, name, split, extraction, options),
        extraction.features,
        protocol=protocol,
        keep=keep,
        indices=rows,
        labels=_labels(source, extraction, warn),
        neighbours=kth_distances,
    )


def _pass(
    source: ImageSource, network: Network, wanted: Wanted, *, options: Options, progress: Progress, warn: Warn
) -> Extraction:
    def skipped(error: BadImage) -> None:
        warn(str(error))

    return extract(
        source,
        network,
        wanted,
        batch_size=options.batch_size,
        on_bad=skipped if options.on_bad_image == "skip" else None,
        progress=progress,
        stage="reference",
    )


def _labels(source: ImageSource, extraction: Extraction, warn: Warn) -> NDArray[np.int64] | None:
    try:
        labels = source.labels
    except BadInput as error:  # a reference without classes is good for all metrics but a few
        warn(f"The reference {source.name} is made without classes. {error}")
        return None
    return None if labels is None else labels[extraction.used]


def _origin(source: ImageSource, name: str, split: str | None, extraction: Extraction, options: Options) -> Origin:
    notes = [f"{text} ({count} images)" for text, count in sorted(extraction.notes.items())]
    if extraction.skipped:
        notes.append(f"{len(extraction.skipped)} images could not be read and were left out")
    return Origin(
        name=name,
        split=split,
        source=source.name,
        source_fingerprint=extraction.fingerprint,
        lossy=extraction.lossy,
        command=options.command,
        notes=tuple(notes),
    )
