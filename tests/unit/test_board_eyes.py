"""A board shows what people said where a study exists, unranked, and only of the samples that its records have."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic_boards import SyntheticTrack, filled, synthetic_track

from ganbench.errors import BadInput
from ganbench.hype import Estimate, HumanScore, RaterCounts, SourceInfo
from ganbench.leaderboard.build import build, files_of
from ganbench.leaderboard.check import check
from ganbench.leaderboard.gather import gather
from ganbench.leaderboard.rank import board_of
from ganbench.leaderboard.terminal import headings, table_rows

SAMPLES = "cc" * 32  # the fingerprint of the samples in the records that tests make up


def human_score(protocol: Any = "infinity", value: float = 0.276, **changed: Any) -> HumanScore:
    key, unit = ("hype_infinity", "share") if protocol == "infinity" else ("hype_time", "ms")
    label = "HYPE∞" if protocol == "infinity" else "HYPE time"
    ci95 = (value * 0.9, value * 1.1)
    whole = HumanScore(
        title="t",
        protocol=protocol,
        study="dd" * 32,
        fake=SourceInfo(source="run", fingerprint=SAMPLES, n=10_000),
        real=SourceInfo(source="cifar10", fingerprint="ee" * 32, n=50_000),
        settings={"trials": 100, "images": 250},
        rule="r",
        raters=RaterCounts(places=30, begun=30, failed_qualification=0, unfinished=0, set_apart=0, counted=30),
        scores={key: Estimate(value=value, label=label, unit=unit, ci95=ci95)},  # type: ignore[arg-type]
        exposures=None,
        by_rater=[],
        pictures=[],
        notes=[],
        seed=1,
        command="c",
    )
    return replace(whole, **changed)


def put(track: SyntheticTrack, name: str, score: HumanScore) -> Path:
    path = track.folder / "human" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(score.to_json(), encoding="utf-8")
    return path


@pytest.fixture
def track(tmp_path: Path) -> SyntheticTrack:
    return filled(synthetic_track(tmp_path))


def test_a_board_without_a_study_has_no_such_column(track: SyntheticTrack) -> None:
    texts = files_of(track.place).texts
    assert not [name for name, text in texts.items() if "hype" in text.lower()]


def test_the_column_is_everywhere_and_changes_no_rank(track: SyntheticTrack) -> None:
    before = [(row.name, row.rank) for row in board_of(gather(track.place)).rows]
    put(track, "pacgan-infinity", human_score())
    put(track, "ns-gan-time", human_score("time", 363.2))
    board = board_of(gather(track.place))
    assert [(row.name, row.rank) for row in board.rows] == before
    assert headings(board)[-4:] == ["HYPE∞", "HYPE time", "failed", "time"]
    assert [row[-4:-2] for row in table_rows(board)] == [
        ["27.6 % [24.8, 30.4], 30 raters", ""],
        ["", ""],
        ["", "363 ms [327, 400], 30 raters"],
        ["", ""],
        ["", ""],
        ["", ""],
    ]
    texts = files_of(track.place).texts
    assert "[27.6 %](human/pacgan-infinity.json)<br><sub>[24.8, 30.4], 30 raters</sub>" in texts["README.md"]
    assert "HYPE: what people said" in texts["README.md"]
    assert ">27.6 %</b>" in texts["index.html"]
    rows = {row["row"]: row for row in csv.DictReader(texts["leaderboard.csv"].splitlines())}
    assert float(rows["pacgan"]["hype_infinity"]) == 0.276
    assert (rows["pacgan"]["hype_infinity_raters"], rows["vae"]["hype_infinity_raters"]) == ("30", "")
    assert rows["real vs real"]["hype_time_raters"] == ""


def test_a_number_that_was_changed_is_found(track: SyntheticTrack) -> None:
    path = put(track, "pacgan-infinity", human_score())
    build(track.place)
    assert check(track.place) == []
    track.edit(path, "scores", "hype_infinity", "value", value=0.476)
    assert any("hype_infinity: found '0.276', the records give '0.476'" in text for text in check(track.place))


@pytest.mark.parametrize(
    ("name", "score", "message"),
    [
        ("gan-infinity", human_score(), "gan is no variant of the track"),
        ("pacgan", human_score(), "its name must end in -infinity.json"),
        ("pacgan-time", human_score(), "its name must end in -infinity.json"),
        (
            "pacgan-infinity",
            human_score(fake=SourceInfo(source="x", fingerprint="ab" * 32, n=9)),
            r"its fakes \(abababababab\) are not the final samples of a record of pacgan",
        ),
        (
            "pacgan-infinity",
            human_score(settings={"trials": 20, "images": 250}),
            "its settings or its reals differ from those of human/ns-gan-infinity.json",
        ),
        (
            "pacgan-infinity",
            human_score(real=SourceInfo(source="x", fingerprint="ab" * 32, n=9)),
            "its settings or its reals differ",
        ),
    ],
)
def test_studies_that_may_not_stand_there(track: SyntheticTrack, name: str, score: HumanScore, message: str) -> None:
    put(track, "ns-gan-infinity", human_score(settings={"trials": 100, "images": 50}))
    put(track, name, score)
    with pytest.raises(BadInput, match=message):
        files_of(track.place)
    assert check(track.place)


def test_what_is_no_score_is_told(track: SyntheticTrack) -> None:
    path = put(track, "pacgan-infinity", human_score())
    path.write_text('{"schema": "ganbench.result/1"}')
    assert any("is not the score of a human study" in text for text in check(track.place))
