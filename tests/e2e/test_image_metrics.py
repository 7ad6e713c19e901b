"""Metrics that look at images alone: the network is left where it is, and all else of a result is as ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganbench
from ganbench.features.extract import extract

Run = Callable[..., Any]
N = 24
SAME = ("protocol", "samples", "reference")


@pytest.fixture(scope="module", autouse=True)
def samples(lasting: Path, pictures: Run, folder_of: Run) -> None:
    images = pictures(N, seed=1)
    images[7] = images[3]
    folder_of(lasting / "fake", images)
    folder_of(lasting / "real", pictures(N, seed=2))
    np.save(lasting / "labels.npy", np.arange(N) % 10)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on nothing may load a network."""

    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("ganbench.features.loading.load_extractor", loaded)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passes over images that were made, by their stage."""
    made: list[str] = []

    def counted(*given: Any, **named: Any) -> Any:
        made.append(named["stage"])
        return extract(*given, **named)

    monkeypatch.setattr("ganbench.evaluation.passes.extract", counted)
    return made


def ask(run: Run, *more: object, metrics: str, ref: str = "digits", code: int = 0) -> dict[str, Any]:
    done = run("eval", "fake", "--ref", ref, "--metrics", metrics, "--quiet", "--json", "-", *more)
    assert done.code == code, done.err
    return dict(json.loads(done.out))


def test_images_are_looked_at_without_the_network(run: Run, no_network: None) -> None:
    found = ask(run, "--no-cache", metrics="ms_ssim")
    assert found["metrics"]["ms_ssim"]["value"] is not None
    assert found["environment"]["backend"] == "none"
    assert any("1 of 24 samples have exactly the pixels" in text for text in found["warnings"])
    assert not any("feature dimensions" in text for text in found["warnings"])


def test_all_else_is_as_with_the_network(run: Run) -> None:
    both, alone = (ask(run, "--no-cache", "--num", 20, metrics=names) for names in ("fid,ms_ssim", "ms_ssim"))
    assert {key: both[key] for key in SAME} == {key: alone[key] for key in SAME}
    assert alone["metrics"] == {"ms_ssim": both["metrics"]["ms_ssim"]}


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_neither_side_needs_weights(run: Run, no_network: None, cache: tuple[str, ...]) -> None:
    """Those of `tf` are nowhere on this machine."""
    found = ask(run, "--offline", *cache, metrics="ms_ssim", ref="./real")
    assert found["protocol"]["name"] == "tf"
    assert found["reference"]["n"] == N


def test_a_folder_as_reference_is_the_same_one_either_way(run: Run) -> None:
    more = ("--protocol", "embedded", "--no-cache")
    both, alone = (ask(run, *more, metrics=names, ref="./real") for names in ("fid,ms_ssim", "ms_ssim"))
    assert {key: both[key] for key in SAME} == {key: alone[key] for key in SAME}


def test_their_scores_are_stored(
    run: Run, passes: list[str], no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: object, **__: object) -> None:
        raise AssertionError("a classifier was trained")

    first = ask(run, "--labels", "labels.npy", metrics="cas,ms_ssim")
    assert passes == ["samples"]
    monkeypatch.setattr("ganbench.metrics._training.train", trained)
    again = ask(run, "--labels", "labels.npy", metrics="cas,ms_ssim")
    assert passes == ["samples"]
    assert {key: again[key] for key in (*SAME, "metrics", "warnings", "environment")} == {
        key: first[key] for key in (*SAME, "metrics", "warnings", "environment")
    }


def test_features_that_are_stored_serve_too(run: Run, passes: list[str]) -> None:
    ask(run, "--num", 12, metrics="fid,ms_ssim")
    made = len(passes)
    assert ask(run, "--num", 12, metrics="ms_ssim")["metrics"]["ms_ssim"]["value"] is not None
    assert len(passes) == made


def test_a_store_that_keeps_nothing_keeps_nothing(run: Run, lasting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "0")
    before = set((lasting / "home" / "features").glob("*"))
    assert ask(run, "--num", 9, metrics="ms_ssim")["metrics"]["ms_ssim"]["value"] is not None
    assert set((lasting / "home" / "features").glob("*")) == before


def test_classes_take_the_classifier_alone(run: Run, no_network: None) -> None:
    first = ask(run, "--no-cache", metrics="mode_coverage")
    assert first["metrics"]["modes"]["value"] >= 1
    assert ask(run, metrics="mode_coverage")["metrics"] == first["metrics"]
    assert ask(run, metrics="mode_coverage")["metrics"] == first["metrics"]  # out of the store


@pytest.mark.parametrize(("option", "value"), [("--device", "abacus"), ("--backend", "abacus")])
def test_what_is_not_used_must_exist_all_the_same(run: Run, option: str, value: str) -> None:
    done = run("eval", "fake", "--ref", "digits", "--metrics", "ms_ssim", "--num", 11, option, value)
    assert done.code == 2
    assert "abacus" in done.message


def test_a_training_tells_how_far_it_is(lasting: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    ganbench.evaluate(
        fake="fake",
        real="digits",
        metrics=["cas"],
        labels="labels.npy",
        cache=False,
        progress=lambda *step: told.append(step),
    )
    steps = [(done, total) for stage, done, total in told if stage == "cas: training"]
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1] > 0
    assert not any(stage == "network" for stage, _, _ in told)


def test_the_report_shows_the_closest_pairs(run: Run, lasting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a training image stands first, beside that image; or beside its position, where that is not at hand."""
    from ganbench.images.datasets._base import open_dataset

    images = np.stack([image.pixels for image in open_dataset("digits", "test").images(range(9))])
    (copied,) = open_dataset("digits", "train").images([17])
    images[4] = copied.pixels
    np.savez("near.npz", images)
    ask = ("eval", "near.npz", "--ref", "digits", "--metrics", "nearest", "--html", "near.html")
    assert run(*ask).code == 0
    page = " ".join(Path("near.html").read_text(encoding="utf-8").split())
    first = page[page.index('id="closest"') :].split("</li>")[0]
    assert first.count("<img") == 2
    assert "near.npz[4]<br>digits:train[17]" in first
    pictures = [part.split('"')[0] for part in first.split('src="')[1:]]
    assert pictures[0] == pictures[1]
    monkeypatch.setattr("ganbench.evaluation.real.at_hand", lambda _: None)
    assert run(*ask).code == 0
    page = " ".join(Path("near.html").read_text(encoding="utf-8").split())
    first = page[page.index('id="closest"') :].split("</li>")[0]
    assert first.count("<img") == 1
    assert "near.npz[4]<br>position 17" in first
