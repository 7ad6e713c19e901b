"""The oracles of every metric: an installed package, numbers that reference code gave, or a closed case.

`ORACLES` has a line for each; measure_parity.py compares. Where code of reference is no package its numbers, made
with it on the sets of parity_sets.py, are written down here; beside them stands what SciPy or scikit-learn give.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import parity_packages as packages
import parity_sets as sets
from parity_packages import Case
from parity_sets import Array


@dataclass(frozen=True)
class Oracle:
    """What a metric is compared with.

    Attributes:
        name: who or what.
        case: makes the comparison.
        tolerance: how far ours may be from it, as a part of it.
        why: why so far.
        package: the distribution whose version is recorded.
    """

    name: str
    case: Callable[[], Case]
    tolerance: float
    why: str
    package: str | None = None

    @property
    def compared(self) -> str:
        """What was compared, in a line."""
        return (self.case.__doc__ or "The number that its code gave for these sets.").partition("\n")[0]


def given_number(values: Mapping[str, float], given: Callable[[], Mapping[str, object]]) -> Callable[[], Case]:
    """A comparison with numbers that are written down."""
    return lambda: Case(given(), values)


# SciPy and scikit-learn


def _nearest(to: Array, of: Array | None = None) -> tuple[Array, Array]:
    """scikit-learn's distance and index of the nearest row of `to`; where `of` is None, to each the nearest other."""
    from sklearn.neighbors import NearestNeighbors

    distance, index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(to).kneighbors(of)
    return distance[:, 0], index[:, 0]


def authenticity() -> Case:
    """Nearest reals, and theirs."""
    fake, real = sets.doubles().values()
    distance, index = _nearest(real, fake)
    return Case(sets.doubles(), {"authenticity": 100 * float(np.mean(distance > _nearest(real)[0][index]))})


def nearest() -> Case:
    """Nearest reals, and theirs."""
    fake, real = sets.doubles().values()
    distance, index = _nearest(real, fake)
    return Case(sets.doubles(), {"nearest": float(np.median(distance / _nearest(real)[0][index]))})


def _balls() -> tuple[Array, Array]:
    """All distances of fakes to reals, and how far each real's third nearest other is."""
    from sklearn.metrics import pairwise_distances

    fake, real = sets.doubles().values()
    return pairwise_distances(fake, real), np.sort(pairwise_distances(real), axis=1)[:, 3]


def realism() -> Case:
    """Over the reals of radii up to the median."""
    apart, radius = _balls()
    kept = radius <= np.median(radius)
    return Case(sets.doubles(), {"realism": float(np.mean((radius[kept] / (apart[:, kept] + 1e-5)).max(axis=1)))})


def rarity() -> Case:
    """The smallest ball that holds each fake."""
    apart, radius = _balls()
    each = np.where(apart < radius, radius, np.inf).min(axis=1)
    return Case(sets.doubles(), {"rarity": float(each[np.isfinite(each)].mean())})


def cmmd() -> Case:
    """Its Gaussian kernel on unit vectors, whole matrices."""
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.preprocessing import normalize

    x, y = (normalize(side) for side in sets.doubles().values())
    means = [float(rbf_kernel(*pair, gamma=1 / 200).mean()) for pair in ((x, x), (y, y), (x, y))]
    return Case(sets.doubles(), {"cmmd": 1000 * (means[0] + means[1] - 2 * means[2])})


