"""Mode coverage: closed forms, known ceilings and floors, slow twins of the protocols, and points in files."""

from dataclasses import fields
from math import erf, exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.stats import chi2

from ganbench.errors import BadInput, UsageError
from ganbench.evaluation.options import Options
from ganbench.evaluation.plan import plan
from ganbench.evaluation.points import _IDLE, evaluate_points, is_distribution
from ganbench.features.moments import Moments
from ganbench.features.point_files import read_points
from ganbench.features.stats import Features
from ganbench.metrics._modes import expected, expected_modes, jsd_terms, kl_terms, sure, wilson
from ganbench.metrics._score import score
from ganbench.mixtures import Mixture, get_mixture, mixture_names
from ganbench.results import Result, Score

Array = NDArray[Any]
DISC, BOX = 1 - exp(-4.5), erf(3 / sqrt(2)) ** 2


def coverage(points: Array, name: str | None = None, **more: Any) -> dict[str, Score]:
    return score("mode_coverage", fake=points, distribution=name, **more)


def values(found: dict[str, Score]) -> dict[str, float | None]:
    return {key: each.value for key, each in found.items()}


def draw(name: str, n: int | None = None, seed: int = 0) -> Array:
    mixture = get_mixture(name)
    return mixture.sample(n or mixture.n, np.random.default_rng(seed))


def logits_of(counts: list[int]) -> Array:
    """Sure logits with so many rows of each class."""
    return np.repeat(np.eye(len(counts), dtype=np.float32) * 9, counts, axis=0)


# what a perfect sampler reaches


def test_the_known_ceilings_and_floors() -> None:
    assert get_mixture("ring8-pacgan").good_share == pytest.approx(DISC, abs=1e-12)
    assert pytest.approx(0.9889, abs=5e-5) == DISC
    assert get_mixture("ring8-selfcond").good_share == pytest.approx(BOX, abs=1e-12)
    assert pytest.approx(0.9946, abs=5e-5) == BOX
    thousand = np.full(1000, 1e-3)
    assert expected_modes(2500, thousand) == pytest.approx(1000 * (1 - 0.999**2500), rel=1e-12)
    assert expected_modes(2500, thousand) == pytest.approx(917, abs=1.5)
    # (K - 1) / 2n is the first term of the bias; the next makes it 0.7 % larger here.
    assert expected(kl_terms, 26_000, thousand) == pytest.approx(0.0192, abs=2e-4)
    assert expected(kl_terms, 2500, np.full(8, 1 / 8)) == pytest.approx(7 / 5000, rel=2e-3)
    assert expected(kl_terms, 2500, np.full(25, 1 / 25)) == pytest.approx(24 / 5000, rel=5e-3)


@pytest.mark.parametrize("terms", [kl_terms, jsd_terms])
def test_the_exact_floor_is_the_mean_over_many_draws(terms: Any) -> None:
    """The slow twin: 4,000 multinomial draws, of unequal classes, one of which never comes."""
    prior = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
    counts = np.random.default_rng(1).multinomial(60, prior, size=4000)
    found = [float(terms(row / 60, prior).sum()) for row in counts]
    noise = np.std(found) / sqrt(len(found))
    assert expected(terms, 60, prior) == pytest.approx(np.mean(found), abs=4 * noise)


def test_the_exact_number_of_modes_is_the_mean_over_many_draws() -> None:
    prior = np.array([0.9, 0.06, 0.03, 0.01])
    draws = np.random.default_rng(2).random((4000, 20))
    mode = np.searchsorted(np.cumsum(prior), draws)
    good = np.random.default_rng(3).random(mode.shape) < 0.7
    found = [len(set(row[keep])) for row, keep in zip(mode, good, strict=True)]
    assert expected_modes(20, prior, 0.7) == pytest.approx(np.mean(found), abs=4 * np.std(found) / sqrt(4000))


@pytest.mark.parametrize("name", mixture_names())
def test_a_perfect_sampler_reaches_what_is_promised(name: str) -> None:
    mixture = get_mixture(name)
    found = coverage(draw(name), name)
    assert found["modes"].value == mixture.modes
    assert found["modes"].details["ceiling_modes"] == pytest.approx(mixture.modes, abs=1e-6)
    quality = found["high_quality"]
    ceiling = quality.details["ceiling_high_quality"]
    assert quality.value == pytest.approx(ceiling, abs=4 * sqrt(ceiling * (1 - ceiling) / mixture.n) + 1e-12)
    for key, least in (("mode_kl", 0.2), ("mode_jsd", 0.2)):  # chi-squared with K - 1 degrees: factors within 4 of 1
        floor = found[key].details[f"floor_{key}"]
        assert least * floor < float(found[key]) < 4 * floor
    assert found["mode_kl"].details["floor_mode_kl"] == pytest.approx((mixture.modes - 1) / (2 * mixture.n), rel=0.02)


