"""What an earlier evaluation left: features and scores are found by content, and are what they would be anew."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganbench.errors import CorruptFile
from ganbench.features.store import FeatureStore
from ganbench.features.store_entry import CorruptEntry, Stored

Run = Callable[..., Any]
N = 24
ASKED = ("--ref", "digits", "--backend", "torch", "--quiet", "--json", "-")


@pytest.fixture(scope="module", autouse=True)
def samples(lasting: Path, pictures: Run, folder_of: Run) -> Path:
    folder_of(lasting / "fake", pictures(N, seed=1))
    return lasting / "fake"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on nothing may load a network."""

    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("ganbench.features.loading.load_extractor", loaded)


@pytest.fixture(scope="module")
def first(samples: Path) -> dict[str, Any]:
    import ganbench

    report = ganbench.evaluate(fake="fake", real="digits", metrics=["fid", "kid"], backend="torch")
    return dict(json.loads(report.result.to_json()))


@pytest.fixture(autouse=True)
def house(first: dict[str, Any], lasting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the first evaluation left, for each test its own: no test sees what another stored or damaged."""
    shutil.copytree(lasting / "home", tmp_path / "home")
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ask(run: Run, *more: object, metrics: str = "fid,kid", code: int = 0) -> dict[str, Any]:
    done = run("eval", "fake", *ASKED, "--metrics", metrics, *more)
    assert done.code == code, done.err
    return dict(json.loads(done.out))


def test_the_same_again_needs_no_network_and_says_the_same(run: Run, first: dict[str, Any], no_network: None) -> None:
    again = ask(run)
    same = ("protocol", "samples", "reference", "metrics", "warnings", "environment")
    assert {key: again[key] for key in same} == {key: first[key] for key in same}
    assert "network" in first["timings"]
    assert not {"network", "reference"} & set(again["timings"])


def test_other_metrics_need_no_network(run: Run, first: dict[str, Any], no_network: None) -> None:
    other = ask(run, metrics="kid,inception_score,precision_recall,density_coverage,sfid")
    assert other["metrics"]["kernel_distance"] == first["metrics"]["kernel_distance"]
    fresh = [key for key in other["metrics"] if key != "kernel_distance"]
    assert len(fresh) >= 6
    for key in fresh:
        assert other["metrics"][key]["value"] is not None, other["metrics"][key]


def test_what_is_stored_is_what_is_computed_anew(run: Run) -> None:
    """Equal to the last bit: the features are the same, and so is the arithmetic."""
    metrics = "fid,inception_score,precision_recall"
    stored = ask(run, metrics=metrics)
    assert ask(run, "--no-cache", metrics=metrics)["metrics"] == stored["metrics"]


def test_the_same_images_elsewhere_are_the_same_images(run: Run, lasting: Path, no_network: None) -> None:
    shutil.copytree(lasting / "fake", lasting / "moved")
    done = run("eval", "moved", *ASKED, "--metrics", "fid,kid")
    assert done.code == 0, done.err
    assert json.loads(done.out)["samples"]["source"] == "moved"


@pytest.mark.parametrize(
    "more",
    [("--num", "20"), ("--backend", "compile"), ("--on-bad-image", "skip"), ("--protocol", "tf"), ("--no-cache",)],
)
def test_what_could_change_a_number_is_done_anew(run: Run, more: tuple[str, ...], no_network: None) -> None:
    with pytest.raises(AssertionError, match="a network was loaded"):
        ask(run, *more)


def test_one_changed_pixel_is_another_set(run: Run, lasting: Path, no_network: None) -> None:
    from PIL import Image

    shutil.copytree(lasting / "fake", lasting / "changed")
    path = lasting / "changed" / "003.png"
    pixels = np.array(Image.open(path))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    done = run("eval", "changed", *ASKED, "--metrics", "fid")
    assert "a network was loaded" in done.err


def test_another_seed_is_another_score_of_the_same_features(run: Run, first: dict[str, Any], no_network: None) -> None:
    other = ask(run, "--seed", "7")
    assert other["metrics"]["frechet_distance"]["value"] == first["metrics"]["frechet_distance"]["value"]
    assert other["metrics"]["frechet_distance"]["ci95"] != first["metrics"]["frechet_distance"]["ci95"]


def test_samples_as_reference_are_stored_too(run: Run, first: dict[str, Any], lasting: Path, no_network: None) -> None:
    done = run("eval", "fake", "--ref", "./fake", "--protocol", "embedded", *ASKED[2:], "--metrics", "fid")
    assert done.code == 0, done.err
    assert json.loads(done.out)["metrics"]["frechet_distance"]["value"] == pytest.approx(0, abs=1e-3)


def test_no_torch_is_imported_for_what_is_stored(command: list[str], first: dict[str, Any], lasting: Path) -> None:
    import subprocess

    program = (
        "import sys; from ganbench.cli.main import main; "
        f"code = main(['eval', 'fake', *{ASKED!r}, '--metrics', 'fid,kid']); "
        "print('torch' in sys.modules, code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False 0"


@pytest.mark.parametrize("what", ["logits.f32", "entry.json", "used.i64"])
def test_damaged_features_are_made_again_and_that_is_said(run: Run, house: Path, what: str) -> None:
    ask(run, metrics="fid")
    features = (house / "features").glob("*/pool.f32")
    entry = max(features, key=lambda path: path.parent.stat().st_mtime).parent
    path = entry / what
    path.write_bytes(b"\x01" + path.read_bytes()[1:])
    for score in entry.glob("score-*.json"):
        score.unlink()
    done = run("eval", "fake", *(each for each in ASKED if each != "--quiet"), "--metrics", "inception_score,fid")
    assert done.code == 0, done.err
    assert "made again" in done.err
    assert json.loads(done.out)["metrics"]["inception_score"]["value"] is not None
    assert run("eval", "fake", *ASKED, "--metrics", "inception_score,fid").code == 0


@pytest.mark.parametrize("whose", ["reference", "samples"])
def test_only_what_is_damaged_goes(run: Run, house: Path, whose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corrupted file of the reference says nothing against the samples' features."""
    ask(run, metrics="fid")
    kept = {path.parent for path in (house / "features").glob("*/pool.f32")}
    dropped: list[Path] = []
    monkeypatch.setattr(FeatureStore, "drop", lambda self, folder, why: dropped.append(folder))
    if whose == "reference":

        def corrupt(*_: object, **__: object) -> None:
            raise CorruptFile("digits.npz is corrupted.")

        monkeypatch.setattr("ganbench.evaluation.real.resolve", corrupt)
        done = run("eval", "fake", *ASKED, "--metrics", "prd")
        assert done.code == 1
        assert done.message == "digits.npz is corrupted."
        assert not dropped
    else:
        first = Stored.rows
        seen: list[str] = []

        def rows(self: Stored, head: str) -> Any:
            seen.append(head)
            if len(seen) == 1:
                raise CorruptEntry(f"{head}.f32 is corrupted.", folder=self.folder)
            return first(self, head)

        monkeypatch.setattr(Stored, "rows", rows)
        ask(run, metrics="prd")
        assert len(dropped) == 1
    assert all(folder.is_dir() for folder in kept)


def test_a_place_that_cannot_be_written_is_told_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(run)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("ganbench.files.tempfile.mkstemp", refuse)
    asked = tuple(each for each in ASKED if each != "--quiet")
    done = run("eval", "fake", *asked, "--seed", "9", "--metrics", "kid,prd,precision_recall")
    assert done.code == 0, done.err
    assert done.err.count("not kept for the next run") == 1


def test_no_room_is_no_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "2K")
    done = run("eval", "fake", *(each for each in ASKED if each != "--quiet"), "--num", "9", "--metrics", "fid")
    assert done.code == 0, done.err
    assert "beyond the store's limit" in done.err


