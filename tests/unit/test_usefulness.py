"""Classifiers trained on images at hand: what they learn, that images and seed alone decide it, and the scores."""

import threading
import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.image_set import ImageArray
from ganbench.features.stats import Features
from ganbench.metrics import _training
from ganbench.metrics._base import SlowMetric, TooFewImages
from ganbench.metrics._labelled import SIDE, Labelled, read
from ganbench.metrics._registry import METRICS
from ganbench.metrics._score import score
from ganbench.metrics._training import Recipe, at_once, by_class, evenly, hits_of, steps_for, train
from ganbench.metrics.augmentation import Augmentation, _score
from ganbench.results import Score

Array = NDArray[Any]
CLASSES, SMALL = 3, 6


def draw(n: int, seed: int, *, noise: float = 50.0, side: int = SMALL) -> tuple[Array, Array]:
    """Images of one pattern for each class under noise, and their classes."""
    patterns = np.random.default_rng(0).uniform(60, 190, size=(CLASSES, 3, side, side))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    pixels = patterns[labels] + rng.normal(scale=noise, size=(n, 3, side, side))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels


def features(images: Array, labels: Array, held_out: Features | None = None) -> Features:
    return Features(images=ImageArray(images), labels=labels, held_out=held_out)


def found(
    name: str, fake: tuple[Array, Array], real: tuple[Array, Array], test: tuple[Array, Array], **given: Any
) -> Score:
    quick = {"repeats": 2, "steps": 40} | given
    return score(
        name,
        fake=fake[0],
        fake_labels=fake[1],
        real=real[0],
        real_labels=real[1],
        test=test[0],
        test_labels=test[1],
        **quick,
    )[name]


def labelled(n: int, seed: int, **given: Any) -> Labelled:
    images, labels = draw(n, seed, **given)
    return Labelled(torch.from_numpy(images), torch.from_numpy(labels))


RECIPE = Recipe(CLASSES, steps=20, seed=5)
EASY, REAL, TEST = draw(120, 1), draw(150, 2), draw(90, 3)
TURNED = (EASY[0], (EASY[1] + 1) % CLASSES)


# The trainer


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [x.clone() for x in network.state_dict().values()]


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def alone(recipe: Recipe, *sets: Labelled) -> torch.nn.Module:
    return at_once([lambda: train(sets, recipe)], device="cpu")[0]


def test_training_is_decided_by_images_and_seed() -> None:
    first = alone(RECIPE, labelled(80, 1))
    assert same(first, alone(RECIPE, labelled(80, 1)))
    assert not same(first, alone(Recipe(CLASSES, 20, 6), labelled(80, 1)))
    assert not same(first, alone(RECIPE, labelled(80, 2)))
    assert not first.training


def test_no_global_random_state_is_read_or_written() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = alone(Recipe(CLASSES, 20, 5, shift=True, mirror=True), labelled(80, 1))
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    torch.manual_seed(2)
    assert same(first, alone(Recipe(CLASSES, 20, 5, shift=True, mirror=True), labelled(80, 1)))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing_and_comes_back(threads: int) -> None:
    before = torch.get_num_threads()
    once = [alone(Recipe(CLASSES, 20, seed), labelled(200, 1, side=12)) for seed in range(3)]
    try:
        torch.set_num_threads(threads)
        jobs = [lambda seed=seed: train([labelled(200, 1, side=12)], Recipe(CLASSES, 20, seed)) for seed in range(3)]
        many = at_once(jobs, device="cpu")
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert all(same(a, b) for a, b in zip(once, many, strict=True))


def test_the_users_modes_do_not_reach_the_training() -> None:
    wanted = alone(RECIPE, labelled(80, 1))
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            assert same(alone(RECIPE, labelled(80, 1)), wanted)
        with torch.inference_mode():
            assert same(alone(RECIPE, labelled(80, 1)), wanted)
    finally:
        torch.set_default_dtype(torch.float32)


def test_it_learns_what_is_there_and_no_more() -> None:
    recipe = Recipe(CLASSES, 60, 5)
    (seen,) = hits_of([labelled(150, 1)], recipe, [labelled(300, 2)])
    assert seen.mean() > 0.9
    mixed = labelled(150, 1)
    mixed = Labelled(mixed.images, mixed.labels[torch.randperm(150, generator=torch.Generator().manual_seed(0))])
    (guessed,) = hits_of([mixed], recipe, [labelled(300, 2)])
    assert guessed.mean() < 0.6


