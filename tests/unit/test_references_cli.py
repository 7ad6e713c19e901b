"""`ganbench ref`: what it prints, what it refuses, and with which status."""

import json
from pathlib import Path

import numpy as np
import pytest

from ganbench.cli.main import main
from ganbench.evaluation.options import Options
from ganbench.features.moments import Moments
from ganbench.features.reference_files import load, save
from ganbench.features.reference_making import Origin, build_reference
from ganbench.features.references import Reference
from ganbench.features.stats import Features
from ganbench.images.source import ImageSource
from ganbench.protocol import get_protocol

WIDTH = 2048  # of Inception


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GANBENCH_MIRROR", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = np.random.default_rng(0).gamma(2.0, 1.0, (20, WIDTH))
    path = tmp_path_factory.mktemp("theirs") / "theirs.npz"
    np.savez(path, mu=rows.mean(axis=0), sigma=np.cov(rows, rowvar=False))
    return path


@pytest.fixture
def statistics(tmp_path: Path, theirs: Path) -> Path:
    """A `mu`, `sigma` file as TTUR writes it, in the working folder."""
    (tmp_path / theirs.name).symlink_to(theirs)
    return tmp_path / theirs.name


def stored(home: Path, name: str = "mine", protocol: str = "tf") -> Path:
    x = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    origin = Origin(name=name, split="train", source="images", source_fingerprint="0" * 64)
    heads = {"pool": Features(x, moments=Moments.of(x))}
    return save(build_reference(origin, heads, protocol=get_protocol(protocol)), home / "references")


def corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_list_names_all_that_can_be_asked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(home)
    assert main(["ref", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["reference", "protocol", "images", "features", "from"]
    assert any(line.split() == ["mine:train", "tf", "30", "30", "store"] for line in lines)
    assert any(
        line.split() == ["cifar10:train", "tf,", "clean,", "pytorch", "50,000", "0", "published"] for line in lines
    )
    assert any(line.startswith("digits:train") for line in lines)


def test_list_as_json_is_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(home)
    assert main(["ref", "list", "--json", "-"]) == 0
    found = {(a["name"], a["split"], a["where"]): a for a in json.loads(capsys.readouterr().out)}
    assert found["mine", "train", "store"] == {
        "name": "mine",
        "split": "train",
        "protocols": ["tf"],
        "n": 30,
        "features": 30,
        "where": "store",
        "place": str(path),
    }


def test_show_tells_where_it_comes_from(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(home)
    stored(home, protocol="embedded")
    assert main(["ref", "show", "mine"]) == 0
    shown, said = capsys.readouterr()
    record = json.loads(path.with_suffix(".json").read_text())
    for text in ("mine:train", "tf (", "pool: 30 of width 6", record["sha256"], record["fingerprint"], str(path)):
        assert text in shown
    assert "Also for protocol embedded" in said
    assert main(["ref", "show", "mine", "--protocol", "embedded", "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["stored"], shown["info"]["protocol"]["name"], shown["n"]) == (True, "embedded", 30)


def test_show_of_what_is_not_stored_tells_the_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ref", "show", "horse2zebra:test"]) == 0
    assert "for tf, clean, pytorch: can be taken from clean-fid (downloaded)" in capsys.readouterr().out
    assert main(["ref", "show", "horse2zebra:test", "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["stored"], shown["ways"][0]["n"]) == (False, 140)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "cifar11"], "Did you mean 'cifar10'?"),
        (["verify", "cifar10"], "No statistics of 'cifar10' are stored here"),
        (["export", "cifar11", "x.npz"], "Unknown reference 'cifar11'"),
        (["import", "absent.npz", "--as", "x", "--protocol", "tf"], "There is no file absent.npz"),
        (["import", "notes.txt", "--as", "x", "--protocol", "tf"], "notes.txt holds no statistics"),
        (["import", "theirs.npz", "--as", "x"], "does not say which network and resize made them"),
        (["import", "theirs.npz", "--as", "x", "--protocol", "tff"], "Did you mean 'tf'?"),
        (["import", "theirs.npz", "--as", "x", "--protocol", "embedded"], "2048 features; protocol embedded has 1280"),
        (["import", "theirs.npz", "--as", "a/b", "--protocol", "tf"], "is no name of a reference"),
    ],
)
def test_mistakes_get_one_message_and_status_2(
    statistics: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "notes.txt").write_text("mu")
    assert main(["ref", *arguments]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert err.count("Error:") == 1


def test_import_then_export_gives_the_same_numbers(
    home: Path, statistics: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ref", "import", str(statistics), "--as", "Theirs:test", "--protocol", "pytorch", "--n", "20"]) == 0
    out, err = capsys.readouterr()
    assert "theirs:test" in out
    assert "ganbench eval SAMPLES --ref theirs:test --protocol pytorch" in err
    assert load(home / "references" / "theirs-test-pytorch.npz").n == 20
    exported = ["ref", "export", "theirs:test", "out.npz", "--protocol", "pytorch", "--json", "-"]
    assert main(exported) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "out.npz"
    with np.load(statistics) as before, np.load(tmp_path / "out.npz") as after:
        np.testing.assert_array_equal(before["mu"], after["mu"])
        np.testing.assert_allclose(before["sigma"], after["sigma"], rtol=1e-15, atol=1e-15)


def test_import_again_replaces_and_says_so(statistics: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ref", "import", str(statistics), "--as", "x", "--protocol", "tf", "--json", "-"]
    assert main(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "replaces the statistics that were stored as x-train-tf.npz" in err
    assert json.loads(out) == first
    assert first["info"]["made"] == "imported"


def test_a_file_of_ours_keeps_its_protocol(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path)
    assert main(["ref", "import", str(path), "--as", "copy", "--protocol", "clean"]) == 2
    assert "statistics of another protocol" in capsys.readouterr().err
    assert main(["ref", "import", str(path), "--as", "copy"]) == 0
    assert load(home / "references" / "copy-train-tf.npz").fingerprint == load(path).fingerprint


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str | None, Options]]:
    """Stands in for the network: notes what it is asked for, and gives statistics of noise."""
    calls: list[tuple[str, str, str | None, Options]] = []

    def make(source: ImageSource, name: str, split: str | None, *, options: Options, **told: object) -> Reference:
        calls.append((source.name, name, split, options))
        origin = Origin(name=name, split=split, source=source.name, source_fingerprint=source.fingerprint)
        x = np.random.default_rng(0).normal(size=(len(source), 6)).astype(np.float32)
        return build_reference(origin, {"pool": Features(x)}, protocol=get_protocol(options.protocol.name))

    monkeypatch.setattr("ganbench.evaluation.run.make_reference", make)
    return calls


def test_make_from_images(
    home: Path, tmp_path: Path, asked: list[tuple[str, str, str | None, Options]], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "images.npz", arr_0=np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8))
    assert main(["ref", "make", "Toys", "--from", "images.npz", "--split", "test", "--seed", "7", "--quiet"]) == 0
    (source, name, split, options) = asked[0]
    assert (source, name, split) == ("images.npz", "toys", "test")
    assert (options.protocol.name, options.seed, options.value_range) == ("tf", 7, None)
    out, err = capsys.readouterr()
    assert str(home / "references" / "toys-test-tf.npz") in out
    assert err == "Use it: ganbench eval SAMPLES --ref toys:test\n"
    assert main(["ref", "make", "toys", "--from", "images.npz", "--protocol", "embedded", "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["n"], record["info"]["made"], record["info"]["protocol"]["name"]) == (5, "by hand", "embedded")


def test_make_from_a_dataset(asked: list[tuple[str, str, str | None, Options]]) -> None:
    assert main(["ref", "make", "copy", "--from", "digits:test"]) == 0
    assert asked[0][:3] == ("digits:test", "copy", "train")


def test_make_refuses_what_would_never_be_used(
    asked: list[tuple[str, str, str | None, Options]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ref", "make", "digits", "--from", "digits:test"]) == 2
    assert "shipped ones come first" in capsys.readouterr().err


def test_make_wants_images(statistics: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ref", "make", "x", "--from", "theirs.npz"]) == 2
    assert "holds statistics, not images. Take it in with: ganbench ref import theirs.npz" in capsys.readouterr().err
    assert main(["ref", "make", "x", "--from", "nowhere/"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main(["ref", "make", "x", "--from", "digitz"]) == 2
    assert "Did you mean 'digits'?" in capsys.readouterr().err


def test_verify(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = stored(home), stored(home, "other")
    assert main(["ref", "verify", "mine"]) == 0
    assert capsys.readouterr().out == f"ok       mine:train for tf: {good}\n"
    corrupt(bad)
    assert main(["ref", "verify", "--json", "-"]) == 1
    out, err = capsys.readouterr()
    verdicts = {v["name"]: v["ok"] for v in json.loads(out) if v["file"].startswith(str(home))}
    assert verdicts == {"mine": True, "other": False}
    assert "1 of the files cannot be used" in err
    assert "is corrupted: its sha256 is" in err
    bad.with_suffix(".json").write_text("{")
    assert main(["ref", "verify", "mine"]) == 1
    assert "is no side-car of statistics" in capsys.readouterr().err


def test_export_of_what_cannot_be_had_is_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ref", "export", "cifar10", "x.npz", "--offline", "--protocol", "clean"]) == 1
    assert "ganbench ref import FILE.npz --as cifar10 --protocol clean" in capsys.readouterr().err
