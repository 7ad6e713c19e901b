"""Checkpoints: what goes in comes out, a damaged one is passed over; and the average of weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganbench.bench.checkpoint import Checkpoints, load_checkpoint, save_checkpoint, weights_sha256
from ganbench.errors import CorruptFile

STATE: dict[str, Any] = {
    "modules": {"G.0.weight": torch.arange(6.0).view(2, 3), "n": torch.tensor(7)},
    "optimisers": {"opt": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "param_groups": [{"betas": [0.5, 0.9]}]}},
    "noise": torch.arange(8, dtype=torch.uint8),
    "words": "a/b",
    "none": None,
    "flag": True,
    "$tensor": "a key of a user's",
    "deep": [[1, 2.5], {"x": torch.zeros(0)}],
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", STATE)
    assert same(load_checkpoint(tmp_path / "c"), STATE)


def test_shared_memory_is_no_trouble(tmp_path: Path) -> None:
    tensor = torch.arange(10.0)
    save_checkpoint(tmp_path / "c", {"a": tensor, "b": tensor[2:5], "c": tensor.view(2, 5).t()})
    found = load_checkpoint(tmp_path / "c")
    assert torch.equal(found["b"], tensor[2:5])
    assert torch.equal(found["c"], tensor.view(2, 5).t())


def test_an_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="/x is a set"):
        save_checkpoint(tmp_path / "c", {"x": {1, 2}})


def test_the_two_newest_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 30):
        checkpoints.save(step, {"step": step})
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        "step-000000002.safetensors",
        "step-000000030.safetensors",
    ]
    assert checkpoints.newest(pytest.fail) == {"step": 30}


def test_a_damaged_one_is_said_and_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        path = checkpoints.save(step, {"step": step, "x": torch.zeros(100)})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    said: list[str] = []
    found = checkpoints.newest(said.append)
    assert found is not None
    assert found["step"] == 1
    assert len(said) == 1
    assert "corrupted" in said[0]


def test_a_write_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"step": 1})
    checkpoints.save(2, {"step": 2}).with_suffix(".sha256").unlink()
    assert checkpoints.newest(pytest.fail) == {"step": 1}
    assert Checkpoints(tmp_path / "empty").newest(pytest.fail) is None


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nonsense")
    with pytest.raises(CorruptFile):
        load_checkpoint(tmp_path / "x")


def test_the_hash_of_weights_sees_everything() -> None:
    base = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    others = [
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.ones(1).double()},
        {"a": torch.zeros(2, 3), "b": torch.tensor([torch.finfo(torch.float32).eps + 1])},
    ]
    assert len({weights_sha256(each) for each in (base, *others)}) == 5
    assert weights_sha256(dict(reversed(base.items()))) == weights_sha256(base)
