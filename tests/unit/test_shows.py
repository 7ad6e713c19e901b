"""What docs/shows.md shows: the drawings and tables are those of the records, and the measures are what they say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganbench.bench.build import build
from ganbench.bench.plan import plan_run

REPOSITORY = Path(__file__).parents[2]
RECORDS, PICTURES = REPOSITORY / "docs" / "records", REPOSITORY / "docs" / "pictures"


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import make_shows

    return make_shows


@pytest.mark.parametrize("variant", ["wgan", "wgan-gp"])
def test_drawings_are_of_the_record(shows: Any, variant: str) -> None:
    record = json.loads((RECORDS / "shows-critic.json").read_text())
    columns = record["variants"][variant]
    assert shows.drawing(columns, variant) == (PICTURES / f"critic-{variant}.svg").read_text()
    assert len(columns["steps"]) == shows.POINTS
    assert columns["steps"][-1] == record["steps"] == shows.STEPS


@pytest.mark.parametrize("variant", ["wgan", "wgan-gp"])
def test_the_first_points_are_what_is_measured_again(shows: Any, variant: str) -> None:
    every = shows.STEPS // shows.POINTS
    found = shows.trained(variant, steps=2 * every, points=2)
    recorded = json.loads((RECORDS / "shows-critic.json").read_text())["variants"][variant]
    assert found["steps"] == recorded["steps"][:2] == [every, 2 * every]
    assert found["settings"] == recorded["settings"]
    for key in ("critic", "distance"):
        assert found[key] == pytest.approx(recorded[key][:2], rel=0.01)


def test_the_distance_is_that_of_the_cheapest_assignment(shows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(plan_run("wgan", data="ring8-pacgan", budget="1steps", judged=0))
    reals = run.data.values[:50]
    order = torch.from_numpy(np.random.default_rng(0).permutation(50))
    monkeypatch.setattr(shows, "sample", lambda built, n: reals[order] + torch.tensor([0.003, 0.004]))
    assert shows.distance(run, 50) <= 0.005 + 1e-6
    monkeypatch.setattr(shows, "sample", lambda built, n: reals[order])
    assert shows.distance(run, 50) == 0
    monkeypatch.setattr(shows, "sample", lambda built, n: torch.full((50, 2), 100.0))
    wanted = float((torch.tensor(100.0) - reals.double()).norm(dim=1).mean())
    assert shows.distance(run, 50) == pytest.approx(wanted, rel=1e-6)


def test_a_collapse_shows_where_the_page_says_so() -> None:
    rows = json.loads((RECORDS / "shows-collapse.json").read_text())["rows"]
    plain = rows[0]
    of_class = [row for row in rows[1:] if row["what"] == "one class"]
    of_copies = [row for row in rows[1:] if row["what"] == "one image a class"]
    assert plain["share"] == 0
    for worse in (of_class, of_copies):
        for key in ("frechet_distance", "kernel_distance"):
            values = [plain[key], *(row[key] for row in worse)]
            assert values == sorted(values), key
        assert worse[-1]["coverage"] < 0.5 * plain["coverage"]
        assert worse[-1]["precision"] > plain["precision"] - 0.2
    assert of_class[-1]["mode_kl"] > 1
    assert of_copies[-1]["mode_kl"] < 0.1
    assert of_copies[-1]["modes"] == plain["modes"] == 10
