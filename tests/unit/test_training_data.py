"""The real data of a training: reading, padding, cutting, and the order in which they are drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.bench.budget import Meter
from ganbench.bench.data import POINTS, Stream, TrainingSet, no_data, open_data
from ganbench.bench.seeds import judged_codes, stream_seed
from ganbench.errors import BadInput, UsageError
from ganbench.nets._base import Shape
from ganbench.records import DataInfo


def as_is(shape: Shape) -> Shape:
    return shape


def to_eight(shape: Shape) -> Shape:
    return (shape[0], 8, 8)


def folder(path: Path, *, gray: bool, n: int = 5, side: int = 6) -> Path:
    path.mkdir()
    rng = np.random.default_rng(0)
    for i in range(n):
        pixels = rng.integers(256, size=(side, side) if gray else (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / f"{i}.png")
    return path


def test_gray_images_have_one_channel(tmp_path: Path) -> None:
    data = open_data(str(folder(tmp_path / "gray", gray=True)), as_is)
    assert data.shape == (1, 6, 6)
    assert data.values.dtype == torch.uint8
    assert data.info.shape == [1, 6, 6]
    assert open_data(str(folder(tmp_path / "colour", gray=False)), as_is).shape == (3, 6, 6)


def test_padding_is_black_and_is_cut_again(tmp_path: Path) -> None:
    path = folder(tmp_path / "gray", gray=True)
    plain, padded = open_data(str(path), as_is), open_data(str(path), to_eight)
    assert padded.shape == (1, 8, 8)
    assert padded.info.shape == [1, 6, 6]
    assert torch.equal(padded.values[:, :, 1:7, 1:7], plain.values)
    assert int(padded.values.sum()) == int(plain.values.sum())
    batch = padded.batch(torch.arange(5))
    assert float(batch.min()) == -1.0
    assert float(batch.max()) <= 1.0
    assert torch.equal(padded.judged(batch), plain.values), "to [-1, 1] and back is exact"


def test_judging_rounds_and_clips() -> None:
    info = DataInfo(name="x", split=None, fingerprint="", n=0, shape=[1, 1, 5], padded_to=[1, 1, 5])
    made = torch.tensor([[[[-1.4, -1.0, 0.0, 1.0, 7.0]]]])
    assert no_data(info).judged(made).flatten().tolist() == [0, 0, 128, 255, 255]


def test_points_are_fixed() -> None:
    one, two = open_data("ring8-pacgan", as_is), open_data("ring8-pacgan", as_is)
    assert one.shape == (2,)
    assert len(one.values) == POINTS
    assert torch.equal(one.values, two.values)
    assert one.info.fingerprint == two.info.fingerprint != open_data("grid25", as_is).info.fingerprint
    made = torch.randn(3, 2)
    assert one.judged(made) is made


def test_images_of_several_sizes_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "mixed", gray=True)
    Image.new("L", (7, 6)).save(path / "9.png")
    with pytest.raises(BadInput, match=r"several sizes: 6 x 6 and, .*9\.png, 7 x 6"):
        open_data(str(path), as_is)


def test_unknown_data_are_named() -> None:
    with pytest.raises(UsageError, match="Did you mean 'digits'"):
        open_data("digit", as_is)
    with pytest.raises(BadInput, match="There is no file or folder"):
        open_data("./nowhere", as_is)


def numbers(n: int) -> TrainingSet:
    info = DataInfo(name="x", split=None, fingerprint="", n=n, shape=[1], padded_to=[1])
    return TrainingSet(info, torch.arange(n, dtype=torch.float32)[:, None])


def stream(n: int = 10, *, seed: int = 0) -> Stream:
    return Stream(numbers(n), Meter(None), seed=seed, device=torch.device("cpu"))


def drawn(source: Stream, *sizes: int) -> list[float]:
    return [float(x) for size in sizes for x in source.draw(size)[:, 0]]


def test_each_epoch_has_every_datum_once_in_an_order_of_its_own() -> None:
    found = drawn(stream(), 4, 4, 4, 4, 4)
    assert sorted(found[:10]) == sorted(found[10:]) == list(range(10))
    assert found[:10] != found[10:]
    assert found != drawn(stream(seed=1), 20)


def test_the_order_does_not_depend_on_how_much_is_drawn_at_once() -> None:
    assert drawn(stream(), 7, 25, 1, 2) == drawn(stream(), *[1] * 35)


@pytest.mark.parametrize("before", [0, 3, 10, 27])
def test_a_place_is_two_numbers(before: int) -> None:
    first = stream()
    if before:
        first.draw(before)
    second = stream()
    second.seek(first.epoch, first.offset)
    assert drawn(first, 15) == drawn(second, 15)


def test_streams_of_random_numbers_are_apart() -> None:
    seeds = {stream_seed(seed, *key) for seed in range(20) for key in [(0,), (1,), (2, 0), (2, 1), (3,)]}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_codes_do_not_depend_on_the_batch() -> None:
    whole = judged_codes(7, 0, 50, 3)
    parts = torch.cat([judged_codes(7, at, at + 10, 3) for at in range(0, 50, 10)])
    assert torch.equal(whole, parts)
    assert whole.dtype == torch.float32
    many = judged_codes(0, 0, 4000, 2)
    assert float(many.mean()) == pytest.approx(0, abs=0.05)
    assert float(many.std()) == pytest.approx(1, abs=0.05)
    assert not torch.equal(judged_codes(8, 0, 50, 3), whole)
