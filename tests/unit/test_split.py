"""A batch that is split over ranks: each has its rows of the whole, and together they learn what one process does."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.bench.budget import Meter
from ganbench.bench.data import Stream, TrainingSet
from ganbench.bench.folder import RunFolder
from ganbench.bench.group import joined
from ganbench.bench.plan import plan_run
from ganbench.bench.reproduce import reproduce
from ganbench.bench.spec import RunSpec
from ganbench.bench.split import _NOT_SPLIT, check_ranks
from ganbench.bench.sweep import _decisive
from ganbench.bench.train import train
from ganbench.errors import UsageError
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.records import DataInfo
from ganbench.serialize import canonical_sha256, plain, to_json
from ganbench.variants._draws import Draws
from ganbench.variants._registry import VARIANTS

WORKER = Path(__file__).with_name("split_worker.py")
OF_IMAGES = ("ns-gan", "pacgan", "rpgan-r1r2", "vae", "wgan-gp", "infogan")  # as in the worker
WHOLE = sorted({*_NOT_SPLIT, *(name for name in VARIANTS.names() if not VARIANTS.get(name).splits)})
ONLY_IMAGES = [name for name in VARIANTS.names() if VARIANTS.get(name).images_only]
SPLIT = [f"{name} mlp2d" for name in VARIANTS.names() if name not in (*WHOLE, *ONLY_IMAGES)]
SPLIT += [f"{name} info28-nano" for name in (*OF_IMAGES, *ONLY_IMAGES) if name not in WHOLE]
EXACT = {"rtol": 1e-7, "atol": 1e-10}  # sums in float64


def spec(variant: str = "ns-gan", **changes: Any) -> RunSpec:
    planned = plan_run(variant, data="ring8-pacgan", budget="4steps", batch_size=16, judged=0)
    return replace(planned, **changes)


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_draws_are_rows_of_those_of_one_process(rank: int) -> None:
    whole, mine = Draws(3, "cpu"), Draws(3, "cpu", Ranks(rank, 3))
    rows = slice(4 * rank, 4 * rank + 4)
    assert torch.equal(mine.normal(4, 5), whole.normal(12, 5)[rows])
    assert torch.equal(mine.uniform(4, low=-1, high=3), whole.uniform(12, low=-1, high=3)[rows])
    assert torch.equal(mine.integers(4, 100), whole.integers(12, 100)[rows])
    assert torch.equal(mine.normal(), whole.normal()), "a single number has no rows"
    assert torch.equal(mine.state(), whole.state())


@pytest.mark.parametrize("rank", [0, 1])
def test_data_are_rows_of_those_of_one_process(rank: int) -> None:
    info = DataInfo(name="x", split=None, fingerprint="", n=7, shape=[1], padded_to=[1])
    data = TrainingSet(info, torch.arange(7.0)[:, None])
    meters = Meter(None), Meter(None)
    whole, mine = (
        Stream(data, meter, seed=0, device=torch.device("cpu"), ranks=ranks)
        for meter, ranks in zip(meters, (ALONE, Ranks(rank, 2)), strict=True)
    )
    for n in (2, 3, 5):  # over the ends of epochs
        assert torch.equal(mine.draw(n), whole.draw(2 * n)[n * rank : n * rank + n])
    assert meters[0].reals == meters[1].reals == 20
    assert (mine.epoch, mine.offset) == (whole.epoch, whole.offset)


# ---------------------------------------------------------------- two processes and one


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the two ranks found, and what one process did."""
    folder = tmp_path_factory.mktemp("split")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([sys.executable, WORKER, str(rank), str(world), str(folder)], env=environment)
        for rank, world in ((0, 2), (1, 2), (0, 1))
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]
    return [torch.load(folder / name) for name in ("0-of-2.pt", "1-of-2.pt", "0-of-1.pt")]


