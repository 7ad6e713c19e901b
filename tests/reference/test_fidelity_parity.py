"""Fidelity, diversity and memorisation, number for number, against reference code.

Vendi and MS-SSIM run beside their packages. The code of the others is no package: its numbers were computed from the
sets below with the code at the places named, and are written down here. scikit-learn's and SciPy's parts of them run.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganbench.features.stats import Features
from ganbench.metrics._components import reduced
from ganbench.metrics._score import score
from ganbench.metrics._ssim import ms_ssim
from ganbench.metrics.prd import best_f, curve
from ganbench.metrics.realism import realism_of_each

pytestmark = pytest.mark.reference
Array = NDArray[Any]


def draw(n: int, d: int, seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Array:
    """Skewed, correlated, non-negative: as features of a network are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return np.maximum(rng.normal(size=(n, d)) @ mix * scale + shift, 0).astype(np.float32)


MANY = {
    "fake": draw(1500, 64, 1),
    "real": draw(1200, 64, 2, scale=1.3, shift=0.2),
    "test": draw(1000, 64, 5, scale=1.3, shift=0.2),
}
WIDE = {
    "fake": draw(700, 256, 3),
    "real": draw(900, 256, 4, scale=0.8),
    "test": draw(800, 256, 6, scale=0.8),
}


def value(name: str, key: str, **given: Any) -> float:
    found = score(name, **given)[key].value
    assert found is not None
    return found


def pair(sets: dict[str, Array]) -> dict[str, Array]:
    return {side: sets[side] for side in ("fake", "real")}


@pytest.mark.parametrize("q", [1, 2, "inf"])
@pytest.mark.parametrize("sets", [MANY, WIDE], ids=["many", "wide"])
def test_vendi_is_the_authors(sets: dict[str, Array], q: float | str) -> None:
    """Both in float64: 10⁻⁹ leaves room for the rounding of 1,500 eigenvalues around 0."""
    reference = pytest.importorskip("vendi_score.vendi", reason="vendi-score is not installed")
    x = sets["fake"].astype(np.float64)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    dual = reference.score_dual(x, q=q)
    assert value("vendi", "vendi", fake=sets["fake"], q=q) == pytest.approx(dual, rel=1e-9)
    spectrum = np.linalg.eigvalsh(unit @ unit.T / len(x))
    whole = np.exp(reference.entropy_q(spectrum, q=q))
    assert value("vendi", "vendi", fake=sets["fake"], q=q) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(("h", "w"), [(176, 176), (181, 243)])
@pytest.mark.parametrize("noise", [10, 60])
def test_ms_ssim_is_torchmetrics(h: int, w: int, noise: int) -> None:
    """Theirs in float64 too, but with weights rounded to float32: 10⁻⁷."""
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not installed")
    rng = np.random.default_rng(1)
    base = 127 + 40 * rng.normal(size=(2, 3, 31, 31)).repeat(8, axis=2).repeat(8, axis=3)[:, :, :h, :w]
    a = np.clip(base[0], 0, 255).astype(np.uint8)
    b = np.clip(base[0] + 0.3 * (base[1] - 127) + noise * rng.normal(size=a.shape), 0, 255).astype(np.uint8)
    theirs = reference.multiscale_structural_similarity_index_measure(
        *(torch.from_numpy(each[None].astype(np.float64)) for each in (a, b)), data_range=255.0
    )
    assert 0.1 < float(theirs) < 0.99
    assert ms_ssim(a, b) == pytest.approx(float(theirs), rel=1e-7)


# msmsajjadi/precision-recall-distributions, prd_score.py


def test_the_curve_of_given_shares_is_the_authors() -> None:
    """Printed in full; they add 10⁻¹⁰ to the denominators of F, so 10⁻⁹."""
    fake, real = np.array([0.5, 0.25, 0.125, 0.125, 0.0]), np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    precision, recall = curve(fake, real, angles=1001)
    at = [0, 100, 250, 500, 700, 1000]
    theirs = [7.5e-11, 0.11878833030490736, 0.31066017182375527, 0.55, 0.6962610505311077, 1.0]
    np.testing.assert_allclose(precision[at], theirs, rtol=1e-12)
    theirs = [0.75, 0.75, 0.75, 0.5500000000000002, 0.3547627247724067, 1.0000006950637707e-10]
    np.testing.assert_allclose(recall[at], theirs, rtol=1e-12)
    assert best_f(precision, recall, 8) == pytest.approx(0.7341477397782726, rel=1e-9)
    assert best_f(precision, recall, 1 / 8) == pytest.approx(0.9416558779434426, rel=1e-9)


