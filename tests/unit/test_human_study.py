"""Making a study: balanced, seeded, without a trace of where pictures come from."""

import io
import json
import sqlite3
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from human_raters import SMALL, Truth, array_source, make_study, noise
from PIL import Image, PngImagePlugin

from ganbench.errors import BadInput, UsageError
from ganbench.human.database import digest
from ganbench.human.pictures import check_of, mask_of, read
from ganbench.human.plan import plan
from ganbench.human.session import Sessions
from ganbench.human.sources import open_source
from ganbench.human.study import read_study, settings_of


def names_of(folder: Path) -> dict[tuple[str, Any], list[str]]:
    found: dict[tuple[str, Any], list[str]] = {}
    for row in Truth(folder).rows("SELECT role, kind, name FROM images ORDER BY role, kind, place"):
        found.setdefault((row["role"], row["kind"]), []).append(row["name"])
    return found


def test_equal_seeds_give_equal_studies_under_other_names(tmp_path: Path) -> None:
    made = [make_study(tmp_path / f"{i}", *SMALL, seed=seed) for i, seed in enumerate((1, 1, 2))]
    assert made[0].study.selection == made[1].study.selection != made[2].study.selection
    assert made[0].study.fingerprint == made[1].study.fingerprint != made[2].study.fingerprint
    files = [{path.name for path in (tmp_path / f"{i}" / "images").iterdir()} for i in range(2)]
    assert not files[0] & files[1]
    pixels = [Truth(tmp_path / f"{i}").rows("SELECT sha256 FROM images ORDER BY role, kind, place") for i in range(2)]
    assert [tuple(row) for row in pixels[0]] == [tuple(row) for row in pixels[1]]


def test_no_picture_has_two_roles_and_kinds_are_balanced(tmp_path: Path) -> None:
    selection = make_study(tmp_path / "s", *SMALL).study.selection
    for kind in ("real", "fake"):
        used = [index for role in selection.values() for index in role[kind]]
        assert len(used) == len(set(used))
    assert {role: [len(kinds["real"]), len(kinds["fake"])] for role, kinds in selection.items()} == {
        "tutorial": [1, 1],
        "qualification": [2, 2],
        "trial": [30, 30],
    }


def test_files_hold_the_pixels_and_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "secret-model"
    folder.mkdir()
    pixels = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    for i, each in enumerate(pixels):
        info = PngImagePlugin.PngInfo()
        info.add_text("prompt", "made by secret-model")
        Image.fromarray(each).save(folder / f"{i:02}.png", pnginfo=info, dpi=(300, 300))
    fake = ("secret-model", open_source(str(folder)))
    made = make_study(tmp_path / "s", *SMALL, "images=8", fake=fake)
    for place, index in enumerate(made.study.selection["trial"]["fake"]):
        name = names_of(tmp_path / "s")["trial", "fake"][place]
        data = (tmp_path / "s" / "images" / f"{name}.png").read_bytes()
        assert b"secret" not in data
        assert not Image.open(io.BytesIO(data)).info
        assert np.array_equal(read(tmp_path / "s" / "images" / f"{name}.png").transpose(1, 2, 0), pixels[index])
    assert all(len(path.stem) == 32 for path in (tmp_path / "s" / "images").iterdir())


def test_equal_pictures_are_shown_once(tmp_path: Path) -> None:
    once = np.random.default_rng(3).integers(0, 256, (15, 3, 8, 8), dtype=np.uint8)
    twice = array_source(np.concatenate([once, once]), "twice")
    made = make_study(tmp_path / "s", "trials=12", "tutorial=1", "qualification=2", fake=("twice", twice))
    used = [index % 15 for role in made.study.selection.values() for index in role["fake"]]
    assert len(used) == len(set(used)) == 15
    assert made.study.settings.images == 12
    assert len(list((tmp_path / "s" / "images").iterdir())) == 2 * 15 + 2


