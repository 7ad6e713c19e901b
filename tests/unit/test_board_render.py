"""The files of a board say what the records say, and nothing in a record becomes markup."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic_boards import TRACK, SyntheticTrack, filled, result, scores, synthetic_track

from ganbench.errors import BadInput, UsageError
from ganbench.leaderboard.build import build, files_of
from ganbench.leaderboard.check import check
from ganbench.leaderboard.readme import BEGIN, END, escaped

EVIL = '<script>alert("x")</script>|`*_[a](b)<!-- /board -->'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@pytest.fixture
def track(tmp_path: Path) -> SyntheticTrack:
    return filled(synthetic_track(tmp_path))


def test_the_csv_reads_back(track: SyntheticTrack) -> None:
    rows = {row["row"]: row for row in csv.DictReader(files_of(track.place).texts["leaderboard.csv"].splitlines())}
    assert list(rows) == ["pacgan", "wgan-gp", "ns-gan", "vae", "real vs real", "untrained"]
    ns = rows["ns-gan"]
    assert (ns["rank"], ns["runs"], ns["modes_median"], ns["modes_low"], ns["modes_high"]) == ("3", "5", "6", "4", "7")
    assert ns["modes_values"] == "5;6;6;7;4"
    assert [float(v) for v in ns["mode_kl_values"].split(";")] == pytest.approx([0.31, 0.21, 0.21, 0.11, 0.41])
    assert rows["wgan-gp"]["modes_values"] == "7;8;failed;7;8"
    assert rows["wgan-gp"]["failure_rate"] == "0.2"
    assert (rows["vae"]["rank"], rows["vae"]["unranked"]) == ("", "1 of 3 runs needed")
    assert (rows["untrained"]["unranked"], rows["untrained"]["high_quality_median"]) == ("ceiling", "0.989")
    assert ns["seconds"] == "63.5"
    assert ns["raw_modes_median"] == "6"
    assert ns["best_modes_median"] == ""


def test_the_readme_has_what_there_is(track: SyntheticTrack) -> None:
    track.add("ns-gan", 0, scores(8), folder="unranked")
    text = files_of(track.place).texts["README.md"]
    assert "| 3 | ns-gan | **6**<br><sub>4 to 7 [4, 7]</sub> |" in text.replace("3 [2, 3]", "3")
    assert "1 of 5" in text
    assert "| GAN | 6.3 ± 0.5 | – | – | A paper | another |" in text
    assert "[ns-gan, seed 0](unranked/ns-gan-0.json)" in text
    assert "*real vs real*" in text
    assert "![Modes by budget](modes-by-budget.svg)" in text
    assert "A note." in text
    assert "unranked: 1 of 3 runs needed" in text


def test_text_outside_the_marks_is_kept(track: SyntheticTrack) -> None:
    build(track.place)
    path = track.folder / "README.md"
    path.write_text(f"# Mine\n\nBefore.\n\n{path.read_text().split('made up by a test.')[1].strip()}\n\nAfter.\n")
    kept = path.read_text()
    track.add_row("vae", [scores(3)] * 3)
    build(track.place)
    text = path.read_text()
    assert text != kept
    assert text.startswith("# Mine\n\nBefore.\n\n" + BEGIN)
    assert text.endswith(END + "\n\nAfter.\n")
    assert check(track.place) == []


@pytest.mark.parametrize("text", ["", f"{END} {BEGIN}", BEGIN, f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_readme_without_a_place_is_refused(track: SyntheticTrack, text: str) -> None:
    (track.folder / "README.md").write_text(text)
    with pytest.raises(BadInput, match="wanted the marks"):
        build(track.place)


def test_building_twice_changes_nothing(track: SyntheticTrack) -> None:
    assert {path.name for path in build(track.place)} == {
        "README.md", "index.html", "leaderboard.csv", "modes-by-budget.svg", "mode-kl-by-budget.svg",
    }  # fmt: skip
    assert build(track.place) == []


def test_a_track_without_records_says_so(tmp_path: Path) -> None:
    place = synthetic_track(tmp_path).place
    texts = files_of(place).texts
    assert set(texts) == {"README.md", "index.html", "leaderboard.csv"}
    for name in ("README.md", "index.html"):
        assert "No record exists yet." in texts[name]
        assert "ganbench bench run toy" in texts[name]
        assert "6.3 ± 0.5" in texts[name]
    assert len(texts["leaderboard.csv"].splitlines()) == 1


class Page(HTMLParser):
    """Collects the elements and the addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "data", "poster")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


def test_the_page_stands_alone(track: SyntheticTrack) -> None:
    (track.folder / "samples").mkdir()
    (track.folder / "samples" / "ns-gan.png").write_bytes(PNG)
    page = parsed(files_of(track.place).texts["index.html"])
    assert all(address.startswith(("data:", "#")) for address in page.addresses), page.addresses
    assert any(address.startswith("data:image/png;base64,iVBOR") for address in page.addresses)
    assert "script" not in page.tags
    for text in ("pacgan", "Reverse KL ↓", "1 of 5", "6.3 ± 0.5", "A paper", "real vs real", "the loss of D is NaN"):
        assert text in page.text


