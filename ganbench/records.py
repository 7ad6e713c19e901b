"""The record of one training run, as `leaderboards/TRACK/records/VARIANT-SEED.json` holds it. Imports no torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganbench.json_files import read_stated
from ganbench.results import Result
from ganbench.serialize import plain, to_json

SCHEMA = "ganbench.record/1"
_LARGEST = 16 << 20  # bytes: no record is larger
Kind = Literal["controlled", "native", "open"]
Status = Literal["finished", "diverged", "failed", "truncated"]


@dataclass(frozen=True, kw_only=True)
class BudgetInfo:
    """What a run was allowed, and what a step was counted to cost before it.

    Attributes:
        spec: as given: `nano`, `5e12flop`.
        unit, amount: the same as a number.
        steps: generator updates that this allows; None where only a clock tells.
        flops_per_step, reals_per_step, fakes_per_step: of one generator update with all that belongs to it.
        sampling_flops: for one sample.
        parameters: numbers learnt, by module.
    """

    spec: str
    unit: Literal["flop", "kimg", "steps", "seconds"]
    amount: float
    steps: int | None
    flops_per_step: float
    reals_per_step: float
    fakes_per_step: float
    sampling_flops: float
    parameters: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run used.

    Attributes:
        steps: generator updates.
        flops: training FLOPs, counted.
        reals, fakes: data drawn and generated in training.
        seconds: of training, without evaluation, checkpoints and logging.
        seconds_evaluating: of evaluation.
        peak_memory: bytes, of the process (the device's where it is a GPU).
        updates: of each network by its own optimiser, such as G 4,864 and D 24,320; none where a record is older.
        resumes: how often the run was taken up again.
    """

    steps: int
    flops: float
    reals: int
    fakes: int
    seconds: float
    seconds_evaluating: float
    peak_memory: int
    resumes: int = 0
    updates: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConditionInfo:
    """What a run learnt to make its data from.

    Attributes:
        kind: `pairs` and `unpaired` are source images, `captions` are text.
        fingerprint: sha256 over the source images in their order, or over the captions.
        n, shape: how many, and what one of them is: an image, or the vector of a caption.
        text: what made the vectors, by name; None of images.
        held_out: how many samples are made from, none of which was learnt from.
        held_out_fingerprint: sha256 over these.
    """

    kind: Literal["pairs", "unpaired", "captions"]
    fingerprint: str
    n: int
    shape: list[int]
    text: str | None = None
    held_out: int
    held_out_fingerprint: str


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """What a run learnt from.

    Attributes:
        name, split: as `--data`.
        fingerprint: sha256 over the data in their order.
        n, shape: how many, and what one of them is.
        padded_to: what networks see.
        classes: the share of each class among the data whose class the run knew; none where it knew none.
        labels_sha256: over the class of each datum.
        condition: what they are made from; None where the run did not learn that.
    """

    name: str
    split: str | None
    fingerprint: str
    n: int
    shape: list[int]
    padded_to: list[int]
    classes: list[float] = field(default_factory=list)
    labels_sha256: str | None = None
    condition: ConditionInfo | None = None


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The scores at one point of the budget.

    Attributes:
        fraction: of the budget.
        step, flops, kimg, seconds: spent up to there.
        n: samples that were scored.
        ema, raw: values by key of a metric, of the averaged weights and, at the last point, of the plain ones; None for
            what had no value.
        validation: values of the averaged weights by which the best point is chosen; never ranked.
    """

    fraction: float
    step: int
    flops: float
    kimg: float
    seconds: float
    n: int
    ema: dict[str, float | None]
    raw: dict[str, float | None] = field(default_factory=dict)
    validation: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run: what was asked, what was done, what came out.

    Attributes:
        track: the track's name; None for a run of `ganbench train`.
        variant, seed, kind: which run it is.
        status: `finished`; `diverged` where a loss or a weight was no number or the samples collapsed onto one;
            `failed` where an error ended it; `truncated` where a limit of time did. `reason` tells the rest.
        config: all settings: `variant`, `backbone`, `batch_size`, `ema`, `dtype`, `departures`.
        curve: the points of the budget.
        final: the whole result of the last checkpoint, averaged weights: what is ranked. None where there is none.
        raw: the same of the plain weights.
        best: the point of the curve that is best by validation, scored with fresh codes. Shown, never ranked.
        environment: versions, machine, threads, commit.
        variant_sha256, variant_source: of the variant's file, its techniques' behind it by `joined_sources`.
        weights_sha256: of the last weights, all networks; None where there are none.
        artifacts: sha256 of the files in the run's folder.
        command: that runs it again.
    """

    schema: str = SCHEMA
    track: str | None
    variant: str
    seed: int
    kind: Kind
    status: Status
    reason: str | None = None
    budget: BudgetInfo
    spent: Spent
    data: DataInfo
    config: dict[str, Any]
    curve: list[CurvePoint]
    final: Result | None
    raw: Result | None = None
    best: Result | None = None
    environment: dict[str, Any]
    variant_sha256: str
    variant_source: str
    weights_sha256: str | None
    artifacts: dict[str, str] = field(default_factory=dict)
    command: str

    def to_json(self) -> str:
        """The JSON text; the results in it are as `ganbench eval` writes them."""
        results = {"final": self.final, "raw": self.raw, "best": self.best}
        told = {name: result.as_plain() if result else None for name, result in results.items()}
        return to_json({**plain(self), **told}) + "\n"


def read_record(path: Path) -> RunRecord:
    """Reads a record. Raises BadInput, with the place, where it is none."""
    return read_stated(RunRecord, path, schema=SCHEMA, largest=_LARGEST, what="the record of a run")


_PART = "\n# ---------------- technique: {} ----------------\n"
_PARTS = re.compile(_PART.replace("{}", "([a-z0-9-]+)"))


def joined_sources(variant: str, techniques: Mapping[str, str]) -> str:
    """The text of a variant's file, with those of techniques behind it under a line with their names."""
    return variant + "".join(f"{_PART.format(name)}{text}" for name, text in techniques.items())


def split_sources(text: str) -> tuple[str, dict[str, str]]:
    """A variant's file and those of techniques, by name, out of `joined_sources`."""
    variant, *rest = _PARTS.split(text)
    return variant, dict(zip(rest[::2], rest[1::2], strict=True))
