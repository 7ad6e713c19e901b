"""The built wheel works without the repository: installed into an empty environment, run from elsewhere."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel, and sees our dependencies but not our checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("ganbench-*.whl")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    # A path line gives access to the dependencies without running the checkout's own .pth file.
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.parent


def run(installed: Path, cwd: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"GANBENCH_HOME": str(cwd / "home")}
    done = subprocess.run(
        [installed / arguments[0], *arguments[1:]], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "python", "-c", "import ganbench; print(ganbench.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent)


def test_the_statistics_travel_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    run(installed, tmp_path, "ganbench", "ref", "verify", "digits")
    run(installed, tmp_path, "ganbench", "data", "export", "digits", "--split", "test", "--out", "d", "--num", "40")
    text = run(installed, tmp_path, "ganbench", "eval", "d", "--ref", "digits", "--offline", "--json", "-")
    result = json.loads(text)
    assert result["protocol"]["name"] == "embedded"
    assert result["metrics"]["frechet_distance"]["label"] == "FD"


def test_the_boards_travel_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    tracks = json.loads(run(installed, tmp_path, "ganbench", "list", "tracks", "--json", "-"))
    assert {"ring8-pacgan", "grid25", "fashion-mnist-pico"} <= {track["name"] for track in tracks}
    assert "grid25: as its records give it" in run(installed, tmp_path, "ganbench", "board", "check")
