"""Results to test with: whole ones, whose parts a test changes by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ganbench.protocol import get_protocol
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo


def _metric(value: float | None, label: str, direction: str = "higher", **given: Any) -> MetricResult:
    return MetricResult(**({"value": value, "label": label, "direction": direction, "params": {}} | given))


def _result(protocol: str = "tf", n: int = 1000, source: str = "samples", **changed: Any) -> Result:
    sizes = {"n_fake": n, "n_real": 50000}
    metrics = {
        "frechet_distance": _metric(
            22.431789, "FID", "lower", **sizes, params={"ddof": 1}, ci95=(21.1234, 23.7201), bias_estimate=5.81
        ),
        "kernel_distance": _metric(
            0.00123456, "KID", "lower", **sizes, params={"subsets": 100, "seed": 2020}, details={"subset_std": 0.00031}
        ),
        "precision": _metric(0.87312, "Precision", **sizes, params={"k": 3}),
        "coverage": _metric(None, "Coverage", **sizes, reason="the reference has moments only"),
    }
    whole = Result(
        protocol=get_protocol(protocol).record(),
        samples=SampleInfo(source=source, fingerprint="3f" * 32, n=n),
        reference=ReferenceInfo(name="cifar10", split="train", fingerprint="ab" * 32, n=50000),
        metrics=metrics,
        warnings=["many are duplicates"],
        timings={"samples": 1.5},
        environment={"versions": {"ganbench": "0.1.0"}, "device": "cpu"},
        command="ganbench eval samples --ref cifar10",
    )
    return replace(whole, **changed)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Result]:
    """A factory: make_result(protocol=, n=, source=, and any field of Result)."""
    return _result
