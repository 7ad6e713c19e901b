"""How the process of one run ends, and what a sweep makes of it."""

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganbench.bench.jobs import OUTSIDE, Ended, Job, run_job
from ganbench.bench.plan import plan_run


@pytest.fixture
def job(tmp_path: Path) -> Job:
    spec = plan_run("ns-gan", data="ring8-pacgan", budget="5steps", batch_size=16, judged=0)
    return Job(spec, tmp_path / "run", "the command")


def ends(monkeypatch: pytest.MonkeyPatch, *codes: int) -> list[int]:
    """Makes processes end with these codes, one after the other, each saying a word. Returns those that began."""
    begun: list[int] = []

    def run(*_: Any, stdout: Any, **__: Any) -> SimpleNamespace:
        stdout.write(b"last words\n")
        begun.append(codes[len(begun)])
        return SimpleNamespace(returncode=begun[-1])

    monkeypatch.setattr(subprocess, "run", run)
    return begun


def test_a_job_survives_its_text(job: Job) -> None:
    assert Job.read(job.text()) == job


def test_a_killed_process_is_begun_again_three_times(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = ends(monkeypatch, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGKILL)
    assert run_job(job) == Ended(job, error="last words")
    assert len(begun) == 3


@pytest.mark.parametrize(
    ("code", "outside"),
    [(1, False), (OUTSIDE, True), (-signal.SIGINT, True), (-signal.SIGTERM, True)],
)
def test_what_would_come_again_is_not_tried_again(
    job: Job, monkeypatch: pytest.MonkeyPatch, code: int, outside: bool
) -> None:
    begun = ends(monkeypatch, code)
    assert run_job(job) == Ended(job, error="last words", outside=outside)
    assert begun == [code]


@pytest.mark.slow
def test_what_fails_around_a_run_is_told_apart(job: Job, tmp_path: Path) -> None:
    """The run's folder holds another run: no fault of this one."""
    job.folder.mkdir()
    (job.folder / "thesis.tex").touch()
    ended = run_job(job)
    assert ended.outside
    assert "holds other files" in ended.error
    assert ended.record is None
    assert os.listdir(job.folder) != []
