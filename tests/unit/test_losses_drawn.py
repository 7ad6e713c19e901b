"""The drawing of a run's losses."""

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic_boards import filled, synthetic_track

from ganbench.errors import BadInput
from ganbench.leaderboard.build import build, files_of
from ganbench.leaderboard.check import check
from ganbench.leaderboard.losses import drawing


def lines(*steps: int, **losses: float | None) -> str:
    told = [{"step": step, "flops": 1e9 * step, "kimg": 1.0, "seconds": 2.0, **losses} for step in steps]
    return "".join(json.dumps(line) + "\n" for line in told)


def test_each_loss_is_a_line_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "wgan.jsonl"
    path.write_text(lines(10, 20, D=1.5, G=0.5) + lines(30, D=None, G=0.7))
    text = drawing(path)
    assert text is not None
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    marks = [each for each in root.iter(f"{space}path") if each.get("class") == "mark"]
    assert [each.get("d", "").count("L") for each in marks] == [1, 2]
    words = [each.text for each in root.iter(f"{space}text")]
    assert {"D", "G", "steps"} <= set(words)
    assert not {"flops", "kimg", "seconds"} & set(words)


def test_one_line_is_no_drawing(tmp_path: Path) -> None:
    path = tmp_path / "vae.jsonl"
    path.write_text(lines(10, loss=1.0))
    assert drawing(path) is None


@pytest.mark.parametrize("text", ["{", "[1, 2]\n[3]", '{"step": "a"}\n{"step": 2}', '{"step": 1, "D": "<b>"}\n' * 2])
def test_what_is_none_of_losses_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "vae.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"vae\.jsonl holds a line"):
        drawing(path)


def test_a_board_has_the_drawings_and_checks_them(tmp_path: Path) -> None:
    track = filled(synthetic_track(tmp_path))
    folder = track.folder / "losses"
    folder.mkdir()
    text = lines(10, 20, 30, D=1.5, G=0.5)
    (folder / "ns-gan.jsonl").write_text(text)
    found = check(track.place)
    assert [fault.partition(":")[0] for fault in found] == ["losses/ns-gan.jsonl"]
    assert "its sha256 is not that of metrics.jsonl in records/ns-gan-0.json" in found[0]
    record = track.folder / "records" / "ns-gan-0.json"
    track.edit(record, "artifacts", value={"metrics.jsonl": hashlib.sha256(text.encode()).hexdigest()})
    assert "losses/ns-gan.svg" in files_of(track.place).texts
    build(track.place)
    assert check(track.place) == []
    drawn = folder / "ns-gan.svg"
    drawn.write_text(drawn.read_text().replace("steps", "epochs"))
    assert [fault.partition(":")[0] for fault in check(track.place)] == ["losses/ns-gan.svg"]
    (folder / "dcgan.jsonl").write_text(text)
    assert check(track.place) == ["losses/dcgan.jsonl: there is no record of dcgan, seed 0, that it could be of."]
