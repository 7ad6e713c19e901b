"""Emoji as datasets: which they are, how they are split and drawn, and what is said where fonts are missing."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import BadInput, Unavailable
from ganbench.images.datasets import _emoji, _emoji_fonts
from ganbench.images.datasets._base import DATASETS, CaptionedDataset, PairedDataset, open_dataset
from ganbench.images.datasets._emoji import EmojiDataset, in_test
from ganbench.images.datasets._emoji_fonts import COLOUR, LINES, blocks, find_font
from ganbench.images.source import ImageSource

pytest.importorskip("emoji", reason="needs the names of emoji: pip install 'ganbench[emoji]'")
fonts = pytest.mark.skipif(
    find_font(COLOUR) is None or find_font(LINES) is None,
    reason="needs fonts: apt install fonts-noto-color-emoji fonts-symbola",
)
NAMES = [name for name in DATASETS.names() if name.startswith("emoji")]


def pixels_of(source: ImageSource) -> np.ndarray:
    return np.stack([image.pixels for image in source.images()])


def names_of(source: ImageSource) -> list[str]:
    return [item.name for item in source.items(range(len(source)))]


def paired(name: str) -> type[PairedDataset]:
    kind = DATASETS.get(name)
    assert issubclass(kind, PairedDataset)
    return kind


@fonts
@pytest.mark.parametrize("name", NAMES)
def test_an_emoji_is_in_one_split(name: str) -> None:
    train, test = (open_dataset(name, split, offline=True) for split in ("train", "test"))
    assert set(names_of(train)).isdisjoint(names_of(test))
    assert all(in_test(chr(int(code, 16))) for code in names_of(test))
    assert 0.1 < len(test) / (len(train) * (2 if "halves" in name else 1)) < 0.35
    side = 64 if name.endswith("-64") else 32
    assert pixels_of(test).shape == (len(test), 3, side, side)
    assert train.labels is not None
    assert len(train.labels) == len(train)


@fonts
def test_there_are_as_many_as_the_fonts_draw() -> None:
    """The numbers of Noto Color Emoji 2.0 and Symbola 2.60, give or take what other versions have."""
    everything, pairs = (sum(len(open_dataset(name, split)) for split in ("train", "test"))
                         for name in ("emoji", "emoji-pairs"))  # fmt: skip
    assert 1300 < everything < 1600
    assert 1000 < pairs < everything


@fonts
def test_names_are_captions() -> None:
    kind = DATASETS.get("emoji")
    assert issubclass(kind, CaptionedDataset)
    told = {}
    for split in kind.splits:
        found = kind.captioned(split)
        assert found is not None
        told |= dict(zip(names_of(found.images), found.captions, strict=True))
    assert told["1f355"] == "pizza"
    assert told["1f600"] == "grinning face"
    assert all(caption and ":" not in caption and "_" not in caption for caption in told.values())


@fonts
def test_a_drawing_is_black_and_its_picture_is_not() -> None:
    found = paired("emoji-pairs").pairs("test")
    assert found is not None
    assert found.unpaired is None
    assert names_of(found.sources) == names_of(found.targets)
    drawn, coloured = pixels_of(found.sources), pixels_of(found.targets)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (coloured[:, 0] != coloured[:, 1]).any()
    assert (drawn.reshape(len(drawn), -1).min(axis=1) < 200).all(), "there is ink in each"
    assert (drawn[:, :, 0, 0] > 200).mean() > 0.9, "on white"


@fonts
def test_halves_have_no_emoji_in_common_and_are_pairs_for_testing() -> None:
    found, held_out = (paired("emoji-halves").pairs(split) for split in ("train", "test"))
    assert found is not None
    assert held_out is not None
    assert found.unpaired is not None
    assert set(names_of(found.sources)).isdisjoint(names_of(found.targets))
    assert abs(len(found.sources) - len(found.targets)) <= 1
    assert names_of(found.sources) != sorted(names_of(found.sources)), "shuffled"
    assert held_out.unpaired is None
    assert names_of(held_out.sources) == names_of(held_out.targets)


@fonts
def test_gray_is_the_luma_of_the_picture() -> None:
    found = paired("emoji-gray").pairs("test")
    assert found is not None
    gray, coloured = pixels_of(found.sources).astype(float), pixels_of(found.targets).astype(float)
    luma = 0.299 * coloured[:, 0] + 0.587 * coloured[:, 1] + 0.114 * coloured[:, 2]
    assert abs(gray[:, 0] - luma).max() <= 1
    assert (gray[:, 0] == gray[:, 2]).all()


@fonts
def test_pictures_come_alike_from_any_thread() -> None:
    source = open_dataset("emoji", "test")
    one = [image.digest for image in source.images(workers=1)]
    assert [image.digest for image in source.images(workers=4)] == one


def test_the_split_is_decided_by_the_code_point_alone() -> None:
    assert [in_test(c) for c in "😀🍕🐱🚗"] == [in_test(c) for c in "😀🍕🐱🚗"]
    share = np.mean([in_test(chr(code)) for code in range(0x1F300, 0x1F700)])
    assert 0.16 < share < 0.24


def test_classes_are_blocks() -> None:
    assert blocks(["⌚", "🍕", "😀", "🚗", "🟠", "🧠", "🪐"]).tolist() == [0, 1, 2, 3, 0, 4, 5]


def test_without_fonts_their_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_emoji, "find_font", lambda _: None)
    for name, packages in (
        ("emoji", "fonts-noto-color-emoji"),
        ("emoji-pairs", "fonts-noto-color-emoji fonts-symbola"),
    ):
        assert DATASETS.get(name).locate("train") is None
        for offline in (True, False):
            with pytest.raises(
                Unavailable, match=rf"{name}:train was not found(.|\n)*apt install {packages}$"
            ) as error:
                open_dataset(name, offline=offline)
            assert "ganbench data get" not in str(error.value), "they cannot be fetched"


def test_a_folder_of_fonts_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / COLOUR).write_bytes(b"no font")
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path))
    assert find_font(COLOUR) == tmp_path / COLOUR
    with pytest.raises(BadInput, match="cannot be read as a font"):
        open_dataset("emoji")


@fonts
def test_without_the_package_of_names_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "emoji", None)
    _emoji_fonts.pictures.cache_clear()
    with pytest.raises(Unavailable, match=r"pip install 'ganbench\[emoji\]'"):
        open_dataset("emoji")


def test_all_of_them_are_emoji() -> None:
    assert len(NAMES) == 8
    assert all(issubclass(DATASETS.get(name), EmojiDataset) for name in NAMES)