@pytest.mark.parametrize("side", [1, 2, 3, 5, 33])
def test_images_of_any_side_go_through(side: int) -> None:
    (hits,) = hits_of([labelled(20, 1, side=side)], Recipe(CLASSES, 2, 5, shift=True), [labelled(20, 2, side=side)])
    assert hits.shape == (20,)


def test_the_rate_rises_and_falls() -> None:
    rates = [_training._schedule(part) for part in np.linspace(0, 1, 101)]
    assert (rates[0], max(rates), rates.index(1.0)) == (0, 1, 25)
    assert rates[-1] == pytest.approx(0)
    assert np.all(np.diff(rates[:26]) > 0)
    assert np.all(np.diff(rates[25:]) < 0)


def test_every_image_is_seen_equally_often() -> None:
    order = _training._order(30, steps=7, size=10, generator=torch.Generator().manual_seed(0))
    assert order.shape == (7, 10)
    counts = np.bincount(order.flatten().numpy(), minlength=30)
    assert counts.min() == 2
    assert counts.max() == 3
    assert sorted(order.flatten()[:30].tolist()) == list(range(30))


def test_steps_grow_with_the_images_up_to_a_limit() -> None:
    assert steps_for(64, most=100, epochs=3) == 3
    assert steps_for(65, most=100, epochs=3) == 6
    assert steps_for(10_000, most=100, epochs=3) == 100


def test_shifts_move_pixels_and_repeat_edges() -> None:
    """On a ramp every moved image is the ramp of moved and clamped places, and mirrored ones run backwards."""
    ramp = torch.arange(16, dtype=torch.uint8).expand(200, 3, 16, 16)
    stream = torch.Generator().manual_seed(0)
    moved = _training._moved(ramp, Recipe(2, 1, 0, shift=True), stream)
    shifts = set()
    for image in moved:
        assert torch.equal(image, image[:1, :1].expand(3, 16, 16))  # rows are equal: up and down changes nothing
        shift = int(image[0, 0, 8]) - 8
        shifts.add(shift)
        assert image[0, 0].tolist() == [min(max(x + shift, 0), 15) for x in range(16)]
    assert shifts == {-2, -1, 0, 1, 2}
    upright = _training._moved(ramp.transpose(2, 3).contiguous(), Recipe(2, 1, 0, shift=True), stream)
    assert {int(image[0, 8, 0]) - 8 for image in upright} == shifts
    mirrored = _training._moved(ramp, Recipe(2, 1, 0, mirror=True), stream)
    backwards = [image[0, 0].tolist() == list(range(15, -1, -1)) for image in mirrored]
    forwards = [image[0, 0].tolist() == list(range(16)) for image in mirrored]
    assert sum(backwards) + sum(forwards) == 200
    assert 60 < sum(backwards) < 140


def test_only_the_first_of_two_sets_is_moved_and_both_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    plain = _training._moved
    monkeypatch.setattr(_training, "_moved", lambda images, *given: batches.append(images) or plain(images, *given))
    dark, light = (Labelled(torch.full((12, 3, 8, 8), v, dtype=torch.uint8), torch.arange(12) % 2) for v in (10, 200))
    train([dark, light], Recipe(2, 3, 0, shift=True))
    assert [len(batch) for batch in batches] == [32] * 3
    assert all(int(batch.max()) == 10 for batch in batches)
    assert not same(train([dark, light], Recipe(2, 3, 0)), train([dark], Recipe(2, 3, 0)))


def test_a_draw_is_even_over_the_classes() -> None:
    some = Labelled(torch.zeros(100, 3, 1, 1, dtype=torch.uint8), torch.tensor([0] * 80 + [1] * 15 + [2] * 5))
    order = evenly(some, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(100))
    counts = [np.bincount(some.labels.numpy()[order[:m]], minlength=3).tolist() for m in (3, 15, 35, 40)]
    assert counts == [[1, 1, 1], [5, 5, 5], [15, 15, 5], [20, 15, 5]]
    assert evenly(some, np.random.default_rng(1)).tolist() != order.tolist()


