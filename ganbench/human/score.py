"""The score of a study: from the answers in its database to the numbers of HYPE."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench.human.database import Database
from ganbench.human.intervals import bootstrap
from ganbench.human.session import check_same
from ganbench.human.staircase import modal
from ganbench.human.study import Settings, Study, read_study
from ganbench.hype import (
    Estimate,
    Exposures,
    HumanScore,
    Kind,
    PictureTally,
    RaterCounts,
    RaterTally,
    Unit,
)
from ganbench.serialize import plain

_QUERY = """
SELECT rater, phase, block, position, kind, role, source_index, answer, correct, asked_ms, shown_ms, frame_ms, off,
       reaction_ms, answers.views AS views, at
FROM answers JOIN trials ON trials.id = answers.trial JOIN images ON images.name = trials.image
ORDER BY rater, position
"""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One answer, as the CSV has it.

    Attributes:
        rater: number, from 0.
        phase, block, position: where in the rater's order.
        kind: what the picture is.
        check: whether it is an attention check.
        source_index: the picture's position in its source; -1 of a check.
        asked_ms, shown_ms, frame_ms: exposure asked for and measured, and time between two frames.
        off: the exposure is further than one frame from what was asked, or was not measured.
        views: how often the picture was loaded.
        at: when the answer came, in seconds since 1970.
    """

    rater: int
    phase: str
    block: int
    position: int
    kind: Kind
    check: bool
    source_index: int
    answer: Kind
    correct: bool
    asked_ms: int | None
    shown_ms: float | None
    frame_ms: float | None
    off: bool
    reaction_ms: float
    views: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What the database of a study holds.

    Attributes:
        study: its text.
        begun: the raters who agreed to take part.
        ended: how raters ended: done, or failed.
        judgements: all answers, by rater, in their order.
    """

    study: Study
    begun: list[int]
    ended: dict[int, str]
    judgements: list[Judgement]


def collect(folder: Path) -> Collected:
    """Reads a study; raters may be at work meanwhile. Raises BadInput where the folder holds none."""
    study, database = read_study(folder), Database(folder)
    with database.reading() as db:
        check_same(study, {row["key"]: row["value"] for row in db.execute("SELECT key, value FROM meta")}, folder)
        raters = db.execute("SELECT id, ended FROM raters WHERE consented_at IS NOT NULL ORDER BY id").fetchall()
        rows = [{key: row[key] for key in row.keys()} for row in db.execute(_QUERY)]  # noqa: SIM118 - a Row is no dict
    for row in rows:
        row |= {"check": row.pop("role") == "check", "correct": bool(row["correct"]), "off": bool(row["off"])}
    return Collected(
        study=study,
        begun=[row["id"] for row in raters],
        ended={row["id"]: row["ended"] for row in raters if row["ended"] is not None},
        judgements=[Judgement(**row) for row in rows],
    )


def score(folder: Path, *, command: str = "") -> HumanScore:
    """The score of the study in a folder, over the raters who finished and passed the attention checks."""
    return score_of(collect(folder), command=command)


def score_of(found: Collected, *, command: str = "") -> HumanScore:
    """The same, of what was read."""
    study = found.study
    mine: dict[int, list[Judgement]] = {rater: [] for rater, ended in found.ended.items() if ended == "done"}
    for each in found.judgements:
        if each.phase == "trial" and each.rater in mine:
            mine[each.rater].append(each)
    tallies = [_rater(study, rater, judged) for rater, judged in mine.items()]
    counted = [each for each in tallies if each.counted]
    kept = [each for rater in counted for each in mine[rater.rater]]
    return HumanScore(
        title=study.title,
        protocol=study.protocol,
        study=study.fingerprint,
        fake=study.fake,
        real=study.real,
        settings=plain(study.settings),
        rule=rule(study.settings),
        raters=RaterCounts(
            places=study.raters,
            begun=len(found.begun),
            failed_qualification=sum(ended == "failed" for ended in found.ended.values()),
            unfinished=len(found.begun) - len(found.ended),
            set_apart=len(tallies) - len(counted),
            counted=len(counted),
        ),
        scores=_scores(study, counted),
        exposures=_exposures(kept) if study.protocol == "time" else None,
        by_rater=tallies,
        pictures=_pictures([each for each in kept if not each.check]),
        notes=study.notes,
        seed=study.seed,
        command=command,
    )


def rule(settings: Settings) -> str:
    """By what raters are set apart, in words."""
    if not settings.checks:
        return "Nobody is set apart: the study has no attention checks."
    most = settings.wrong_checks
    return (
        f"A rater who answers more than {most} of {settings.checks} attention checks wrong is set apart, and is in no "
        "number."
    )


def _rater(study: Study, rater: int, judged: Sequence[Judgement]) -> RaterTally:
    wrong_checks = sum(each.check and not each.correct for each in judged)
    trials = [each for each in judged if not each.check]
    modes = [
        modal([int(each.asked_ms or 0) for each in trials if each.block == block])
        for block in (range(study.settings.blocks) if study.protocol == "time" else ())
    ]
    return RaterTally(
        rater=rater,
        counted=wrong_checks <= study.settings.wrong_checks,
        error=_error(trials),
        fake_error=_error([each for each in trials if each.kind == "fake"]),
        real_error=_error([each for each in trials if each.kind == "real"]),
        modes_ms=modes,
        wrong_checks=wrong_checks,
    )


def _error(judged: Sequence[Judgement]) -> float:
    return sum(not each.correct for each in judged) / len(judged)


def _scores(study: Study, counted: Sequence[RaterTally]) -> dict[str, Estimate]:
    errors = {"fake_error": "Error on fakes", "real_error": "Error on reals"}
    values: Mapping[str, list[float]] = {key: [getattr(each, key) for each in counted] for key in errors}
    if study.protocol == "time":
        modes = [statistics.fmean(each.modes_ms) for each in counted]
        found = {"hype_time": _estimate(modes, "HYPE time", "ms", study.seed)}
    else:
        total = [each.error for each in counted]
        found = {"hype_infinity": _estimate(total, "HYPE∞", "share", study.seed)}
    return found | {key: _estimate(values[key], label, "share", study.seed) for key, label in errors.items()}


def _estimate(values: Sequence[float], label: str, unit: Unit, seed: int) -> Estimate:
    if not values:
        why = "No rater has finished and passed the attention checks."
        return Estimate(value=None, label=label, unit=unit, reason=why)
    spread = bootstrap(values, seed)
    return Estimate(
        value=statistics.fmean(values),
        label=label,
        unit=unit,
        ci95=spread[0] if spread else None,
        stderr=spread[1] if spread else None,
        reason=None if spread else "No interval: it needs two raters or more whose values differ.",
    )


def _exposures(kept: Sequence[Judgement]) -> Exposures:
    """Over trials and checks of the counted raters."""
    measured = [each for each in kept if each.shown_ms is not None and each.asked_ms is not None]
    off = sum(each.off for each in kept)
    apart = [abs(float(each.shown_ms or 0) - int(each.asked_ms or 0)) for each in measured]
    frames = [each.frame_ms for each in measured if each.frame_ms is not None]
    return Exposures(
        n=len(measured),
        off=off,
        within=1 - off / len(kept) if kept else None,
        largest_ms=max(apart, default=None),
        frame_ms=statistics.median(frames) if frames else None,
        seen_again=sum(each.views > 1 for each in kept),
    )


def _pictures(judged: Sequence[Judgement]) -> list[PictureTally]:
    """By picture: fakes first, those that deceived most first; equal ones by how many were asked, then by place."""
    found: dict[tuple[Kind, int], list[bool]] = {}
    for each in judged:
        found.setdefault((each.kind, each.source_index), []).append(not each.correct)
    tallies = [
        PictureTally(kind=kind, index=index, answers=len(wrong), wrong=sum(wrong), error_rate=sum(wrong) / len(wrong))
        for (kind, index), wrong in found.items()
    ]
    return sorted(tallies, key=lambda each: (each.kind, -each.error_rate, -each.answers, each.index))
