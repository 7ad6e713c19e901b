"""Timing contenders side by side: each in a process of its own, by turns, so that all see the same machine."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Contender:
    """Something that is timed.

    Attributes:
        name: for the table.
        argv: of its process. The last line that it prints may be JSON: `seconds` of the part that counts, instead of
            the whole process's, and `values` that must be equal among contenders.
        fresh: whether each run begins with an empty GANBENCH_HOME.
    """

    name: str
    argv: Sequence[str]
    fresh: bool = True


@dataclass(frozen=True)
class Line:
    """One line of the results.

    Attributes:
        title: what is compared.
        contenders: ours first.
        wanted: the least ratio that is aimed at, or the largest where `most`.
        most: the ratio is ours by theirs, and is to stay below.
        memory: peaks of memory are compared, not times.
        rtol: how far values may differ among contenders; None where they have none in common.
        notes: what to know when reading it.
    """

    title: str
    contenders: Sequence[Contender]
    wanted: float | None = None
    most: bool = False
    memory: bool = False
    rtol: float | None = None
    notes: str = ""


@dataclass
class Run:
    """One run of one contender: seconds, peak memory in bytes, and what it printed."""

    seconds: float
    peak: int
    told: dict[str, Any] = field(default_factory=dict)


def task(name: str, *arguments: object) -> list[str]:
    """The argv of `benchmarks/tasks/NAME.py`."""
    return [sys.executable, "-m", f"benchmarks.tasks.{name}", *map(str, arguments)]


def timed(contender: Contender, home: Path) -> Run:
    """Runs a contender once. Raises RuntimeError with its last words where it fails."""
    environment = {**os.environ, "GANBENCH_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(contender.argv, stdout=out, stderr=err, env=environment, cwd=REPOSITORY)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed, words = out.read().decode(), err.read().decode()
    if process.returncode:
        raise RuntimeError(f"{contender.name} ended with status {process.returncode}:\n{words[-2000:]}")
    told = _told(printed)
    return Run(float(told.get("seconds", seconds)), int(told.get("peak", usage.ru_maxrss * 1024)), told)


def _told(printed: str) -> dict[str, Any]:
    last = printed.strip().splitlines()[-1:] or [""]
    found: dict[str, Any] = json.loads(last[0]) if last[0].startswith("{") else {}
    return found


def measure(line: Line, rounds: int, say: Callable[[str], None]) -> list[dict[str, Run]]:
    """`rounds` times each contender, by turns. Raises ValueError where values are not equal."""
    found = []
    with tempfile.TemporaryDirectory(prefix="ganbench-benchmark-") as temporary:
        for i in range(rounds):
            runs = {}
            for contender in line.contenders:
                say(f"  round {i + 1}: {contender.name}")
                home = Path(temporary) / (f"{i}-{contender.name}" if contender.fresh else "kept")
                runs[contender.name] = timed(contender, home)
            _equal(line, runs)
            found.append(runs)
    return found


def _equal(line: Line, runs: dict[str, Run]) -> None:
    if line.rtol is None:
        return
    told = {name: run.told["values"] for name, run in runs.items() if "values" in run.told}
    first, *others = told.items()
    for name, values in others:
        for key in sorted(set(values) & set(first[1])):
            a, b = first[1][key], values[key]
            if abs(a - b) > line.rtol * max(abs(a), abs(b)):
                raise ValueError(f"{line.title}: {key} is {a} by {first[0]} and {b} by {name}; they must be equal.")