# the protocols


def test_centres_and_sizes_are_those_of_the_papers() -> None:
    facts = {n: (m.modes, m.d, m.sigma, m.n, m.shape, m.counted) for n in mixture_names() for m in [get_mixture(n)]}
    assert facts == {
        "ring8-pacgan": (8, 2, 0.01, 2500, "disc", "good"),
        "ring8-unrolled": (8, 2, 0.02, 2500, "disc", "good"),
        "ring8-selfcond": (8, 2, 0.01, 50000, "box", "all"),
        "grid25": (25, 2, 0.05, 2500, "disc", "good"),
        "mog1200d": (10, 1200, 0.01, 2500, "rms", "good"),
    }
    for name, radius in (("ring8-pacgan", 1), ("ring8-unrolled", 2), ("ring8-selfcond", 2)):
        centres = get_mixture(name).centres
        np.testing.assert_allclose(np.linalg.norm(centres, axis=1), radius)
        np.testing.assert_allclose(centres[[0, 2]], [[radius, 0], [0, radius]], atol=1e-12)
        assert len(np.unique(centres.round(9), axis=0)) == 8  # a linspace with both ends would give 7
    grid = {tuple(centre) for centre in get_mixture("grid25").centres}
    assert grid == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert set(get_mixture("mog1200d").spread.sum(axis=1)) == {700}


def test_ten_sigma_of_the_plain_distance_would_pass_no_sample_of_the_truth() -> None:
    """Why mog1200d takes the root mean square."""
    assert chi2.cdf(10**2, 700) < 1e-100
    assert get_mixture("mog1200d").good_share == 1
    x = draw("mog1200d", 50)
    far = np.linalg.norm(x - get_mixture("mog1200d").centres[coverage_modes(x)], axis=1) / 0.01
    assert far.mean() == pytest.approx(sqrt(700), rel=0.02)


def coverage_modes(x: Array) -> Array:
    return get_mixture("mog1200d").assign(x)[0]


def slow(x: Array, mixture: Mixture) -> tuple[int, float, float]:
    """Modes, divergence and good share, point by point, as the papers' own programs count."""
    counts, visited, good = [0] * mixture.modes, set(), 0
    for point in x:
        distances = [sqrt(sum((point - centre) ** 2)) for centre in mixture.centres]
        nearest = distances.index(min(distances))
        if mixture.shape == "box":
            inside = all(abs(point - mixture.centres[nearest]) < 3 * mixture.sigma)
        else:
            inside = distances[nearest] / mixture.sigma < 3
        good += inside
        if inside:
            visited.add(nearest)
        if inside or mixture.counted == "all":
            counts[nearest] += 1
    p = [count / sum(counts) for count in counts]
    return len(visited), sum(q * log(mixture.modes * q) for q in p if q), good / len(x)


@pytest.mark.parametrize("name", ["ring8-pacgan", "ring8-unrolled", "ring8-selfcond", "grid25"])
def test_points_are_counted_as_one_by_one(name: str) -> None:
    mixture = get_mixture(name)
    rng = np.random.default_rng(4)
    wide = mixture.sample(300, rng) + 1.5 * mixture.sigma * rng.normal(size=(300, 2))
    x = np.concatenate([wide[wide[:, 0] > 0], rng.uniform(-3, 3, size=(40, 2))])
    found = coverage(x, name)
    modes, kl, good = slow(x, mixture)
    assert 1 < modes < mixture.modes
    assert found["modes"].value == modes
    assert found["mode_kl"].value == pytest.approx(kl, rel=1e-12)
    assert found["high_quality"].value == pytest.approx(good, rel=1e-12)


def test_a_corner_is_in_the_box_and_not_in_the_disc() -> None:
    corner = np.array([[2.0, 0.0]] * 2) + 0.025
    assert coverage(corner, "ring8-selfcond")["high_quality"].value == 1
    outside = np.array([[1.0, 0.0]] * 2) + 0.025
    assert coverage(outside, "ring8-pacgan")["high_quality"].value == 0


