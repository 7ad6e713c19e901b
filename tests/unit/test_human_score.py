"""The score of a study against what simulated raters did, and how often its interval covers the truth."""

import csv
import io
import json
import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from human_raters import OTHER, SMALL, make_study, noise

from ganbench.errors import BadInput
from ganbench.human.answers import Answer
from ganbench.human.create import Asked, create
from ganbench.human.database import Database
from ganbench.human.intervals import bootstrap
from ganbench.human.report import page_of
from ganbench.human.score import Collected, Judgement, score, score_of
from ganbench.human.session import Sessions
from ganbench.human.sheet import sheet
from ganbench.human.study import Study, settings_of
from ganbench.hype import HumanScore, SourceInfo, read_human_score

Kinds = dict[int, str]


def made_up(protocol: Any = "infinity", *settings: str) -> Study:
    """A study on paper alone."""
    source = SourceInfo(source="x", fingerprint="aa" * 32, n=1000)
    return Study(
        title="t",
        protocol=protocol,
        fake=source,
        real=source,
        raters=30,
        shared=False,
        seed=1,
        settings=settings_of(protocol, "default", settings),
        consent=[],
        selection={},
        notes=[],
        command="",
        versions={},
    )


def judged(study: Study, rater: int, rights: Callable[[int, int], bool]) -> list[Judgement]:
    """The trials of a rater; `rights(block, exposure)` says whether an answer is right. Reals and fakes alternate."""
    found, settings = list[Judgement](), study.settings
    for block in range(settings.blocks):
        right: list[bool] = []
        for i in range(settings.trials // settings.blocks):
            asked = settings.staircase.next_ms(right) if study.protocol == "time" else None
            right.append(rights(block, asked or 0))
            kind = ("real", "fake")[i % 2]
            found.append(
                Judgement(
                    rater=rater,
                    phase="trial",
                    block=block,
                    position=len(found),
                    kind=kind,  # type: ignore[arg-type]
                    check=False,
                    source_index=len(found) // 2,
                    answer=kind if right[-1] else OTHER[kind],  # type: ignore[arg-type]
                    correct=right[-1],
                    asked_ms=asked,
                    shown_ms=None if asked is None else float(asked),
                    frame_ms=None if asked is None else 16.7,
                    off=False,
                    reaction_ms=500.0,
                    views=1,
                    at=0.0,
                )
            )
    return found


def erring(error: float, rng: np.random.Generator) -> Callable[[int, int], bool]:
    return lambda _block, _exposure: bool(rng.random() >= error)


def collected(study: Study, by_rater: list[list[Judgement]]) -> Collected:
    raters = list(range(len(by_rater)))
    everything = [each for mine in by_rater for each in mine]
    return Collected(study=study, begun=raters, ended=dict.fromkeys(raters, "done"), judgements=everything)


@pytest.mark.parametrize("truth", [0.10, 0.35, 0.50])
def test_in_a_hundred_studies_the_interval_covers_the_truth_ninety_times(truth: float) -> None:
    """30 raters who differ from one another: the truth is the mean over all who could have come."""
    study, covered = made_up("infinity", "trials=20"), 0
    for seed in range(100):
        rng = np.random.default_rng([seed, int(100 * truth)])
        errors = rng.beta(40 * truth, 40 * (1 - truth), 30)
        answers = [judged(study, i, erring(error, rng)) for i, error in enumerate(errors)]
        ci95 = score_of(collected(replace(study, seed=seed), answers)).main.ci95
        assert ci95 is not None
        covered += ci95[0] <= truth <= ci95[1]
    assert covered >= 90


@pytest.mark.parametrize("truth", [0.10, 0.35, 0.50])
def test_a_whole_study_of_raters_with_a_known_error_rate(truth: float) -> None:
    study, rng = made_up(), np.random.default_rng(7)
    answers = [judged(study, rater, erring(truth, rng)) for rater in range(30)]
    found = score_of(collected(study, answers))
    wrong = [not each.correct for mine in answers for each in mine]
    main = found.scores["hype_infinity"]
    assert main.value == pytest.approx(np.mean(wrong))
    assert main.ci95 is not None
    assert main.ci95[0] < truth < main.ci95[1]
    assert main.value == pytest.approx((found.scores["fake_error"].value + found.scores["real_error"].value) / 2)  # type: ignore[operator]
    shares = [float(np.mean([not each.correct for each in mine])) for mine in answers]
    assert bootstrap(shares, study.seed) == (main.ci95, main.stderr)
    assert main.stderr == pytest.approx(statistics.stdev(shares) / math.sqrt(30), rel=0.1)


@pytest.mark.parametrize("threshold", [300, 500, 650])
def test_a_whole_study_of_raters_with_a_known_threshold(threshold: int) -> None:
    study, rng = made_up("time"), np.random.default_rng(threshold)

    def right(_: int, exposure: int) -> bool:
        return bool(rng.random() < 0.5 + 0.5 / (1 + math.exp((threshold - exposure) / 40)))

    found = score_of(collected(study, [judged(study, rater, right) for rater in range(30)]))
    main = found.scores["hype_time"]
    assert main.value == pytest.approx(threshold, abs=35)
    assert main.value == pytest.approx(statistics.fmean(statistics.fmean(each.modes_ms) for each in found.by_rater))
    assert main.ci95 is not None
    assert main.ci95[0] < main.value < main.ci95[1]  # type: ignore[operator]
    assert found.exposures is not None
    assert (found.exposures.n, found.exposures.within) == (4500, 1.0)


def test_nobody_and_one_and_all_alike() -> None:
    study = made_up()
    nobody = score_of(collected(study, []))
    assert nobody.main.value is None
    assert "No rater has finished" in str(nobody.main.reason)
    one = score_of(collected(study, [judged(study, 0, lambda *_: True)]))
    assert (one.main.value, one.main.ci95) == (0.0, None)
    assert "two raters or more whose values differ" in str(one.main.reason)
    assert bootstrap([0.5], 0) is None
    assert bootstrap([0.5, 0.5, 0.5], 0) is None


# From the database


def play(sessions: Sessions, token: str, answers: Callable[[str, str, str], str], *, stop_after: int = 1000) -> int:
    """A rater who asks the sessions themselves; gives the number."""
    rater = sessions.rater(token)
    sessions.consent(rater)
    state = sessions.state(rater)
    while "trial" in state and stop_after:
        with Database(sessions.folder).reading() as db:
            row = db.execute(
                "SELECT kind, role, phase FROM trials JOIN images ON name = image WHERE id = ?", [state["trial"]]
            ).fetchone()
        sessions.picture(rater, state["trial"])
        given = Answer(trial=state["trial"], answer=answers(row["kind"], row["role"], row["phase"]), reaction_ms=9.0)
        state = sessions.answer(rater, given)["next"]
        stop_after -= 1
    return rater


def truthful(kind: str, _role: str, _phase: str) -> str:
    return kind


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a truthful rater, one who misses the checks, one who fails to qualify, one who stops, one away."""
    folder = tmp_path_factory.mktemp("played") / "s"
    made = make_study(folder, "trials=12", "tutorial=1", "qualification=2", "checks=4", "images=6", raters=6)
    sessions = Sessions(folder)
    play(sessions, made.raters[0], lambda kind, role, phase: "fake" if role == "trial" and phase == "trial" else kind)
    play(sessions, made.raters[1], lambda kind, role, phase: OTHER[kind] if role == "check" else kind)
    play(sessions, made.raters[2], lambda *_: "real")
    play(sessions, made.raters[3], truthful, stop_after=9)
    play(sessions, made.raters[4], truthful)
    return folder


def test_who_counts(played: Path) -> None:
    found = score(played, command="ganbench human score s")
    who = found.raters
    assert (who.places, who.begun, who.failed_qualification, who.unfinished) == (6, 5, 1, 1)
    assert (who.set_apart, who.counted) == (1, 2)
    assert found.rule.startswith("A rater who answers more than 1 of 4 attention checks wrong is set apart")
    assert [(each.rater, each.counted, each.wrong_checks) for each in found.by_rater] == [
        (0, True, 0),
        (1, False, 4),
        (4, True, 0),
    ]
    assert found.main.value == pytest.approx(0.25)
    assert (found.scores["fake_error"].value, found.scores["real_error"].value) == (0.0, 0.5)


def test_the_pictures_that_deceived(played: Path) -> None:
    found = score(played)
    assert len(found.pictures) == 12
    assert {(each.kind, each.answers, each.wrong) for each in found.pictures} == {("fake", 2, 0), ("real", 2, 1)}
    assert [each.kind for each in found.pictures] == ["fake"] * 6 + ["real"] * 6


def test_json_reads_back_and_has_no_token(played: Path, tmp_path: Path) -> None:
    found = score(played)
    (tmp_path / "score.json").write_text(found.to_json())
    assert read_human_score(tmp_path / "score.json") == found
    assert json.loads(found.to_json())["schema"] == "ganbench.human-score/1"
    (tmp_path / "other.json").write_text(replace(found, scores={}).to_json())
    with pytest.raises(BadInput, match="it has no hype_infinity"):
        read_human_score(tmp_path / "other.json")


def test_csv_has_every_answer(played: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(sheet(played))))
    assert len(rows) == 3 * (2 + 4 + 16) + (2 + 4) + 9
    assert {row["phase"] for row in rows} == {"tutorial", "qualification", "trial"}
    assert sum(row["counted"] == "1" for row in rows) == 2 * 22
    assert sum(row["check"] == "1" for row in rows if row["rater"] == "0") == 4


def test_the_report_stands_alone(played: Path) -> None:
    text = page_of(score(played), played)
    assert "HYPE∞" in text
    assert "took it for fake" in text
    assert "data:image/png" in text
    assert not [part for part in ("http://", "https://", "<script", 'src="/') if part in text]


def test_the_report_of_no_answers(tmp_path: Path) -> None:
    make_study(tmp_path / "s", *SMALL, protocol="time")
    text = page_of(score(tmp_path / "s"), tmp_path / "s")
    assert "No rater has finished" in text


def test_text_of_others_is_no_markup(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    settings = settings_of("infinity", "default", SMALL)
    fake, real = (evil, noise(30, 1)), ("r", noise(30, 2))
    asked = Asked(protocol="infinity", title=evil, fake=fake, real=real, settings=settings)
    create(tmp_path / "s", asked)
    assert "<script" not in page_of(score(tmp_path / "s"), tmp_path / "s")


def test_an_estimate_needs_its_own_protocol(played: Path) -> None:
    found: HumanScore = score(played)
    assert set(found.scores) == {"hype_infinity", "fake_error", "real_error"}
    assert found.exposures is None
