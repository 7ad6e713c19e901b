"""`ganbench train` on each kind of `--data`: mixtures, datasets, files of one's own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganbench.bench.data import TrainingSet, open_data
from ganbench.errors import UsageError
from ganbench.images.datasets import _stacked
from ganbench.images.datasets._base import DATASETS
from ganbench.nets._base import Shape

Run = Callable[..., Any]
STACKED = 500  # of the 128,000 triples: as many as a test needs
FASHION = "cbe21a9eb8d74d3a951a7730f5b43e0180c788862107359edbadec940a42fa4f"  # all triples of Fashion-MNIST


@dataclass(frozen=True)
class Case:
    """What is learnt, and what the record says of it."""

    data: str
    n: int
    shape: list[int]
    split: str | None = None

    @property
    def images(self) -> bool:
        return len(self.shape) == 3


CASES = [
    Case("grid25", 100_000, [2]),
    Case("mog1200d", 100_000, [1200]),
    Case("digits", 899, [1, 32, 32], "train"),
    Case("digits:test", 898, [1, 32, 32], "test"),
    Case("mnist", 60, [1, 28, 28], "train"),
    Case("stacked-mnist", STACKED, [3, 32, 32], "train"),
    Case("./folder", 12, [3, 16, 16]),
    Case("./images.npz", 12, [3, 16, 16]),
    Case("./gray.npy", 12, [1, 16, 16]),
]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the triples alone."""
    monkeypatch.setattr(_stacked, "N", STACKED)


@pytest.fixture
def made_up(home: Path, mnist: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST of 60 images in each split."""
    monkeypatch.setenv("GANBENCH_DATA", str(mnist(home.parent / "data", 60)))


def as_is(shape: Shape) -> Shape:
    return shape


def opened(data: str) -> TrainingSet:
    return open_data(data, as_is, offline=True)


def trained(run: Run, case: Case) -> Any:
    """The record of three steps. They may count as a collapse: it is not asked how good they are."""
    networks = ("--backbone", "info28-nano") if case.images else ()
    done = run("train", "ns-gan", "--data", case.data, *networks, "--batch-size", "8", "--threads", "1",
               "--budget", "3steps", "--eval-num", "0", "--offline", "--quiet", "--out", "run")  # fmt: skip
    assert Path("run/report.json").is_file(), done.err
    return json.loads(Path("run/report.json").read_text())


@pytest.mark.usefixtures("few", "made_up")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.data)
def test_a_few_steps(run: Run, pictures: Run, folder_of: Run, case: Case) -> None:
    images = pictures(12, seed=0, side=16)
    folder_of(Path("folder"), images)
    np.savez("images.npz", images)
    np.save("gray.npy", images[..., 0])
    record = trained(run, case)
    found = record["data"]
    name = case.data.partition(":")[0]
    assert (found["name"], found["split"], found["n"], found["shape"]) == (name, case.split, case.n, case.shape)
    assert record["spent"]["steps"] == 3
    samples = Path("run/samples/final.npz" if case.images else "run/samples/final.npy")
    channels, *sides = case.shape
    with np.load(samples) if case.images else open(samples, "rb") as kept:
        made = kept["arr_0"] if case.images else np.load(kept)
    assert made.shape == (64, *sides, channels)
    assert opened(case.data).info.fingerprint == found["fingerprint"], "opened again it is the same"


@pytest.mark.usefixtures("few", "made_up")
def test_stacked_images_are_of_the_train_split(home: Path) -> None:
    raw = home.parent / "data" / "MNIST" / "raw"
    train, test = (np.fromfile(raw / f"{part}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 28 * 28)
                   for part in ("train", "t10k"))  # fmt: skip
    known, held_out = ({row.tobytes() for row in rows} for rows in (train, test))
    assert not known & held_out
    values = opened("stacked-mnist").values
    channels = values[:, :, 2:30, 2:30].reshape(-1, 28 * 28).numpy()
    assert {row.tobytes() for row in channels} == known, "each channel is a training image, and all of them come"
    with pytest.raises(UsageError, match="Unknown split of stacked-mnist 'test'"):
        opened("stacked-mnist:test")


@pytest.mark.slow
def test_all_triples_of_fashion_mnist(run: Run, home: Path) -> None:
    if DATASETS.get("stacked-fashion").locate("train") is None:
        pytest.skip("fashion-mnist is not on this machine; on Debian: apt install dataset-fashion-mnist")
    told: list[tuple[str, int, int | None]] = []
    data = open_data("stacked-fashion", as_is, offline=True, progress=lambda *said: told.append(said))
    assert (data.info.fingerprint, data.info.n, data.info.shape) == (FASHION, 128_000, [3, 32, 32])
    assert len(told) > 100, "who waits sees how far it is"
    del data
    assert trained(run, Case("stacked-fashion", 128_000, [3, 32, 32]))["data"]["fingerprint"] == FASHION
