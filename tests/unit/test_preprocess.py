"""The resize matrices by hand-worked examples and by their laws, and the steps around them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganbench.errors import BadInput, UsageError
from ganbench.features.preprocess import Preprocess, resize_matrix
from ganbench.protocol import Protocol, get_protocol

FILTERS = ("tf1-bilinear", "bilinear", "bilinear-antialias", "bicubic-antialias")
SIZES = [(32, 299), (300, 299), (1024, 299), (1, 299), (7, 3), (5000, 224)]


@pytest.mark.parametrize(
    ("name", "n_in", "n_out", "matrix"),
    [
        ("tf1-bilinear", 2, 4, [[1, 0], [0.5, 0.5], [0, 1], [0, 1]]),
        ("tf1-bilinear", 4, 2, [[1, 0, 0, 0], [0, 0, 1, 0]]),
        ("bilinear", 2, 4, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]),
        ("bilinear", 4, 2, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]),
        ("bilinear-antialias", 2, 4, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]),
        ("bilinear-antialias", 4, 2, [[3 / 7, 3 / 7, 1 / 7, 0], [0, 1 / 7, 3 / 7, 3 / 7]]),
        # Keys' kernel at distances 1/4, 3/4, 5/4: 0.8671875, 0.2265625, -0.0703125; what lies outside is left out.
        ("bicubic-antialias", 2, 4, np.array([
            [0.8671875 / 0.796875, -0.0703125 / 0.796875],
            [0.8671875 / 1.09375, 0.2265625 / 1.09375],
            [0.2265625 / 1.09375, 0.8671875 / 1.09375],
            [-0.0703125 / 0.796875, 0.8671875 / 0.796875],
        ])),
    ],
)  # fmt: skip
def test_small_matrices(name: str, n_in: int, n_out: int, matrix: list[list[float]]) -> None:
    np.testing.assert_allclose(resize_matrix(name, n_in, n_out), matrix, atol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_a_constant_stays_and_the_shape_is_right(name: str, n_in: int, n_out: int) -> None:
    matrix = resize_matrix(name, n_in, n_out)
    assert matrix.shape == (n_out, n_in)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
def test_the_same_size_changes_nothing(name: str) -> None:
    np.testing.assert_array_equal(resize_matrix(name, 299, 299), np.eye(299))


def test_the_families_differ() -> None:
    """TF1's grid lies off by up to half a source pixel; antialiasing shows when shrinking only."""
    ramp = np.arange(32.0)
    shift = resize_matrix("bilinear", 32, 299) @ ramp - resize_matrix("tf1-bilinear", 32, 299) @ ramp
    assert shift.min() == pytest.approx(-0.5 * (1 - 32 / 299), abs=0.02)
    np.testing.assert_allclose(
        resize_matrix("bilinear", 32, 299), resize_matrix("bilinear-antialias", 32, 299), atol=2e-6
    )
    stripes = np.arange(598) % 2 * 255.0
    np.testing.assert_allclose((resize_matrix("bilinear-antialias", 598, 299) @ stripes)[1:-1], 127.5)
    assert np.ptp(resize_matrix("tf1-bilinear", 598, 299) @ stripes) == 0
    assert (resize_matrix("tf1-bilinear", 598, 299) @ stripes)[0] == 0  # aliased: it saw the even pixels only


def test_an_unknown_filter() -> None:
    with pytest.raises(UsageError, match=r"Unknown resize filter 'lanczos'\. There are: tf1-bilinear, bilinear,"):
        resize_matrix("lanczos", 2, 2)
    with pytest.raises(UsageError, match="Unknown resize filter"):
        Preprocess(replace(get_protocol("tf"), resize="nearest"))


def pictures(seed: int, *shapes: tuple[int, int]) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (3, h, w), dtype=np.uint8) for h, w in shapes]


def small(name: str, **changed: object) -> Protocol:
    return replace(get_protocol(name), **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tf", "clean", "pytorch", "embedded"])
def test_images_keep_their_order_and_do_not_see_each_other(name: str) -> None:
    images = pictures(0, (32, 32), (64, 48), (32, 32), (600, 700), (1, 1), (299, 299), (224, 224), (64, 48))
    before = [image.copy() for image in images]
    steps = Preprocess(small(name))
    together = steps(images, "cpu")
    assert together.shape == (8, 3, steps.protocol.size, steps.protocol.size)
    assert together.dtype == torch.float32
    for place, image in enumerate(images):
        assert torch.equal(steps([image], "cpu")[0], together[place])
    assert all(np.array_equal(a, b) for a, b in zip(images, before, strict=True))


@pytest.mark.parametrize("shape", [(600, 700), (40, 1000)])
def test_bands_are_the_whole_matrix(shape: tuple[int, int]) -> None:
    """Large images are resized by blocks of the matrix; the product must be that of the whole."""
    (image,) = pictures(1, shape)
    rows, columns = (resize_matrix("bicubic-antialias", n, 96) for n in shape)
    whole = (rows @ image.astype(np.float64) @ columns.T).clip(0, 255)
    got = Preprocess(small("clean", size=96, shift=0.0, scale=1.0))([image], "cpu")[0].numpy()
    np.testing.assert_allclose(got, whole, atol=2e-4)


def test_clamp_shift_and_scale() -> None:
    edge = np.zeros((3, 8, 8), dtype=np.uint8)
    edge[:, :, 4:] = 255
    assert Preprocess(small("clean", size=32))([edge], "cpu").aminmax() == (-1.0, 127 / 128)
    free = Preprocess(small("clean", size=32, clamp=False))([edge], "cpu")
    assert free.min() < -1.02
    assert free.max() > 1.01
    same = Preprocess(small("pytorch", size=8))([edge], "cpu")
    assert sorted(same.unique().tolist()) == [-1.0, 1.0]


def test_read_only_and_reversed_pixels_do() -> None:
    (image,) = pictures(2, (8, 8))
    image.setflags(write=False)
    steps = Preprocess(small("tf", size=8))
    assert torch.equal(steps([image[:, :, ::-1]], "cpu"), steps([image], "cpu").flip(3))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 8, 8), dtype=np.float32),
        np.zeros((8, 8, 3), dtype=np.uint8),
        np.zeros((3, 8), dtype=np.uint8),
        np.zeros((3, 0, 8), dtype=np.uint8),
    ],
)
def test_what_is_no_image(image: np.ndarray) -> None:
    with pytest.raises(BadInput, match=r"must be uint8 of shape \(3, h, w\); found"):
        Preprocess(small("tf"))([image], "cpu")