def c_t() -> Case:
    """Its test of the distances that scikit-learn finds, in one cell."""
    from scipy.stats import mannwhitneyu

    fake, real, test = sets.held_out().values()
    far, near = (_nearest(real, each)[0] for each in (fake, test))
    n, m = len(test), len(fake)
    u = mannwhitneyu(far, near).statistic
    z = (u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
    return Case(sets.held_out() | {"cells": 1}, {"c_t": float(z)})


def birthday() -> Case:
    """Pairs of fakes within the distance that a tenth of the reals keep, counted by SciPy's tree."""
    from scipy.spatial import cKDTree

    fake, real = sets.normal(600, 4, 1), sets.normal(500, 4, 2, scale=1.5)
    own = np.sort(_nearest(real.astype(np.float64))[0])
    limit = (own[49] + own[50]) / 2  # of 499 steps between 500 numbers a tenth ends just before the 51st
    pairs = len(cKDTree(fake.astype(np.float64)).query_pairs(limit))
    assert pairs > 10
    return Case({"fake": fake, "real": real, "quantile": 0.1}, {"birthday": 600 * 599 / 2 / (pairs + 1)})


def _divergences(p: Array, q: Array) -> dict[str, float]:
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import entropy

    return {"mode_kl": float(entropy(p, q)), "mode_jsd": float(jensenshannon(p, q) ** 2)}


def modes_of_points() -> Case:
    """ring8-pacgan: points within three sigma of the nearest centre count."""
    from scipy.spatial.distance import cdist

    points, angle = sets.ring(2500), np.pi / 4 * np.arange(8)
    apart = cdist(points, np.stack([np.cos(angle), np.sin(angle)], axis=1))
    good = apart.min(axis=1) < 0.03
    counts = np.bincount(apart.argmin(axis=1)[good], minlength=8)
    wanted = _divergences(counts / counts.sum(), np.full(8, 1 / 8))
    wanted |= {"modes": float(np.sum(counts > 0)), "high_quality": float(good.mean())}
    return Case({"fake": points, "distribution": "ring8-pacgan"}, wanted)


def modes_of_logits() -> Case:
    """The classes of fakes against those of reals."""
    from scipy.special import softmax

    fake, real = (
        sets.logits(n, 12) + slope * np.linspace(0, 1, 12, dtype=np.float32) for n, slope in ((150, 30), (700, 6))
    )
    p, q = (np.bincount(x.argmax(axis=1), minlength=12) / len(x) for x in (fake, real))
    sure = float(np.mean(softmax(fake.astype(np.float64), axis=1).max(axis=1) > 0.9))
    return Case(
        {"fake": fake, "real": real}, _divergences(p, q) | {"modes": float(np.sum(p > 0)), "high_quality": sure}
    )


# Closed cases


def prd_of_modes() -> Case:
    """Fakes in two of four far modes, all equally often: α = min(λ/2, 1), β = α/λ, both scores at λ = 2."""
    far = 100 * np.eye(4)
    fake, real = far[np.arange(400) % 2], far[np.arange(400) % 4]
    noise = (sets.normal(400, 4, seed) for seed in (1, 2))
    given = {side: (x + e).astype(np.float32) for side, x, e in zip(("fake", "real"), (fake, real), noise, strict=True)}
    wanted = {"prd_f8": 65 * 0.5 / (64 + 0.5), "prd_f1_8": 65 / 64 * 0.5 / (1 / 64 + 0.5)}
    return Case(given | {"clusters": 4, "angles": 20_001}, wanted)


_BRIEF = {"repeats": 1, "steps": 40}


def cas() -> Case:
    """Fakes of two of the three classes teach two thirds of the test."""
    sides = sets.labelled(fake=sets.in_turn(120, 2), real=sets.in_turn(120), test=sets.in_turn(90))
    return Case(sides | _BRIEF, {"cas": 2 / 3})


def gan_test() -> Case:
    """Every fourth fake is shown as another class than it claims."""
    sides = sets.labelled(fake=sets.in_turn(120), real=sets.in_turn(120), test=sets.in_turn(90))
    claimed = sides["fake_labels"] + (np.arange(120) % 4 == 0)
    return Case(sides | {"fake_labels": claimed % sets.CLASSES} | _BRIEF, {"gan_test": 3 / 4})


def augmentation() -> Case:
    """Reals lack the third class, so that the fakes, which have it, add a third of the test at every size."""
    sides = sets.labelled(fake=sets.in_turn(120), real=sets.in_turn(120, 2), test=sets.in_turn(90))
    return Case(sides | _BRIEF | {"sizes": (60,)}, {"augmentation": 1 / 3})


# Sets on which code that is no package was run


def shifted(n: int) -> dict[str, Array]:
    """300 fakes of width 24 and n other reals."""
    return {"fake": sets.normal(300, 24, 1, scale=1.1, shift=0.2), "real": sets.normal(n, 24, 3)}


def prd_of_equal_numbers() -> dict[str, object]:
    """As many fakes as reals, as the authors' code wants it; more runs than it makes, which only lessens the noise."""
    return {side: x[:1200] for side, x in sets.many().items()} | {"runs": 100}


_ROUND = "both compute in float64, in another order"
_COUNTS = "a share of whole images"
_FAR = "classes and modes lie so far apart that nothing is in doubt"
_SKLEARN, _TM, _TF, _PF = "scikit-learn", "torchmetrics", "torch-fidelity", "pytorch-fid"
_EIGEN = "it takes eigenvalues of a product that is not symmetric"

ORACLES: Mapping[str, Sequence[Oracle]] = {
    "augmentation": [Oracle("closed case", augmentation, 1e-12, _FAR)],
    "authenticity": [
        Oracle("dgm-eval, its number", given_number({"authenticity": 38.20000076293945}, sets.many), 1e-7,
               "it rounds to float32"),
        Oracle(_SKLEARN, authenticity, 1e-12, _COUNTS, _SKLEARN),
    ],
    "birthday": [Oracle("SciPy", birthday, 1e-12, "a count of pairs", "scipy")],
    "c_t": [
        Oracle("dgm-eval, its number", lambda: Case(sets.held_out() | {"cells": 1}, {"c_t": -36.34924828585622}), 1e-9,
               _ROUND),
        Oracle("SciPy", c_t, 1e-9, _ROUND, "scipy"),
    ],
    "cas": [Oracle("closed case", cas, 1e-12, _FAR)],
    "cmmd": [
        Oracle("cmmd-pytorch, its number", given_number({"cmmd": 0.3324521856242768}, lambda: shifted(410)), 1e-9,
               _ROUND),
        Oracle(_SKLEARN, cmmd, 1e-8, "it subtracts means that nearly cancel", _SKLEARN),
    ],
    "density_coverage": [Oracle("prdc", packages.density_coverage_prdc, 1e-12, "counts", "prdc")],
    "fid": [
        Oracle(_TF, packages.fid_torch_fidelity, 1e-5, "it takes means in float32", _TF),
        Oracle(_TM, packages.fid_torchmetrics, 1e-6, _EIGEN, _TM),
        Oracle(_PF, packages.fid_pytorch_fid, 1e-6, "its matrix root is of a product that is not symmetric", _PF),
    ],
    "fid_infinity": [Oracle("SciPy's line through torchmetrics", packages.fid_infinity_scipy, 1e-6, _EIGEN, _TM)],
    "gan_test": [Oracle("closed case", gan_test, 1e-12, _FAR)],
    "inception_score": [Oracle(_TF, packages.inception_score_torch_fidelity, 1e-9, _ROUND, _TF)],
    "intra_fid": [Oracle(_TM, packages.intra_fid_torchmetrics, 1e-6, _EIGEN, _TM)],
    "kid": [Oracle(_TF, packages.kid_torch_fidelity, 1e-9, _ROUND, _TF)],
    "kid_full": [Oracle(_TM, packages.kid_full_torchmetrics, 1e-9, _ROUND, _TM)],
    "mifid": [Oracle(_TM, packages.mifid_torchmetrics, 1e-6, _EIGEN, _TM)],
    "mind": [
        Oracle("torch-fidelity 5e211a9, its number",
               given_number({"mind": 4.578259348869324}, lambda: shifted(410)), 1e-6, "it computes in float32"),
    ],
    "mode_coverage": [
        Oracle("points, SciPy", modes_of_points, 1e-12, _ROUND, "scipy"),
        Oracle("logits, SciPy", modes_of_logits, 1e-12, _ROUND, "scipy"),
    ],
    "ms_ssim": [Oracle(_TM, packages.ms_ssim_torchmetrics, 1e-6, "its weights of scales are float32", _TM)],
    "nearest": [Oracle(_SKLEARN, nearest, 1e-9, "it takes distances by the expanded square", _SKLEARN)],
    "ppl": [Oracle(_TM, packages.ppl_torchmetrics, 1e-6, "differences over steps of 1e-4 lose eight digits", _TM)],
    "prd": [
        Oracle("closed case", prd_of_modes, 1e-4, "the best λ lies between two of 20,001 angles"),
        Oracle("authors' code, the mean of two runs",
               given_number({"prd_f8": 0.9060968693174436, "prd_f1_8": 0.8398061072142693}, prd_of_equal_numbers), 0.05,
               "k-means draws: its two runs differ by 0.04"),
    ],
    "precision_recall": [
        Oracle(_TF, packages.precision_recall_torch_fidelity, 1e-6, "it takes means in float32", _TF),
        Oracle("prdc", packages.precision_recall_prdc, 1e-12, _COUNTS, "prdc"),
    ],
    "rarity": [
        Oracle("authors' code, its number", given_number({"rarity": 5.487039722860214}, sets.many), 1e-9, _ROUND),
        Oracle(_SKLEARN, rarity, 1e-9, "it takes distances by the expanded square", _SKLEARN),
    ],
    "realism": [
        Oracle("dgm-eval, its number", given_number({"realism": 1.1352609823458502}, sets.many), 3e-6,
               "it lacks the 1e-5 that the authors add to distances"),
        Oracle(_SKLEARN, realism, 1e-9, "it takes distances by the expanded square", _SKLEARN),
    ],
    "sfid": [Oracle(_PF, packages.sfid_pytorch_fid, 1e-6, "its matrix root is of a product that is not symmetric",
                    _PF)],
    "sliced_wasserstein": [Oracle("POT", packages.sliced_wasserstein_pot, 1e-9, _ROUND, "pot")],
    "vendi": [Oracle("vendi-score", packages.vendi_package, 1e-9, _ROUND, "vendi-score")],
}  # fmt: skip
