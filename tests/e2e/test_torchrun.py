"""`torchrun --nproc-per-node 2 -m ganbench train`: one run over two processes, as a user would start it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.bench.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
Run = Callable[..., Any]
POINTS = ("train", "ns-gan", "--data", "ring8-pacgan", "--threads", "1", "--eval-num", "0", "--checkpoint-every",
          "2steps")  # fmt: skip
TRAIN = (*POINTS, "--batch-size", "16", "--budget", "6steps")
LONG = 60  # seconds in which two processes have ended, whatever became of them


@pytest.fixture
def torchrun(home: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """`torchrun("train", ...)`: the command on two ranks of this machine."""
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "ganbench",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}

    def start(*arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*launcher, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def record(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "report.json").read_text())
    return found


def weights(folder: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_checkpoint(max(Path(folder, "checkpoints").glob("step-*")))["variant"]["modules"]
    return found


def process_of(rank: int, launcher: int) -> int:
    """The number of the process that `torchrun` started for a rank."""
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        if f"\0RANK={rank}\0" in f"\0{Path('/proc', child, 'environ').read_text()}":
            return int(child)
    raise AssertionError(f"no process of rank {rank}")


def test_two_ranks_make_the_run_of_one(torchrun: Run, run: Run) -> None:
    process = torchrun(*TRAIN, "--out", "two", "--json", "-")
    out, err = process.communicate(timeout=2 * LONG)
    assert process.returncode == 0, err
    assert json.loads(out) == record("two"), "one record, and nothing else on stdout"
    assert run(*TRAIN, "--out", "one").code == 0
    two, one = record("two"), record("one")
    assert two["environment"]["ranks"] == two["config"]["spec"]["ranks"] == 2
    assert two["command"].startswith("torchrun --nproc-per-node 2 -m ganbench train ns-gan")
    assert two["budget"] == one["budget"]
    for key in ("steps", "flops", "reals", "fakes"):
        assert two["spent"][key] == one["spent"][key], key
    assert [path.name for path in Path().glob("two/checkpoints/*.safetensors")], "it wrote checkpoints"
    assert sorted(path.name for path in Path("two").iterdir()) == sorted(path.name for path in Path("one").iterdir())
    theirs, mine = weights("one"), weights("two")
    for key, value in mine.items():
        # Adam takes steps of one size down slopes of any, so what is left of rounding can be a part of a step.
        torch.testing.assert_close(value, theirs[key], rtol=1e-4, atol=2e-4, msg=lambda text, key=key: f"{key}: {text}")
    for line, other in zip(*(Path(name, "metrics.jsonl").read_text().splitlines() for name in ("one", "two")),
                           strict=True):  # fmt: skip
        a, b = json.loads(line), json.loads(other)
        assert (b["D"], b["G"], b["step"]) == pytest.approx((a["D"], a["G"], a["step"]), rel=1e-4)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are looked up in /proc")
def test_a_rank_that_is_killed_ends_the_run_which_then_goes_on(torchrun: Run) -> None:
    ask = (*POINTS, "--batch-size", "64", "--budget", "60steps")
    whole = torchrun(*ask, "--out", "whole")
    assert whole.wait(timeout=2 * LONG) == 0
    killed = torchrun(*ask, "--out", "parts")
    until = time.monotonic() + LONG
    while not list(Path("parts/checkpoints").glob("step-*.sha256")) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process_of(0, killed.pid), signal.SIGKILL)
    killed.communicate(timeout=LONG)
    assert killed.returncode != 0
    assert not Path("parts/report.json").exists(), "it was killed before its end"
    again = torchrun(*ask, "--out", "parts", "--resume")
    _, err = again.communicate(timeout=2 * LONG)
    assert again.returncode == 0, err
    assert record("parts")["spent"]["resumes"] == 1
    assert record("parts")["weights_sha256"] == record("whole")["weights_sha256"]


@pytest.mark.parametrize(
    ("change", "message", "status"),
    [
        (("--batch-size", "15"), "A batch of 15 cannot be split evenly over 2 processes", None),
        (("--set", "lr_D=1e30", "--set", "lr_G=1e30"), "The run ended with status diverged", "diverged"),
    ],
)
def test_what_ends_the_first_rank_ends_all(
    torchrun: Run, change: tuple[str, ...], message: str, status: str | None
) -> None:
    process = torchrun(*TRAIN, *change, "--out", "run")
    _, err = process.communicate(timeout=2 * LONG)
    assert process.returncode != 0
    assert err.count(message) == 1, err
    assert (record("run")["status"] if status else None) == status
    assert Path("run").exists() == bool(status)
