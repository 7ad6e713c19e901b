"""PRD, realism, rarity, Vendi and MS-SSIM against closed forms and slow, readable twins."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ganbench.metrics._smallest_balls as balls_module
from ganbench.errors import UsageError
from ganbench.features.image_set import ImageArray
from ganbench.features.stats import Features
from ganbench.metrics._base import TooFewImages
from ganbench.metrics._neighbours import radii
from ganbench.metrics._score import score
from ganbench.metrics._smallest_balls import smallest_balls
from ganbench.metrics._ssim import ms_ssim, scales_of
from ganbench.metrics.ms_ssim import MsSsim
from ganbench.metrics.prd import Prd, best_f, curve
from ganbench.metrics.realism import realism_of_each
from ganbench.metrics.vendi import Vendi
from ganbench.results import Score

Array = NDArray[Any]


def all_distances(x: Array, y: Array) -> NDArray[np.float64]:
    return np.stack([np.sqrt(((y.astype(np.float64) - row) ** 2).sum(axis=1)) for row in x.astype(np.float64)])


def slow_radii(x: Array, k: int) -> NDArray[np.float64]:
    d = all_distances(x, x)
    np.fill_diagonal(d, np.inf)
    found: NDArray[np.float64] = np.sort(d, axis=1)[:, k - 1]
    return found


def normal(n: int, d: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def clusters(n: int, d: int, seed: int) -> Array:
    """Two far, tight clusters: float32 products cannot tell the distances within one apart."""
    draw = np.random.default_rng(seed)
    return (100.0 * draw.integers(0, 2, size=(n, 1)) + 1e-4 * draw.normal(size=(n, d))).astype(np.float64)


def lattice(n: int, d: int, seed: int) -> Array:
    """Small integers: many points lie exactly on a radius."""
    return np.random.default_rng(seed).integers(0, 4, size=(n, d)).astype(np.float32)


def collapsed(n: int, d: int, seed: int) -> Array:
    return normal(3, d, 5)[np.random.default_rng(seed).integers(0, 3, size=n)]


def column(*numbers: float) -> Array:
    return np.array(numbers, dtype=np.float32)[:, None]


def rotation(d: int) -> Array:
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(d, d)))
    return q


def only(found: dict[str, Score]) -> Score:
    (score,) = found.values()
    return score


def value(name: str, **given: Any) -> float:
    found = only(score(name, **given)).value
    assert found is not None
    return found


# Precision and recall for distributions


def prd(fake: Array, real: Array, **params: Any) -> tuple[float, float]:
    found = score("prd", fake=fake, real=real, **params)
    return float(found["prd_f8"]), float(found["prd_f1_8"])


def test_the_curve_is_that_of_its_definition() -> None:
    p, q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    precision, recall = curve(p, q, angles=7)
    for i, angle in enumerate(np.linspace(1e-10, np.pi / 2 - 1e-10, 7)):
        slope = np.tan(angle)
        assert precision[i] == pytest.approx(sum(min(slope * b, a) for a, b in zip(p, q, strict=True)), rel=1e-12)
        assert recall[i] == pytest.approx(sum(min(b, a / slope) for a, b in zip(p, q, strict=True)), rel=1e-12)


def test_half_of_the_modes_have_a_closed_form() -> None:
    """α = min(λ/2, 1) and β = α/λ: both scores are taken at λ = 2, where α = 1 and β = ½."""
    precision, recall = curve(np.array([1.0, 0.0]), np.array([0.5, 0.5]), angles=100_001)
    assert best_f(precision, recall, 8) == pytest.approx(65 * 0.5 / (64 + 0.5), rel=1e-4)
    assert best_f(precision, recall, 1 / 8) == pytest.approx((65 / 64) * 0.5 / (1 / 64 + 0.5), rel=1e-4)


def modes(n: int, kinds: int, seed: int) -> Array:
    """Draws around the first of ten points far apart."""
    draw = np.random.default_rng(seed)
    return (100 * np.eye(10)[draw.integers(0, kinds, n)] + draw.normal(size=(n, 10))).astype(np.float32)


def test_missing_modes_cost_recall_and_wrong_ones_precision() -> None:
    some, all_of_them = modes(600, 5, 1), modes(600, 10, 2)
    f8, f1_8 = prd(some, all_of_them, clusters=10)
    assert f8 < 0.6
    assert f1_8 > 0.9
    # The same partition up to its draws: equal sizes make the two sides mirror images.
    assert prd(all_of_them, some, clusters=10) == pytest.approx((f1_8, f8), abs=0.02)


def test_prd_of_sets_apart_and_of_equal_ones() -> None:
    x = normal(300, 4, 1)
    assert prd(x, x + 1000) == pytest.approx((0, 0), abs=1e-9)
    assert prd(x, x[::-1]) == pytest.approx((1, 1), abs=1e-9)


def test_prd_takes_no_notice_of_order_even_where_it_draws() -> None:
    x, y = normal(300, 4, 1), normal(500, 4, 2)
    order = np.random.default_rng(0).permutation(500)
    assert prd(x, y, runs=3) == prd(x[::-1], y[order], runs=3)
    assert prd(x, y, runs=3) != prd(x, y, runs=3, seed=1)
    assert prd(x, y, runs=3) == prd(x, np.where(y == 0, -0.0, y), runs=3)


def test_prd_draws_as_many_of_the_larger_set() -> None:
    """Three thousand reals against three hundred fakes of the same kind: all the clusters would be the reals'."""
    f8, f1_8 = prd(normal(300, 4, 1), normal(3000, 4, 2))
    assert f8 > 0.85
    assert f1_8 > 0.85


