"""`ganbench quickstart`: offline, on embedded data, a table and the path of a page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.slow
def test_quickstart(run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("quickstart used the network")

    monkeypatch.setattr("socket.socket.connect", no_network)
    done = run("quickstart", "--out", "pages", "--num", 60, "--budget", "1e11flop", "--json", "all.json")
    assert done.code == 0, done.err
    for part in ("real", "blurred", "noisy", "two", "FD", "Recall", "pages/index.html"):
        assert part in done.out
    found = {row["name"]: row["result"]["metrics"] for row in json.loads(Path("all.json").read_text())["versions"]}
    distance = {name: metrics["frechet_distance"]["value"] for name, metrics in found.items()}
    recall = {name: metrics["recall"]["value"] for name, metrics in found.items()}
    worse = set(distance) - {"real"}
    assert len(worse) == 4
    assert "A GAN trained on the digits (ns-gan, 39 steps," in done.out
    assert (tmp_path / "pages" / "gan" / "samples" / "training.gif").is_file()
    assert all(distance[name] > distance["real"] for name in worse)
    (collapsed,) = (name for name in worse if "two" in name)
    assert recall[collapsed] < 0.7 * recall["real"]
    assert all(metrics["frechet_distance"]["label"] == "FD" for metrics in found.values())
    page = (tmp_path / "pages" / "index.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    compared = run("compare", *sorted((tmp_path / "pages").glob("*.json")))
    assert compared.code == 0
    assert "FD" in compared.out
