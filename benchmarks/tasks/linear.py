"""Linear algebra on given features, timed without imports: `python -m benchmarks.tasks.linear WHAT N D`."""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

F = np.ndarray


def features(n: int, d: int, seed: int) -> F:
    """Skewed and correlated, float32 (n, d)."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return np.maximum(rng.normal(size=(n, d)) @ mix + 0.1 * seed, 0).astype(np.float32)


def moments(n: int, d: int) -> tuple[F, F, F, F]:
    """Means and covariances of two sets."""
    found = []
    for seed in (1, 2):
        x = features(n, d, seed).astype(np.float64)
        found += [x.mean(axis=0), np.cov(x, rowvar=False)]
    return tuple(found)


def frechet_ours(n: int, d: int) -> Callable[[], dict[str, float]]:
    """With the factor of the reference cached, as an evaluation has it."""
    from ganbench.features.moments import Moments
    from ganbench.features.stats import Features
    from ganbench.metrics._frechet import frechet

    mu, cov, nu, other = moments(n, d)
    fake, real = (Features(moments=Moments(n, mean, of)) for mean, of in ((mu, cov), (nu, other)))
    known = Features(moments=real.moments, factor=real.factor)
    return lambda: {"fid": frechet(fake, known)[0]}


def frechet_sqrtm(n: int, d: int) -> Callable[[], dict[str, float]]:
    """SciPy's square root of the product, as pytorch-fid has it."""
    from scipy import linalg

    mu, cov, nu, other = moments(n, d)

    def run() -> dict[str, float]:
        root = linalg.sqrtm(cov @ other)
        return {"fid": float((mu - nu) @ (mu - nu) + np.trace(cov + other) - 2 * np.trace(root).real)}

    return run


def frechet_eigvals(n: int, d: int) -> Callable[[], dict[str, float]]:
    """Eigenvalues of the product, as torch-fidelity and torchmetrics have it."""
    import torch

    mu, cov, nu, other = (torch.from_numpy(x) for x in moments(n, d))

    def run() -> dict[str, float]:
        roots = torch.linalg.eigvals(cov @ other).sqrt().real.sum()
        return {"fid": float((mu - nu).square().sum() + cov.trace() + other.trace() - 2 * roots)}

    return run


def neighbours_ours(n: int, d: int) -> Callable[[], dict[str, float]]:
    """Precision, recall, density and coverage with k = 5."""
    import ganbench

    fake, real = features(n, d, 1), features(n, d, 2)

    def run() -> dict[str, float]:
        found: dict[str, Any] = {**ganbench.score("precision_recall", fake=fake, real=real, k=5)}
        found |= ganbench.score("density_coverage", fake=fake, real=real, k=5)
        return {key: float(score.value) for key, score in found.items()}

    return run


def neighbours_prdc(n: int, d: int) -> Callable[[], dict[str, float]]:
    """The authors' package."""
    from prdc import compute_prdc

    fake, real = features(n, d, 1), features(n, d, 2)
    return lambda: {k: float(v) for k, v in compute_prdc(real_features=real, fake_features=fake, nearest_k=5).items()}


TASKS = {
    "frechet-ours": frechet_ours,
    "frechet-sqrtm": frechet_sqrtm,
    "frechet-eigvals": frechet_eigvals,
    "neighbours-ours": neighbours_ours,
    "neighbours-prdc": neighbours_prdc,
}

if __name__ == "__main__":
    what, n, d = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = TASKS[what](n, d)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        values = run()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "values": values, "peak": peak * 1024, "before": before * 1024}))