def test_which_samples_make_the_divergence() -> None:
    """Half in one mode, half between the modes but nearest to another: only the box protocol counts these."""
    for name, r, wanted in (("ring8-selfcond", 2, log(4)), ("ring8-pacgan", 1, log(8))):
        x = np.array([[r, 0.0], [r, 0.0], [-0.5 * r, 0.01], [-0.5 * r, 0.01]])
        found = coverage(x, name)
        assert found["mode_kl"].value == pytest.approx(wanted)
        assert (found["modes"].value, found["high_quality"].value) == (1, 0.5)


def test_a_collapsed_generator_can_exceed_the_truth_in_quality_alone() -> None:
    rng = np.random.default_rng(5)
    stuck = np.array([1.0, 0.0]) + 0.001 * rng.normal(size=(2500, 2))
    found = coverage(stuck, "ring8-pacgan")
    assert found["high_quality"].value == 1
    assert float(found["high_quality"]) > found["high_quality"].details["ceiling_high_quality"]
    assert found["modes"].value == 1
    assert found["mode_kl"].value == pytest.approx(log(8))
    p, m = np.eye(8)[0], (np.eye(8)[0] + 1 / 8) / 2
    half = [sum(a * log(a / b) for a, b in zip(each, m, strict=True) if a) for each in (p, np.full(8, 1 / 8))]
    assert found["mode_jsd"].value == pytest.approx(sum(half) / 2)
    assert found["modes"].series["share"] == pytest.approx(np.eye(8)[0])


def test_no_good_sample_gives_a_reason() -> None:
    found = coverage(np.full((20, 2), 9.0), "grid25")
    assert values(found) == {"modes": 0, "mode_kl": None, "mode_jsd": None, "high_quality": 0}
    assert "no sample is of high quality" in str(found["mode_kl"].reason)


def test_points_of_another_width_and_unknown_names() -> None:
    with pytest.raises(BadInput, match="ring8-pacgan has points of 2 coordinates; found 3"):
        coverage(np.zeros((5, 3)), "ring8-pacgan")
    with pytest.raises(UsageError, match="ring8-pacgan"):
        coverage(np.zeros((5, 2)), "ring8-pacgn")


def test_each_mixture_has_its_fingerprint() -> None:
    assert len({get_mixture(name).fingerprint for name in mixture_names()}) == len(mixture_names())


def test_precision_does_not_matter() -> None:
    x = draw("grid25", 500)
    assert values(coverage(x.astype(np.float32), "grid25")) == pytest.approx(values(coverage(x, "grid25")))


# images


def test_divergences_from_a_prior_in_closed_form() -> None:
    """p = (6, 3, 1, 0) / 10 against q = (4, 4, 1, 1) / 10: exchanged, the divergence would be infinite."""
    q = np.array([0.4, 0.4, 0.1, 0.1])
    prior = Moments(1000, q, np.diag(q) - np.outer(q, q))
    found = coverage(logits_of([6, 3, 1, 0]), real=prior)
    assert found["mode_kl"].value == pytest.approx(0.6 * log(1.5) + 0.3 * log(0.75))
    assert found["modes"].value == 3
    assert found["modes"].details == {"ceiling_modes": pytest.approx(4 - 2 * 0.6**10 - 2 * 0.9**10), "all_modes": 4}
    assert found["modes"].series == {"class": [0, 1, 2, 3], "share": [0.6, 0.3, 0.1, 0], "prior": pytest.approx(q)}
    assert found["mode_kl"].bias_estimate == pytest.approx(min(2 / 20, found["mode_kl"].value or 0))
    assert found["mode_kl"].details["mode_kl_to_uniform"] == pytest.approx(sum(p * log(4 * p) for p in (0.6, 0.3, 0.1)))
    assert "ceiling_high_quality" not in found["high_quality"].details


def test_without_reals_the_prior_is_uniform_and_with_their_logits_it_is_theirs() -> None:
    fake = logits_of([6, 3, 1])
    assert coverage(fake)["modes"].series["prior"] == pytest.approx([1 / 3] * 3)
    real = logits_of([2, 3, 5])
    real[0] = 0.1  # one of which the classifier is not sure
    found = coverage(fake, real=real)
    assert found["modes"].series["prior"] == pytest.approx([0.2, 0.3, 0.5])
    assert found["high_quality"].details["ceiling_high_quality"] == pytest.approx(0.9)
    one_hot = np.eye(3)[np.repeat([0, 1, 2], [2, 3, 5])]
    assert coverage(fake, real=one_hot)["mode_kl"] == coverage(fake, real=Moments.of(one_hot))["mode_kl"]


