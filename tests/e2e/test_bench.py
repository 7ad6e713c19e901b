"""`ganbench bench`: a small track run, begun again, cut into shards, killed, and a record run again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TRACK = """
title = "A ring, for tests"
summary = "Two variants for a few steps."
kind = "controlled"
dataset = "ring8-pacgan"
backbone = "mlp2d"
batch_size = 16
budget = "{budget}"
seeds = [3, 4, 5]
variants = ["ns-gan", "wgan-gp"]
metrics = ["mode_coverage"]
protocol = "auto"
reference = "ring8-pacgan"
ranked_by = ["modes"]
columns = ["modes", "mode_kl"]
evaluate_at = [0.5, 1.0]
points_n = 60
raw_n = 60
final_n = 80

[settings.wgan-gp]
n_critic = 1
lambda_gp = 0.1
"""


@pytest.fixture
def track(home: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "leaderboards" / "tiny"
    folder.mkdir(parents=True)
    (folder / "track.toml").write_text(TRACK.format(budget="12steps"))
    return folder


def records(track: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((track / "records").glob("*.json"))}


@pytest.mark.slow
def test_a_sweep(run: Run, track: Path) -> None:
    before = run("bench", "status", "tiny", "--json", "-")
    assert [row["status"] for row in json.loads(before.out)["runs"]] == ["to do"] * 6
    done = run("bench", "run", "tiny", "--seeds", "1", "--jobs", "2", "--json", "-")
    assert done.code == 0, done.err
    assert {(row["variant"], row["seed"]) for row in json.loads(done.out)} == {("ns-gan", 3), ("wgan-gp", 3)}
    found = records(track)
    assert sorted(found) == ["ns-gan-3", "wgan-gp-3"]
    record = found["wgan-gp-3"]
    assert (record["track"], record["kind"]) == ("tiny", "controlled")
    assert {(row["variant"], row["status"]) for row in json.loads(done.out)} == {
        (r["variant"], r["status"]) for r in found.values()
    }
    assert record["config"]["spec"]["settings"]["lambda_gp"] == 0.1
    assert [point["fraction"] for point in record["curve"]] == [0.5, 1.0]
    assert record["final"]["samples"]["n"] == 80
    assert record["environment"]["threads"] == 1
    assert (track / "samples" / "ns-gan.png").is_file()
    times = {path: path.stat().st_mtime_ns for path in (track / "records").iterdir()}
    again = run("bench", "run", "tiny", "--seeds", "1", "--json", "-")
    assert json.loads(again.out) == []
    assert {path: path.stat().st_mtime_ns for path in (track / "records").iterdir()} == times
    # Another rule is another run.
    (track / "track.toml").write_text(TRACK.format(budget="13steps"))
    status = json.loads(run("bench", "status", "tiny", "--json", "-").out)["runs"]
    assert [row["status"] for row in status] == ["to do"] * 6


def test_shards_are_the_whole(run: Run, track: Path) -> None:
    parts = [
        json.loads(run("bench", "run", "tiny", "--shard", f"{i}/4", "--dry-run", "--json", "-").out)["runs"]
        for i in (1, 2, 3, 4)
    ]
    runs = [(row["variant"], row["seed"]) for part in parts for row in part]
    assert len(runs) == len(set(runs)) == 6
    for bad in ("0/2", "3/2", "x", "1/0"):
        done = run("bench", "run", "tiny", "--shard", bad, "--dry-run")
        assert (done.code, "wanted I/N" in done.err) == (2, True)


def test_what_the_track_does_not_have(run: Run, track: Path) -> None:
    done = run("bench", "run", "tiny", "--only", "lsgan")
    assert (done.code, "There are: ns-gan, wgan-gp" in done.err) == (2, True)
    done = run("bench", "run", "tinny")
    assert (done.code, "Did you mean 'tiny'" in done.message) == (2, True)
    done = run("bench", "run", "tiny", "--seeds", "4")
    assert (done.code, "tiny has 3" in done.err) == (2, True)
    (track / "track.toml").write_text("budgets = 3\n" + TRACK.format(budget="12steps"))
    done = run("bench", "run", "tiny")
    assert done.code == 2
    assert "track.toml" in done.message


@pytest.mark.slow
def test_what_fails_around_a_run_is_no_record(run: Run, track: Path, home: Path) -> None:
    (track / "track.toml").write_text(TRACK.format(budget="12steps").replace('"ring8-pacgan"', '"mnist"', 1)
                                      .replace('"mlp2d"', '"info28-nano"'))  # fmt: skip
    done = run("bench", "run", "tiny", "--seeds", "1", "--only", "ns-gan", "--offline")
    assert done.code == 1
    assert "ns-gan, seed 3 was stopped, and not by the run itself" in done.err
    assert "mnist" in done.err
    assert records(track) == {}


@pytest.mark.slow
def test_a_killed_worker_goes_on(command: list[str], run: Run, track: Path, home: Path) -> None:
    (track / "track.toml").write_text(TRACK.format(budget="60steps"))
    sweep = subprocess.Popen([*command, "bench", "run", "tiny", "--seeds", "1", "--only", "ns-gan"])
    killed = False
    while sweep.poll() is None and not killed:
        if list((home / "runs").rglob("step-*.sha256")):
            found = subprocess.run(
                ["pgrep", "-P", str(sweep.pid), "-f", "ganbench.bench.worker"],
                capture_output=True,
                text=True,
                check=False,
            ).stdout.split()
            for process in found:
                subprocess.run(["kill", f"-{signal.SIGKILL.value}", process], check=False)
                killed = True
        time.sleep(0.01)
    assert sweep.wait() == 0
    assert killed
    record = records(track)["ns-gan-3"]
    assert (record["status"], record["spent"]["resumes"]) == ("finished", 1)
    again = run("bench", "reproduce", track / "records" / "ns-gan-3.json", "--json", "-")
    assert again.code == 0, again.err
    assert json.loads(again.out)["same_weights"]


def test_techniques_are_part_of_a_record(run: Run, track: Path) -> None:
    """A row with techniques is ranked as any other, and is run again from the code in its record."""
    name = "ns-gan+feature-matching+ttur"
    told = (track / "track.toml").read_text()
    (track / "track.toml").write_text(
        f'{told}\n[settings."{name}"]\n"ttur.lr_D" = 0.002\n'.replace('"ns-gan"', f'"{name}"')
    )
    done = run("bench", "run", "tiny", "--seeds", "1", "--only", name)
    assert done.code == 0, done.err
    path = track / "records" / f"{name}-3.json"
    record = json.loads(path.read_text())
    settings = record["config"]["spec"]["settings"]
    assert (settings["ttur.lr_D"], settings["ttur.lr_G"], settings["feature-matching.weight"]) == (0.002, 1e-4, 1.0)
    assert "class FeatureMatching" in record["variant_source"]
    assert run("board", "build", "tiny").code == 0
    assert run("board", "check", "tiny").code == 0
    assert name in (track / "README.md").read_text()
    import hashlib

    source = record["variant_source"].replace("class Ttur", "# another line\nclass Ttur")
    changed = record | {"variant_source": source, "variant_sha256": hashlib.sha256(source.encode()).hexdigest()}
    path.write_text(json.dumps(changed))
    embedded = run("bench", "reproduce", path, "--run-embedded-code")
    assert embedded.code == 0, embedded.err
    assert embedded.out.startswith("weights: the same")


@pytest.mark.slow
def test_a_record_run_again(run: Run, track: Path) -> None:
    assert run("bench", "run", "tiny", "--seeds", "1", "--only", "ns-gan").code == 0
    path = track / "records" / "ns-gan-3.json"
    done = run("bench", "reproduce", path)
    assert done.code == 0, done.err
    assert done.out.startswith("weights: the same")
    record = json.loads(path.read_text())

    def with_(**changes: Any) -> Any:
        path.write_text(json.dumps(record | changes))
        return run("bench", "reproduce", path)

    # Weights that should be the same and are not.
    other = with_(weights_sha256="0" * 64)
    assert other.code == 1
    assert "weights: not the same" in other.out
    # Another machine: they may differ.
    elsewhere = with_(weights_sha256="0" * 64, environment=record["environment"] | {"processor": "another"})
    assert elsewhere.code == 0
    assert "the machines differ" in elsewhere.out
    # Another variant than the installed one is not run unasked, and only where it is what its hash says.
    source = record["variant_source"] + "\n# another line\n"
    refused = with_(variant_source=source, variant_sha256="1" * 64)
    assert (refused.code, "--run-embedded-code" in refused.message) == (2, True)
    damaged = run("bench", "reproduce", path, "--run-embedded-code")
    assert (damaged.code, "damaged" in damaged.message) == (2, True)
    import hashlib

    changed = record | {"variant_source": source, "variant_sha256": hashlib.sha256(source.encode()).hexdigest()}
    path.write_text(json.dumps(changed))
    embedded = run("bench", "reproduce", path, "--run-embedded-code")
    assert embedded.code == 0, embedded.err
    assert embedded.out.startswith("weights: the same")


def test_the_anchors_of_a_mixture(run: Run, track: Path) -> None:
    done = run("bench", "anchors", "tiny")
    assert done.code == 0, done.err
    found = {each["name"]: each for each in json.loads((track / "anchors.json").read_text())["anchors"]}
    real, untrained = found["real vs real"], found["untrained"]
    assert real["seeds"] == untrained["seeds"] == [3, 4, 5]
    for anchor in (real, untrained):
        assert [result["samples"]["n"] for result in anchor["results"]] == [80] * 3
        assert len({result["samples"]["fingerprint"] for result in anchor["results"]}) == 3
    # 80 points of the mixture reach all modes, and nearly all of them are good; an untrained G makes a speck.
    assert [result["metrics"]["modes"]["value"] for result in real["results"]] == [8.0] * 3
    assert min(result["metrics"]["high_quality"]["value"] for result in real["results"]) > 0.9
    assert max(result["metrics"]["modes"]["value"] for result in untrained["results"]) == 0.0
    # Made again, they are the same but for the times; and they are rows of the board.
    first = [result["metrics"] for anchor in found.values() for result in anchor["results"]]
    assert run("bench", "anchors", "tiny").code == 0
    again = json.loads((track / "anchors.json").read_text())["anchors"]
    assert [result["metrics"] for anchor in again for result in anchor["results"]] == first
    assert run("board", "build", "tiny").code == 0
    board = (track / "README.md").read_text()
    assert "80 fresh points of the mixture" in board
    assert "the mlp2d generator as a run begins with it" in board


IMAGES = """
title = "Digits, for tests"
summary = "One variant."
kind = "controlled"
dataset = "digits"
backbone = "info28-nano"
batch_size = 8
budget = "2steps"
seeds = [0, 1]
variants = ["ns-gan"]
metrics = ["mode_coverage"]
protocol = "embedded"
reference = "digits"
{validation}
ranked_by = ["modes"]
columns = ["modes", "mode_kl"]
evaluate_at = [1.0]
points_n = 20
raw_n = 20
final_n = {n}
"""


@pytest.mark.parametrize(("n", "seeds", "scored"), [(50, [0, 1], 50), (5000, [0], 898)])
def test_the_floor_of_images_is_held_out(run: Run, track: Path, n: int, seeds: list[int], scored: int) -> None:
    """898 digits are held out: more than that cannot be drawn, and all of them are one set whatever the seed."""
    held_out = 'validation = "digits:test"'
    (track / "track.toml").write_text(IMAGES.format(validation=held_out, n=n))
    done = run("bench", "anchors", "tiny", "--offline")
    assert done.code == 0, done.err
    real, untrained = json.loads((track / "anchors.json").read_text())["anchors"]
    assert (real["seeds"], [result["samples"]["n"] for result in real["results"]]) == (seeds, [scored] * len(seeds))
    assert real["made"] == f"{scored} images of digits:test"
    assert [result["metrics"]["modes"]["value"] for result in real["results"]] == [10.0] * len(seeds)
    assert [result["samples"]["n"] for result in untrained["results"]] == [n] * 2


def test_images_without_a_validation_set_have_no_floor(run: Run, track: Path) -> None:
    (track / "track.toml").write_text(IMAGES.format(validation="", n=50))
    done = run("bench", "anchors", "tiny", "--offline")
    assert (done.code, "has no validation set" in done.message) == (2, True)


@pytest.fixture
def cluster(home: Path) -> Iterator[str]:
    """The address of a Ray cluster with two workers."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'ganbench[ray]'")
    script = Path(__file__).with_name("ray_cluster.py")
    environment = {**os.environ, "RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    process = subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdin is not None
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.mark.slow
def test_a_ray_cluster_that_loses_a_worker(command: list[str], track: Path, home: Path, cluster: str) -> None:
    (track / "track.toml").write_text(TRACK.format(budget="60steps"))
    environment = {**os.environ, "RAY_ADDRESS": cluster, "RAY_USAGE_STATS_ENABLED": "0"}
    ask = [*command, "bench", "run", "tiny", "--seeds", "1", "--executor", "ray"]
    sweep = subprocess.Popen(ask, env=environment)
    killed: list[str] = []
    while sweep.poll() is None and not killed:
        if list((home / "runs").rglob("step-*.sha256")):  # a run has got so far: its Ray worker dies
            found = subprocess.run(["pgrep", "-f", "ray::_run"], capture_output=True, text=True, check=False)
            killed = found.stdout.split()[:1]
            for process in killed:
                os.kill(int(process), signal.SIGKILL)
        time.sleep(0.01)
    assert sweep.wait() == 0
    assert killed
    found = records(track)
    assert sorted(found) == ["ns-gan-3", "wgan-gp-3"]
    assert all(len(record["curve"]) == 2 for record in found.values())
    subprocess.run([*command, "bench", "reproduce", str(track / "records" / "ns-gan-3.json")], check=True)
