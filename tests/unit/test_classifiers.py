"""The shipped classifiers: how good they are, what they say of themselves, and that a batch does not matter."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.classifier_files import FOLDER, way_to_classifier
from ganbench.features.classifiers import Classifier, classifier_for, load_classifier
from ganbench.features.moments import Moments
from ganbench.features.stats import Features
from ganbench.files import sha256_file
from ganbench.images.datasets._base import open_dataset
from ganbench.metrics._score import score
from ganbench.metrics.mode_coverage import ModeCoverage

SHIPPED = ["digits", "fashion-mnist"]
FASHION = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)
Pixels = NDArray[np.uint8]


def at_hand(name: str) -> Classifier:
    found = classifier_for(name)
    assert found is not None
    return found


def pictures(name: str, split: str, n: int) -> tuple[list[Pixels], NDArray[np.int64]]:
    source = open_dataset(name, split, offline=True)
    assert source.labels is not None
    return [image.pixels for image in source.images(range(n))], source.labels[:n]


@pytest.fixture
def digits() -> list[Pixels]:
    return pictures("digits", "test", 70)[0]


# what travels with ganbench


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_are_small_and_say_how_they_were_made(name: str) -> None:
    path = FOLDER / f"{name}.safetensors"
    assert path.stat().st_size < 2_000_000
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == sha256_file(path)
    assert record["dataset"] == name
    assert record["training"]["split"] == "train"
    assert {"epochs", "seed", "versions", "seconds"} <= set(record["training"])
    assert record["test"]["accuracy"] >= {"digits": 0.97, "fashion-mnist": 0.92}[name]
    sizes = {"digits": 898, "fashion-mnist": 10_000}
    assert record["test"]["n"] == sizes[name]
    assert len(record["test"]["accuracy_by_class"]) == len(record["prior"]) == 10
    found = at_hand(name)
    assert found.name == name
    assert found.heads == {"classes": 10}
    assert found.prior.sum() == pytest.approx(1)


def test_digits_are_told_apart_as_the_record_says() -> None:
    images, labels = pictures("digits", "test", 898)
    found = at_hand("digits")(images)["classes"]
    assert found.dtype == np.float32
    assert found.shape == (898, 10)
    right = found.argmax(axis=1) == labels
    record = at_hand("digits").record["test"]
    assert right.mean() == pytest.approx(record["accuracy"], abs=2.1 / 898)  # a close case may fall otherwise elsewhere
    by_class = [right[labels == k].mean() for k in range(10)]
    assert by_class == pytest.approx(record["accuracy_by_class"], abs=2.1 / 80)


@FASHION
def test_clothes_are_told_apart() -> None:
    images, labels = pictures("fashion-mnist", "test", 2000)
    found = at_hand("fashion-mnist")(images)["classes"].argmax(axis=1)
    assert (found == labels).mean() > 0.915  # 0.9342 of all 10,000; three standard errors of 2,000 are 0.017


@pytest.mark.parametrize("name", [SHIPPED[0], pytest.param(SHIPPED[1], marks=FASHION)])
def test_the_prior_is_that_of_the_train_split(name: str) -> None:
    labels = open_dataset(name, "train", offline=True).labels
    assert labels is not None
    found = at_hand(name)
    np.testing.assert_allclose(found.prior, np.bincount(labels) / len(labels), rtol=1e-15)
    assert found.n_real == len(labels)
    twin = Moments.of(np.eye(10)[labels])
    np.testing.assert_allclose(found.moments.mean, twin.mean, atol=1e-12)
    np.testing.assert_allclose(found.moments.cov, twin.cov, atol=1e-12)
    assert found.moments.n == twin.n


def test_what_the_fingerprint_covers() -> None:
    names = [*SHIPPED, "stacked-fashion"]
    prints = {at_hand(name).fingerprint for name in names}
    assert len(prints) == len(names)
    assert at_hand("stacked-fashion").protocol.weights_sha256 == at_hand("fashion-mnist").protocol.weights_sha256


# images


def test_no_logits_depend_on_what_comes_with_the_image(digits: list[Pixels]) -> None:
    """Bit for bit: alone, in any batch, at any place in it."""
    network = at_hand("digits")
    together = network(digits)["classes"]
    order = np.random.default_rng(0).permutation(len(digits))
    np.testing.assert_array_equal(network([digits[i] for i in order])["classes"], together[order])
    np.testing.assert_array_equal(np.concatenate([network([image])["classes"] for image in digits[:9]]), together[:9])
    np.testing.assert_array_equal(network(digits[5:38])["classes"], together[5:38])


def test_the_network_twin(digits: list[Pixels]) -> None:
    """The slow twin: torch's own resize and the plain network, one image at a time."""
    classifier = at_hand("digits")
    for image, found in zip(digits[:6], classifier(digits[:6])["classes"], strict=True):
        x = torch.from_numpy(image).float()[None]
        small = torch.nn.functional.interpolate(x, (28, 28), mode="bilinear", antialias=True, align_corners=False)
        with torch.no_grad():
            twin = classifier.network((small / 127.5 - 1).mean(dim=1, keepdim=True))[0]
        np.testing.assert_allclose(found, twin, atol=1e-3)  # float32 through six layers, logits up to 20