def test_moments_beside_part_of_the_features_give_the_prior() -> None:
    q = np.array([0.7, 0.2, 0.1])
    real = Features(logits_of([1, 1, 8]), moments=Moments(900, q, np.diag(q)))
    assert coverage(logits_of([6, 3, 1]), real=real)["modes"].series["prior"] == pytest.approx(q)


def test_a_class_that_the_reference_lacks() -> None:
    q = np.array([0.5, 0.5, 0.0])
    found = coverage(logits_of([5, 4, 1]), real=Moments(100, q, np.diag(q)))
    assert found["mode_kl"].value is None
    assert "a class that the reference lacks" in str(found["mode_kl"].reason)
    assert 0 < float(found["mode_jsd"]) < log(2)
    assert found["modes"].details["all_modes"] == 2


def test_what_is_no_prior() -> None:
    fake = logits_of([5, 5])
    with pytest.raises(BadInput, match=r"whose mean sums to 3 .* no shares of classes"):
        coverage(fake, real=Moments(9, np.array([1.0, 2.0]), np.eye(2)))
    with pytest.raises(BadInput, match="of width 3"):
        coverage(fake, real=Moments(9, np.full(3, 1 / 3), np.eye(3)))
    with pytest.raises(BadInput, match="2 images cannot tell how frequent 3 classes are"):
        coverage(logits_of([5, 5, 5]), real=logits_of([1, 1, 0]))
    with pytest.raises(UsageError, match="confidence must lie between 0 and 1; found 1"):
        coverage(fake, confidence=1)


def test_sureness_is_that_of_the_softmax() -> None:
    x = np.random.default_rng(6).normal(scale=3, size=(9000, 5)).astype(np.float32)
    twin = torch.softmax(torch.from_numpy(x).double(), dim=1).amax(dim=1)
    assert sure(x, 0.9) == float((twin > 0.9).double().mean())
    assert 0 < sure(x, 0.9) < sure(x, 0.5) < 1