def test_accuracy_by_class() -> None:
    tested = Labelled(torch.zeros(4, 3, 1, 1, dtype=torch.uint8), torch.tensor([0, 0, 2, 2]))
    hits = [np.array([True, False, True, True]), np.array([True, True, False, True])]
    assert by_class(hits, tested, 3) == [0.75, 0, 0.75]


def test_progress_counts_the_steps_of_all_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the thread of the caller alone, though each training has one of its own."""
    monkeypatch.setattr(_training, "_TOLD", 0.002)
    jobs = [_training.Job([labelled(80, 1)], Recipe(CLASSES, steps, 5), [labelled(20, 2)]) for steps in (30, 50)]
    told, threads = [], set()

    def progress(*step: Any) -> None:
        told.append(step)
        threads.add(threading.get_ident())

    hits = _training.hits_of_all(jobs, device="cpu", progress=progress)
    assert [len(each) for (each,) in hits] == [20, 20]
    assert {(stage, total) for stage, _, total in told} == {("training", 80)}
    done = [step[1] for step in told]
    assert done == sorted(done)
    assert done[-1] == 80
    assert any(0 < each < 80 for each in done)
    assert threads == {threading.get_ident()}


def test_after_an_error_no_further_training_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def fails() -> None:
        begun.append(1)
        raise BadInput("no")

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with pytest.raises(BadInput, match="no"):
            at_once([fails, *[lambda: begun.append(2) or time.sleep(0.05)] * 40], device="cpu")
    finally:
        torch.set_num_threads(before)
    assert len(begun) < 10


# Reading


def test_the_order_of_a_set_is_its_own() -> None:
    images, labels = draw(50, 1)
    order = np.random.default_rng(0).permutation(50)
    first, classes = read(fake=features(images, labels))
    second, _ = read(fake=features(images[order], labels[order]))
    assert torch.equal(first["fake"].images, second["fake"].images)
    assert torch.equal(first["fake"].labels, second["fake"].labels)
    assert classes == [0, 1, 2]
    pairs = {(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}
    kept = zip(first["fake"].images.numpy(), first["fake"].labels.tolist(), strict=True)
    assert {(image.tobytes(), label) for image, label in kept} == pairs


def test_equal_images_of_two_classes_have_an_order_too() -> None:
    images, labels = np.zeros((12, 3, 4, 4), dtype=np.uint8), np.arange(12) % 2
    first, _ = read(fake=features(images, labels))
    second, _ = read(fake=features(images, labels[::-1].copy()))
    assert torch.equal(first["fake"].labels, second["fake"].labels)


def test_classes_are_numbered_over_all_sides() -> None:
    images, _ = draw(12, 1)
    sets, classes = read(fake=features(images, np.full(12, 7)), test=features(images, np.array([7, 10**9] * 6)))
    assert classes == [7, 10**9]
    assert sets["fake"].labels.tolist() == [0] * 12
    assert sets["test"].labels.sum() == 6
    assert (sets["fake"].most_frequent, sets["test"].most_frequent) == (1.0, 0.5)


def test_large_images_are_reduced_by_the_mean_over_areas() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(10, 3, 4 * SIDE, 2 * SIDE), dtype=np.uint8)
    sets, _ = read(fake=features(images, np.arange(10) % 2))
    wanted = images.reshape(10, 3, SIDE, 4, SIDE // 2, 4).mean(axis=(3, 5))
    kept = sorted(sets["fake"].images.numpy().reshape(10, -1).tolist())
    assert kept == sorted(np.floor(wanted + 0.5).astype(np.uint8).reshape(10, -1).tolist())


class Mixed:
    """Images of two sizes."""

    def __len__(self) -> int:
        return 12

    def take(self, rows: Any) -> Any:
        return (np.zeros((3, 8, 8 + (i == 5)), dtype=np.uint8) for i in rows)


def test_other_sizes_are_named() -> None:
    mixed = Features(images=Mixed(), labels=np.arange(12) % 2)
    with pytest.raises(BadInput, match=r"Image 5 of fake is 9x8 pixels, the first 8x8; .*Resize them first"):
        read(fake=mixed)
    small, large = draw(12, 1), draw(12, 1, side=7)
    with pytest.raises(BadInput, match="of one size in pixels; found fake: 6x6, real: 7x7"):
        read(fake=features(*small), real=features(*large))


def test_too_few_images_and_classes_are_named() -> None:
    images, labels = draw(12, 1)
    with pytest.raises(
        TooFewImages, match=r"Found 9 images of test; a classifier needs at least 10\. Give more images"
    ):
        read(fake=features(images, labels), test=features(images[:9], labels[:9]))
    with pytest.raises(UsageError, match="Found one class alone, 4"):
        read(fake=features(images, np.full(12, 4)))


# The scores


def test_cas_by_hand() -> None:
    """From the same parts: three sets read, classifiers trained with the metric's own seeds."""
    from ganbench.metrics.cas import Cas

    metric = Cas(repeats=2, steps=15)
    whole = found("cas", EASY, REAL, TEST, steps=15)
    sets, _ = read(fake=features(*EASY), real=features(*REAL), test=features(*TEST))
    rng, of_fakes, of_reals = metric.generator(2020), [], []
    for _ in range(2):
        recipe = Recipe(CLASSES, 15, int(rng.integers(2**63)))
        some = sets["real"].take(rng.permutation(150)[:120])
        for part, hits in ((sets["fake"], of_fakes), (some, of_reals)):
            hits += at_once([lambda part=part, recipe=recipe: hits_of([part], recipe, [sets["test"]])[0]], device="cpu")
    assert whole.value == pytest.approx(np.mean(of_fakes), rel=1e-12)
    assert whole.details["ceiling"] == pytest.approx(np.mean(of_reals), rel=1e-12)
    assert whole.details["seed_std"] == pytest.approx(np.std(np.mean(of_fakes, axis=1)))
    counts = np.bincount(TEST[1])
    assert float(np.dot(counts, whole.series["accuracy"]) / 90) == pytest.approx(whole.value)
    assert float(np.dot(counts, whole.series["ceiling"]) / 90) == pytest.approx(whole.details["ceiling"])
    assert whole.series["class"] == [0, 1, 2]
    assert whole.details["majority"] == counts.max() / 90
    assert (whole.details["ceiling_images"], whole.details["steps"]) == (120, 15)