def test_sizes_may_be_mixed_and_colours_are_averaged(digits: list[Pixels]) -> None:
    classifier = at_hand("digits")
    large = [np.ascontiguousarray(image.repeat(2, axis=1).repeat(2, axis=2)) for image in digits]
    mixed = [image for pair in zip(digits, large, strict=True) for image in pair]
    found = classifier(mixed)["classes"]
    assert (found[::2].argmax(axis=1) == found[1::2].argmax(axis=1)).mean() > 0.98
    np.testing.assert_array_equal(found[::2], classifier(digits)["classes"])
    turned = [
        np.ascontiguousarray(image[[1, 2, 0]]) // np.array([1, 2, 4], np.uint8)[:, None, None] for image in digits
    ]
    swapped = [np.ascontiguousarray(image[::-1]) for image in turned]
    np.testing.assert_allclose(classifier(turned)["classes"], classifier(swapped)["classes"], atol=1e-3)


def test_no_images_and_no_images_at_all(digits: list[Pixels]) -> None:
    assert at_hand("digits")([])["classes"].shape == (0, 10)
    with pytest.raises(BadInput, match=r"must be uint8 of shape \(3, h, w\)"):
        at_hand("digits")([digits[0].astype(np.float32)])


def test_they_serve_mode_coverage() -> None:
    classifier = at_hand("digits")
    images, labels = pictures("digits", "test", 898)
    real: dict[str, Any] = {"real": classifier.moments}
    whole = score("mode_coverage", fake=classifier(images)["classes"], **real)
    assert whole["modes"].value == 10
    assert float(whole["mode_kl"]) < 4 * whole["mode_kl"].details["floor_mode_kl"]
    assert float(whole["high_quality"]) > 0.9
    three = [image for image, label in zip(images, labels, strict=True) if label < 3]
    some = score("mode_coverage", fake=classifier(three)["classes"], **real)
    assert float(some["modes"]) < 10
    assert float(some["mode_kl"]) == pytest.approx(np.log(10 / 3), rel=0.08)  # less what it mistakes for other classes


# stacked images


@pytest.fixture
def stack() -> tuple[list[Pixels], NDArray[np.int64]]:
    """Forty stacked images made of digits, brought to 28 x 28 as Fashion-MNIST is, and their three parts."""
    rng = np.random.default_rng(1)
    parts = rng.integers(0, 256, size=(40, 3, 28, 28), dtype=np.uint8)
    parts[:, :, 8:20] //= 3
    return [np.pad(part, ((0, 0), (2, 2), (2, 2))) for part in parts], parts.astype(np.int64)


