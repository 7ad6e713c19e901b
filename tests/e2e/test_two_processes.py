"""Two processes that fill the same cache at once: both end well, with the same numbers, and what is kept is whole."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ASK = ("eval", "samples", "--ref", "mnist", "--protocol", "embedded", "--metrics", "fid,precision_recall", "--backend",
       "torch", "--json", "-")  # fmt: skip


@pytest.fixture(autouse=True)
def _in(home: Path, tmp_path: Path, mnist: Run, pictures: Run, folder_of: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of samples, and a dataset out of which the reference must be made."""
    folder_of(tmp_path / "samples", pictures(12, seed=5))
    monkeypatch.setenv("GANBENCH_DATA", str(mnist(tmp_path / "data", 30)))


def at_once(command: list[str], count: int = 2) -> list[tuple[Any, str]]:
    """The results of several processes that were started together, and what each said."""
    running = [
        subprocess.Popen([*command, *ASK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(count)
    ]
    found = []
    for process in running:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert "Traceback" not in err
        found.append((json.loads(out), err))
    return found


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.slow
def test_an_empty_cache(command: list[str], run: Run, home: Path, alike: Run) -> None:
    (one, said), (two, also_said) = at_once(command)
    assert (said, also_said) == ("", "")
    alike(two["metrics"], one["metrics"])
    assert one["reference"] == two["reference"]
    assert (one["reference"]["name"], one["reference"]["n"]) == ("mnist", 30)
    assert [path for path in files(home) if path.suffix == ".part" or path.name.startswith(".")] == []
    assert run("ref", "verify", "mnist").code == 0
    third = run(*ASK)
    assert (third.code, third.err) == (0, "")
    alike(json.loads(third.out)["metrics"], one["metrics"])


@pytest.mark.slow
def test_a_corrupted_cache(command: list[str], run: Run, home: Path, alike: Run) -> None:
    first = json.loads(run(*ASK).out)
    for path in files(home):
        if path.name.startswith("score-"):  # stored scores would answer without a look at anything else
            path.unlink()
        elif path.suffix in (".npz", ".npy", ".f32"):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
    told = ""
    for result, said in at_once(command):
        alike(result["metrics"], first["metrics"])
        told += said
    assert "mnist" in told
    assert "corrupted" in told
    assert run("ref", "verify", "mnist").code == 0
    assert run(*ASK).err == ""


@pytest.mark.slow
def test_two_that_make_the_same_reference(command: list[str], run: Run, home: Path) -> None:
    make = ("ref", "make", "mine", "--from", "samples", "--protocol", "embedded", "--backend", "torch", "--quiet")
    running = [
        subprocess.Popen(
            [*command, *make], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ
        )
        for _ in range(2)
    ]
    for process in running:
        _, err = process.communicate()
        assert process.returncode == 0, err
    verified = run("ref", "verify", "mine", "--json", "-")
    assert verified.code == 0
    assert [row["ok"] for row in json.loads(verified.out)] == [True]
