"""A run of each variant that SIGKILL ends in its middle, and that is taken up again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganbench.variants._registry import VARIANTS

Run = Callable[..., Any]
ALWAYS = ("sngan", "wgan", "wgan-gp")  # spectral vectors, RMSprop, noise of their own beside the codes
ASK = ("--threads", "1", "--budget", "80steps", "--eval-num", "0", "--checkpoint-every", "20steps", "--quiet")
POINTS = ("--data", "ring8-pacgan", "--batch-size", "16")
IMAGES = ("--data", "./images", "--batch-size", "4", "--backbone", "info28-nano")
FROM, TO = 3, 17  # steps past a checkpoint, between which the run is killed


@pytest.mark.parametrize(
    "variant",
    [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.all_variants) for name in VARIANTS.names()],
)
def test_a_killed_run_goes_on_to_the_same_weights(variant: str, command: list[str], run: Run, home: Path) -> None:
    of_images = VARIANTS.get(variant).images_only
    if of_images:
        images()
    ask = ["train", variant, *(IMAGES if of_images else POINTS), *ASK]
    run(*ask, "--out", "whole")
    lost = killed_in_its_middle([*command, *ask, "--out", "parts"])
    assert FROM <= lost <= TO
    resumed = [*command, *ask, "--out", "parts", "--resume"]
    subprocess.run(resumed, env=one_thread(), stdout=subprocess.DEVNULL, check=False)
    whole, parts = (json.loads(Path(name, "report.json").read_text()) for name in ("whole", "parts"))
    assert (whole["spent"]["resumes"], parts["spent"]["resumes"]) == (0, 1)
    assert parts["status"] == whole["status"]
    assert parts["spent"]["steps"] == whole["spent"]["steps"]
    assert parts["weights_sha256"] == whole["weights_sha256"]
    final = "samples/final.npz" if of_images else "samples/final.npy"  # made by the averaged weights
    assert parts["artifacts"][final] == whole["artifacts"][final]
    assert losses("parts") == losses("whole") != []


def images() -> None:
    """Images that are pairs, and have captions, too."""
    lines = ["name,caption"]
    for i in range(20):
        pixels = np.full((8, 8), 12 * i, dtype=np.uint8)
        pixels[i % 8] = 255
        for part in "AB":
            Path("images", part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(f"images/{part}/{i:02}.png")
            lines.append(f"{part}/{i:02}.png,line {i % 8}")
    Path("images/captions.csv").write_text("\n".join(lines), encoding="utf-8")


def killed_in_its_middle(ask: list[str]) -> int:
    """Runs `ask` and kills it between two checkpoints; returns the steps that it had made since the last.

    It is stopped before it is looked at, so that it cannot come to a checkpoint or its end between look and kill.
    """
    process = subprocess.Popen(ask, env=one_thread(), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.005)
        if steps_after_checkpoint() is None:
            continue
        process.send_signal(signal.SIGSTOP)
        lost = steps_after_checkpoint()
        if lost is not None and FROM <= lost <= TO:
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            return lost
        process.send_signal(signal.SIGCONT)
    raise AssertionError("the run ended before it could be killed: give it more steps")


def steps_after_checkpoint() -> int | None:
    """How many steps are in the log after the newest checkpoint; None where there is none yet."""
    saved = sorted(Path("parts/checkpoints").glob("step-*.sha256"))
    if not saved:
        return None
    return int(losses("parts")[-1]["step"]) - int(saved[-1].stem.removeprefix("step-"))


def losses(name: str) -> list[dict[str, float]]:
    """The whole lines of a run's metrics.jsonl but for the seconds, which are of the machine."""
    lines = Path(name, "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return [{key: value for key, value in each.items() if key != "seconds"} for each in found]


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