def test_the_series_is_the_curve() -> None:
    found = score("prd", fake=normal(100, 4, 1), real=normal(100, 4, 2))["prd_f8"]
    assert [len(column) for column in found.series.values()] == [101, 101]
    recall, precision = found.series["recall"], found.series["precision"]
    assert np.all(np.diff(precision) >= -1e-12)  # an average over runs, with its rounding
    assert np.all(np.diff(recall) <= 1e-12)
    assert best_f(np.array(precision), np.array(recall), 8) <= float(found) + 1e-12


def test_prd_needs_an_image_for_each_cluster() -> None:
    with pytest.raises(TooFewImages, match="real has 19 images for 20 clusters"):
        score("prd", fake=normal(50, 4, 1), real=normal(19, 4, 1))
    with pytest.raises(UsageError, match="angles"):
        Prd(angles=2)


# Realism


@pytest.mark.parametrize("kind", [normal, clusters, lattice])
@pytest.mark.parametrize("k", [1, 3])
def test_realism_is_that_of_a_slow_twin(kind: Callable[..., Array], k: int) -> None:
    fake, real = kind(150, 5, 1), kind(1200, 5, 2)
    radius = slow_radii(real, k)
    kept = radius <= np.median(radius)
    wanted = (radius[kept] / (all_distances(fake, real[kept]) + 1e-5)).max(axis=1)
    found = realism_of_each(fake=Features(fake), real=Features(real), k=k)
    # The maximum is found without the 10⁻⁵, which at distances about that can prefer another real.
    np.testing.assert_allclose(found, wanted, rtol=0.2 if kind is clusters else 1e-5)


def test_realism_of_single_points() -> None:
    """Of the own distances 1, 1, 2, 4 those up to the median of 1.5 stay."""
    found = realism_of_each(fake=Features(column(3, -1, 9)), real=Features(column(0, 1, 3, 7)), k=1)
    np.testing.assert_allclose(found, [1 / 2, 1 / 1, 1 / 8], rtol=2e-5)


def test_realism_falls_with_distance_and_rises_at_copies() -> None:
    real = normal(400, 6, 1)
    found = [value("realism", fake=normal(400, 6, 2) + np.float32(shift), real=real) for shift in (0, 1, 3, 10)]
    assert found == sorted(found, reverse=True)
    copied = only(score("realism", fake=real, real=real))
    assert float(copied) > 1e3
    assert copied.details["median"] > 0.5
    assert value("realism", fake=real, real=normal(400, 6, 2) * np.float32(2)) != found[0]


