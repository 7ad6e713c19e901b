"""`ganbench data`, as a user meets it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ganbench.cli.data import data
from ganbench.errors import Unavailable, UsageError
from ganbench.images.datasets._base import open_dataset
from ganbench.images.source import open_images


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    for module in ("_base", "_idx"):  # whatever datasets this machine has
        monkeypatch.setattr(f"ganbench.images.datasets.{module}.data_folders", lambda: [tmp_path / "home"])


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


def test_list_shows_names_splits_places_and_licences() -> None:
    result = run("list")
    assert result.exit_code == 0
    assert "digits           scikit-learn's digits: 1,797" in result.stdout
    assert "test: not on this machine" in result.stdout
    assert "licence: MIT; https://github.com/zalandoresearch/fashion-mnist" in result.stdout
    assert result.stderr == ""


def test_list_as_json_is_json_alone() -> None:
    result = run("list", "--json", "-")
    rows = json.loads(result.stdout)
    names = [row["name"] for row in rows]
    assert names == sorted(names)
    assert {"cifar10", "cifar100", "digits", "fashion-mnist", "mnist", "emoji", "edges2fashion"} <= set(names)
    assert set(rows[0]) == {"name", "summary", "splits", "licence", "homepage"}
    assert rows[0]["splits"] == {"train": None, "test": None}


def test_get_what_is_at_hand() -> None:
    result = run("get", "digits")
    assert result.exit_code == 0
    assert result.stdout.startswith("digits:train  899 images in ")
    assert json.loads(run("get", "digits", "--json", "-").stdout)[1]["images"] == 898


def test_get_what_cannot_be_had() -> None:
    result = run("get", "cifar10", "--offline")
    assert isinstance(result.exception, Unavailable)
    assert "--offline forbids to fetch it" in str(result.exception)
    assert isinstance(run("get", "cifar").exception, UsageError)


@pytest.mark.parametrize("out", ["folder", "x.zip", "x.npz"])
def test_export(out: str, tmp_path: Path) -> None:
    result = run("export", "digits", "--split", "test", "--out", tmp_path / out, "--quiet")
    assert result.exit_code == 0
    assert result.stdout == f"898 images of digits:test written to {tmp_path / out}\n"
    assert open_images(tmp_path / out).fingerprint == open_dataset("digits", "test").fingerprint


def test_export_of_the_first_few_as_json(tmp_path: Path) -> None:
    result = run("export", "digits", "--out", tmp_path / "x.npz", "--num", "10", "--json", "-")
    assert json.loads(result.stdout) == {"source": "digits:train", "out": str(tmp_path / "x.npz"), "images": 10}
    run("export", "digits", "--out", tmp_path / "y.npz", "--num", "10", "--json", tmp_path / "result.json")
    assert json.loads((tmp_path / "result.json").read_text())["images"] == 10


def test_export_needs_a_place() -> None:
    result = run("export", "digits")
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits", "--split", "validation"], "Unknown split of digits 'validation'"),
        (["digit"], "Unknown dataset 'digit'. Did you mean 'digits'?"),
        (["digits", "--num", "0"], "0 images were asked for; digits:train has 899."),
    ],
)
def test_mistakes_are_told(arguments: list[str], words: str, tmp_path: Path) -> None:
    result = run("export", *arguments, "--out", tmp_path / "x")
    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)
    assert not (tmp_path / "x").exists()
