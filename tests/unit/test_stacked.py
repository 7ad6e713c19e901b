"""Stacked datasets: which images they are made of, what their classes are, and that they are one split alone."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import BadInput, Unavailable, UsageError
from ganbench.images.datasets import _base
from ganbench.images.datasets._base import DATASETS, check_split, open_dataset
from ganbench.images.datasets._stacked import N, stacked, triples
from ganbench.images.indexed import IndexedSource

RNG = np.random.default_rng(0)


@pytest.fixture
def gray() -> np.ndarray:
    return RNG.integers(1, 256, size=(50, 28, 28), dtype=np.uint8)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No dataset of this machine is seen."""
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(_base, "data_folders", lambda: [tmp_path / "data"])
    monkeypatch.setattr("ganbench.images.datasets._idx.data_folders", _base.data_folders)
    return tmp_path / "data"


def source_of(gray: np.ndarray, *, labelled: bool = True) -> IndexedSource:
    labels = np.arange(len(gray)) % 10
    return IndexedSource("gray", len(gray), read=lambda i: gray[i], labels=(lambda: labels) if labelled else None)


def test_each_image_is_three_of_the_train_split(gray: np.ndarray) -> None:
    source = stacked(source_of(gray), name="stack:train")
    assert (source.name, len(source)) == ("stack:train", N)
    draw = triples(50)
    at = [0, 7, 64_000, N - 1]
    labels = source.labels
    assert labels is not None
    for image in source.images(at):
        assert image.pixels.shape == (3, 32, 32)
        a, b, c = draw[image.index]
        np.testing.assert_array_equal(image.pixels[:, 2:30, 2:30], gray[[a, b, c]])
        assert image.pixels.sum(dtype=np.int64) == gray[[a, b, c]].sum(dtype=np.int64)  # the border is black
        assert labels[image.index] == 100 * (a % 10) + 10 * (b % 10) + c % 10
    assert labels.dtype == np.int64
    assert set(labels) == set(range(1000))


def test_the_draw_never_changes() -> None:
    draw = triples(60_000)
    assert draw.shape == (128_000, 3)
    assert draw[:2].tolist() == [[44340, 56597, 37178], [18727, 11695, 49814]]
    assert (draw.min(), draw.max()) == (0, 59_999)
    mean = draw.mean() / 59_999
    assert mean == pytest.approx(0.5, abs=4 * 0.2887 / np.sqrt(draw.size))


def test_images_come_in_any_order_from_any_thread(gray: np.ndarray) -> None:
    source = stacked(source_of(gray), name="stack")
    one = [image.digest for image in source.images(range(200), workers=1)]
    assert [image.digest for image in source.images(range(200), workers=4)] == one
    (last,) = source.images([199])
    assert last.digest == one[-1]


def test_without_labels_there_are_no_classes(gray: np.ndarray) -> None:
    with pytest.raises(BadInput, match="gray comes without labels"):
        _ = stacked(source_of(gray, labelled=False), name="stack").labels


@pytest.mark.parametrize("name", ["stacked-fashion", "stacked-mnist"])
def test_there_is_no_test_split(name: str) -> None:
    assert DATASETS.get(name).splits == ("train",)
    assert check_split(name, None) == "train"
    with pytest.raises(UsageError, match="split of stacked"):
        check_split(name, "test")


@pytest.mark.usefixtures("nowhere")
def test_where_the_gray_images_are_not_at_hand() -> None:
    assert DATASETS.get("stacked-fashion").locate("train") is None
    with pytest.raises(Unavailable, match=r"stacked-fashion:train was not found(.|\n)*dataset-fashion-mnist"):
        open_dataset("stacked-fashion", offline=True)
    with pytest.raises(Unavailable, match="ganbench data get stacked-mnist"):
        open_dataset("stacked-mnist", offline=True)


def test_it_is_found_where_the_gray_images_are(gray: np.ndarray, nowhere: Path) -> None:
    """Gzipped, as MNIST is offered: these can only be read from their beginning."""
    folder = nowhere / "MNIST" / "raw"
    folder.mkdir(parents=True)
    images = struct.pack(">4I", 0x0803, *gray.shape) + gray.tobytes()
    labels = struct.pack(">2I", 0x0801, 50) + bytes(i % 10 for i in range(50))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    source = open_dataset("stacked-mnist", offline=True)
    twin = stacked(source_of(gray), name="twin")
    assert source.name == "stacked-mnist:train"
    assert [i.digest for i in source.images([3, 90_000])] == [i.digest for i in twin.images([3, 90_000])]
    np.testing.assert_array_equal(source.labels, twin.labels)
    assert DATASETS.get("stacked-mnist").locate("train") == folder / "train-images-idx3-ubyte.gz"