def test_nothing_in_a_record_becomes_markup(tmp_path: Path) -> None:
    evil = synthetic_track(tmp_path, TRACK.replace("A note.", EVIL.replace('"', "'")))
    filled(evil)
    for seed in range(5):
        path = evil.folder / "records" / f"wgan-gp-{seed}.json"
        evil.edit(path, "environment", value={EVIL: EVIL})
        evil.edit(path, "command", value=EVIL)
        evil.edit(path, "reason", value=EVIL)
    evil.add("ns-gan", 0, scores(8), folder="unranked")
    evil.edit(evil.folder / "unranked" / "ns-gan-0.json", "budget", "spec", value=EVIL)
    for path in evil.folder.glob("records/*.json"):
        text = path.read_text()
        if '"final": {' in text:
            evil.edit(path, "final", "metrics", "modes", "label", value=EVIL)
    for anchor in range(2):
        where = ("anchors", anchor, "results", 0, "metrics", "modes", "label")
        evil.edit(evil.folder / "anchors.json", *where, value=EVIL)
    build(evil.place)
    assert check(evil.place) == []
    page = parsed((evil.folder / "index.html").read_text())
    assert "script" not in page.tags
    assert EVIL in page.text
    readme = (evil.folder / "README.md").read_text()
    assert "<script" not in readme
    assert readme.count(END) == 1
    assert not re.search(r"(?<!\\)\[a(?<!\\)\]\(b\)", readme)
    for name in ("modes-by-budget.svg", "mode-kl-by-budget.svg"):
        root = ElementTree.fromstring((evil.folder / name).read_text())
        assert not [e for e in root.iter() if e.tag.endswith("script")]


def test_markdown_is_escaped() -> None:
    assert escaped("a|b<i>`c`\n*d*") == "a\\|b&lt;i&gt;\\`c\\` \\*d\\*"


def test_drawings_are_true_to_the_numbers(track: SyntheticTrack) -> None:
    text = files_of(track.place).texts["modes-by-budget.svg"]
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    panels = {g.find(f"{space}text[@class='who']").text: g for g in root.findall(f"{space}g")}  # type: ignore[union-attr]
    assert list(panels) == ["pacgan", "wgan-gp", "ns-gan", "vae"]
    panel = panels["ns-gan"]
    ticks = [e for e in panel.findall(f"{space}text") if e.get("text-anchor") == "end"]
    (a, b), (u, v) = (
        [float(e.get("y", 0)) - 3.5 for e in (ticks[0], ticks[-1])],
        [float(e.text or 0) for e in (ticks[0], ticks[-1])],
    )
    heights = [float(c.get("cy", 0)) for c in panel.findall(f"{space}circle")]
    found = [u + (at - a) / (b - a) * (v - u) for at in heights]
    assert found == pytest.approx([6 * (0.5 + f / 2) for f in (0.125, 0.25, 0.5, 1)], abs=0.02)


def test_a_picture_that_is_none_is_refused(track: SyntheticTrack) -> None:
    (track.folder / "samples").mkdir()
    (track.folder / "samples" / "ns-gan.png").write_bytes(b"GIF89a")
    with pytest.raises(BadInput, match="is no PNG"):
        build(track.place)


def test_best_by_validation_stands_beside(track: SyntheticTrack) -> None:
    for seed in range(3):
        track.add("vae", seed, scores(3), best=result(scores(5)))
    texts = files_of(track.place).texts
    assert "Modes ↑, best" in texts["README.md"]
    assert "Here raw is scored on 2,000 samples and best is scored on 10,000 samples." in texts["README.md"]
    rows = {row["row"]: row for row in csv.DictReader(texts["leaderboard.csv"].splitlines())}
    assert (rows["vae"]["modes_median"], rows["vae"]["best_modes_median"]) == ("3", "5")
    assert rows["vae"]["rank"] == "4"


def test_a_score_that_only_some_variants_have(track: SyntheticTrack) -> None:
    """It is a dash in the other rows, never a failure, and no rank comes of it."""
    text = (track.folder / "track.toml").read_text()
    columns = 'columns = ["modes", "mode_kl", "high_quality"]'
    wider = 'columns = ["modes", "mode_kl", "high_quality", "bits_per_dim"]'
    (track.folder / "track.toml").write_text(text.replace(columns, wider))
    with pytest.raises(BadInput, match=r"lacks bits_per_dim, which the track's columns name"):
        files_of(track.place)
    (track.folder / "track.toml").write_text(text.replace(columns, wider + '\nof_some = ["bits_per_dim"]'))
    for seed in (0, 1, 3):
        track.edit(track.folder / "records" / f"wgan-gp-{seed}.json", "final", "metrics", "bits_per_dim", value={
            "value": 3.0 + seed, "label": "Bits per dim", "direction": "lower", "params": {}, "n_fake": 0, "n_real": 9,
        })  # fmt: skip
    files = files_of(track.place)
    rows = {row["row"]: row for row in csv.DictReader(files.texts["leaderboard.csv"].splitlines())}
    assert rows["wgan-gp"]["bits_per_dim_values"] == "3;4;failed;6;failed"
    for name in ("pacgan", "ns-gan", "real vs real"):
        assert (rows[name]["bits_per_dim_median"], rows[name]["bits_per_dim_values"]) == ("", "")
    assert [name for name, row in rows.items() if row["rank"]] == ["pacgan", "wgan-gp", "ns-gan"]
    pacgan = next(line for line in files.texts["README.md"].splitlines() if "| pacgan |" in line)
    assert "| **–** |" in pacgan
    assert "failed" not in pacgan
    assert '<td class="num"><b title="">–</b>' in " ".join(files.texts["index.html"].split())


def test_what_ranks_is_of_all(track: SyntheticTrack) -> None:
    text = (track.folder / "track.toml").read_text()
    (track.folder / "track.toml").write_text(text.replace("columns =", 'of_some = ["modes"]\ncolumns ='))
    with pytest.raises(UsageError, match="of_some must name columns that do not rank"):
        files_of(track.place)
