"""What people said of a model's samples, as plain values: the JSON of `ganbench human score`. Imports no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganbench.errors import BadInput
from ganbench.json_files import read_stated
from ganbench.serialize import to_json

SCHEMA = "ganbench.human-score/1"
_LARGEST = 64 << 20  # bytes
Protocol = Literal["infinity", "time"]
Kind = Literal["real", "fake"]
Unit = Literal["share", "ms"]
KINDS: tuple[Kind, Kind] = ("real", "fake")
# The number that a study is made for.
MAIN = {"infinity": "hype_infinity", "time": "hype_time"}


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """Where pictures come from: the source as given, the fingerprint of all its pictures, how many they are."""

    source: str
    fingerprint: str
    n: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One number over raters.

    Attributes:
        value: a share of answers (0 to 1), or milliseconds; None where there is none, and `reason` says why.
        label: how it is called.
        unit: what it counts.
        ci95: 95 % percentile interval of the bootstrap over raters; None with fewer than two, or without any spread.
        stderr: standard deviation of the bootstrap.
    """

    value: float | None
    label: str
    unit: Unit
    ci95: tuple[float, float] | None = None
    stderr: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class RaterCounts:
    """How many raters there are.

    Attributes:
        places: that the study has.
        begun: who agreed to take part.
        failed_qualification: who did not qualify, and judged nothing.
        unfinished: who qualified, or still might, and has not answered every trial.
        set_apart: who finished and failed the attention checks; they are in no number.
        counted: who finished and is in every number.
    """

    places: int
    begun: int
    failed_qualification: int
    unfinished: int
    set_apart: int
    counted: int


@dataclass(frozen=True, kw_only=True)
class PictureTally:
    """One picture of the study: where it stands in its source, and how many of the counted answers were wrong."""

    kind: Kind
    index: int
    answers: int
    wrong: int
    error_rate: float


@dataclass(frozen=True, kw_only=True)
class Exposures:
    """How true the exposures of HYPE time were, over the counted raters.

    Attributes:
        n: exposures that were measured.
        off: those further than one frame of the rater's display from what was asked.
        within: the share that was not.
        largest_ms: the largest difference, in milliseconds.
        frame_ms: the median time between two frames.
        seen_again: pictures that a rater had loaded more than once, as after the page was loaded again.
    """

    n: int
    off: int
    within: float | None
    largest_ms: float | None
    frame_ms: float | None
    seen_again: int


@dataclass(frozen=True, kw_only=True)
class RaterTally:
    """One rater who finished: by number, never by name.

    Attributes:
        counted: False where set apart by the rule.
        error, fake_error, real_error: shares of wrong answers.
        modes_ms: of HYPE time, the modal exposure of each block.
        wrong_checks: attention checks answered wrong.
    """

    rater: int
    counted: bool
    error: float
    fake_error: float
    real_error: float
    modes_ms: list[int] = field(default_factory=list)
    wrong_checks: int = 0


@dataclass(frozen=True, kw_only=True)
class HumanScore:
    """The whole outcome of a study.

    Attributes:
        study: fingerprint of the study.
        rule: by which raters are set apart, in words, as it was fixed with the study.
        scores: `hype_infinity`, or `hype_time`, and the errors on fakes and reals.
        pictures: those that were judged, most deceiving first: fakes taken for real, then reals for fake.
    """

    schema: str = SCHEMA
    title: str
    protocol: Protocol
    study: str
    fake: SourceInfo
    real: SourceInfo
    settings: dict[str, Any]
    rule: str
    raters: RaterCounts
    scores: dict[str, Estimate]
    exposures: Exposures | None
    by_rater: list[RaterTally]
    pictures: list[PictureTally]
    notes: list[str]
    seed: int
    command: str

    @property
    def main(self) -> Estimate:
        """The number that the study was made for."""
        return self.scores[MAIN[self.protocol]]

    def to_json(self) -> str:
        """The JSON text."""
        return to_json(self) + "\n"


def read_human_score(path: Path) -> HumanScore:
    """The score in a file. Raises BadInput where it holds something else."""
    found = read_stated(HumanScore, path, schema=SCHEMA, largest=_LARGEST, what="the score of a human study")
    if MAIN[found.protocol] not in found.scores:
        raise BadInput(f"{path}: it has no {MAIN[found.protocol]}, which its protocol is for. Score the study again.")
    return found
