"""All parts of an exploration, in their order, and the folder that they leave."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ganbench.bench.sampling import open_trained
from ganbench.errors import UsageError
from ganbench.explore.arithmetic import arithmetic
from ganbench.explore.classes import classes
from ganbench.explore.probe import probe
from ganbench.explore.scene import U8, Found, Scene, Skipped, scene_of
from ganbench.explore.sweeps import codes
from ganbench.explore.truncation import truncation
from ganbench.explore.walks import interpolation
from ganbench.files import write_bytes, write_text
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.registry import unknown
from ganbench.serialize import to_json

SCHEMA = "ganbench.explore/1"
REPORT = "explore.json"
PARTS: dict[str, Callable[[Scene], Found]] = {
    "interpolation": interpolation,
    "arithmetic": arithmetic,
    "truncation": truncation,
    "codes": codes,
    "classes": classes,
    "probe": probe,
}


def explore(
    path: Path,
    out: Path,
    *,
    parts: Sequence[str] = (),
    seed: int = 2020,
    num: int = 1000,
    raw: bool = False,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> dict[str, Any]:
    """Looks at a trained run, and writes pictures and `explore.json`.

    Args:
        path: the run's folder.
        out: a new or empty folder.
        parts: of PARTS; all where none is named.
        seed: of all codes.
        num: samples of a part that a classifier judges, at most; slow samplers make fewer.
        raw: the last weights instead of their average over training.
        offline: use no network.
        progress, warn: told of it.

    Returns:
        What `explore.json` holds.

    Raises:
        UsageError: `out` holds files, there is no such part, or the run learnt points.
        BadInput: there is no run, or none with a checkpoint.
    """
    for name in parts:
        if name not in PARTS:
            raise unknown("part", name, list(PARTS))
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UsageError(f"{out} holds files already, and nothing is written over them. Name another folder: --out DIR")
    built = open_trained(path, raw=raw, warn=warn)
    scene = scene_of(built, seed=seed, num=num, offline=offline, progress=progress)
    found: dict[str, Any] = {}
    sheets: dict[str, U8] = {}
    for name in parts or PARTS:
        try:
            part = PARTS[name](scene)
        except Skipped as why:
            found[name] = {"skipped": str(why)}
            continue
        sheets |= part.sheets
        found[name] = {**part.numbers, "pictures": [f"{key}.png" for key in part.sheets]}
    told = {"schema": SCHEMA, "run": str(path), "variant": built.spec.variant, "run_id": built.spec.id,
            "data": built.data.info.name, "weights": "last" if raw else "averaged", "seed": seed,
            "classifier": _classifier(scene), "parts": found}  # fmt: skip
    for key, pixels in sheets.items():
        write_bytes(out / f"{key}.png", _png(pixels))
    write_text(out / REPORT, to_json(told) + "\n")
    return told


def _classifier(scene: Scene) -> dict[str, Any] | None:
    """Which one judges, and how good it is."""
    if scene.classifier is None:
        return None
    judge = scene.classifier
    accuracy = judge.record.get("test", {}).get("accuracy")
    return {"name": judge.name, "fingerprint": judge.fingerprint, "accuracy": accuracy}


def _png(pixels: U8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