def test_realism_is_nothing_to_rotation_and_scale() -> None:
    fake, real = normal(200, 6, 1).astype(np.float64), 1.5 * normal(300, 6, 2).astype(np.float64)
    plain = value("realism", fake=fake, real=real)
    assert value("realism", fake=7 * fake @ rotation(6), real=7 * real @ rotation(6)) == pytest.approx(plain, rel=1e-4)


def test_realism_says_how_many_lie_within_and_how_sure_the_mean_is() -> None:
    fake, real = Features(normal(200, 6, 1)), Features(normal(300, 6, 2))
    each = realism_of_each(fake=fake, real=real, k=3)
    found = only(score("realism", fake=fake, real=real))
    assert found.details == {"median": np.median(each), "share_within": np.mean(each >= 1)}
    assert found.stderr == pytest.approx(each.std(ddof=1) / np.sqrt(200))
    assert found.ci95 == pytest.approx((each.mean() - 1.96 * found.stderr, each.mean() + 1.96 * found.stderr), rel=1e-4)


def test_reals_of_doubles_have_no_balls() -> None:
    real = np.repeat(normal(30, 3, 1), 4, axis=0)
    assert value("realism", fake=real[:10], real=real) == 0


# Rarity


@pytest.mark.parametrize("kind", [normal, clusters, lattice, collapsed])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("n", "m"), [(80, 70), (1100, 1300)])
def test_the_smallest_balls_are_those_of_a_slow_twin(kind: Callable[..., Array], k: int, n: int, m: int) -> None:
    fake, real = kind(n, 5, 1), kind(m, 5, 2)
    radius = slow_radii(real, k)
    wanted = np.where(all_distances(fake, real) < radius, radius, np.inf).min(axis=1)
    np.testing.assert_array_equal(smallest_balls(fake, real, radii(Features(real), k, "real")[:, k - 1]), wanted)


def test_tight_clusters_are_sieved_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = 0
    exact = balls_module.distances

    def counting(x: Array, y: Array, i: Array, j: Array) -> Array:
        nonlocal measured
        measured += len(i)
        return exact(x, y, i, j)

    monkeypatch.setattr(balls_module, "distances", counting)
    real = clusters(1000, 6, 2)
    smallest_balls(clusters(1000, 6, 1), real, slow_radii(real, 3))
    assert measured < 20_000


def test_rarity_of_single_points() -> None:
    """Reals at 0, 1, 3, 7, 15 have the balls 1, 1, 2, 4, 8; 2 lies on the edge of that of 1."""
    real = column(0, 1, 3, 7, 15)
    for point, rarity in ((0.5, 1), (2, 2), (2.5, 2), (10, 4), (12, 8)):
        assert value("rarity", fake=column(point, point), real=real, k=1) == rarity
    found = only(score("rarity", fake=column(0.5, 10, 12, 100), real=real, k=1))
    assert found.value == pytest.approx((1 + 4 + 8) / 3)
    assert found.details == {"inside": 0.75}


def test_fakes_off_the_data_have_no_rarity() -> None:
    found = only(score("rarity", fake=normal(20, 3, 1) + 100, real=normal(50, 3, 2)))
    assert found.value is None
    assert "none of 20 fakes lies in a ball of a real" in str(found.reason)
    assert found.details == {"inside": 0}
    lonely = np.concatenate([normal(20, 3, 1) + 100, np.zeros((1, 3), np.float32)])
    single = only(score("rarity", fake=lonely, real=normal(50, 3, 2)))
    assert (single.value is None, single.ci95) == (False, None)


def test_rarity_grows_with_scale_and_stays_under_rotation() -> None:
    fake, real = normal(200, 4, 1).astype(np.float64), normal(300, 4, 2).astype(np.float64)
    plain = value("rarity", fake=fake, real=real)
    assert value("rarity", fake=5 * fake, real=5 * real) == pytest.approx(5 * plain, rel=1e-9)
    assert value("rarity", fake=fake @ rotation(4), real=real @ rotation(4)) == pytest.approx(plain, rel=1e-9)
    assert value("rarity", fake=real, real=fake) != pytest.approx(plain, rel=1e-3)


