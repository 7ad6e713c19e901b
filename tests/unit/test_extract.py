"""The one extraction loop, with a network that is a line of arithmetic."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from ganbench.errors import BadImage, BadInput
from ganbench.features.extract import Wanted, extract
from ganbench.features.rows import Rows
from ganbench.images.source import ImageSource, Item

D = 6


class Arithmetic:
    """Features that can be computed by hand: means, extremes and a corner of each image."""

    def __init__(self) -> None:
        self.heads = {"pool": D, "logits": 2}
        self.calls: list[int] = []

    def __call__(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        self.calls.append(len(images))
        pool = [[*im.mean((1, 2)), im.max(), im.min(), im[0, 0, 0]] for im in images]
        return {"pool": np.array(pool, dtype=np.float32), "logits": np.array(pool, dtype=np.float32)[:, :2]}


class Memory(ImageSource):
    """Images in a list; None stands for one that cannot be read."""

    name = "memory"

    def __init__(self, images: list[np.ndarray | None]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        for i in indices:
            yield Item(f"{i}.png", self._reader(i))

    def _reader(self, i: int) -> Callable[[], bytes | np.ndarray]:
        image = self._images[i]
        return (lambda: b"not an image") if image is None else (lambda: image)


def pictures(n: int, seed: int = 0) -> list[np.ndarray | None]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (4 + i % 3, 5, 3), dtype=np.uint8) for i in range(n)]


BOTH = Wanted(values=frozenset({"pool", "logits"}), moments=frozenset({"pool"}))


def test_rows_are_in_order_and_moments_are_those_of_the_rows() -> None:
    images = pictures(57)
    got = extract(Memory(images), Arithmetic(), BOTH, batch_size=8)
    by_hand = Arithmetic()([im.transpose(2, 0, 1) for im in images if im is not None])["pool"]
    np.testing.assert_array_equal(got.features["pool"].values, by_hand)
    np.testing.assert_allclose(got.features["pool"].moments.mean, by_hand.astype(float).mean(0), rtol=1e-12)
    np.testing.assert_allclose(got.features["pool"].moments.cov, np.cov(by_hand.astype(float).T), rtol=1e-10)
    assert sum(g.n for g in got.features["pool"].groups) == 57


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_the_batch_size_changes_nothing(batch_size: int) -> None:
    source = Memory(pictures(40))
    one = extract(source, Arithmetic(), BOTH, batch_size=13)
    other = extract(source, Arithmetic(), BOTH, batch_size=batch_size)
    np.testing.assert_array_equal(one.features["pool"].moments.cov, other.features["pool"].moments.cov)
    np.testing.assert_array_equal(one.features["logits"].values, other.features["logits"].values)
    assert one.fingerprint == other.fingerprint


def test_what_else_is_wanted_changes_nothing() -> None:
    source = Memory(pictures(40))
    alone = extract(source, Arithmetic(), Wanted(moments=frozenset({"pool"})))
    together = extract(source, Arithmetic(), BOTH)
    assert set(alone.features) == {"pool"}
    assert alone.features["pool"].values is None
    np.testing.assert_array_equal(alone.features["pool"].moments.cov, together.features["pool"].moments.cov)
    for mine, theirs in zip(alone.features["pool"].groups, together.features["pool"].groups, strict=True):
        np.testing.assert_array_equal(mine.cov, theirs.cov)


def test_fewer_images_than_features_keeps_the_values_for_the_exact_form() -> None:
    got = extract(Memory(pictures(D - 1)), Arithmetic(), Wanted(moments=frozenset({"pool"})))
    assert got.features["pool"].values is not None
    assert got.features["pool"].values.shape == (D - 1, D)


def test_chosen_rows_only() -> None:
    wanted = Wanted(values=frozenset({"pool"}), moments=frozenset({"pool"}), rows=frozenset({3, 20, 31}))
    got = extract(Memory(pictures(32)), Arithmetic(), wanted, batch_size=5).features["pool"]
    everything = extract(Memory(pictures(32)), Arithmetic(), BOTH).features["pool"]
    np.testing.assert_array_equal(got.values, everything.values[[3, 20, 31]])
    assert got.n == 32


def test_bad_images_stop_or_are_passed_over_and_told() -> None:
    images = pictures(12)
    images[4] = None
    with pytest.raises(BadImage, match=r"4\.png"):
        extract(Memory(images), Arithmetic(), BOTH)
    told: list[BadImage] = []
    got = extract(Memory(images), Arithmetic(), BOTH, on_bad=told.append)
    assert got.n == 11
    assert len(told) == len(got.skipped) == 1
    assert 4 not in got.used
    clean = extract(Memory([im for im in images if im is not None]), Arithmetic(), BOTH)
    assert got.fingerprint == clean.fingerprint


def test_duplicates_and_pictures() -> None:
    images = pictures(10)
    images[7] = images[2]
    got = extract(Memory(images), Arithmetic(), Wanted(moments=frozenset({"pool"}), pictures=frozenset({2, 7})))
    assert got.duplicates == 1
    assert sorted(got.pictures) == [2, 7]
    np.testing.assert_array_equal(got.pictures[2].pixels, got.pictures[7].pixels)


def test_one_image_is_refused_with_the_number_wanted() -> None:
    with pytest.raises(BadInput, match=r"memory: found 1 usable image\(s\); at least 2"):
        extract(Memory(pictures(1)), Arithmetic(), BOTH)


def test_features_that_are_not_finite_are_refused() -> None:
    class Broken(Arithmetic):
        def __call__(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
            return {head: values * np.nan for head, values in super().__call__(images).items()}

    with pytest.raises(BadInput, match="NaN or infinite"):
        extract(Memory(pictures(5)), Broken(), BOTH)


@pytest.mark.parametrize("limit", [1 << 20, 100])
def test_rows_in_memory_and_in_a_file_are_the_same(limit: int) -> None:
    blocks = [np.random.default_rng(i).random((i, 3), dtype=np.float32) for i in (4, 0, 9, 2)]
    rows = Rows(3, limit=limit)
    for block in blocks[:3]:
        rows.append(block)
    first = rows.finish()
    rows.append(blocks[3])
    np.testing.assert_array_equal(first, np.concatenate(blocks[:3]))
    np.testing.assert_array_equal(rows.finish(), np.concatenate(blocks))
    assert isinstance(rows.finish(), np.memmap) == (limit == 100)