def test_the_doctor_knows_the_store(run: Run) -> None:
    assert "GANBENCH_STORE_LIMIT" in run("doctor").out


# ---------------------------------------------------------------- classes


def test_classes_come_from_a_file(run: Run, lasting: Path) -> None:
    classes = np.arange(N) % 10
    np.save("labels.npy", classes)
    Path("labels.csv").write_text("name,label\n" + "".join(f"{i:03}.png,{c}\n" for i, c in enumerate(classes)))
    Path("labels.txt").write_text("\n".join(map(str, classes)))
    np.savez("labels.npz", arr_1=classes)
    found = [
        ask(run, "--labels", f"labels.{kind}", metrics="intra_fid")["metrics"]["intra_fid"]
        for kind in ("npy", "csv", "txt", "npz")
    ]
    assert found[0]["series"]["class"] == list(range(10))
    assert all(each == found[0] for each in found)
    Path("mixed.txt").write_text("\n".join(map(str, classes[::-1])))
    assert ask(run, "--labels", "mixed.txt", metrics="intra_fid")["metrics"]["intra_fid"] != found[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("few.txt", "1\n2\n", "few.txt has 2 labels; fake has 24 images"),
        ("words.txt", "cat\n" * N, "words.txt holds 'cat'; wanted whole numbers"),
        ("minus.txt", "-1\n" * N, "holds the label -1; classes are numbered from 0"),
        ("names.csv", "name,label\nx.png,1\n", "names.csv does not name '000.png' (24 such images of fake)"),
        ("labels.json", "[]", "labels come as .csv, .txt, .npy or .npz"),
        ("absent.txt", None, "absent.txt cannot be read"),
    ],
)
def test_classes_that_do_not_fit_are_refused(run: Run, name: str, text: str | None, message: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    done = run("eval", "fake", *ASKED, "--metrics", "intra_fid", "--labels", name)
    assert done.code == 2
    assert message in done.message


def test_what_all_leaves_out_says_how_to_get_it(run: Run) -> None:
    found = ask(run, metrics="all")["metrics"]
    assert "--metrics cas" in found["cas"]["reason"]
    assert "ganbench.perceptual_path_length" in found["ppl"]["reason"]
    for key, metric in found.items():
        assert metric["value"] is not None or metric["reason"], key


def test_held_out_images_can_be_named(run: Run) -> None:
    by_itself = ask(run, metrics="c_t")["metrics"]["c_t"]
    named = ask(run, "--ref-test", "digits:test", metrics="c_t")["metrics"]["c_t"]
    assert named == by_itself
    assert ask(run, "--ref-test", "./fake", metrics="c_t")["metrics"]["c_t"] != by_itself
