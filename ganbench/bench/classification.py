"""How often a variant that classifies is wrong about held-out images, beside the scores of its samples."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from scipy.stats import binomtest
from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.data import open_data
from ganbench.bench.judge import judging
from ganbench.errors import Unavailable
from ganbench.images.datasets._base import DATASETS
from ganbench.results import MetricResult

KEY = "test_error"
_BATCH, _SPLIT = 250, "test"


@runtime_checkable
class Classifying(Protocol):
    """A variant that tells the class of data."""

    def classify(self, x: Tensor) -> Tensor:
        """Class logits (n, k) of data (n, *shape); called as `generate` is."""
        ...


def error_on_test(built: Built, *, offline: bool = False) -> MetricResult | None:
    """The share of the images of the dataset's split `test` that the weights of now put into another class.

    Args:
        built: the run.
        offline: use no network.

    Returns:
        The share, 0 to 1, with Wilson's 95 % interval over images; without a value where the split cannot be had. None
        of a variant that does not classify, or data that are no dataset with such a split.
    """
    variant, name = built.variant, built.data.info.name
    if not isinstance(variant, Classifying) or name not in DATASETS.names() or _SPLIT not in DATASETS.get(name).splits:
        return None
    spec = f"{name}:{_SPLIT}"
    params = {"images": spec, "labels": len(built.data.few.values) if built.data.few else built.data.info.n}
    blank = MetricResult(value=None, label="Test error", direction="lower", params=params, n_fake=0, n_real=None)
    try:
        data = open_data(spec, variant.problem.backbone.fitted, labelled=True, offline=offline)
    except Unavailable as error:  # the run has come to its end, and its other scores are not to be lost
        return replace(blank, reason=str(error))
    data = data.on(variant.problem.device)
    assert data.labels is not None
    wrong, n = 0, len(data.values)
    with judging(variant):
        for rows in torch.split(torch.arange(n, device=data.labels.device), _BATCH):
            wrong += int((variant.classify(data.batch(rows)).argmax(1) != data.labels[rows]).sum())
    interval = binomtest(wrong, n).proportion_ci(method="wilson")
    value = wrong / n
    stderr = (value * (1 - value) / n) ** 0.5
    return replace(blank, value=value, stderr=stderr, ci95=(float(interval.low), float(interval.high)), n_real=n)
