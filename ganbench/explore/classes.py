"""Rows of classes: what a variant that is told a class makes of each, and whether a classifier agrees."""

from typing import Any

import torch

from ganbench.explore.scene import Found, Scene, Skipped
from ganbench.explore.sheets import sheet
from ganbench.variants._base import LabelledVariant

_COLUMNS = 10
_ROWS = 20


def classes(scene: Scene) -> Found:
    """The same codes in every class."""
    variant = scene.variant
    if not isinstance(variant, LabelledVariant):
        raise Skipped("it is told no classes")
    k = variant.classes.count
    each = max(_COLUMNS, scene.afforded(scene.num // k, times=k))
    codes = scene.codes(each)
    pictures = [scene.floats(codes, torch.full((each,), label)) for label in range(k)]
    shown = torch.cat([found[:_COLUMNS] for found in pictures[:_ROWS]])
    rows = [f"class {label}" for label in range(min(k, _ROWS))]
    picture = sheet(
        shown, rows=rows, columns=[f"{i}" for i in range(_COLUMNS)], title=f"codes by class, seed {scene.seed}"
    )
    return Found({"classes": k, "of_each": each, **_agreed(scene, pictures)}, {"classes": picture})


def _agreed(scene: Scene, pictures: list[torch.Tensor]) -> dict[str, Any]:
    if scene.classifier is None:
        return {"agreement": None, "reason": "there is no classifier for these data"}
    shares = [float((scene.verdicts(found) == label).mean()) for label, found in enumerate(pictures)]
    return {"judged_by": scene.judge.name, "agreement": sum(shares) / len(shares), "by_class": shares}
