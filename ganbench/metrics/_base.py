"""What a metric is: a pure function from features to scores, with facts about itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.image_set import ImageSet
from ganbench.features.stats import Features
from ganbench.progress import Progress, silent
from ganbench.results import Direction, Score

# "optional": moments, where there are any.
Need = Literal["values", "moments", "images", "optional", "nothing"]
Side = Literal["fake", "real"]
Head = Literal["features", "logits", "spatial", "classes", "images", "steps"]


@dataclass(frozen=True)
class Metric(ABC):
    """One metric: a frozen dataclass whose fields are its parameters.

    Class attributes say what the harness asks.

    Attributes:
        keys: what it yields, with the direction of better.
        labels: how a key is called in print, where that is not its own words; a protocol's labels come first.
        ideals: the best value of a key, where neither end of its scale is.
        unranked: keys of which no value is better than another by itself, and why.
        readings: how to read a key's value, where the number alone misleads; `{name}` stands for a detail.
        head: what it reads: the protocol's features or logits, the network's spatial features, the logits of the
            classifier of the reference's dataset, the images themselves, or the steps of a path in latent space.
        needs_fake, needs_real: how much of that, of the fakes and of the reference.
        labels_of: the sides whose classes it needs.
        predicts_labels: classes that a classifier predicts will do where none are known.
        needs_held_out: it also needs the same of real images that the generator was not trained on.
        costs: what it takes beyond arithmetic, such as "training"; such a metric is computed only when named.
    """

    keys: ClassVar[Mapping[str, Direction]]
    labels: ClassVar[Mapping[str, str]] = {}
    ideals: ClassVar[Mapping[str, float]] = {}
    unranked: ClassVar[Mapping[str, str]] = {}
    readings: ClassVar[Mapping[str, str]] = {}
    head: ClassVar[Head] = "features"
    needs_fake: ClassVar[Need] = "values"
    needs_real: ClassVar[Need] = "values"
    labels_of: ClassVar[tuple[Side, ...]] = ()
    predicts_labels: ClassVar[bool] = False
    needs_held_out: ClassVar[bool] = False
    costs: ClassVar[str] = ""

    @abstractmethod
    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The scores by key. `real` is None only where `needs_real` is "nothing".

        Raises UsageError or BadInput where the features are not what the metric needs.
        """

    def params(self) -> dict[str, Any]:
        """The parameters as a result shows them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def generator(self, seed: int) -> np.random.Generator:
        """This metric's own random stream: asking for one more metric never changes another's value."""
        return np.random.default_rng([seed, *type(self).__name__.encode()])


@dataclass(frozen=True)
class SlowMetric(Metric):
    """A metric that takes minutes, and tells how far it is."""

    @abstractmethod
    def compute(self, *, fake: Features, real: Features | None, progress: Progress = silent) -> Mapping[str, Score]:
        """As that of every metric; `progress` is told from the thread of the caller."""


class TooFewImages(BadInput):
    """A metric cannot be computed from so few images; others may well be."""


def require_at_least(metric: Metric, **least: int) -> None:
    """Raises UsageError where a parameter of `metric` is no whole number of at least the size given for it."""
    for name, low in least.items():
        value = getattr(metric, name)
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < low:
            raise UsageError(
                f"{type(metric).__name__}: {name} must be a whole number of at least {low}; found {value!r}."
            )


def same_width(fake: Features, real: Features) -> None:
    """Raises BadInput where the two sets of features differ in width."""
    if fake.d != real.d:
        raise BadInput(
            f"fake has features of width {fake.d}, real of width {real.d}; both must come from one extractor and head."
        )


def values_of(features: Features, side: str) -> NDArray[np.floating]:
    """The features themselves, (n, d). Raises UsageError where only their moments are known."""
    if features.values is None:
        raise UsageError(
            f"This metric needs the features of {side}, and only their moments are known. Give the features themselves."
        )
    return features.values


def images_of(features: Features, side: str) -> ImageSet:
    """The images themselves. Raises UsageError where they are not at hand."""
    if features.images is None:
        raise UsageError(f"This metric looks at the images of {side}, and they are not at hand. Give uint8 images.")
    return features.images


def labels_of(features: Features, side: str) -> NDArray[np.int64]:
    """The class of each row, int64 (m,). Raises UsageError where the classes are not known."""
    if features.labels is None:
        raise UsageError(f"This metric needs the classes of {side}, and they are not known. Give {side}_labels=.")
    return features.labels


def held_out_of(real: Features) -> Features:
    """What is known of the real images kept from the generator. Raises UsageError where there are none."""
    if real.held_out is None:
        raise UsageError(
            "This metric needs real images that the generator was not trained on, and there are none. Give test=."
        )
    return real.held_out