def close(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    assert set(a) == set(b)
    return all(torch.allclose(a[key], b[key], **EXACT) for key in a)


@pytest.mark.parametrize("case", SPLIT)
def test_two_ranks_learn_what_one_process_does(found: list[dict[str, Any]], case: str) -> None:
    first, second, whole = (each[case] for each in found)
    for key, value in first["weights"].items():
        torch.testing.assert_close(value, whole["weights"][key], **EXACT)
    assert first["digest"] == second["digest"]
    assert close(first["losses"], whole["losses"])
    assert close(second["losses"], whole["losses"])
    assert first["counts"] == second["counts"] == whole["counts"]
    assert torch.equal(first["noise"], whole["noise"])


@pytest.mark.parametrize("variant", WHOLE)
def test_what_is_refused_would_differ(found: list[dict[str, Any]], variant: str) -> None:
    backbone = "info28-nano" if variant in ONLY_IMAGES else "mlp2d"
    first, _, whole = (each[f"{variant} {backbone}"] for each in found)
    assert not close(first["weights"], whole["weights"])


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_is_over_all_rows(found: list[dict[str, Any]], affine: bool) -> None:
    first, second, whole = (each[f"norm {affine}"] for each in found)
    for key, value in whole.items():
        mine = torch.cat([first[key], second[key]]) if key.startswith("rows") else first[key]
        torch.testing.assert_close(mine, value, **EXACT, msg=lambda text, key=key: f"{key}: {text}")
    assert torch.equal(first["0.running_var"], second["0.running_var"])


def test_gradients_are_averaged_before_a_step(found: list[dict[str, Any]]) -> None:
    for rank in (0, 1):
        assert [float(each.flatten()[0]) for each in found[rank]["gradients"]] == [-5.0, -6.0, 0.0, -8.0]


def test_ranks_that_drift_apart_are_noticed(found: list[dict[str, Any]]) -> None:
    assert found[0]["drifted"].startswith("The weights of rank 1 are not those of rank 0.")


# ---------------------------------------------------------------- what is asked, and what is refused


def test_a_run_of_one_process_keeps_its_name() -> None:
    old = {key: value for key, value in plain(spec()).items() if key != "ranks"}
    assert spec().id == canonical_sha256(old)[:16]
    assert spec(ranks=2).id != spec().id
    assert _decisive(spec(ranks=2)) == _decisive(spec()), "for a track it is the same run"


def test_a_config_without_ranks_is_read(tmp_path: Path) -> None:
    old = {key: value for key, value in plain(spec()).items() if key != "ranks"}
    (tmp_path / "config.json").write_text(to_json(old))
    assert RunFolder(tmp_path).spec() == spec()


@pytest.mark.parametrize("variant", WHOLE)
def test_what_cannot_be_split_is_refused(variant: str) -> None:
    with pytest.raises(UsageError, match=f"{variant} cannot be split over 2 processes: .* without torchrun"):
        check_ranks(spec(variant, ranks=2), Ranks(0, 2))
    check_ranks(spec(variant), ALONE)


def test_a_variant_may_say_that_it_cannot_be_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VARIANTS.get("ns-gan"), "splits", False)
    with pytest.raises(UsageError, match="ns-gan cannot be split over 2 processes: it says"):
        check_ranks(spec(ranks=2), Ranks(0, 2))


def test_a_batch_that_cannot_be_split_is_refused() -> None:
    with pytest.raises(UsageError, match=r"A batch of 16 cannot be split evenly over 3 processes.*such as 18"):
        check_ranks(spec(ranks=3), Ranks(0, 3))


def test_a_run_of_two_in_one_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of 2 processes .* torchrun --nproc-per-node 2 -m ganbench train"):
        train(spec(ranks=2), tmp_path / "run")
    record = train(spec(), tmp_path / "one")
    record.config["spec"]["ranks"] = 2
    with pytest.raises(UsageError, match=r"The record is of 2 processes .* Run its command again"):
        reproduce(record, out=None, embedded=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("device", "environment", "message"),
    [
        ("mps", {}, "is for cpu and cuda"),
        ("cuda:1", {}, "each takes the GPU of its own number"),
        ("cuda:0", {"LOCAL_RANK": "99"}, "GPUs here for more processes"),
        ("cpu", {"MASTER_PORT": ""}, "MASTER_PORT is not there"),
    ],
)
def test_a_group_that_cannot_be_is_refused(
    device: str, environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in (told | environment).items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=message), joined(device):
        pass
