"""The network of an evaluation, loaded when the first image needs it: stored features need none."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganbench.evaluation.clock import Clock
from ganbench.evaluation.options import Options
from ganbench.evaluation.protocols import is_own
from ganbench.features.classifier_files import classifier_identity
from ganbench.progress import Progress, Warn
from ganbench.protocol import Protocol
from ganbench.provenance import machine, versions

if TYPE_CHECKING:
    from ganbench.features.classifiers import Classifier
    from ganbench.features.loading import Extractor


class Network:
    """A protocol's network, and the classifier of the reference's dataset beside it.

    Args:
        protocol: the protocol as asked for.
        options: device, back-end, weights.
        dataset: the dataset whose classifier runs over the same images; None for none.
        progress, warn: told of the loading.
        clock: times it.
    """

    def __init__(
        self,
        protocol: Protocol,
        options: Options,
        *,
        dataset: str | None,
        progress: Progress,
        warn: Warn,
        clock: Clock | None = None,
    ) -> None:
        self._asked, self.options, self._dataset = protocol, options, dataset
        self._progress, self._warn = progress, warn
        self._clock = clock or Clock()
        self._loaded: Extractor | None = None
        self._classifier: Classifier | None = None
        self._looked = False

    @property
    def protocol(self) -> Protocol:
        """The protocol that is really run: with weights of the user's own, theirs."""
        if self.options.weights is not None or self._loaded is not None:
            return self.extractor.protocol
        return self._asked

    @property
    def extractor(self) -> "Extractor":
        """The network, loaded."""
        if self._loaded is None:
            self._progress("network", 0, 1)
            with self._clock.stage("network"):
                self._loaded = self._load()
            self._progress("network", 1, 1)
        return self._loaded

    def _load(self) -> "Extractor":
        from ganbench.features.loading import load_extractor

        return load_extractor(
            self._asked,
            device=self.options.device,
            backend=self.options.backend,
            weights=self.options.weights,
            allow_unverified=self.options.allow_unverified_weights,
            offline=self.options.offline,
            progress=self._progress,
            warn=self._warn,
        )

    @property
    def loaded(self) -> bool:
        """Whether anything has needed it."""
        return self._loaded is not None

    @property
    def classifier(self) -> "Classifier | None":
        """The classifier of the reference's dataset, where there is one."""
        if not self._looked and self._dataset is not None:
            from ganbench.features.classifiers import classifier_for

            self._classifier = classifier_for(self._dataset)
        self._looked = True
        return self._classifier

    @property
    def classifier_identity(self) -> str | None:
        """What decides the answers of that classifier, without loading it."""
        return classifier_identity(self._dataset) if self._dataset is not None else None

    @property
    def heads(self) -> Mapping[str, int]:
        """Width of each head of both."""
        found = dict(self.extractor.heads)
        return found | dict(self.classifier.heads) if self.classifier else found

    @property
    def kept_heads(self) -> dict[str, int]:
        """Width of each head of the network that a metric could ask for."""
        wanted = {self.protocol.head, self.protocol.logits_head, "spatial"}
        return {head: width for head, width in self.extractor.heads.items() if head in wanted}

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> Mapping[str, NDArray[np.float32]]:
        """uint8 RGB images (3, h, w), sizes mixed, to float32 (n, width) for each head of both."""
        found = self.extractor(images)
        return {**found, **self.classifier(images)} if self.classifier else found

    def check(self) -> None:
        """Raises UsageError where device or back-end cannot be had: for evaluations that then run nothing on them."""
        from ganbench.features.devices import choose
        from ganbench.features.loading import choose_backend

        device = choose(self.options.device)
        if not is_own(self._asked):  # what runs these, their files decide
            choose_backend(self.options.backend, device)

    def environment(self) -> dict[str, Any]:
        """What runs it: versions, machine, device, back-end; "none" and the CPU where nothing has needed it."""
        import torch

        return {
            "versions": versions(),
            **machine(),
            "device": self.extractor.device if self.loaded else "cpu",
            "backend": self.extractor.backend if self.loaded else "none",
            "threads": torch.get_num_threads(),
        }
