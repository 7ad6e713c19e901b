"""`ganbench human` on the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from human_raters import Client, Rater, Truth, start, take_part

from ganbench.human.study import read_study
from ganbench.hype import read_human_score

Run = Callable[..., Any]
SHORT = ("--set", "trials=8", "--set", "tutorial=1", "--set", "qualification=2", "--set", "checks=2")


@pytest.fixture
def samples(home: Path, run: Run) -> Path:
    assert run("data", "export", "digits", "--split", "test", "--num", 60, "--out", "samples").code == 0
    return Path("samples")


def test_new_serve_score(run: Run, samples: Path) -> None:
    asked = ("new", "study", "--fake", "samples", "--real", "digits", "--raters", "2", "--json", "links.json", *SHORT)
    made = run("human", *asked)
    assert made.code == 0, made.err
    first = "study: HYPE infinity, 20 real and 20 fake images, 8 trials for each rater, places for 2"
    assert made.out.splitlines()[0] == first
    links = json.loads(Path("links.json").read_text())
    assert [link in made.out for link in (links["results"], *links["raters"])] == [True] * 3
    study = read_study(Path("study"))
    assert (study.fake.source, study.fake.n, study.real.source, study.real.n) == ("samples", 60, "digits", 899)
    assert study.command == f"ganbench human {' '.join(asked)}"
    running = start(Path("study"))
    try:
        for i, link in enumerate(links["raters"]):
            client = Client(running.port, link.rpartition("/")[2])
            take_part(client, Rater(0.5, np.random.default_rng(i)), Truth(Path("study")))
        done = run("human", "score", "study", "--json", "s.json", "--html", "s.html", "--csv", "s.csv")
    finally:
        running.kill()
    assert done.code == 0, done.err
    found = read_human_score(Path("s.json"))
    assert found.raters.counted == 2
    assert f"HYPE∞           {100 * float(found.main.value or 0):.1f} %" in done.out
    assert "raters  2 counted, 0 set apart, 0 not qualified, 0 not finished, 0 places free" in done.out
    assert "<h1>samples" in Path("s.html").read_text()
    assert len(Path("s.csv").read_text().splitlines()) == 1 + 2 * (2 + 4 + 10)
    assert json.loads(run("human", "score", "study", "--json", "-").out)["schema"] == "ganbench.human-score/1"


def test_a_shared_link_and_a_consent_of_ones_own(run: Run, samples: Path) -> None:
    Path("consent.txt").write_text("We ask you\nkindly.\n\n\nWrite to us.\n")
    made = run(
        "human", "new", "study", "--fake", samples, "--real", "digits:test", "--shared", "--raters", 5,
        "--protocol", "time", "--consent", "consent.txt", "--url", "https://eyes.example/", "--json", "-",
        *SHORT, "--set", "blocks=2",
    )  # fmt: skip
    assert made.code == 0, made.err
    links = json.loads(made.out)
    assert links["raters"] == []
    assert links["shared"].startswith("https://eyes.example/join/")
    assert read_study(Path("study")).consent == ["We ask you kindly.", "Write to us."]


def test_the_order_of_answers_cannot_be_worked_out(run: Run, samples: Path) -> None:
    """The seed decides where reals and fakes stand: it is a secret of the study unless it is given."""
    for name, given in (("a", ()), ("b", ()), ("c", ("--seed", 5)), ("d", ("--seed", 5))):
        assert run("human", "new", name, "--fake", samples, "--real", "digits", "--quiet", *SHORT, *given).code == 0
    studies = [read_study(Path(name)) for name in "abcd"]
    assert len({study.seed for study in studies}) == 3
    assert max(study.seed for study in studies[:2]) > 2**32  # too many to try; that both are less is one chance in 2^42
    assert studies[2].fingerprint == studies[3].fingerprint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fake", "nowhere", "--real", "digits"), "There is no file or folder nowhere"),
        (("--fake", "samples", "--real", "digits"), "samples has too few different pictures (60)"),
        (("--fake", "samples", "--real", "digits", "--staircase", "paper"), "Give --protocol time"),
        (("--fake", "samples", "--real", "digits", "--set", "trails=4"), "Did you mean 'trials'?"),
        (("--fake", "samples", "--real", "digits", "--consent", "none.txt"), "none.txt cannot be read"),
        (("--fake", "samples", "--real", "digits:dev"), "Unknown split of digits 'dev'"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(run: Run, samples: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("human", "new", "study", *arguments)
    assert done.code == 2
    assert message in done.message
    assert not Path("study").exists()


def test_a_folder_without_a_study(run: Run, home: Path) -> None:
    for command in ("serve", "score"):
        done = run("human", command, "nothing")
        assert done.code == 2
        assert "nothing holds no study: there is no study.json in it" in done.message


def test_a_port_that_is_taken(run: Run, samples: Path) -> None:
    assert run("human", "new", "study", "--fake", samples, "--real", "digits", "--quiet", *SHORT).code == 0
    running = start(Path("study"))
    try:
        done = run("human", "serve", "study", "--port", running.port)
    finally:
        running.kill()
    assert done.code == 2
    assert f"127.0.0.1:{running.port} cannot be listened at" in done.message


@pytest.mark.parametrize("absent", ["starlette", "uvicorn"])
def test_without_the_extra_it_is_named(run: Run, samples: Path, absent: str) -> None:
    assert run("human", "new", "study", "--fake", samples, "--real", "digits", "--quiet", *SHORT).code == 0
    code = (
        f"import sys; sys.modules[{absent!r}] = None\n"
        "from ganbench.cli.main import main\n"
        "sys.exit(main(['human', 'serve', 'study', '--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Serving needs the package {absent}" in done.stderr
    assert "pip install 'ganbench[human]'" in done.stderr


def test_serving_and_scoring_import_no_torch(run: Run, samples: Path) -> None:
    assert run("human", "new", "study", "--fake", samples, "--real", "digits", "--quiet", *SHORT).code == 0
    code = (
        "import sys; from pathlib import Path\n"
        "from ganbench.cli.main import main\n"
        "import ganbench.human.server as server\n"
        "server.Server(Path('study')).app()\n"
        "code = main(['human', 'score', 'study', '--html', 'x.html'])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
