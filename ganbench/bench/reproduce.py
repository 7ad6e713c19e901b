"""A record run again from its own text: are weights and scores the same?"""

import hashlib
import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ganbench.bench.recipe import Recipe
from ganbench.bench.recording import environment
from ganbench.bench.spec import RunSpec
from ganbench.bench.train import train
from ganbench.bench.watch import Watch
from ganbench.errors import BadInput, UsageError
from ganbench.records import RunRecord, read_record, split_sources
from ganbench.serialize import from_json
from ganbench.techniques._registry import TECHNIQUES
from ganbench.variants._registry import VARIANTS

_DECISIVE = ("machine", "processor", "threads", "torch_cpu_capability", "device")


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came out the second time.

    Attributes:
        same_weights: whether the hashes of the weights are equal.
        expected: whether they must be: nothing that decides sums in float32 differs.
        differences: what differs between the machines.
        scores: value of each key of the record, and the one now.
        ranges: of the same keys over the finished runs of the board's row, where there is one: smallest and largest.
    """

    same_weights: bool
    expected: bool
    differences: list[str]
    scores: dict[str, tuple[float | None, float | None]]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether something differs that must not."""
        return self.expected and not self.same_weights

    def lines(self) -> Iterator[str]:
        """The outcome in words."""
        yield "weights: the same" if self.same_weights else "weights: not the same"
        if self.differences:
            yield "the machines differ, so weights may: " + "; ".join(self.differences)
        for key, (before, now) in self.scores.items():
            same = "the same" if before == now else f"other{self._place(key, now)}"
            yield f"{key:22} {_number(before):>12} in the record, {_number(now):>12} now: {same}"

    def _place(self, key: str, now: float | None) -> str:
        """Where a value lies among the board's, in words."""
        if key not in self.ranges or now is None:
            return ""
        low, high = self.ranges[key]
        return f", {'within' if low <= now <= high else 'outside'} the board's range {_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def row_of(path: Path) -> list[RunRecord]:
    """The records of the same variant beside the record at `path`, itself among them. Raises BadInput."""
    record = read_record(path)
    seeds = re.compile(re.escape(record.variant) + r"-\d+\.json")
    return [read_record(each) for each in sorted(path.parent.glob("*.json")) if seeds.fullmatch(each.name)]


def ranges_of(records: Sequence[RunRecord]) -> dict[str, tuple[float, float]]:
    """For each key the smallest and the largest final value of the finished runs; none of fewer than two."""
    values: dict[str, list[float]] = {}
    for record in records:
        if record.status == "finished" and record.final:
            for key, metric in record.final.metrics.items():
                if metric.value is not None:
                    values.setdefault(key, []).append(metric.value)
    return {key: (min(found), max(found)) for key, found in values.items() if len(found) > 1}


def reproduce(
    record: RunRecord, *, out: Path | None, embedded: bool, row: Sequence[RunRecord] = (), offline: bool = False
) -> Reproduction:
    """Runs a record again.

    Args:
        record: the record.
        row: records of the same row of its board, against whose range scores are held.
        out: the folder of the new run; a temporary one where None.
        embedded: run the code in the record where the installed variant is another.
        offline: use no network.

    Raises:
        UsageError: the installed variant is another and `embedded` was not said, or the run is not of one process.
        BadInput: the record does not tell how it was run, or its code is not what its sha256 says.
    """
    if "spec" not in record.config:
        raise BadInput(f"The record of {record.variant}, seed {record.seed} does not tell how it was run.")
    spec = from_json(RunSpec, json.dumps(record.config["spec"]), where="the record's spec")
    if spec.ranks > 1:
        raise UsageError(
            f"The record is of {spec.ranks} processes that shared each batch, and this is one. Run its command again "
            f"in an empty folder and hold the weights_sha256 of report.json against the record's: {record.command}"
        )
    with _variant(record, embedded), _folder(out) as folder:
        again = train(spec, folder, offline=offline, watch=Watch(), command=record.command)
    differences = _differences(record.environment, environment(spec.threads, spec.device))
    return Reproduction(
        same_weights=again.weights_sha256 == record.weights_sha256,
        expected=not differences and record.weights_sha256 is not None,
        differences=differences,
        scores=_scores(record, again),
        ranges=ranges_of(row),
    )


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="ganbench-") as temporary:
        yield Path(temporary) / "run"


@contextmanager
def _variant(record: RunRecord, embedded: bool) -> Iterator[None]:
    """Within it the registries have the record's variant: the installed one, or with `embedded` that in the record."""
    if _installed(record.variant) == record.variant_sha256:
        yield
        return
    if not embedded:
        raise UsageError(
            f"The installed variant {record.variant} is not the one of the record (sha256 "
            f"{record.variant_sha256[:12]}...). To run the code in the record, look at it and say --run-embedded-code."
        )
    if hashlib.sha256(record.variant_source.encode()).hexdigest() != record.variant_sha256:
        raise BadInput("The record is damaged: its variant_source has another sha256 than its variant_sha256.")
    text, techniques = split_sources(record.variant_source)
    with tempfile.TemporaryDirectory(prefix="ganbench-") as temporary, ExitStack() as stack:
        name = record.variant.partition("+")[0]
        stack.enter_context(VARIANTS.replaced(name, stack.enter_context(_module(Path(temporary), name, text))))
        for name, text in techniques.items():
            stack.enter_context(TECHNIQUES.replaced(name, stack.enter_context(_module(Path(temporary), name, text))))
        yield


def _installed(variant: str) -> str | None:
    """The sha256 of the installed code of that name; None where a part of it is not installed."""
    name, *techniques = variant.split("+")
    there = name in VARIANTS.names() and set(techniques) <= set(TECHNIQUES.names())
    return Recipe.of(variant).sha256() if there else None


@contextmanager
def _module(folder: Path, name: str, text: str) -> Iterator[ModuleType]:
    """The module that a text is."""
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text(text, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(f"ganbench_record_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module  # the source of a class is found by its module
    try:
        specification.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[module.__name__]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs of all that decides sums in float32."""
    found = [
        f"{key}: {before.get(key)} then, {now.get(key)} now" for key in _DECISIVE if before.get(key) != now.get(key)
    ]
    theirs, ours = (each.get("versions", {}).get("torch") for each in (before, now))
    return found + ([f"torch: {theirs} then, {ours} now"] if theirs != ours else [])


def _scores(before: RunRecord, now: RunRecord) -> dict[str, tuple[float | None, float | None]]:
    then = before.final.metrics if before.final else {}
    again = now.final.metrics if now.final else {}
    return {key: (metric.value, again[key].value if key in again else None) for key, metric in then.items()}
