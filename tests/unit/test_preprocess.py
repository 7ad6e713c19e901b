"""The resize matrices by hand-worked examples and by their laws, and the steps around them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.errors import BadInput, UsageError
from ganbench.features.preprocess import Preprocess, pillow_matrix, resize_matrix
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
    with pytest.raises(UsageError, match="Unknown crop 'left'"):
        Preprocess(replace(get_protocol("tf"), crop="left"))
    with pytest.raises(UsageError, match="Unknown rounding 'up'"):
        Preprocess(replace(get_protocol("clip"), rounding="up"))
    with pytest.raises(UsageError, match="goes with the filters bilinear-antialias, bicubic-antialias, not with 'tf1"):
        Preprocess(replace(get_protocol("clip"), resize="tf1-bilinear"))


def pictures(seed: int, *shapes: tuple[int, int]) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (3, h, w), dtype=np.uint8) for h, w in shapes]


def small(name: str, **changed: object) -> Protocol:
    return replace(get_protocol(name), **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tf", "clean", "pytorch", "embedded", "dinov2", "clip", "cmmd", "vgg16"])
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


PILLOW = {"bilinear-antialias": Image.Resampling.BILINEAR, "bicubic-antialias": Image.Resampling.BICUBIC}
# Square, wide, tall; up, down, one side only, nothing to do; sides at which weights are dyadic; single pixels.
SHAPES = [(32, 32), (28, 28), (56, 112), (300, 200), (200, 300), (600, 700), (224, 100), (100, 224), (224, 224), (1, 1)]


def by_pillow(image: np.ndarray, height: int, width: int, filter_name: str) -> np.ndarray:
    """Pillow's resize of an 8-bit image, its rows first.

    In two calls, because Pillow 12.2 and 13 take the columns first for some images; each call is a single pass.
    """
    method = PILLOW[filter_name]
    once = Image.fromarray(image.transpose(1, 2, 0)).resize((width, image.shape[1]), method)
    return np.asarray(once.resize((width, height), method)).transpose(2, 0, 1)


def eight_bit(image: np.ndarray, **changed: object) -> np.ndarray:
    protocol = small("clean", **{"shift": 0.0, "scale": 1.0, "rounding": "pillow-uint8", "size": 224, **changed})
    return Preprocess(protocol)([image], "cpu")[0].numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PILLOW)
def test_rounded_is_pillow_to_the_last_bit(name: str, shape: tuple[int, int]) -> None:
    """On noise, and on black and white, where sums overshoot."""
    (noise,) = pictures(3, shape)
    for image in (noise, noise // 128 * 255):
        np.testing.assert_array_equal(eight_bit(image, resize=name), by_pillow(image, 224, 224, name))


def test_rounded_weights_are_whole_and_sum_to_one() -> None:
    """To a unit of 2^-22 for each of the weights."""
    for n_in, n_out in SIZES:
        fixed = pillow_matrix("bicubic-antialias", n_in, n_out)
        np.testing.assert_array_equal(fixed, np.rint(fixed))
        weights = resize_matrix("bicubic-antialias", n_in, n_out)
        np.testing.assert_allclose(fixed / 2**22, weights, atol=2**-22)
        assert np.abs(fixed.sum(axis=1) - 2**22).max() <= np.count_nonzero(fixed, axis=1).max()


@pytest.mark.parametrize("make", [resize_matrix, pillow_matrix])
@pytest.mark.parametrize("name", PILLOW)
def test_some_rows_of_a_matrix(make: object, name: str) -> None:
    assert callable(make)
    np.testing.assert_array_equal(make(name, 7, 30, rows=(11, 19)), make(name, 7, 30)[11:19])


@pytest.mark.parametrize("name", FILTERS)
def test_some_rows_of_every_filter(name: str) -> None:
    np.testing.assert_array_equal(resize_matrix(name, 7, 30, rows=(11, 19)), resize_matrix(name, 7, 30)[11:19])


@pytest.mark.parametrize("rounding", ["none", "pillow-uint8"])
@pytest.mark.parametrize(
    ("shape", "whole", "corner"),
    # the longer side is cut to whole pixels, the margin rounded half to even: (261 - 224) / 2 = 18.5 to 18
    [
        ((64, 64), (224, 224), (0, 0)),
        ((60, 70), (224, 261), (0, 18)),
        ((70, 60), (261, 224), (18, 0)),
        ((300, 101), (665, 224), (220, 0)),
        ((224, 227), (224, 227), (0, 2)),
    ],
)
def test_crop_after(shape: tuple[int, int], whole: tuple[int, int], corner: tuple[int, int], rounding: str) -> None:
    (image,) = pictures(4, shape)
    top, left = corner
    if rounding == "none":
        rows, columns = (resize_matrix("bicubic-antialias", n, m) for n, m in zip(shape, whole, strict=True))
        resized = (rows @ image.astype(np.float64) @ columns.T).clip(0, 255)
    else:
        resized = by_pillow(image, *whole, "bicubic-antialias")
    wanted = resized[:, top : top + 224, left : left + 224]
    np.testing.assert_allclose(eight_bit(image, crop="after", rounding=rounding), wanted, atol=2e-4)


@pytest.mark.parametrize(
    ("shape", "corner"), [((64, 64), (0, 0)), ((50, 71), (0, 10)), ((71, 50), (10, 0)), ((1, 9), (0, 4))]
)
def test_crop_before(shape: tuple[int, int], corner: tuple[int, int]) -> None:
    (image,) = pictures(5, shape)
    side, (top, left) = min(shape), corner
    square = np.ascontiguousarray(image[:, top : top + side, left : left + side])
    np.testing.assert_array_equal(eight_bit(image, crop="before", size=96), eight_bit(square, size=96))


def test_a_very_long_image_costs_no_more_than_its_middle() -> None:
    """Its whole resize would have more than a million columns."""
    (image,) = pictures(6, (1, 5000))
    assert eight_bit(image, crop="after").shape == (3, 224, 224)


def test_each_channel_has_its_own_shift_and_scale() -> None:
    image = np.stack([np.full((8, 8), value, dtype=np.uint8) for value in (10, 20, 30)])
    steps = Preprocess(small("clean", size=8, shift=(1.0, 2.0, 3.0), scale=(3.0, 6.0, 27.0)))
    assert steps([image], "cpu")[0, :, 0, 0].tolist() == [3.0, 3.0, 1.0]
