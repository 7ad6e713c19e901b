"""`ganbench train` and `ganbench sample` as a user would call them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]
POINTS = ("train", "ns-gan", "--data", "ring8-pacgan", "--batch-size", "16", "--threads", "1", "--quiet")


def test_points_from_training_to_scores(run: Run, home: Path) -> None:
    done = run(*POINTS, "--budget", "40steps", "--out", "run", "--eval-num", "100", "--json", "record.json",
               "--checkpoint-every", "7steps")  # fmt: skip
    assert done.code == 0, done.err
    assert "ns-gan on ring8-pacgan, seed 0: finished" in done.out
    assert "Modes" in done.out
    record = json.loads(Path("record.json").read_text())
    assert record["schema"] == "ganbench.record/1"
    assert record["status"] == "finished"
    assert record["spent"]["steps"] == 40
    assert set(record) >= {
        "schema", "track", "variant", "seed", "kind", "status", "budget", "spent", "config", "curve", "final",
        "environment", "variant_sha256", "variant_source", "weights_sha256", "command",
    }  # fmt: skip
    assert {path.name for path in Path("run").iterdir() if path.name[0] != "."} == {
        "config.json", "metrics.jsonl", "checkpoints", "samples", "report.json",
    }  # fmt: skip
    assert run("sample", "run", "-n", "50", "--out", "points.npy", "--quiet").code == 0
    assert np.load("points.npy").shape == (50, 2)
    scored = run("eval", "points.npy", "--ref", "ring8-pacgan", "--json", "-", "--quiet")
    assert scored.code == 0, scored.err
    assert 0 <= json.loads(scored.out)["metrics"]["modes"]["value"] <= 8
    of_the_run = run("eval", "run", "--ref", "ring8-pacgan", "--json", "-", "--quiet")
    assert of_the_run.code == 0, of_the_run.err
    assert json.loads(of_the_run.out)["metrics"]["modes"] == record["final"]["metrics"]["modes"]


def test_images_from_training_to_scores(run: Run, home: Path) -> None:
    ask = ("train", "wgan-gp", "--data", "digits", "--backbone", "info28-nano", "--batch-size", "8", "--threads", "1",
           "--budget", "40steps", "--set", "lr_G=0.002", "--set", "n_critic=2", "--set", "betas=[0.0, 0.9]",
           "--eval-num", "0", "--quiet")  # fmt: skip
    done = run(*ask, "--out", "run")
    assert done.code == 0, done.err
    config = json.loads(Path("run/config.json").read_text())
    assert config["settings"]["n_critic"] == 2
    assert config["settings"]["betas"] == [0.0, 0.9]
    assert config["settings"]["lambda_gp"] == 10.0
    assert run("sample", "run", "-n", "5", "--out", "folder", "--quiet").code == 0
    names = sorted(path.name for path in Path("folder").iterdir())
    assert names == [f"{i:05}.png" for i in range(5)]
    with Image.open("folder/00000.png") as first, Image.open("folder/00001.png") as second:
        assert first.size == (32, 32)
        pixels = np.array(second)
    assert run("sample", "run", "-n", "2", "--out", "two.npz", "--quiet").code == 0
    assert np.array_equal(np.load("two.npz")["arr_0"][1], pixels)
    scored = run("eval", "run", "--ref", "digits", "--metrics", "fid", "--backend", "torch", "--json", "-", "--quiet")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["samples"]["n"] == 64, "the samples that the run kept"


def test_a_setting_that_is_none(run: Run, home: Path) -> None:
    done = run(*POINTS, "--budget", "4steps", "--set", "lr_g=1")
    assert (done.code, "Did you mean 'lr_G'" in done.message) == (2, True)
    done = run(*POINTS, "--budget", "4steps", "--set", "n_critic=many")
    assert done.code == 2
    assert "n_critic" in done.message
    done = run(*POINTS, "--budget", "4steps", "--set", "n_critic")
    assert (done.code, "wanted KEY=VALUE" in done.message) == (2, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--budget", "4 epochs"), "wanted 2e13flop"),
        (("--budget", "1flop"), "less than one step"),
        (("--budget", "4steps", "--backbone", "info28"), "is for images; the data are points in 2 dimensions"),
        (("--budget", "4steps", "--backbone", "mlp2"), "Did you mean 'mlp2d'"),
        (("--budget", "4steps", "--data", "digit"), "Did you mean 'digits'"),
        (("--budget", "4steps", "--checkpoint-every", "often"), "'often' is no amount of training; wanted 2e13flop"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, home: Path, change: tuple[str, ...], message: str) -> None:
    done = run(*POINTS, *change)
    assert done.code == 2
    assert message in done.message
    assert not Path("runs").exists(), "nothing is left of a run that could not begin"


def test_resuming(run: Run, home: Path) -> None:
    ask = (*POINTS, "--budget", "40steps", "--out", "run", "--eval-num", "0")
    assert run(*ask, "--resume").code == 0, "begins where none is"
    assert run(*ask, "--resume").code == 0, "reports a finished one"
    again = run(*ask)
    assert (again.code, "--resume" in again.message) == (2, True)


def test_a_training_is_shown_elsewhere_too(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'ganbench[tensorboard]'")
    ask = (*POINTS, "--budget", "40steps", "--eval-num", "0")
    assert run(*ask, "--out", "shown", "--log", "tensorboard").code == 0
    assert run(*ask, "--out", "plain").code == 0
    assert list(Path("shown/tensorboard").glob("events.out.tfevents.*"))
    assert Path("shown/config.json").read_bytes() == Path("plain/config.json").read_bytes()
    shown, plain = (json.loads(Path(name, "report.json").read_text()) for name in ("shown", "plain"))
    assert shown["weights_sha256"] == plain["weights_sha256"]
    assert shown["config"] == plain["config"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    done = run(*ask, "--out", "none", "--log", "tensorboard", "--log", "wandb")
    assert (done.code, "pip install 'ganbench[wandb]'" in done.message) == (1, True)
    assert not Path("none").exists()


def test_unknown_variants_get_the_nearest_name(run: Run, home: Path) -> None:
    done = run("train", "wgangp", "--data", "digits", "--budget", "1steps")
    assert (done.code, "Did you mean 'wgan-gp'" in done.message) == (2, True)


def test_lists_import_no_torch(command: list[str], home: Path) -> None:
    program = (
        "import sys; from ganbench.cli.main import main; "
        "main(['list', 'variants']); main(['list', 'backbones']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "False"
    assert any(line.startswith("wgan-gp") for line in lines)
    assert any(line.startswith("info28-nano") for line in lines)
