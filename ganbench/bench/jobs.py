"""One run of a sweep as a process of its own: what it is told, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ganbench.bench.spec import RunSpec
from ganbench.serialize import from_json, plain

_TRIES = 3  # a process that was killed or crashed is begun again from its checkpoint so often in all
_CRASHES = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
OUTSIDE = 3  # a worker's exit status where something outside the run failed: a full disk, data that cannot be had
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        spec: what it is.
        folder: where it lies while it runs.
        command: that runs it again, for the record.
        offline: use no network.
        max_seconds: of training; None for no limit.
    """

    spec: RunSpec
    folder: Path
    command: str
    offline: bool = False
    max_seconds: float | None = None

    def text(self) -> str:
        """The job as JSON, as the process reads it."""
        return json.dumps({**plain(self.spec), "_": [str(self.folder), self.command, self.offline, self.max_seconds]})

    @staticmethod
    def read(text: str) -> "Job":
        """The job out of its text."""
        found = json.loads(text)
        folder, command, offline, max_seconds = found.pop("_")
        return Job(from_json(RunSpec, json.dumps(found), where="a job"), Path(folder), command, offline, max_seconds)


@dataclass(frozen=True)
class Ended:
    """How a job ended. It travels between machines, so it holds what is wanted of the run's folder.

    Attributes:
        job: the job.
        record: the text of its record; None where there is none, and then `error` holds the last words of the process.
        outside: it is not the run that failed, but something around it, or someone stopped it: no record is made.
        picture: the last picture of its samples, PNG.
        losses: the lines of its losses, JSON each.
    """

    job: Job
    record: str | None = None
    picture: bytes | None = None
    error: str = ""
    outside: bool = False
    losses: str = ""


def run_job(job: Job) -> Ended:
    """Runs a job in a process of its own, with its number of threads.

    A process that is killed or crashes is begun again, in all three times; what then crashed is a run that failed, and
    what was killed is to be run again.
    """
    environment = {**os.environ, **dict.fromkeys(_THREADS, str(job.spec.threads))}
    job.folder.mkdir(parents=True, exist_ok=True)
    words = ""
    for _ in range(_TRIES):
        with (job.folder / ".log").open("ab") as log:
            done = subprocess.run(
                [sys.executable, "-m", "ganbench.bench.worker"],
                input=job.text().encode(),
                stdout=log,
                stderr=log,
                env=environment,
                check=False,
            )
        if done.returncode == 0:
            return _ended(job)
        words = _how_it_ended(done.returncode, job.folder / ".log")
        if -done.returncode not in _CRASHES:  # an error of its own would come again; who was interrupted is to stop
            return Ended(job, error=words, outside=done.returncode < 0 or done.returncode == OUTSIDE)
    # Nothing in a run kills it: that is someone else, or the system where memory runs out.
    return Ended(job, error=words, outside=-done.returncode == signal.SIGKILL)


def _ended(job: Job) -> Ended:
    pictures = sorted((job.folder / "samples").glob("step-*.png"))
    record = (job.folder / "report.json").read_text(encoding="utf-8")
    picture = pictures[-1].read_bytes() if pictures else None
    log = job.folder / "metrics.jsonl"
    losses = log.read_text(encoding="utf-8") if log.is_file() else ""
    return Ended(job, record, picture, losses=losses)


def _how_it_ended(code: int, log: Path) -> str:
    """The last words of the process, with the signal that ended it where one did."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    words = lines[-1] if lines else ""
    if code >= 0:
        return words or f"the process ended with status {code}"
    why = ", as the system does where memory runs out" if -code == signal.SIGKILL else ""
    ended = f"{signal.Signals(-code).name} ended the process{why}."
    return f"{ended} It last said: {words}" if words else ended
