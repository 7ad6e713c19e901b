"""`ganbench train` and `ganbench sample` of what makes images from images or text, as a user would call them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganbench.images.datasets._emoji_fonts import COLOUR, LINES, find_font

Run = Callable[..., Any]
ASK = ("--backbone", "info28-nano", "--batch-size", "4", "--threads", "1", "--budget", "4steps", "--quiet", "--offline")
NARROW = {
    "pix2pix": ("--set", "width=4", "--set", "d_width=4"),
    "cyclegan": ("--set", "width=4", "--set", "d_width=4", "--set", "blocks=1"),
    "stackgan": ("--set", "width=4", "--set", "d_width=4", "--set", "noise=5", "--set", "told=6"),
}
EMOJI = {"pix2pix": "emoji-pairs", "cyclegan": "emoji-halves", "stackgan": "emoji"}
fonts = pytest.mark.skipif(
    find_font(COLOUR) is None or find_font(LINES) is None,
    reason="needs fonts: apt install fonts-noto-color-emoji fonts-symbola",
)


def image(path: Path, level: int, *, gray: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((16, 16, 3), 255, dtype=np.uint8)
    pixels[2 : 3 + level % 12, 4:12] = (level, level, level) if gray else (level, 255 - level, 90)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def mine(home: Path) -> None:
    """Folders of pairs and of images with captions, 40 of each."""
    lines = ["name,caption"]
    for i in range(40):
        image(Path("pairs/A", f"{i:02}.png"), 6 * i, gray=True)
        image(Path("pairs/B", f"{i:02}.png"), 6 * i)
        image(Path("told", f"{i:02}.png"), 6 * i)
        lines.append(f"{i:02}.png,level {i % 7}")
    Path("told/captions.csv").write_text("\n".join(lines), encoding="utf-8")


def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("run/report.json").read_text())
    return found


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("variant", sorted(NARROW))
def test_a_folder_of_ones_own(variant: str, run: Run) -> None:
    data = "./told" if variant == "stackgan" else "./pairs"
    run("train", variant, "--data", data, *ASK, *NARROW[variant], "--eval-num", "0", "--out", "run")
    found = record()["data"]
    assert found["condition"]["held_out"] == 4
    assert found["n"] == 36
    assert list(Path("run/samples").glob("step-*.png"))
    assert run("sample", "run", "-n", "6", "--out", "samples", "--quiet").code == 0
    assert len(list(Path("samples").glob("*.png"))) == 6
    if variant == "stackgan":
        Path("captions.txt").write_text("level 3\nanother thing\n")
    else:
        image(Path("given/0.png"), 100)
        image(Path("given/1.png"), 30)
    given = "captions.txt" if variant == "stackgan" else "given"
    done = run("sample", "run", "--from", given, "--out", "made", "--quiet")
    assert done.code == 0, done.err
    assert len(list(Path("made").glob("*.png"))) == 2, "one for each"
    done = run("sample", "run", "--out", "none")
    assert (done.code, "Say -n N" in done.message) == (2, True)


@fonts
@pytest.mark.parametrize("variant", sorted(NARROW))
def test_emoji(variant: str, run: Run, home: Path) -> None:
    pytest.importorskip("emoji", reason="needs the names of emoji: pip install 'ganbench[emoji]'")
    run("train", variant, "--data", EMOJI[variant], *ASK, *NARROW[variant], "--eval-num", "0", "--out", "run")
    found = record()["data"]
    assert (found["name"], found["split"], found["shape"]) == (EMOJI[variant], "train", [3, 32, 32])
    assert found["condition"]["kind"] == {"pix2pix": "pairs", "cyclegan": "unpaired", "stackgan": "captions"}[variant]
    assert found["condition"]["held_out"] > 150


@pytest.mark.usefixtures("mine")
def test_a_translation_is_scored_against_the_truth(run: Run) -> None:
    done = run("train", "pix2pix", "--data", "./pairs", *ASK, *NARROW["pix2pix"], "--eval-num", "50", "--out", "run")
    metrics = record()["final"]["metrics"]
    assert {"l1", "psnr", "ssim", "kernel_distance"} <= set(metrics)
    assert metrics["l1"]["n_real"] == 4
    assert 0 < metrics["l1"]["value"] < 1
    assert "PSNR" in done.out


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(("variant", "data", "message"), [
    ("pix2pix", "./told", "has no folder A/"), ("stackgan", "./pairs", "captions.csv cannot be read"),
    ("pix2pix", "digits", "has no images to translate"), ("stackgan", "digits", "has no captions"),
])  # fmt: skip
def test_what_is_missing_is_named(variant: str, data: str, message: str, run: Run) -> None:
    done = run("train", variant, "--data", data, *ASK, "--out", "run")
    assert (done.code, message in done.message) == (2, True)
    assert not Path("run").exists()
