"""The folder of a run: `config.json`, `metrics.jsonl`, `checkpoints/`, `samples/`, `report.json`."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ganbench.bench.checkpoint import Checkpoints
from ganbench.bench.spec import RunSpec
from ganbench.errors import BadInput, UsageError
from ganbench.files import locked, write_text, writing
from ganbench.records import RunRecord, read_record
from ganbench.serialize import from_json, plain, to_json


class RunFolder:
    """Where a run lies.

    Args:
        path: the folder; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path / "checkpoints")
        self.samples = path / "samples"
        self.report = path / "report.json"
        self._config, self._log = path / "config.json", path / "metrics.jsonl"

    def spec(self) -> RunSpec | None:
        """What the run in it is; None where there is none. Raises BadInput where its config is damaged."""
        if not self._config.is_file():
            return None
        return from_json(RunSpec, self._config.read_bytes(), where=str(self._config))

    def claim(self, spec: RunSpec, *, resume: bool) -> None:
        """Makes the folder that of this run. Raises as `check` does."""
        if not self.check(spec, resume=resume):
            write_text(self._config, to_json(spec) + "\n")

    def check(self, spec: RunSpec, *, resume: bool) -> bool:
        """Whether this run was begun here already; nothing is written.

        Raises UsageError where another run lies there, or this one and `resume` was not said.
        """
        found = self.spec()
        if found is None:
            if self.path.is_file() or (self.path.exists() and any(p.name[0] != "." for p in self.path.iterdir())):
                raise UsageError(f"{self.path} holds other files. Name a folder that is empty or not there: --out DIR")
            return False
        if not resume:
            raise UsageError(
                f"{self.path} holds a run already. Go on with it: --resume. Or name another folder: --out DIR"
            )
        if found != spec:
            raise UsageError(f"{self.path} holds another run: {differences(found, spec)}. Name another folder.")
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the run for this process: another that wants it waits."""
        with locked(self.path / "run"):
            yield

    def record(self) -> RunRecord | None:
        """The record of the run that came to its end here; None where it has not."""
        return read_record(self.report) if self.report.is_file() else None

    def log(self, line: Mapping[str, float | int]) -> None:
        """Adds a line to the losses over training. What is no number is null."""
        clean = {key: value if value == value and abs(value) != float("inf") else None for key, value in line.items()}
        with writing(self._log), self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(clean) + "\n")

    def lines(self) -> list[dict[str, float | None]]:
        """The losses over training."""
        if not self._log.is_file():
            return []
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]

    def forget_after(self, step: int) -> None:
        """Takes out the lines of steps after `step`: they will be done again."""
        if self._log.is_file():
            kept = [line for line in self.lines() if (line["step"] or 0) <= step]
            write_text(self._log, "".join(json.dumps(line) + "\n" for line in kept))

    def sync(self) -> None:
        """Brings the losses to the disk."""
        if self._log.is_file():
            with self._log.open("rb") as file:
                os.fsync(file.fileno())


def differences(a: RunSpec, b: RunSpec) -> str:
    """What differs, in words."""
    one, two = plain(a), plain(b)
    return "; ".join(f"{key} is {one[key]!r}, asked is {two[key]!r}" for key in one if one[key] != two[key])


def open_run(path: Path) -> tuple[RunFolder, RunSpec]:
    """A run that is there. Raises BadInput where the folder holds none."""
    folder = RunFolder(path)
    spec = folder.spec()
    if spec is None:
        raise BadInput(f"{path} is no run: it has no config.json. Name a folder that `ganbench train` made.")
    return folder, spec