def test_fakes_in_the_tails_are_rarer() -> None:
    real, fake = normal(500, 2, 1), normal(500, 2, 2)
    far = np.linalg.norm(fake, axis=1)
    assert value("rarity", fake=fake[far > 1.5], real=real) > 1.5 * value("rarity", fake=fake[far < 1], real=real)


# Vendi


def test_n_orthonormal_vectors_are_n_images() -> None:
    assert value("vendi", fake=rotation(9)) == pytest.approx(9, rel=1e-12)
    assert value("vendi", fake=np.eye(5, 12)) == pytest.approx(5, rel=1e-12)
    assert value("vendi", fake=np.ones((7, 3))) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("q", "wanted"),
    [
        (1, np.exp(-sum(p * np.log(p) for p in (0.6, 0.3, 0.1)))),
        (2.0, 1 / (0.36 + 0.09 + 0.01)),
        (0.5, (np.sqrt(0.6) + np.sqrt(0.3) + np.sqrt(0.1)) ** 2),
        ("inf", 1 / 0.6),
    ],
)
def test_three_pictures_of_unequal_shares_have_their_hill_number(q: float | str, wanted: float) -> None:
    pictures = rotation(6)[:3].repeat([60, 30, 10], axis=0)
    assert value("vendi", fake=pictures, q=q) == pytest.approx(wanted, rel=1e-6)


def test_both_forms_of_the_spectrum_agree() -> None:
    """Columns of zeros change no cosine, but make the images fewer than the features."""
    x = np.maximum(normal(60, 20, 1), 0)
    wide = np.concatenate([x, np.zeros((60, 100), np.float32)], axis=1)
    assert value("vendi", fake=wide) == pytest.approx(value("vendi", fake=x), rel=1e-10)


def test_vendi_sees_directions_only() -> None:
    x = normal(200, 8, 1).astype(np.float64)
    plain = value("vendi", fake=x)
    lengths = np.random.default_rng(1).uniform(0.1, 9, size=(200, 1))
    assert value("vendi", fake=lengths * x @ rotation(8)) == pytest.approx(plain, rel=1e-10)
    assert value("vendi", fake=x.repeat(2, axis=0)) == pytest.approx(plain, rel=1e-10)
    assert value("vendi", fake=x + 3) < 0.5 * plain


def test_a_feature_without_direction_adds_nothing() -> None:
    assert value("vendi", fake=np.zeros((5, 3))) == 1
    assert np.isfinite(value("vendi", fake=np.concatenate([np.eye(3), np.zeros((2, 3))])))


@pytest.mark.parametrize("q", [0, -1, float("-inf"), float("nan"), "all"])
def test_the_order_must_be_positive(q: float | str) -> None:
    with pytest.raises(UsageError, match="q must be a positive number"):
        Vendi(q=q)


# MS-SSIM