def test_stacked_classes_are_those_of_the_channels(stack: tuple[list[Pixels], NDArray[np.int64]]) -> None:
    images, parts = stack
    base, stacked = at_hand("fashion-mnist"), at_hand("stacked-fashion")
    assert stacked.heads == {"classes": 1000}
    found = stacked(images)["classes"]
    assert found.shape == (40, 1000)
    np.testing.assert_allclose(np.exp(found.astype(np.float64)).sum(axis=1), 1, rtol=1e-5)
    singles = [
        base([np.broadcast_to(part.astype(np.uint8), (3, 28, 28)) for part in parts[:, c]])["classes"] for c in range(3)
    ]
    a, b, c = (single.argmax(axis=1) for single in singles)
    assert len(set(a)) > 1
    np.testing.assert_array_equal(found.argmax(axis=1), 100 * a + 10 * b + c)
    logs = [torch.log_softmax(torch.from_numpy(single).double(), dim=1).numpy() for single in singles]
    np.testing.assert_allclose(found[:, 725], logs[0][:, 7] + logs[1][:, 2] + logs[2][:, 5], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(stacked(images[3:5])["classes"], found[3:5])


def test_the_prior_of_stacked_classes_is_a_product() -> None:
    found = at_hand("stacked-fashion")
    np.testing.assert_allclose(found.prior, 1e-3)
    assert found.n_real == 128_000
    assert found.moments.d == 1000


@FASHION
def test_stacked_clothes_are_told_apart() -> None:
    """Right where all three channels are: about 0.95³, since these are images of the train split."""
    images, labels = pictures("stacked-fashion", "train", 500)
    found = at_hand("stacked-fashion")(images)["classes"].argmax(axis=1)
    assert (found == labels).mean() > 0.75
    channels = [(found // step % 10 == labels // step % 10).mean() for step in (100, 10, 1)]
    assert min(channels) > 0.92


# where there is none


def test_datasets_without_a_classifier() -> None:
    assert classifier_for("cifar10") is None
    assert way_to_classifier("cifar10") == (
        "There is no classifier for cifar10; there are those for digits, fashion-mnist, stacked-fashion."
    )


def test_mnists_is_used_where_it_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path))
    assert classifier_for("mnist") is None
    assert classifier_for("stacked-mnist") is None
    way = way_to_classifier("stacked-mnist")
    assert f"python scripts/train_classifiers.py mnist --out {tmp_path / 'classifiers'}" in way
    (tmp_path / "classifiers").mkdir()
    for suffix in ("safetensors", "json"):
        shutil.copy(FOLDER / f"digits.{suffix}", tmp_path / "classifiers" / f"mnist.{suffix}")
    prior = at_hand("digits").prior
    found = at_hand("stacked-mnist")
    assert found.prior[725] == pytest.approx(prior[7] * prior[2] * prior[5])


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    def copied(name: str) -> Path:
        for suffix in ("safetensors", "json"):
            shutil.copy(FOLDER / f"digits.{suffix}", tmp_path / f"{name}.{suffix}")
        return tmp_path / f"{name}.safetensors"

    path = copied("changed")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match="does not have the sha256"):
        load_classifier("changed", tmp_path)
    copied("cut").write_bytes(b"\x00" * 20)
    with pytest.raises(BadInput, match="cannot be read"):
        load_classifier("cut", tmp_path)
    copied("bare").with_suffix(".json").write_text("[]")
    with pytest.raises(BadInput, match="the record beside it, cannot be read"):
        load_classifier("bare", tmp_path)
    copied("alone").with_suffix(".json").unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        load_classifier("alone", tmp_path)


@pytest.mark.parametrize(("dataset", "wanted"), [("fashion-mnist", 0.8096), ("stacked-fashion", 0.50398)])
def test_how_sure_it_is_of_real_images_is_in_its_record(dataset: str, wanted: float) -> None:
    found = classifier_for(dataset)
    assert found is not None
    assert found.sure == {0.9: pytest.approx(wanted)}
    logits = np.zeros((50, found.heads["classes"]), dtype=np.float32)
    logits[np.arange(50), np.arange(50) % 10] = 20
    real = Features(moments=found.moments, sure=found.sure)
    details = ModeCoverage().compute(fake=Features(logits), real=real)["high_quality"].details
    assert details["ceiling_high_quality"] == pytest.approx(wanted)
    other = ModeCoverage(confidence=0.5).compute(fake=Features(logits), real=real)["high_quality"].details
    assert "ceiling_high_quality" not in other
