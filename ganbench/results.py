"""Results as plain frozen values: one score, one metric in a report, one report."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from ganbench.errors import BadInput
from ganbench.serialize import from_json, plain, to_json

SCHEMA = "ganbench.result/1"
_LARGEST = 64 << 20  # bytes: no file of results is larger
Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class Score:
    """One number that a metric computed.

    Attributes:
        value: the number, or None where it could not be computed; `reason` then says why.
        stderr: its standard error under resampling of the fakes, where the metric has one.
        ci95: the 95 % interval of the sampling noise of the fakes at this n. An interval without width only says
            that no spread was seen, as where every value is 0: there is none then.
        bias_estimate: how much of `value` is estimated to come from n being finite.
        reason: why `value` is None, and what would enable it.
        details: further numbers of this metric by name, such as the spread over KID's subsets.
        series: columns of numbers, all of one length, where one number does not say it: a curve, a histogram, a
            list of pairs to look at.
    """

    value: float | None
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    bias_estimate: float | None = None
    reason: str | None = None
    details: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.value is None or not math.isfinite(self.value):
            why = self.reason or f"the computation gave {self.value}"
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "reason", why)
        if self.ci95 is not None and _no_wider_than_rounding(self.ci95):
            object.__setattr__(self, "ci95", None)

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError(f"there is no value: {self.reason}")
        return self.value


def _no_wider_than_rounding(interval: tuple[float, float]) -> bool:
    return interval[1] - interval[0] <= 1e-9 * max(abs(interval[0]), abs(interval[1]))


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """A score inside a report: the number with everything that is needed to read it.

    Attributes:
        ideal: the best value, where neither end of the scale is: the nearer, the better.
        unranked: why no value of it is better than another, where that is so, in spite of `direction`.
        reading: how to read the value, in a sentence, where the number alone misleads.
    """

    value: float | None
    label: str
    direction: Direction
    params: dict[str, Any]
    n_fake: int
    n_real: int | None
    ci95: tuple[float, float] | None = None
    stderr: float | None = None
    bias_estimate: float | None = None
    reason: str | None = None
    details: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    ideal: float | None = None
    unranked: str | None = None
    reading: str | None = None


@dataclass(frozen=True, kw_only=True)
class SampleInfo:
    """What was evaluated: source as given, content fingerprint, images used and passed over."""

    source: str
    fingerprint: str
    n: int
    skipped: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ReferenceInfo:
    """What it was compared with. `n` counts images; it is None where a file of statistics does not say."""

    name: str
    split: str | None
    fingerprint: str
    n: int | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The whole outcome of one evaluation, as its JSON has it (schema `ganbench.result/1`)."""

    schema: str = SCHEMA
    protocol: dict[str, Any]
    samples: SampleInfo
    reference: ReferenceInfo
    metrics: dict[str, MetricResult]
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    command: str = ""

    def as_plain(self) -> dict[str, Any]:
        """What its JSON holds: numbers are finite or None, and what a metric does not have is absent."""
        data: dict[str, Any] = plain(self)
        data["metrics"] = {name: _without_empty(metric) for name, metric in data["metrics"].items()}
        return data

    def to_json(self) -> str:
        """The JSON text; numbers are finite or null."""
        # File names need not be Unicode; JSON must be.
        return to_json(self.as_plain()).encode(errors="replace").decode() + "\n"

    @staticmethod
    def from_json(text: str | bytes, *, where: str) -> "Result":
        """Reads a result back. Raises BadInput, with the place, where it is none."""
        return from_json(Result, text, where=where)


def _without_empty(metric: dict[str, Any]) -> dict[str, Any]:
    """Optional fields that are absent stay absent; value, ci95 and n_real are always there."""
    always = ("value", "ci95", "label", "direction", "params", "n_fake", "n_real")
    return {key: value for key, value in metric.items() if key in always or value not in (None, {})}


def read_results(path: Path) -> list[Result]:
    """The results in a JSON file: one, or the list that `ganbench eval` writes for several SAMPLES.

    Raises BadInput where the file cannot be read or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}). Name a file that `ganbench eval --json` wrote."
        ) from error
    if len(text) > _LARGEST:
        raise BadInput(
            f"{path} is larger than {_LARGEST >> 20} MiB, so it is no result. Name a file from `ganbench eval`."
        )
    try:
        found = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON ({error}). Name a file that `ganbench eval --json` wrote.") from error
    several = found if isinstance(found, list) else [found]
    return [_read_one(each, path) for each in several]


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")


def _read_one(found: Any, path: Path) -> Result:
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise BadInput(
            f"{path} is no result: its schema is {schema!r}, wanted {SCHEMA!r}. `ganbench eval --json` writes one."
        )
    result = Result.from_json(json.dumps(found), where=str(path))
    if not isinstance(result.protocol.get("fingerprint"), str):
        raise BadInput(
            f"{path} is no whole result: its protocol has no fingerprint. Make it again with `ganbench eval`."
        )
    return result
