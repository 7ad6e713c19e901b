"""`ganbench board` and `ganbench list tracks` on the command line."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_boards import SyntheticTrack, filled, scores, synthetic_track

from ganbench.bench.translation import KEYS as TRANSLATED
from ganbench.evaluation.options import metric_names
from ganbench.metrics._registry import METRICS
from ganbench.track import open_track, track_folders

Run = Callable[..., Any]
REPOSITORY = Path(__file__).parents[2]
FILES = ["README.md", "index.html", "leaderboard.csv", "modes-by-budget.svg", "mode-kl-by-budget.svg"]


@pytest.fixture
def track(home: Path, tmp_path: Path) -> SyntheticTrack:
    return filled(synthetic_track(tmp_path / "leaderboards"))


def test_build_then_check(run: Run, track: SyntheticTrack) -> None:
    built = run("board", "build")
    assert built.code == 0, built.err
    assert sorted(built.out.split()) == sorted(f"leaderboards/toy/{name}" for name in FILES)
    checked = run("board", "check")
    assert (checked.code, checked.out) == (0, "toy: as its records give it\n")
    assert run("board", "build", "toy").out == ""
    assert not [path for path in track.folder.iterdir() if path.name.startswith(".")]


def test_check_names_absent_files(run: Run, track: SyntheticTrack) -> None:
    done = run("board", "check", "toy", "--json", "-")
    assert done.code == 1
    (found,) = json.loads(done.out)
    assert found["track"] == "toy"
    assert [text.partition(":")[0] for text in found["differences"]] == [
        "leaderboard.csv", "README.md", "index.html", "modes-by-budget.svg", "mode-kl-by-budget.svg",
    ]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_one_digit_is_enough(run: Run, track: SyntheticTrack, name: str) -> None:
    assert run("board", "build").code == 0
    path = track.folder / name
    whole = path.read_text(encoding="utf-8")
    start = whole.index("<!-- board -->") if name == "README.md" else 0
    places = [match.start() for match in re.finditer(r"\d", whole) if match.start() >= start]
    for at in places[:: max(1, len(places) // 6)]:
        other = str((int(whole[at]) + 1) % 10)
        path.write_text(whole[:at] + other + whole[at + 1 :], encoding="utf-8")
        done = run("board", "check")
        assert done.code == 1, whole[at - 20 : at + 20]
        assert f"toy/{name}: line {whole[:at].count(chr(10)) + 1 - whole[:start].count(chr(10))}" in done.out
        assert "Not what the records give: toy" in done.err
    path.write_text(whole, encoding="utf-8")
    assert run("board", "check").code == 0


def test_check_names_found_and_wanted(run: Run, track: SyntheticTrack) -> None:
    run("board", "build")
    path = track.folder / "leaderboard.csv"
    path.write_text(path.read_text().replace("ns-gan,3,", "ns-gan,1,"))
    assert "toy/leaderboard.csv: line 4, ns-gan, rank: found '1', the records give '3'." in run("board", "check").out


def test_a_record_that_is_changed_is_found(run: Run, track: SyntheticTrack) -> None:
    run("board", "build")
    record = track.folder / "records" / "ns-gan-0.json"
    track.edit(record, "final", "metrics", "modes", "value", value=7.0)
    done = run("board", "check")
    assert done.code == 1
    assert (
        "toy/leaderboard.csv: line 4, ns-gan, modes_values: found '5;6;6;7;4', the records give '7;6;6;7;4'."
        in done.out
    )
    track.edit(record, "final", "metrics", "modes", "value", value=5.0)
    assert run("board", "check").code == 0
    track.edit(record, "variant_source", value="# better code\n")
    done = run("board", "check")
    assert done.code == 1
    assert "toy/records/ns-gan-0.json: variant_sha256 is" in done.out
    refused = run("board", "build")
    assert refused.code == 2
    assert "records/ns-gan-0.json: variant_sha256 is" in refused.message


def test_show(run: Run, track: SyntheticTrack) -> None:
    shown = run("board", "show", "toy")
    assert shown.code == 0
    assert re.search(r"1 +pacgan +8 \(7 to 8\) \[7, 8\] ", shown.out), shown.out
    assert re.search(r"floor +real vs real +8 ", shown.out)
    assert "vae (unranked: 1 of 3 runs needed)" in shown.out
    data = json.loads(run("board", "show", str(track.folder), "--json", "-").out)
    assert data["schema"] == "ganbench.board/1"
    assert [(row["name"], row["rank"]) for row in data["rows"]][:3] == [("pacgan", 1), ("wgan-gp", 2), ("ns-gan", 3)]


def test_list_tracks(run: Run, track: SyntheticTrack) -> None:
    found = json.loads(run("list", "tracks", "--json", "-").out)
    assert {"name": "toy", "summary": "A ring, for tests"} in found
    assert {"name": "grid25", "summary": "Twenty-five Gaussians on a grid"} in found


def test_unknown_tracks(run: Run, home: Path) -> None:
    done = run("board", "show", "ring9-pacgan")
    assert done.code == 2
    assert "Did you mean 'ring8-pacgan'?" in done.message
    assert "no track in ./leaderboards" in run("board", "build").message


def test_a_new_record_makes_an_old_board_wrong(run: Run, track: SyntheticTrack) -> None:
    run("board", "build")
    track.add_row("vae", [scores(3)] * 5)
    assert run("board", "check").code == 1
    run("board", "build")
    assert run("board", "check").code == 0


def test_boards_import_no_torch(run: Run, track: SyntheticTrack) -> None:
    code = (
        "import sys; from ganbench.cli.main import main; main(['board', 'build']); code = main(['board', 'check'])\n"
        "assert 'torch' not in sys.modules and 'scipy' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# The boards of this repository


def test_the_committed_boards_are_what_their_records_give(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    done = run("board", "check")
    assert done.code == 0, done.out


@pytest.mark.parametrize("name", [
    "ring8-pacgan", "grid25", "fashion-mnist-pico", "cifar10-small", "cifar10-base", "emoji-pix2pix", "emoji-cyclegan",
    "emoji-text",
])  # fmt: skip
def test_the_tracks_name_what_there_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    track = open_track(name).track
    assert name in track_folders()
    keys = {key for metric in metric_names(track.metrics) for key in METRICS.get(metric).keys}
    assert set(track.columns) <= keys | set(TRANSLATED)
    for published in track.published:
        assert set(published.values) <= set(track.columns)