def test_the_text_says_what_is_needed_and_no_token_is_stored(tmp_path: Path) -> None:
    made = make_study(tmp_path / "s", *SMALL, raters=3, command="ganbench human new s")
    text = (tmp_path / "s" / "study.json").read_text()
    assert read_study(tmp_path / "s") == made.study
    assert json.loads(text)["command"] == "ganbench human new s"
    stored = (tmp_path / "s" / "study.sqlite").read_bytes() + text.encode()
    for token in (made.owner, *made.raters):
        assert token.encode() not in stored
        assert digest(token).encode() in stored
    assert len({made.owner, *made.raters}) == 4
    if hasattr(stat, "S_IRWXO"):
        assert (tmp_path / "s").stat().st_mode & 0o077 == 0


def test_a_text_that_was_changed_is_refused(tmp_path: Path) -> None:
    make_study(tmp_path / "s", *SMALL)
    path = tmp_path / "s" / "study.json"
    path.write_text(path.read_text().replace('"wrong_checks": 1', '"wrong_checks": 2'))
    with pytest.raises(BadInput, match="not the text that the study was made with"):
        Sessions(tmp_path / "s")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trials=13", "wanted a multiple of 2"),
        ("trials=10 images=4", "10 trials need 5 images of each kind"),
        ("pass_rate=2", "pass_rate is 2"),
        ("start_ms=50", "lowest_ms <= start_ms"),
        ("blocks=none", "blocks: Input should be a valid integer"),
        ("trial=3", "Did you mean 'trials'"),
        ("trials", "wanted KEY=VALUE"),
    ],
)
def test_settings_that_make_no_study(change: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings_of("time" if "ms" in change else "infinity", "default", change.split())


def test_too_few_pictures_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fakes has too few different pictures \(30\)"):
        make_study(tmp_path / "s", fake=("fakes", noise(30, 1)))
    with pytest.raises(UsageError, match="at least 40 for the trials"):
        make_study(tmp_path / "s", *SMALL, "images=40", n=41, exact=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        make_study(tmp_path / "s", *SMALL)
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["thesis.tex"]


def test_pictures_that_give_themselves_away_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    small, large = ("fakes", noise(30, 1)), ("reals", noise(30, 2, side=24))
    from ganbench.human.create import Asked, create

    settings = settings_of("infinity", "default", SMALL)
    create(
        tmp_path / "s",
        Asked(protocol="infinity", title="t", fake=small, real=large, settings=settings),
        warn=told.append,
    )
    assert told == read_study(tmp_path / "s").notes
    assert "Real pictures are 24x24, fake ones 16x16 pixels" in told[0]


def test_qualification_fakes_come_equally_from_other_models(tmp_path: Path) -> None:
    others = [("a", noise(20, 5)), ("b", noise(20, 6))]
    made = make_study(tmp_path / "s", "trials=4", "tutorial=1", "qualification=6", qualification_fake=others)
    chosen = made.study.selection["qualification"]["fake"]
    assert [sum(index < 20 for index in chosen), sum(index >= 20 for index in chosen)] == [3, 3]
    assert [each.source for each in made.study.qualification_fake] == ["a", "b"]


def test_the_sources_of_the_qualification_may_hold_the_samples_too(tmp_path: Path) -> None:
    """The model itself among the others: none of its pictures is in the qualification and in the trials."""
    pixels = np.random.default_rng(1).integers(0, 256, (16, 3, 8, 8), dtype=np.uint8)
    model, same = array_source(pixels, "model"), array_source(pixels, "same")
    settings = ("trials=12", "tutorial=1", "qualification=5")
    make_study(tmp_path / "s", *settings, fake=("model", model), qualification_fake=[("same", same)])
    rows = Truth(tmp_path / "s").rows("SELECT sha256 FROM images WHERE kind = 'fake' AND role != 'check'")
    assert len(rows) == len({row["sha256"] for row in rows}) == 6 + 10
    with pytest.raises(UsageError, match=r"^few has too few different pictures \(3\)"):
        make_study(tmp_path / "t", *settings, qualification_fake=[("few", noise(3, 9))])


def test_sources_are_named_as_eval_names_them(tmp_path: Path) -> None:
    assert open_source("digits:test").name == "digits:test"
    assert len(open_source("Digits")) == 899
    np.savez(tmp_path / "x.npz", np.zeros((3, 8, 8, 3), dtype=np.uint8))
    assert len(open_source(str(tmp_path / "x.npz"))) == 3
    with pytest.raises(BadInput, match="There is no file or folder"):
        open_source("nowhere")


# What raters are shown


def test_every_rater_sees_as_many_reals_as_fakes_in_each_block_and_no_picture_twice(tmp_path: Path) -> None:
    made = make_study(tmp_path / "s", "trials=24", "blocks=3", *SMALL[1:], "images=30", protocol="time")
    names = names_of(tmp_path / "s")
    kinds = {name: (kind, role) for (role, kind), found in names.items() for name in found}
    seen: Counter[str] = Counter()
    for rater in range(10):
        found = plan(made.study, rater, names)
        assert found == plan(made.study, rater, names)
        assert [each.phase for each in found[:6]] == ["tutorial"] * 2 + ["qualification"] * 4
        for block in range(3):
            here = [kinds[e.image] for e in found if e.phase == "trial" and e.block == block]
            assert Counter(here)["real", "trial"] == Counter(here)["fake", "trial"] == 4
        judged = [each.image for each in found if kinds[each.image][1] == "trial"]
        assert len(judged) == len(set(judged)) == 24
        seen.update(judged)
    assert set(seen.values()) == {4}  # 10 raters, 12 of 30 pictures of each kind


def test_orders_differ_from_rater_to_rater(tmp_path: Path) -> None:
    made = make_study(tmp_path / "s", *SMALL, "images=6")
    orders = [tuple(e.image for e in plan(made.study, r, names_of(tmp_path / "s"))) for r in range(5)]
    assert len(set(orders)) == 5
    assert len({frozenset(order) for order in orders}) == 1


def test_a_mask_has_the_colours_of_a_picture_and_not_its_shapes() -> None:
    y, x = np.mgrid[0:64, 0:64]
    disc = np.where((x - 32) ** 2 + (y - 32) ** 2 < 300, 230, 20).astype(np.uint8)
    picture = np.stack([disc, disc // 2, 255 - disc])
    mask = mask_of(picture, np.random.default_rng(0))
    for channel in range(3):
        assert np.array_equal(np.sort(mask[channel], axis=None), np.sort(picture[channel], axis=None))
    masks = [mask_of(picture, np.random.default_rng(seed))[0] for seed in range(40)]
    alike = [float(np.corrcoef(each.ravel(), picture[0].ravel())[0, 1]) for each in masks]
    assert abs(np.mean(alike)) < 0.1
    assert max(np.abs(alike)) < 0.8
    smooth = [float(np.abs(np.diff(each.astype(float), axis=1)).mean()) for each in (picture[0], mask[0])]
    white = float(np.abs(np.diff(np.random.default_rng(1).permutation(disc.ravel()).reshape(64, 64), axis=1)).mean())
    assert smooth[1] < 0.5 * white  # its spectrum is the picture's, not that of white noise


def test_checks_say_what_to_answer() -> None:
    assert check_of("real").shape == check_of("fake").shape == (3, 320, 320)
    assert not np.array_equal(check_of("real"), check_of("fake"))


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    make_study(tmp_path / "s", *SMALL)
    for extra in ("-wal", "-shm"):
        (tmp_path / "s" / f"study.sqlite{extra}").unlink(missing_ok=True)
    (tmp_path / "s" / "study.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(BadInput, match="cannot be read as the database of a study"):
        Sessions(tmp_path / "s")


def test_the_database_itself_refuses_a_second_answer(tmp_path: Path) -> None:
    made = make_study(tmp_path / "s", *SMALL, raters=1)
    sessions = Sessions(tmp_path / "s")
    sessions.consent(sessions.rater(made.raters[0]))
    with sessions.database.writing() as db:
        (trial,) = db.execute("SELECT id FROM trials LIMIT 1").fetchone()
        row = [trial, "real", 1, None, None, None, 0, 1.0, 1, 0.0]
        db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ["0" * 32, *row[1:]])
