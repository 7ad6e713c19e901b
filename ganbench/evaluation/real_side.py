"""The reference as metrics see it: its numbers, its images and what was held out, each loaded when it is asked for."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, GanbenchError
from ganbench.evaluation.passes import Passes
from ganbench.evaluation.real import Found, Real, find_real
from ganbench.evaluation.sides import Missing, head_of, predicted
from ganbench.features.references import Reference
from ganbench.features.source_images import SourceImages
from ganbench.features.stats import Features
from ganbench.images.classes import labels_sha256
from ganbench.images.datasets._base import DATASETS
from ganbench.images.source import ImageSource
from ganbench.metrics._base import Metric
from ganbench.protocol import Protocol

Labels = NDArray[np.int64]


class RealSide:
    """The reference of an evaluation.

    Args:
        found: what the user named.
        label: how the user named it.
        passes: what makes its numbers where they must be made.
        metrics: those that it is to serve.
        option: the one that names it, for messages.
    """

    def __init__(
        self, found: Found, label: str, passes: Passes, metrics: Mapping[str, Metric], *, option: str = "--ref"
    ) -> None:
        self._found, self.label, self._passes, self._metrics = found, label, passes, metrics
        self._option = option
        self._made: dict[str, Features] = {}

    @cached_property
    def real(self) -> Real:
        """The reference with its numbers."""
        with self._passes.clock.stage("reference"):
            return self._found.load(self._passes, self._metrics)

    @cached_property
    def facts(self) -> Reference:
        """The reference, perhaps without its numbers."""
        known = self._found.facts(self._passes) if self._passes.store is not None else None
        return self.real.reference if known is None else known

    def of(self, name: str, metric: Metric, protocol: Protocol, *, predicts: bool) -> Features | None:
        """What the metric is given; None where it looks at no reference.

        Args:
            name: of the metric.
            metric: the metric.
            protocol: the protocol.
            predicts: the samples' classes are a classifier's, so those of the reference are to be, too.

        Raises:
            Missing: something of it is not at hand.
        """
        if metric.needs_real == "nothing":
            return None
        if metric.needs_real == "optional":
            return self._prior if metric.head == "classes" else None
        mine = self._own(name, metric, protocol, predicts)
        if not metric.needs_held_out:
            return mine
        return mine.with_(held_out=self.held_out(name)._own(name, metric, protocol, predicts))

    @cached_property
    def _prior(self) -> Features | None:
        """The shares of the classes, as moments of one-hot labels, where they are known."""
        classifier = self._passes.network.classifier
        return Features(moments=classifier.moments, sure=classifier.sure) if classifier else None

    def _own(self, name: str, metric: Metric, protocol: Protocol, predicts: bool) -> Features:
        if metric.head == "images":
            return self._of_images(name, metric)
        head = head_of(metric, protocol)
        base = self._of_head(name, metric, head)
        return base.with_(labels=self._labels(name, metric, predicts)) if "real" in metric.labels_of else base

    def _of_images(self, name: str, metric: Metric) -> Features:
        images = self._at_hand(name)
        labels = self._known_classes(name, metric) if "real" in metric.labels_of else None
        return Features(images=SourceImages(images), labels=labels)

    def _at_hand(self, name: str) -> ImageSource:
        if self._images is None:
            raise Missing(
                f"{name} looks at the images of the reference, and those of {self.label!r} are not at hand"
                f"{self._was_made_from()}. Give the images themselves: {self._option} SOURCE, or a dataset that is on "
                "this machine: ganbench data list"
            )
        return self._images

    @cached_property
    def _images(self) -> ImageSource | None:
        return self._found.images(self.facts)

    def _was_made_from(self) -> str:
        info = self.facts.info
        return f" (it was made from {info.get('source')})" if info.get("made") == "by hand" else ""

    def _known_classes(self, name: str, metric: Metric) -> Labels:
        """The class of each image or row that the metric is given."""
        labels = self._classes(name, metric, self.real.reference)
        if labels is None:
            raise Missing(f"{name} needs the classes of the reference, and {self.label!r} has none")
        return labels

    def _classes(self, name: str, metric: Metric, reference: Reference) -> Labels | None:
        """What is known of the classes, by the images where those are looked at. Raises Missing."""
        images = self._at_hand(name) if metric.head == "images" else None
        try:
            return self._found.classes(reference) if images is None else images.labels
        except BadInput as error:
            raise Missing(
                f"{name} needs the classes of the reference, and those of {self.label!r} cannot be read: {error}"
            ) from error

    def identity(self, name: str, metric: Metric) -> dict[str, object] | None:
        """What decides all that `of` gives, for the names of stored scores. Raises as `of` does."""
        if metric.needs_real == "nothing":
            return None
        mine = self._identity(name, metric)
        return mine | {"held_out": self.held_out(name)._identity(name, metric)} if metric.needs_held_out else mine

    def _identity(self, name: str, metric: Metric) -> dict[str, object]:
        return {"reference": self.facts.fingerprint, "classes": self._classes_sha256(name, metric)}

    def _classes_sha256(self, name: str, metric: Metric) -> str | None:
        if "real" not in metric.labels_of:
            return None
        stated = self.facts.info.get("labels_sha256")  # of the rows that are kept; it saves reading them
        if metric.head != "images" and stated is not None:
            return str(stated)
        labels = self._classes(name, metric, self.facts)
        return None if labels is None else labels_sha256(labels)

    def _of_head(self, name: str, metric: Metric, head: str) -> Features:
        reference = self.real.reference
        features = reference.heads.get(head)
        if features is None or (metric.needs_real == "values" and features.values is None):
            what = f"has none of its {head} features" if features is None else "has moments only"
            raise Missing(
                f"{name} needs features of the reference, but {self.label!r} {what}. Make one of the reference's "
                "images: ganbench ref make NAME --from IMAGES, then --ref NAME"
            )
        if head not in self._made:
            self._made[head] = features.with_(positions=reference.indices)
        return self._made[head]

    def _labels(self, name: str, metric: Metric, predicts: bool) -> Labels:
        reference = self.real.reference
        classes = reference.heads.get("classes")
        if predicts and classes is not None and classes.values is not None:
            return predicted(classes)
        if predicts:  # classes that were found and classes that are true do not compare
            raise Missing(f"{name} needs the classes of the samples: {self.label!r} keeps none found as theirs would "
                          "be. Give them: --labels FILE")  # fmt: skip
        return self._known_classes(name, metric)

    def held_out(self, name: str) -> "RealSide":
        """Real images that the generator was not trained on: `--ref-test`, or the dataset's own test split.

        Raises:
            Missing: none was named, and there is no such split to be had. `name` is the metric's, for the message.
            GanbenchError: the one that was named cannot be had.
        """
        if self._held_out is None:
            raise Missing(
                f"{name} needs real images that the generator was not trained on, and {self.label!r} has no test "
                "split. Name some: --ref-test NAME:SPLIT|SOURCE"
            )
        try:
            _ = self._held_out.facts
        except GanbenchError as error:
            if self._passes.options.ref_test is not None:
                raise
            raise Missing(f"{name} needs the test split of {self.label!r}: {error}") from error
        return self._held_out

    @cached_property
    def _held_out(self) -> "RealSide | None":
        options = self._passes.options
        spec = options.ref_test or self._test_split()
        if spec is None:
            return None
        found = find_real(spec, replace(options, protocol=self._passes.network.protocol))
        return RealSide(found, str(spec), self._passes, self._metrics, option="--ref-test")

    def _test_split(self) -> str | None:
        name, split = self.facts.name, self.facts.split
        if name not in DATASETS.names() or split != "train" or "test" not in DATASETS.get(name).splits:
            return None
        return f"{name}:test"