def test_cas_trains_on_fakes_and_tests_on_what_was_held_out() -> None:
    good, bad = found("cas", EASY, REAL, TEST), found("cas", TURNED, REAL, TEST)
    assert float(good) > 0.85
    assert float(bad) < 0.2
    assert bad.details["ceiling"] > 0.85  # reals are as they were
    swapped = found("cas", REAL, TURNED, TEST)
    assert float(swapped) > 0.85
    assert swapped.details["ceiling"] < 0.2
    assert found("cas", EASY, REAL, (TEST[0], (TEST[1] + 1) % CLASSES)).details["ceiling"] < 0.2
    assert good.ci95 is None  # the spread over seeds is no noise of the fakes


def test_cas_sees_a_class_that_the_fakes_lack() -> None:
    kept = EASY[1] != 2
    lacking = found("cas", (EASY[0][kept], EASY[1][kept]), REAL, TEST)
    assert lacking.series["accuracy"][2] == 0
    assert min(lacking.series["ceiling"]) > 0.7


def test_gan_test_trains_on_reals_and_tests_fakes() -> None:
    good, bad = found("gan_test", EASY, REAL, TEST), found("gan_test", TURNED, REAL, TEST)
    assert float(good) > 0.85
    assert float(bad) < 0.2
    assert bad.details["held_out"] == good.details["held_out"] > 0.85
    assert bad.details["above_held_out"] == pytest.approx(float(bad) - bad.details["held_out"])
    assert float(np.dot(np.bincount(EASY[1]), good.series["accuracy"]) / 120) == pytest.approx(good.value)
    assert float(np.dot(np.bincount(TEST[1]), good.series["held_out"]) / 90) == pytest.approx(good.details["held_out"])


def test_gan_test_does_not_mind_what_cas_does() -> None:
    """One good image of each class, over and over: faithful, and a poor teacher."""
    clear = draw(120, 1, noise=5)
    first = [int(np.flatnonzero(clear[1] == label)[0]) for label in range(CLASSES)]
    rows = np.array(first)[np.arange(60) % CLASSES]
    dull = (clear[0][rows], clear[1][rows])
    real, test = draw(150, 2, noise=90), draw(150, 3, noise=90)
    assert float(found("gan_test", dull, real, test)) == 1
    taught = found("cas", dull, real, test)
    assert taught.details["below_ceiling"] > 0.02


