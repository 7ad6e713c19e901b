"""`ganbench selftest`: status 0 on a machine that computes right, status 1 and a named check on one that does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganbench.features.loading import Extractor
from ganbench.features.registries import BACKENDS

Run = Callable[..., Any]
REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _without_a_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("selftest used the network")

    monkeypatch.setattr("socket.socket.connect", no_network)


def test_this_machine_computes_right(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}.items():  # as documents are made
        monkeypatch.setenv(name, value)
    done = run("selftest", "--json", "found.json")
    assert done.code == 0, done.out
    found = json.loads(Path("found.json").read_text())
    assert found["passed"] is True
    assert all(check["passed"] for check in found["checks"])
    assert {check["group"] for check in found["checks"]} == {"arithmetic", "network", "images"}
    tried = [name for name in BACKENDS.names() if name != "compile" and BACKENDS.get(name).available("cpu") is None]
    assert set(found["environment"]["backends"]) == set(tried)
    distance = {floor["key"]: (floor["real"], floor["noise"]) for floor in found["floors"]}
    assert 2 < distance["frechet_distance"][0] < 4
    assert distance["frechet_distance"][1] > 200
    assert distance["precision"][0] > 0.8
    assert distance["precision"][1] == 0
    for part in ("real digits (floor)", "noise (ceiling)", "FD ", f"All {len(found['checks'])} checks passed on cpu"):
        assert part in done.out
    assert "FAILED" not in done.out
    _is_what_the_document_shows(done.out, monkeypatch)


def _is_what_the_document_shows(printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    from make_docs import alike

    page = (REPOSITORY / "docs" / "integrations.md").read_text(encoding="utf-8")
    shown = page.partition("```console\n$ ganbench selftest\n")[2].partition("```\n<!-- /run -->")[0]
    assert alike(shown.rstrip(), printed.rstrip()), f"Run: python scripts/make_docs.py\n{printed}"


def test_a_machine_of_lower_precision_is_caught(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a device computes in bfloat16: features keep three digits. Distances hardly show it, this does."""
    right = Extractor.__call__

    def coarse(self: Extractor, images: Any) -> dict[str, Any]:
        return {
            head: (rows.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
            for head, rows in right(self, images).items()
        }

    monkeypatch.setattr(Extractor, "__call__", coarse)
    # What images score with such features is not what gives it away, and takes the longest.
    monkeypatch.setattr("ganbench.selftest.measure_floors", lambda *_, **__: ([], []))
    done = run("selftest", "--quiet", "--verbose", "--json", "found.json")
    assert done.code == 1
    found = json.loads(Path("found.json").read_text())
    assert found["passed"] is False
    failed = {check["name"] for check in found["checks"] if not check["passed"]}
    assert "torch: pool of 8 pictures, difference from the record" in failed
    assert not any(check["group"] == "arithmetic" and not check["passed"] for check in found["checks"])
    assert not any("same batch again" in name for name in failed)
    assert "FAILED  torch: pool of 8 pictures" in done.out
    assert "ok      FD of two Gaussians" in done.out
    assert "The network gives other features here" in done.out
    assert "checks FAILED on cpu" in done.out


def test_devices_that_are_not_there_are_refused(run: Run) -> None:
    done = run("selftest", "--device", "cuda:99")
    assert done.code == 2
    assert "cuda" in done.message
