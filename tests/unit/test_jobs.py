"""How the process of one run ends, and what a sweep makes of it."""

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from synthetic_boards import scores, synthetic_track

from ganbench.bench.jobs import OUTSIDE, Ended, Job, run_job
from ganbench.bench.plan import plan_run
from ganbench.bench.reproduce import Reproduction, ranges_of, row_of
from ganbench.bench.sweep import plan_sweep


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
    begun = ends(monkeypatch, -signal.SIGKILL, -signal.SIGKILL, -signal.SIGSEGV)
    assert run_job(job) == Ended(job, error="SIGSEGV ended the process. It last said: last words")
    assert len(begun) == 3


def test_who_kills_a_run_makes_no_record_of_it(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory runs out the system kills whatever it likes: that says nothing of the variant."""
    begun = ends(monkeypatch, *[-signal.SIGKILL] * 3)
    ended = run_job(job)
    assert (ended.outside, len(begun)) == (True, 3)
    assert ended.error.startswith("SIGKILL ended the process, as the system does where memory runs out.")


@pytest.mark.parametrize(
    ("code", "outside"),
    [(1, False), (OUTSIDE, True), (-signal.SIGINT, True), (-signal.SIGTERM, True)],
)
def test_what_would_come_again_is_not_tried_again(
    job: Job, monkeypatch: pytest.MonkeyPatch, code: int, outside: bool
) -> None:
    begun = ends(monkeypatch, code)
    signal_said = f"{signal.Signals(-code).name} ended the process. It last said: " if code < 0 else ""
    assert run_job(job) == Ended(job, error=f"{signal_said}last words", outside=outside)
    assert begun == [code]


def test_scores_run_again_are_held_against_the_board_s_range(tmp_path: Path) -> None:
    track = synthetic_track(tmp_path)
    track.add_row("wgan-gp", [scores(1), scores(2)])
    track.add_row("pacgan", [scores(7, quality=0.5), scores(5, quality=0.5), None])
    row = row_of(track.folder / "records" / "pacgan-0.json")
    assert [(each.variant, each.seed) for each in row] == [("pacgan", 0), ("pacgan", 1), ("pacgan", 2)]
    ranges = ranges_of(row)
    assert ranges["modes"] == (5, 7)
    again = Reproduction(
        same_weights=False,
        expected=False,
        differences=[],
        scores={"modes": (7, 6), "high_quality": (0.5, 0.6), "mode_kl": (0.1, None)},
        ranges=ranges,
    )
    assert [line.partition(" now: ")[2] for line in again.lines()][1:] == [
        "other, within the board's range 5 to 7",
        "other, outside the board's range 0.5 to 0.5",
        "other",
    ]
    assert ranges_of(row[:1]) == {}, "one run has no range"


def test_a_record_that_does_not_say_how_it_was_run_is_of_no_run_of_the_track(tmp_path: Path) -> None:
    track = synthetic_track(tmp_path)
    path = track.add("ns-gan", 0, scores(5))
    track.edit(path, "config", "spec", value="not said")
    assert [each.done for each in plan_sweep(track.place, seeds=1, only=["ns-gan"])] == [False]


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