def test_prd_of_features_is_the_authors_up_to_their_draws() -> None:
    """The means of twelve unseeded runs of theirs on the first 1,200 and 700 of each.

    Single runs of ten clusterings deviated by up to 0.014 there and 0.021 here. So the mean of twelve is off by 0.004,
    our 50 clusterings by 0.009; the tolerance is four of both together.
    """
    for sets, n, theirs in (
        (MANY, 1200, (0.90197715, 0.85096671)),
        (WIDE, 700, (0.95168225, 0.93357279)),
    ):
        found = score("prd", fake=sets["fake"][:n], real=sets["real"][:n], runs=50)
        for key, wanted in zip(("prd_f8", "prd_f1_8"), theirs, strict=True):
            assert found[key].value == pytest.approx(wanted, abs=0.04), key


# layer6ai-labs/dgm-eval, metrics/authpct.py, prdc.py and ct.py


@pytest.mark.parametrize(("sets", "theirs"), [(MANY, 38.20000076293945), (WIDE, 99.71428680419922)])
def test_authenticity_is_dgm_evals(sets: dict[str, Array], theirs: float) -> None:
    """A percentage of whole images, theirs rounded to float32: 10⁻⁷."""
    assert value("authenticity", "authenticity", **pair(sets)) == pytest.approx(theirs, rel=1e-7)


@pytest.mark.parametrize(
    ("sets", "k", "theirs"),
    [
        (MANY, 3, 1.1352609823458502),
        (MANY, 5, 1.1632267507443579),
        (WIDE, 3, 0.8467409998784157),
        (WIDE, 5, 0.8569304890015418),
    ],
)
def test_realism_is_dgm_evals(sets: dict[str, Array], k: int, theirs: float) -> None:
    """The 10⁻⁵ that the paper's authors add to distances of about 5 is missing there: 3·10⁻⁶."""
    each = realism_of_each(fake=Features(sets["fake"]), real=Features(sets["real"]), k=k)
    assert each.mean() == pytest.approx(theirs, rel=3e-6)


@pytest.mark.parametrize(("sets", "cells"), [(MANY, 1), (MANY, 3), (MANY, 5), (WIDE, 1), (WIDE, 3), (WIDE, 5)])
def test_c_t_is_dgm_evals(sets: dict[str, Array], cells: int) -> None:
    """Their statistic written out with SciPy's and scikit-learn's parts, on our cells: equal to rounding.

    Theirs itself gave, on the same cells, -36.34924828585622 for the first of these cases.
    """
    from scipy.stats import mannwhitneyu
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestNeighbors

    from ganbench.metrics.c_t import CT

    metric = CT(cells=cells)
    fake, real, test = reduced(*sets.values(), among=sets["real"], dims=64)
    seed = int(metric.generator(metric.seed).integers(2**31))
    means = KMeans(n_clusters=cells, n_init=10, random_state=seed).fit(real)
    total = weights = 0.0
    for cell in range(cells):
        q, t, p = (each[means.predict(each) == cell] for each in (fake, real, test))
        if len(q) / len(fake) <= 20 / len(fake):
            continue
        search = NearestNeighbors(n_neighbors=1).fit(t)
        far_q, far_p = (search.kneighbors(each)[0].ravel() for each in (q, p))
        u = mannwhitneyu(far_q, far_p, alternative="less").statistic
        n, m = len(p), len(q)
        z = (u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
        total += n / len(test) * z
        weights += n / len(test)
    found = value("c_t", "c_t", **sets, cells=cells)
    assert found == pytest.approx(total / weights, rel=1e-9)
    if sets is MANY and cells == 1:
        assert found == pytest.approx(-36.34924828585622, rel=1e-9)


def test_c_t_is_dgm_evals_up_to_its_draws() -> None:
    """Four runs of theirs each, unseeded: -20.69, -20.90, -20.78, -20.68 and 15.87, 15.76, 15.62, 15.67."""
    assert value("c_t", "c_t", **MANY) == pytest.approx(-20.76, abs=0.35)
    assert value("c_t", "c_t", **WIDE) == pytest.approx(15.73, abs=0.35)


# hichoe95/Rarity-Score, src/rarity_score.py


@pytest.mark.parametrize(
    ("sets", "theirs", "inside"), [(MANY, 5.487039722860214, 0.998), (WIDE, 9.350187116966104, 9 / 700)]
)
def test_rarity_is_the_authors(sets: dict[str, Array], theirs: float, inside: float) -> None:
    """Theirs in float64 by the expanded square: 10⁻¹²."""
    found = score("rarity", **pair(sets))["rarity"]
    assert found.value == pytest.approx(theirs, rel=1e-12)
    assert found.details["inside"] == pytest.approx(inside, rel=1e-12)
