"""Metrics on numbers so few that their answers can be worked out by hand, or so regular that there is a formula."""

import math

import numpy as np

from ganbench.features.moments import Moments
from ganbench.features.stats import Features
from ganbench.metrics._score import score
from ganbench.selftest.check import Check, Maker
from ganbench.selftest.draws import normal

_MAKE = Maker(
    group="arithmetic",
    cure=(
        "NumPy, SciPy or the linear algebra library (BLAS, LAPACK) beneath them computes wrongly here. Reinstall them "
        "from another build (`pip install --force-reinstall numpy scipy`), and try OMP_NUM_THREADS=1: some builds go "
        "wrong with many threads. Trust no metric until this passes."
    ),
)


def known_answers() -> list[Check]:
    """All of them."""
    return [
        # Both sides 2-D: tr (AB)^½ = (tr AB + 2 (det A det B)^½)^½ by Cayley and Hamilton. Here tr A = tr B = 4,
        # tr AB = 2·1 + 2·3 = 8, det A = det B = 3, and the means are 5 apart, squared.
        _MAKE.tried("FD of two Gaussians whose covariances do not commute", 13 - 2 * math.sqrt(14), 1e-9, _gaussians),
        # X and aX: the covariances commute, so FD = (a - 1)² (‖μ‖² + tr Σ).
        _MAKE.tried("FD of 600 scaled features of width 256", 1.0, 1e-9, lambda: _scaled(600)),
        _MAKE.tried("FD of 100 scaled features of width 256: covariances of low rank", 1.0, 1e-9, lambda: _scaled(100)),
        # k(x, y) = (xy + 1)³. All fakes are 0: k = 1 among them and between the sets. Of the 12 ordered pairs of
        # different reals 4 have equal signs, k = 8, and 8 have k = 0: 32/12. MMD² = 1 + 8/3 - 2.
        _MAKE.tried("KD of four zeros and ±1, ±1", 5 / 3, 1e-12, _kernel),
        # Classes seen 1, 1 and 2 times of 4, each for sure: exp(H) with H = 1.5 ln 2.
        _MAKE.tried("IS of sure images in classes 1 : 1 : 2", 2**1.5, 1e-9, _inception_score),
        # On a line. Reals 0, 1, 3, 7: nearest other 1, 1, 2, 4, so balls [-1, 1], [0, 2], [1, 5], [3, 11].
        # Fakes -2, 0.5, 6, 12: nearest other 2.5, 2.5, 5.5, 6, so balls [-4.5, 0.5], [-2, 3], [0.5, 11.5], [6, 18].
        _MAKE.tried("precision on a line", 2 / 4, 0.0, lambda: _on_a_line("precision_recall", "precision")),
        _MAKE.tried("recall on a line", 4 / 4, 0.0, lambda: _on_a_line("precision_recall", "recall")),
        # 0.5 is in the balls of 0 and 1, 6 in that of 7, none in that of 3: (2 + 1) / (1 · 4), and 3 reals of 4.
        _MAKE.tried("density on a line", 3 / 4, 0.0, lambda: _on_a_line("density_coverage", "density")),
        _MAKE.tried("coverage on a line", 3 / 4, 0.0, lambda: _on_a_line("density_coverage", "coverage")),
    ]


def _gaussians() -> float:
    fake = Moments(1000, np.array([1.0, 2.0]), np.array([[2.0, 1.0], [1.0, 2.0]]))
    real = Moments(1000, np.zeros(2), np.array([[1.0, 0.0], [0.0, 3.0]]))
    return float(score("fid", fake=fake, real=real)["frechet_distance"])


def _scaled(n: int) -> float:
    """The distance over what it should be."""
    x = normal(11, n, 256).astype(np.float64) + 0.5
    moments = Features(x).moments
    wanted = (1.5 - 1) ** 2 * (float(moments.mean @ moments.mean) + float(np.trace(moments.cov)))
    return float(score("fid", fake=1.5 * x, real=x)["frechet_distance"]) / wanted


def _kernel() -> float:
    real = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    return float(score("kid", fake=np.zeros((4, 1)), real=real)["kernel_distance"])


def _inception_score() -> float:
    logits = 1000.0 * np.eye(3)[[0, 1, 2, 2]]
    return float(score("inception_score", fake=logits, splits=1)["inception_score"])


def _on_a_line(metric: str, key: str) -> float:
    fake, real = np.array([[-2.0], [0.5], [6.0], [12.0]]), np.array([[0.0], [1.0], [3.0], [7.0]])
    return float(score(metric, fake=fake, real=real, k=1)[key])
