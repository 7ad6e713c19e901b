"""One set of images through the network, or out of the store where they have been through it before."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ganbench.errors import BadImage, CorruptFile, GanbenchError
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.keys import FEATURE_CODE, code_sha256
from ganbench.evaluation.network import Network
from ganbench.evaluation.options import Options
from ganbench.features.extract import Extraction, Extracts, NoNetwork, RowKeeper, Wanted, extract
from ganbench.features.store import FeatureStore
from ganbench.features.store_entry import Stored
from ganbench.features.store_writing import StoreFailed, Writer
from ganbench.images.source import ImageSource
from ganbench.progress import Progress, Warn
from ganbench.provenance import versions
from ganbench.serialize import canonical_sha256

_TOLD = 256  # items between two reports of progress


@dataclass(frozen=True)
class Keys:
    """Names in the store of what is known of some images; None for what is not kept.

    Attributes:
        network: with the features of the network.
        classifier: with the classes that the classifier finds.
        images: without any: their facts, and the scores of metrics that need no network.
    """

    network: str | None = None
    classifier: str | None = None
    images: str | None = None


@dataclass(frozen=True)
class Passes:
    """What passes share.

    Attributes:
        network: the network, loaded when it is needed.
        store: where features are kept; None for nowhere.
        options: of the evaluation.
        progress, warn: told of each stage, and of images that were passed over.
        clock: of the evaluation.
    """

    network: Network
    store: FeatureStore | None
    options: Options
    progress: Progress
    warn: Warn
    clock: Clock

    def keys(self, source: ImageSource, use: Sequence[int]) -> "Keys":
        """The names of a pass by everything that decides its numbers; none where nothing is to be kept of it."""
        if self.network.protocol.extractor == "own-module":  # what a module's forward does shows in no fingerprint
            return Keys()
        contents = None if self.store is None else contents_of(source, use, self.progress)
        if contents is None:
            return Keys()
        shared = {
            "contents": contents,
            "value_range": self.options.value_range,
            "on_bad_image": self.options.on_bad_image,
            "versions": versions(),
            "code": code_sha256(FEATURE_CODE),
        }
        network = {
            "protocol": self.network.protocol.fingerprint,
            "device": self.options.device,
            "backend": self.options.backend,
        }
        classifier = self.network.classifier_identity
        return Keys(
            canonical_sha256(shared | network),
            None if classifier is None else canonical_sha256(shared | {"classifier": classifier}),
            canonical_sha256(shared | {"protocol": self.network.protocol.fingerprint, "network": "none"}),
        )

    def find(self, key: str | None) -> Stored | None:
        """What the store has under that name."""
        return None if key is None or self.store is None else self.store.find(key)

    def run(
        self, source: ImageSource, use: Sequence[int], wanted: Wanted, *, keys: "Keys", stage: str
    ) -> tuple[Extraction, list[Stored]]:
        """The pass, and what the store has of it: taken from there where it can be, else run and kept."""
        stored = self.find(keys.network)
        heads = wanted.values | wanted.moments
        if stored is not None and heads <= set(stored.entry.heads):
            try:
                return stored.extraction(heads, seed=wanted.seed), [stored]
            except CorruptFile as error:
                assert self.store is not None
                self.store.drop(stored.folder, str(error))
        network = self.network
        plan: dict[str | None, Mapping[str, int]] = {keys.network: network.kept_heads}
        if network.classifier is not None:
            plan[keys.classifier] = network.classifier.heads
        return self._through(network, source, use, wanted, plan, stage)

    def look(
        self,
        source: ImageSource,
        use: Sequence[int],
        wanted: Wanted,
        *,
        keys: "Keys",
        stage: str,
        classes: bool = False,
    ) -> tuple[Extraction, list[Stored]]:
        """A pass without the network: the images' facts, with their classes where these are asked for."""
        classifier = self.network.classifier if classes else None
        plan: dict[str | None, Mapping[str, int]] = {keys.images: {}}
        if classifier is None:
            return self._through(NoNetwork(), source, use, wanted, plan, stage)
        plan[keys.classifier] = classifier.heads
        wanted = replace(wanted, values=frozenset(classifier.heads))
        return self._through(classifier, source, use, wanted, plan, stage)

    def classify(self, source: ImageSource, use: Sequence[int], *, keys: "Keys", seed: int) -> list[Stored]:
        """The classifier alone over images that have been through the network; what the store then has of it."""
        classifier = self.network.classifier
        assert classifier is not None
        wanted = Wanted(values=frozenset(classifier.heads), seed=seed)
        plan = {keys.classifier: classifier.heads}
        return self._through(classifier, source, use, wanted, plan, "classes")[1]

    def _through(
        self,
        extractor: Extracts,
        source: ImageSource,
        use: Sequence[int],
        wanted: Wanted,
        plan: Mapping[str | None, Mapping[str, int]],
        stage: str,
    ) -> tuple[Extraction, list[Stored]]:
        """A pass through a network, with the rows of the planned heads kept under their keys."""
        with ExitStack() as stack:
            writers = self._writers(plan, len(use), stack)
            keepers = {head: keeper for writer in writers.values() for head, keeper in writer.keepers.items()}
            try:
                extraction = self._extract(extractor, source, use, wanted, stage, keepers=keepers)
                return extraction, self._kept(writers, extraction)
            except StoreFailed as error:
                self.warn(str(error))
        return self._extract(extractor, source, use, wanted, stage), []

    def _writers(self, plan: Mapping[str | None, Mapping[str, int]], n: int, stack: ExitStack) -> dict[str, Writer]:
        found = {}
        for key, heads in plan.items():
            writer = self.store.writer(key, heads, n=n) if key is not None and self.store is not None else None
            if key is not None and writer is not None:
                found[key] = stack.enter_context(writer)
        return found

    def _kept(self, writers: Mapping[str, Writer], extraction: Extraction) -> list[Stored]:
        try:
            for writer in writers.values():
                writer.finish(extraction, self.network.environment())
        except StoreFailed as error:
            self.warn(str(error))
            return []
        return [stored for key in writers if (stored := self.find(key)) is not None]

    def _extract(
        self,
        extractor: Extracts,
        source: ImageSource,
        use: Sequence[int],
        wanted: Wanted,
        stage: str,
        *,
        keepers: Mapping[str, RowKeeper] | None = None,
    ) -> Extraction:
        def skipped(error: BadImage) -> None:
            self.warn(str(error))

        return extract(
            source,
            extractor,
            wanted,
            indices=use,
            batch_size=self.options.batch_size,
            on_bad=skipped if self.options.on_bad_image == "skip" else None,
            progress=self.progress,
            stage=stage,
            keepers=keepers,
        )


def contents_of(source: ImageSource, use: Sequence[int], progress: Progress) -> str | None:
    """sha256 over the bytes of the images used, their names and places, before any is decoded.

    None where one cannot be read: the pass will say so better.
    """
    total = hashlib.sha256(b"ganbench.contents/1\n")
    everything = len(use) == len(source)
    progress("reading", 0, len(use))
    try:
        for done, (place, item) in enumerate(zip(use, source.items(use), strict=True), 1):
            data = item.read()
            kind = "bytes" if isinstance(data, bytes) else f"{data.dtype} {data.shape}"
            raw = data if isinstance(data, bytes) else data.tobytes()
            total.update(f"{'' if everything else place} {item.name} {kind} {len(raw)}\n".encode(errors="replace"))
            total.update(raw)
            if done % _TOLD == 0 or done == len(use):
                progress("reading", done, len(use))
    except (OSError, GanbenchError):
        return None
    return total.hexdigest()
