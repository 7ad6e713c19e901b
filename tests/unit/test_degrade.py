"""Images made worse are the same on every machine, and sources made from others keep their order."""

import numpy as np
import pytest

from ganbench.degrade import blur, noise
from ganbench.images.derived import Mapped, Subset
from ganbench.images.indexed import IndexedSource

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)


def source():
    return IndexedSource("six", 6, read=lambda i: PIXELS[i], labels=lambda: np.arange(6) % 2)


def test_noise_is_gaussian_gray_and_repeatable():
    flat = np.full((3, 200, 200), 128, np.uint8)
    made = noise(flat, 8.0, np.random.default_rng(5))
    assert np.array_equal(made, noise(flat, 8.0, np.random.default_rng(5)))
    assert not np.array_equal(made, noise(flat, 8.0, np.random.default_rng(6)))
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])
    assert made.mean() == pytest.approx(128, abs=0.2)  # five standard errors
    assert made[0].std() == pytest.approx(8, abs=0.15)


def test_noise_is_clamped_and_leaves_its_input_alone():
    black = np.zeros((3, 50, 50), np.uint8)
    made = noise(black, 40.0, np.random.default_rng(0))
    assert made.dtype == np.uint8
    assert 0.4 < (made[0] == 0).mean() < 0.6  # half of the noise is below 0, none of it wraps round to 255
    assert made.max() < 220
    assert not black.any()
    assert np.array_equal(noise(PIXELS[0].transpose(2, 0, 1), 0.0, np.random.default_rng(0))[0], PIXELS[0][..., 0])


def test_blur_is_the_gaussian_of_its_width():
    point = np.zeros((3, 21, 21), np.uint8)
    point[:, 10, 10] = 255
    made = blur(point, 1.0)
    x = np.arange(-4, 5)
    kernel = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    assert np.array_equal(made[1, 6:15, 6:15], np.floor(255 * np.outer(kernel, kernel) + 0.5).astype(np.uint8))
    assert np.array_equal(made[0], made[2])


def test_blur_keeps_flat_images_and_channels_apart():
    colour = np.zeros((3, 8, 8), np.uint8)
    colour[0] = 200
    assert np.array_equal(blur(colour, 2.0), colour)
    assert np.array_equal(blur(PIXELS[0].transpose(2, 0, 1), 0.0), PIXELS[0].transpose(2, 0, 1))


def test_a_subset_has_its_images_and_labels_in_order():
    some = Subset(source(), [1, 4, 5], "some")
    images = list(some.images())
    assert [image.index for image in images] == [0, 1, 2]
    assert [image.name for image in images] == ["six[1]", "six[4]", "six[5]"]
    assert np.array_equal(images[1].pixels, PIXELS[4].transpose(2, 0, 1))
    assert some.labels.tolist() == [1, 0, 1]
    assert len(some) == 3


def test_a_map_of_nothing_changes_nothing():
    same = Mapped(source(), "same", lambda pixels, index: pixels)
    assert same.fingerprint == source().fingerprint
    assert same.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_map_gets_each_image_with_its_index_and_ignores_workers():
    def noisy(pixels, index):
        return noise(pixels, 20.0, np.random.default_rng([7, index]))

    mapped = Mapped(Subset(source(), [2, 3, 5], "some"), "noisy", noisy)
    one, two = (list(mapped.images(workers=workers)) for workers in (1, 3))
    for position, original in enumerate([2, 3, 5]):
        wanted = noisy(PIXELS[original].transpose(2, 0, 1), position)
        assert np.array_equal(one[position].pixels, wanted)
        assert np.array_equal(two[position].pixels, wanted)
        assert one[position].name == f"six[{original}]"
    assert [image.index for image in mapped.images([1, 2])] == [1, 2]
    assert mapped.fingerprint != source().fingerprint
