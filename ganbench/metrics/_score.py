"""One metric on two arrays of features: `ganbench.score`."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.image_set import ImageArray
from ganbench.features.moments import Moments
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, Need
from ganbench.metrics._registry import METRICS
from ganbench.results import Score


def score(
    name: str,
    *,
    fake: Any,
    real: Any = None,
    test: Any = None,
    fake_labels: Any = None,
    real_labels: Any = None,
    test_labels: Any = None,
    **params: Any,
) -> dict[str, Score]:
    """Scores features with one metric.

        ganbench.score("fid", fake=X, real=Y)["frechet_distance"].value
        ganbench.score("kid", fake=X, real=Y, subset_size=500)

    Args:
        name: a metric, as `ganbench list metrics` names it.
        fake: features of the generated images, (n, d): a NumPy array or torch tensor of floats, on any device, whose
            precision is kept; `Moments` where the metric needs no more. The logits for `inception_score`; uint8
            images (n, 3, h, w) for metrics that look at pixels.
        real: the same of the real images; None where the metric looks at none.
        test: the same of real images that the generator was not trained on, where the metric asks for them.
        fake_labels, real_labels, test_labels: the class of each image, whole numbers (n,), where the metric asks.
        params: the metric's parameters.

    Returns:
        The scores by key, such as {"precision": Score(...), "recall": Score(...)}.

    Raises:
        UsageError: there is no such metric or parameter, or a metric that needs features was given moments.
        BadInput: the features are not finite floats of shape (n, d), n >= 2, or their widths differ.
    """
    metric = _build(name, params)
    held_out = None
    if metric.needs_held_out:
        if test is None:
            raise UsageError(f"{name} needs real images that the generator was not trained on: give them as test=.")
        held_out = _features(test, name=name, side="test", need=metric.needs_real, labels=test_labels)
    found = metric.compute(
        fake=_features(fake, name=name, side="fake", need=metric.needs_fake, labels=fake_labels),
        real=_real(real, name=name, metric=metric, labels=real_labels, held_out=held_out),
    )
    return dict(found)


def _build(name: str, params: dict[str, Any]) -> Metric:
    kind = METRICS.get(name)
    known = [field.name for field in fields(kind)]
    strange = [key for key in params if key not in known]
    if strange:
        raise UsageError(f"{name} has no parameter {strange[0]!r}. Its parameters: {', '.join(known) or 'none'}.")
    return kind(**params)


def _real(real: Any, *, name: str, metric: Metric, labels: Any, held_out: Features | None) -> Features | None:
    if metric.needs_real == "nothing":
        return None
    if real is None:
        if metric.needs_real == "optional":
            return None
        raise UsageError(f"{name} compares with real images, and real= is missing. Give their features as real=.")
    return _features(real, name=name, side="real", need=metric.needs_real, labels=labels, held_out=held_out)


def _features(
    given: Any, *, name: str, side: str, need: Need, labels: Any = None, held_out: Features | None = None
) -> Features:
    if isinstance(given, Features):
        return given
    classes = None if labels is None else np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
    if isinstance(given, Moments):
        if need in ("values", "images"):
            raise UsageError(
                f"{name} needs the features of {side}, and Moments were given. Give an (n, d) array as {side}=."
            )
        return Features(moments=given)
    array = _array(given, side)
    if need == "images":
        return Features(images=ImageArray(array), labels=classes, held_out=held_out)
    return Features(array, labels=classes, held_out=held_out)


def _array(given: Any, side: str) -> NDArray[Any]:
    """The array behind a NumPy array or a tensor of any device; bfloat16, which NumPy lacks, as float32."""
    if hasattr(given, "detach"):
        tensor = given.detach().cpu()
        given = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    if not isinstance(given, np.ndarray):
        raise BadInput(
            f"{side}= must be an (n, d) array or tensor of features; found {type(given).__name__}. "
            f"For images in files use ganbench.evaluate."
        )
    return given
