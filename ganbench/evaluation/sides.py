"""What a metric is given of each side, or the reason why it cannot be had and what would enable it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganbench.features.image_set import ImageSet
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric
from ganbench.protocol import Protocol

Labels = NDArray[np.int64]


class Missing(Exception):
    """Something that a metric needs and that is not at hand: the message is the reason that the result gives."""


def head_of(metric: Metric, protocol: Protocol) -> str:
    """The network's head that the metric reads under this protocol; "" where that has none."""
    return {"features": protocol.head, "logits": protocol.logits_head}.get(metric.head, metric.head)


def check_possible(name: str, metric: Metric, protocol: Protocol, heads: Mapping[str, int]) -> None:
    """Raises Missing where a metric cannot be computed under this protocol, whatever the images are.

    Args:
        name: of the metric.
        metric: the metric.
        protocol: the protocol.
        heads: those of the network, and of the classifier of the reference's dataset where there is one.
    """
    if metric.head == "steps":
        raise Missing(
            f"{name} needs a generator, not its samples. From Python: ganbench.perceptual_path_length(G, ...)"
        )
    head = head_of(metric, protocol)
    if metric.head == "images" or (head and head in heads):
        return
    if metric.head == "classes":
        raise Missing(
            f"{name} needs a classifier of the reference's classes, and there is none for this reference. Name one "
            "that has it: --ref fashion-mnist, --ref digits; for points --ref ring8-pacgan and its kin"
        )
    what = {"logits": "a classifier", "spatial": "spatial features"}.get(metric.head, f"the head {head!r}")
    raise Missing(
        f"{name} needs {what}, which the network of {protocol.name} has not. Use --protocol tf or --protocol embedded"
    )


def unlabelled() -> Labels | None:
    """The classes of images of which nobody says any."""
    return None


@dataclass(frozen=True, eq=False)
class FakeSide:
    """The samples.

    Attributes:
        n: how many there are.
        heads: features by head.
        images: the images, where they can be read again.
        classes: gives their classes where somebody says them, else None. Raises Missing.
        positions: where in its source each image stands.
    """

    n: int
    heads: Mapping[str, Features]
    images: ImageSet | None = None
    classes: Callable[[], Labels | None] = unlabelled
    positions: NDArray[np.int64] | None = None
    _made: dict[str, Features] = field(default_factory=dict)

    def of(self, name: str, metric: Metric, protocol: Protocol) -> Features:
        """What the metric is given. Raises Missing."""
        if metric.head == "images" and self.images is None:
            raise Missing(f"{name} looks at the images of the samples, which are not kept here. Use ganbench eval")
        labels = self._labels(name, metric) if "fake" in metric.labels_of else None
        if metric.head == "images":
            return Features(images=self.images, labels=labels, positions=self.positions)
        base = self._placed(head_of(metric, protocol))
        return base if labels is None else base.with_(labels=labels)

    def _placed(self, head: str) -> Features:
        if head not in self._made:
            self._made[head] = self.heads[head].with_(positions=self.positions)
        return self._made[head]

    @property
    def predicts(self) -> bool:
        """Whether the classes are a classifier's. Raises Missing."""
        return self.classes() is None

    def _labels(self, name: str, metric: Metric) -> Labels:
        labels = self.classes()
        if labels is not None:
            return labels
        classes = self.heads.get("classes")
        if metric.predicts_labels and classes is not None:
            return predicted(classes)
        raise Missing(f"{name} needs the classes of the samples. Give them: --labels FILE")


def predicted(logits: Features) -> Labels:
    """The most probable class of each image, int64 (n,)."""
    assert logits.values is not None
    classes: Labels = np.argmax(logits.values, axis=1).astype(np.int64)
    return classes