def pictures(n: int, side: int, seed: int) -> Array:
    draw = np.random.default_rng(seed)
    coarse = draw.normal(size=(n, 3, side // 4, side // 4)).repeat(4, axis=2).repeat(4, axis=3)
    return np.clip(127 + 40 * coarse + 5 * draw.normal(size=coarse.shape), 0, 255).astype(np.uint8)


def slow_maps(x: Array, y: Array) -> tuple[Array, Array]:
    """SSIM and its contrast at each pixel of one channel, window by window."""
    r = np.arange(-5, 6)
    window = np.exp(-(r[:, None] ** 2 + r**2) / (2 * 1.5**2))
    window /= window.sum()
    x, y = np.pad(x.astype(float), 5, mode="reflect"), np.pad(y.astype(float), 5, mode="reflect")
    h, w = x.shape[0] - 10, x.shape[1] - 10
    whole, contrast = np.empty((h, w)), np.empty((h, w))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    for i in range(h):
        for j in range(w):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            cov = (window * (a - mean_a) * (b - mean_b)).sum()
            contrast[i, j] = (2 * cov + c2) / (var_a + var_b + c2)
            whole[i, j] = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1) * contrast[i, j]
    return whole, contrast


def test_ms_ssim_is_that_of_a_slow_twin() -> None:
    """27 x 24 pixels: two scales, the second of 13 x 12."""
    base = pictures(1, 28, 1)[0, :, :27, :24]
    other = np.clip(base.astype(int) + np.random.default_rng(1).integers(-30, 60, base.shape), 0, 255).astype(np.uint8)
    halves = [
        np.array([[[c[i : i + 2, j : j + 2].mean() for j in range(0, 24, 2)] for i in range(0, 26, 2)] for c in each])
        for each in (base.astype(float), other.astype(float))
    ]
    contrast = np.mean([slow_maps(a, b)[1][5:-5, 5:-5] for a, b in zip(base, other, strict=True)])
    whole = np.mean([slow_maps(a, b)[0] for a, b in zip(*halves, strict=True)])
    first, second = np.array([0.0448, 0.2856]) * 1.0001 / (0.0448 + 0.2856)
    assert 0.05 < contrast < 0.95
    assert ms_ssim(base, other) == pytest.approx(contrast**first * whole**second, rel=1e-10)


def test_equal_images_are_alike_and_negatives_are_not() -> None:
    image = pictures(1, 48, 1)[0]
    assert ms_ssim(image, image) == pytest.approx(1, abs=1e-12)
    assert ms_ssim(image, 255 - image) == 0
    shifted = np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8)
    assert 0.8 < ms_ssim(image, shifted) < 1
    assert ms_ssim(image, shifted) == ms_ssim(shifted, image)


def test_the_scales_that_fit() -> None:
    assert [scales_of(side) for side in (10, 11, 21, 22, 32, 44, 88, 175, 176, 1024)] == [0, 1, 1, 2, 2, 3, 4, 4, 5, 5]


def test_the_mean_is_over_pairs_that_share_no_image() -> None:
    class Recording(ImageArray):
        asked: tuple[int, ...] = ()

        def take(self, rows: Any) -> Any:
            self.asked += tuple(rows)
            return super().take(rows)

    images = pictures(9, 24, 1)
    fake = Features(images=Recording(images))
    found = only(dict(MsSsim(pairs=500).compute(fake=fake, real=None)))
    rows = fake.images.asked  # type: ignore[union-attr]
    assert len(rows) == len(set(rows)) == 8
    each = [ms_ssim(images[a], images[b]) for a, b in zip(rows[::2], rows[1::2], strict=True)]
    assert found.value == pytest.approx(np.mean(each))
    assert found.stderr == pytest.approx(np.std(each, ddof=1) / 2)
    assert found.details == {"scales": 2, "pairs": 4}
    assert only(score("ms_ssim", fake=images, pairs=2)).details["pairs"] == 2


def test_grey_images_are_colour_images_of_three_equal_channels() -> None:
    grey = pictures(12, 24, 1)[:, :1]
    assert value("ms_ssim", fake=grey) == value("ms_ssim", fake=grey.repeat(3, axis=1))


def test_images_that_do_not_fit_give_a_reason() -> None:
    small = only(score("ms_ssim", fake=pictures(4, 8, 1)))
    assert small.value is None
    assert "found images of 8 x 8 and 8 x 8 pixels" in str(small.reason)

    class Mixed(ImageArray):
        def take(self, rows: Any) -> Any:
            return (image[:, : 20 + i] for i, image in enumerate(super().take(rows)))

    mixed = MsSsim().compute(fake=Features(images=Mixed(pictures(4, 24, 1))), real=None)["ms_ssim"]
    assert mixed.value is None
    assert "24 x 20 and 24 x 21 pixels; a pair must be of one size" in str(mixed.reason)


def test_infinity_is_the_infinite_order() -> None:
    assert Vendi(q=float("inf")) == Vendi(q="inf")
