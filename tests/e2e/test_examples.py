"""The examples run, and judge their models by the numbers that ganbench gives for the same images."""

import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
PAGE = REPOSITORY / "docs" / "integrations.md"
NEEDS = {"plain_loop": "torch", "ignite_training": "ignite", "lightning_training": "lightning"}
LINE = re.compile(r"^epoch (\d+): FD (-?\d+\.\d+), KD (-?\d+\.\d+)$", re.MULTILINE)


def test_each_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs(name: str, home: Path, tmp_path: Path) -> None:
    if find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed: pip install 'ganbench[dev]'")
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "--epochs", "2", "--images", "96"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    found = [(int(epoch), float(fd), float(kd)) for epoch, fd, kd in LINE.findall(done.stdout)]
    assert [epoch for epoch, _, _ in found] == [1, 2], done.stdout
    # 96 real digits have an FD of about 8 and a KD of about 0; uniform noise, about 270 and 0.7.
    assert all(12 < fd < 260 and 0.03 < kd < 0.7 for _, fd, kd in found)
    assert found[0][1:] != found[1][1:]
    assert not list(tmp_path.glob("lightning_logs"))


@pytest.mark.parametrize("name", NEEDS)
def test_the_page_shows_what_the_example_has(name: str) -> None:
    """Each block of code that the page gives after naming an example stands in that example, word for word.

    Methods stand on the page without the indentation of their class, and so with two lines between them.
    """
    blocks = re.findall(rf"`examples/{name}\.py`[^`]*?```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks, f"{PAGE.name} shows nothing of {name}.py"
    for block in blocks:
        as_methods = textwrap.indent(block, "    ").replace("\n\n\n", "\n\n")
        text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        assert block in text or as_methods in text
