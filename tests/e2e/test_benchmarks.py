"""The benchmarks run, refuse unequal values, and say ratios the right way round. No time is judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))  # they are no part of the package
from benchmarks.measure import Contender, Line, Run, measure  # noqa: E402
from benchmarks.report import ratio, write  # noqa: E402


def told(seconds: float, value: float) -> list[str]:
    """A process that claims to have taken so long, with a value."""
    text = json.dumps({"seconds": seconds, "values": {"fid": value}, "peak": int(seconds * 1e6)})
    return [sys.executable, "-c", f"print({text!r})"]


def line(*values: float, most: bool = False, memory: bool = False) -> Line:
    contenders = [Contender(f"c{i}", told(1.0 + i, value)) for i, value in enumerate(values)]
    return Line("A line", contenders, wanted=2.0, most=most, memory=memory, rtol=1e-6)


def test_ratios_are_of_the_best_of_the_others() -> None:
    runs = {"c0": Run(2.0, 100), "c1": Run(8.0, 900), "c2": Run(6.0, 300)}
    assert ratio(line(1, 1, 1), runs) == 3
    assert ratio(line(1, 1, 1, most=True), runs) == pytest.approx(1 / 3)
    assert ratio(line(1, 1, 1, memory=True), runs) == 3


def test_each_round_stands_in_the_page(tmp_path: Path) -> None:
    given = line(5.0, 5.0)
    write([(given, measure(given, 2, lambda _: None))], {"cpu": "a chip"}, folder=tmp_path)
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| c0 | 1 s | 1 s |" in page
    assert "| **ratio** (the best of the others over ours, aimed at: at least 2) | **2.00** | **2.00** |" in page
    assert json.loads((tmp_path / "results.json").read_text())["lines"][0]["ratios"] == [2.0, 2.0]


def test_unequal_values_are_no_race() -> None:
    with pytest.raises(ValueError, match=r"fid is 5\.0 by c0 and 5\.1 by c1; they must be equal"):
        measure(line(5.0, 5.1), 1, lambda _: None)


def test_a_contender_that_fails_says_why() -> None:
    broken = Line("A line", [Contender("broken", [sys.executable, "-c", "raise SystemExit('no such package')"])])
    with pytest.raises(RuntimeError, match="broken ended with status 1:\nno such package"):
        measure(broken, 1, lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize("only", ["starting", "algebra", "training"])
def test_lines_run_on_small_inputs(tmp_path: Path, only: str) -> None:
    if only == "algebra":
        pytest.importorskip("prdc", reason="prdc is not installed")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rounds", "1", "--only", only, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "## " in (tmp_path / "RESULTS.md").read_text()