def test_augmentation_rewards_good_fakes_and_punishes_false_ones() -> None:
    noisy = {"noise": 110.0}
    fake, real, test = draw(400, 1, **noisy), draw(60, 2, **noisy), draw(300, 3, **noisy)
    turned = (fake[0], (fake[1] + 1) % CLASSES)
    given: dict[str, Any] = {"sizes": (15,), "repeats": 2, "steps": 40}
    good, bad = found("augmentation", fake, real, test, **given), found("augmentation", turned, real, test, **given)
    assert float(good) > 0.02
    assert float(bad) < -0.02
    assert good.series["labels"] == [15, 60]
    for arm in ("none", "classical"):
        assert good.series[arm] == bad.series[arm]  # the fakes have no part in these
    assert all(len(column) == 2 for column in good.series.values())


def test_augmentation_at_sizes_that_there_are() -> None:
    given: dict[str, Any] = {"repeats": 1, "steps": 1}
    assert found("augmentation", EASY, REAL, TEST, **given).series["labels"] == [100, 150]
    assert found("augmentation", EASY, REAL, TEST, sizes=(150, 20, 20, 10), **given).series["labels"] == [10, 20, 150]


def test_mirroring_touches_the_classical_arms_alone() -> None:
    given: dict[str, Any] = {"repeats": 1, "steps": 10, "sizes": ()}
    real, test = draw(100, 2, noise=100), draw(400, 3, noise=100)
    plain, mirrored = (found("augmentation", EASY, real, test, mirror=m, **given) for m in (False, True))
    for arm in ("none", "generated"):
        assert plain.series[arm] == mirrored.series[arm]
    for arm in ("classical", "both"):
        assert plain.series[arm] != mirrored.series[arm]


def test_the_gain_from_its_table() -> None:
    accuracy = np.array([[[0.5, 0.6, 0.7, 0.75], [0.8, 0.8, 0.7, 0.9]], [[0.5, 0.5, 0.8, 0.9], [0.8, 0.9, 0.9, 0.9]]])
    whole = _score(accuracy, [100, 500])
    assert whole.value == pytest.approx((0.1 - 0.1 + 0.3 + 0.0) / 4)
    assert whole.details["seed_std"] == pytest.approx(0.075)
    assert whole.details["over_none"] == pytest.approx((0.2 - 0.1 + 0.3 + 0.1) / 4)
    assert whole.details["both_over_classical"] == pytest.approx((0.15 + 0.1 + 0.4 + 0.0) / 4)
    assert whole.series["classical"] == pytest.approx([0.55, 0.85])
    assert whole.series["classical_std"] == pytest.approx([0.05, 0.05])


@pytest.mark.parametrize(("name", "steps"), [("cas", 2 * 2 * 3), ("gan_test", 2 * 3), ("augmentation", 2 * 2 * 4 * 3)])
def test_they_tell_how_far_they_are(name: str, steps: int) -> None:
    metric = METRICS.get(name)(repeats=2, steps=3)
    assert isinstance(metric, SlowMetric)
    told: list[Any] = []
    real = features(*REAL, held_out=features(*TEST))
    scores = metric.compute(fake=features(*EASY), real=real, progress=lambda *step: told.append(step))
    assert told[0] == ("training", 0, steps)
    assert told[-1] == ("training", steps, steps)
    assert scores == metric.compute(fake=features(*EASY), real=real)


@pytest.mark.parametrize("name", ["cas", "gan_test", "augmentation"])
def test_wrong_parameters_are_named(name: str) -> None:
    with pytest.raises(UsageError, match="repeats must be a whole number of at least 1"):
        found(name, EASY, REAL, TEST, repeats=0)
    with pytest.raises(UsageError, match="Unknown device 'abacus'"):
        found(name, EASY, REAL, TEST, device="abacus")
    with pytest.raises(UsageError, match="sizes must be whole numbers of at least 2"):
        Augmentation(sizes=(1,))
