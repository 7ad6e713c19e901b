"""The name under which a stored score is found: everything beside the samples' features that decides it."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import ganbench
from ganbench.images.classes import labels_sha256
from ganbench.metrics._base import Metric
from ganbench.serialize import canonical_sha256

_PACKAGE = Path(ganbench.__file__).parent
# What makes features out of files, and scores out of features; a change in any of it makes them anew.
FEATURE_CODE = (
    "images/**/*.py",
    "features/backends/*.py",
    "features/extractors/*.py",
    "features/*class*.py",
    "features/devices.py",
    "features/extract.py",
    "features/extractor.py",
    "features/loading.py",
    "features/onnx_files.py",
    "features/preprocess.py",
    "features/rows.py",
    "features/state_dict.py",
    "features/torchscript_tensors.py",
    "features/user_*.py",
)
SCORE_CODE = (
    "metrics/*.py",
    "protocols/*.toml",
    "evaluation/real*.py",
    "evaluation/scoring.py",
    "evaluation/sides.py",
    "features/devices.py",
    "features/factors.py",
    "features/image_set.py",
    "features/moments.py",
    "features/reference*.py",
    "features/source_images.py",
    "features/stats.py",
    "mixtures.py",
)


@cache
def code_sha256(patterns: tuple[str, ...]) -> str:
    """sha256 over the version and the files of the package that match."""
    total = hashlib.sha256(ganbench.__version__.encode())
    for pattern in patterns:
        for path in sorted(_PACKAGE.glob(pattern)):
            total.update(path.name.encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def score_key(
    name: str,
    metric: Metric,
    *,
    seed: int,
    real: Mapping[str, object] | None,
    labels: NDArray[np.int64] | None,
    classifier: str | None,
) -> str:
    """The key of a metric's score of known samples.

    Args:
        name: of the metric.
        metric: with its parameters.
        seed: of the evaluation.
        real: what decides all that the metric is given of the reference, as `RealSide.identity` says it.
        labels: the classes of the samples, where the metric asks for them and somebody says them.
        classifier: what decides the answers of the classifier of the reference's dataset.
    """
    return canonical_sha256({
        "metric": name,
        "params": metric.params(),
        "seed": seed,
        "real": real,
        "labels": None if labels is None else labels_sha256(labels),
        "classifier": classifier if metric.head == "classes" or metric.predicts_labels else None,
        "code": code_sha256(SCORE_CODE),
    })[:32]  # fmt: skip
