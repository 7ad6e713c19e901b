"""`torchrun --nproc-per-node 2 -m ganbench train`: one run over two processes, as a user would start it."""

import json
import os
import signal
import socket
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
STEPS = 24
TRAIN = ("train", "ns-gan", "--data", "ring8-pacgan", "--threads", "1", "--eval-num", "0", "--batch-size", "16",
         "--checkpoint-every", "2steps", "--budget", f"{STEPS}steps")  # fmt: skip
LONG = 120  # seconds in which two processes have ended, whatever became of them


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **more}


def torchrun(*arguments: str) -> "subprocess.Popen[str]":
    """The command on two ranks of this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen(
        [*launcher, "-m", "ganbench", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def two_ranks(*arguments: str) -> list[tuple[int, str]]:
    """The status and the words of each of two ranks that nobody watches over: they end by themselves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "ganbench", *arguments],
            env=environment(RANK=rank, LOCAL_RANK=rank, **told),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for rank in "01"
    ]
    words = [process.communicate(timeout=LONG)[1] for process in processes]
    return [(process.returncode, said) for process, said in zip(processes, words, strict=True)]


def record(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "report.json").read_text())
    return found


def losses(folder: str) -> list[float]:
    lines = Path(folder, "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)[name] for line in lines for name in ("D", "G")]


def modules(folder: str) -> dict[str, Tensor]:
    newest = max(Path(folder, "checkpoints").glob("step-*.safetensors"))
    found: dict[str, Tensor] = load_checkpoint(newest)["variant"]["modules"]
    return found


def process_of(rank: int, launcher: int) -> int:
    """The number of the process that `torchrun` started for a rank."""
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        if f"\0RANK={rank}\0" in f"\0{Path('/proc', child, 'environ').read_text()}":
            return int(child)
    raise AssertionError(f"no process of rank {rank}")


@pytest.fixture(scope="module")
def whole(lasting: Path) -> str:
    """What an unbroken run over two ranks in the folder `whole` says on stdout."""
    process = torchrun(*TRAIN, "--out", "whole", "--json", "-")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    return out


def test_two_ranks_make_the_run_of_one(whole: str, run: Run) -> None:
    assert json.loads(whole) == record("whole"), "one record, and nothing else on stdout"
    assert run(*TRAIN, "--out", "one", "--quiet").code == 0
    two, one = record("whole"), record("one")
    assert two["environment"]["ranks"] == two["config"]["spec"]["ranks"] == 2
    assert two["command"].startswith("torchrun --nproc-per-node 2 -m ganbench train ns-gan")
    assert two["budget"] == one["budget"]
    for key in ("steps", "flops", "reals", "fakes"):
        assert two["spent"][key] == one["spent"][key], key
    assert sorted(path.name for path in Path("whole").iterdir()) == sorted(path.name for path in Path("one").iterdir())


def test_two_ranks_have_the_numbers_of_one(whole: str, run: Run) -> None:
    """As far as two numbers of threads have: Adam's steps are of one size, so rounding moves weights without a slope.

    Without rounding they are held to each other in tests/unit/test_split.py.
    """
    assert run(*TRAIN, "--out", "one", "--quiet", "--resume").code == 0
    assert len(losses("whole")) == 2 * STEPS
    assert losses("whole")[:20] == pytest.approx(losses("one")[:20], rel=1e-4)
    assert losses("whole") == pytest.approx(losses("one"), rel=1e-2)
    theirs = modules("one")
    for key, value in modules("whole").items():
        if value.dim() > 1 or "running" in key:
            assert float((value - theirs[key]).norm()) < 1e-2 * float(theirs[key].norm()), key
        else:
            torch.testing.assert_close(value, theirs[key], rtol=0, atol=STEPS * 2e-4)


@pytest.mark.usefixtures("whole")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are looked up in /proc")
def test_a_rank_that_is_killed_ends_the_run_which_then_goes_on() -> None:
    killed = torchrun(*TRAIN, "--out", "parts")
    until = time.monotonic() + LONG
    while not list(Path("parts/checkpoints").glob("step-*.sha256")) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process_of(0, killed.pid), signal.SIGKILL)
    killed.communicate(timeout=LONG)
    assert killed.returncode != 0
    assert not Path("parts/report.json").exists(), "it was killed before its end"
    assert two_ranks(*TRAIN, "--out", "parts", "--resume", "--quiet") == [(0, ""), (0, "")]
    assert record("parts")["spent"]["resumes"] == 1
    assert record("parts")["weights_sha256"] == record("whole")["weights_sha256"]


def test_a_batch_that_cannot_be_split_is_refused_once(lasting: Path) -> None:
    (first, said), other = two_ranks(*TRAIN, "--batch-size", "15", "--out", "refused")
    assert first == 2
    assert "Error: A batch of 15 cannot be split evenly over 2 processes." in said
    assert other == (0, "")
    assert not Path("refused").exists()


def test_a_run_that_diverges_ends_on_all_ranks(lasting: Path) -> None:
    (first, said), other = two_ranks(*TRAIN, "--set", "lr_D=1e30", "--set", "lr_G=1e30", "--out", "wild")
    assert first == 1
    assert "Error: The run ended with status diverged: the loss" in said
    assert other == (0, "")
    assert record("wild")["status"] == "diverged"