def test_wilson_in_known_cases() -> None:
    """From Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(hits / n, n) == pytest.approx((low, high), abs=5e-5)


# points in files


@pytest.fixture
def points() -> Array:
    return draw("ring8-pacgan", 400).astype(np.float32)


def saved(points: Array, path: Path) -> Path:
    match path.suffix:
        case ".npy":
            np.save(path, points)
        case ".npz":
            np.savez(path, points)
        case ".pt":
            torch.save(torch.from_numpy(points), path)
        case _:
            save_file({"points": points}, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".safetensors"])
def test_points_out_of_files(points: Array, suffix: str, tmp_path: Path) -> None:
    path = saved(points, tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(read_points(path), points)
    result = evaluate_points(path, "ring8-pacgan", options=Options(command="ganbench eval x"))
    assert result.metrics["modes"].value == 8
    assert result.metrics["modes"].n_fake == 400
    assert result.metrics["high_quality"].label == "High quality"
    assert result.samples.fingerprint == evaluate_points(points, "ring8-pacgan", options=Options()).samples.fingerprint
    assert Result.from_json(result.to_json(), where="a test") == result
    assert [text for text in result.warnings if "400 points; the protocol of ring8-pacgan draws 2500" in text]


def test_a_result_names_its_protocol(points: Array) -> None:
    first = evaluate_points(points, "ring8-pacgan", options=Options())
    assert first.protocol["name"] == "points"
    assert first.protocol["distribution"] == first.reference.name == "ring8-pacgan"
    assert first.protocol["fingerprint"] != evaluate_points(points, "grid25", options=Options()).protocol["fingerprint"]
    assert not evaluate_points(draw("grid25"), "grid25", options=Options()).warnings
    wide = evaluate_points(points.astype(np.float64), "ring8-pacgan", options=Options())
    assert wide.samples.fingerprint == first.samples.fingerprint


def test_equal_points_are_told(points: Array) -> None:
    twice = np.concatenate([points, points[:7]])
    result = evaluate_points(twice, "ring8-pacgan", options=Options())
    assert any(text.startswith("7 of 407 points are exactly") for text in result.warnings)


def test_options_of_an_evaluation_of_points(points: Array) -> None:
    some = evaluate_points(points, "ring8-pacgan", options=Options(num=100, seed=1))
    assert some.samples.n == 100
    assert (
        some.samples.fingerprint
        != evaluate_points(points, "ring8-pacgan", options=Options(num=100)).samples.fingerprint
    )
    with pytest.raises(UsageError, match="--num asks for 500 points; there are 400"):
        evaluate_points(points, "ring8-pacgan", options=Options(num=500))
    with pytest.raises(UsageError, match="scored by mode_coverage alone, and --metrics asks for fid"):
        evaluate_points(points, "ring8-pacgan", options=Options(metrics=("fid",)))
    both = evaluate_points(points, "ring8-pacgan", options=Options(metrics=("fid", "mode_coverage")))
    assert "Not computed, since they look at images: fid." in both.warnings


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"protocol": "embedded"}, "--protocol"),
        ({"labels": Path("x.txt")}, "--labels"),
        ({"ref_test": "digits:test"}, "--ref-test"),
        ({"weights": Path("x.pt")}, "--weights"),
        ({"allow_unverified_weights": True}, "--allow-unverified-weights"),
        ({"allow_code": True}, "--allow-code"),
        ({"device": "cuda"}, "--device"),
        ({"backend": "torch"}, "--backend"),
        ({"batch_size": 8}, "--batch-size"),
        ({"on_bad_image": "skip"}, "--on-bad-image"),
        ({"value_range": (0.0, 1.0)}, "--value-range"),
    ],
)
def test_options_that_cannot_count_for_points_are_refused(points: Array, given: dict[str, Any], option: str) -> None:
    with pytest.raises(UsageError, match=rf"ring8-pacgan is a distribution of points.*{option} \(.*Leave it away"):
        evaluate_points(points, "ring8-pacgan", options=Options(**given))


def test_every_option_counts_for_points_or_is_refused() -> None:
    """A new option of an evaluation must be decided upon."""
    count = {"metrics", "unasked", "num", "seed", "command"}
    hold_anyway = {"offline", "cache"}
    assert {field.name for field in fields(Options)} == count | hold_anyway | set(_IDLE)


def test_what_holds_of_points_anyway_may_be_said(points: Array) -> None:
    assert evaluate_points(points, "ring8-pacgan", options=Options(device="cpu", offline=True, cache=False))


def test_the_plan_of_points(points: Array, tmp_path: Path) -> None:
    path = saved(points, tmp_path / "x.npy")
    found = plan(path, "ring8-pacgan", options=Options(num=100))
    assert found["samples"] == {"source": str(path), "points": 400, "used": 100}
    assert found["protocol"]["distribution"] == "ring8-pacgan"
    with pytest.raises(UsageError, match="--backend"):
        plan(path, "ring8-pacgan", options=Options(backend="torch"))


def test_which_references_are_distributions() -> None:
    assert is_distribution("grid25")
    assert not is_distribution("digits")
    assert not is_distribution(Path("grid25"))


def test_files_that_hold_no_points(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "ran"), "w"))

    np.save(tmp_path / "code.npy", np.array([Evil()]), allow_pickle=True)
    np.savez(tmp_path / "code.npz", np.array([Evil()]), allow_pickle=True)
    torch.save({"points": Evil()}, tmp_path / "code.pt")
    np.save(tmp_path / "whole.npy", np.zeros((4, 2), dtype=np.int64))
    np.save(tmp_path / "deep.npy", np.zeros((4, 2, 2)))
    np.save(tmp_path / "none.npy", np.zeros((0, 2)))
    np.savez(tmp_path / "two.npz", a=np.zeros((4, 2)), b=np.zeros((4, 2)))
    (tmp_path / "cut.npy").write_bytes(saved(np.zeros((9, 2)), tmp_path / "x.npy").read_bytes()[:-8])
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "noise.pt").write_bytes(b"\xff" * 40)
    (tmp_path / "x.csv").write_text("1,2")
    bad = ["code.npy", "code.npz", "code.pt", "whole.npy", "deep.npy", "none.npy", "two.npz", "cut.npy"]
    for name in [*bad, "noise.safetensors", "noise.pt", "x.csv", "absent.npy"]:
        with pytest.raises(BadInput, match=r"wanted|Save|come in|There is no") as error:
            read_points(tmp_path / name)
        assert name in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_a_stretched_tensor_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(1, 2).expand(100_000, 2), tmp_path / "x.pt")
    with pytest.raises(BadInput, match="not stored plainly"):
        read_points(tmp_path / "x.pt")
