"""Codes that say something: a sweep of each, and whether the categories are the data's classes.

NMI is the mutual information of two ways to sort images, divided by the mean of their entropies: 1 where each tells the
other, 0 where neither does.
"""

from typing import Any

import numpy as np
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

from ganbench.bench.judge import judging
from ganbench.explore.abilities import Coded
from ganbench.explore.scene import I64, U8, Found, Scene, Skipped
from ganbench.explore.sheets import sheet

_ROWS, _VALUES = 8, 9
_BATCH = 250


def codes(scene: Scene) -> Found:
    """Every category beside the others, every continuous code from -1 to 1."""
    variant = scene.variant
    if not isinstance(variant, Coded):
        raise Skipped("its codes say nothing that can be read again")
    k, m = int(variant.config.categories), int(variant.config.continuous)
    numbers: dict[str, Any] = {"categories": k, "continuous": m, "nmi": _information(scene, variant, k)}
    shown: dict[str, U8] = {"codes-category": _categories(scene, variant, k)}
    numbers["change_of_continuous"] = []
    for j in range(m):
        shown[f"codes-continuous-{j}"], change = _continuous(scene, variant, k, j)
        numbers["change_of_continuous"].append(change)
    return Found(numbers, shown)


def _categories(scene: Scene, variant: Coded, k: int) -> U8:
    z = scene.codes(_ROWS).repeat_interleave(k, dim=0)
    pictures = scene.floats(variant.coded(z, category=torch.arange(k).repeat(_ROWS)))
    rows, columns = [f"code {i}" for i in range(_ROWS)], [f"{c}" for c in range(k)]
    return sheet(pictures, rows=rows, columns=columns, title=f"category, seed {scene.seed}")


def _continuous(scene: Scene, variant: Coded, k: int, j: int) -> tuple[U8, float]:
    """The sheet of one continuous code, a row for each category, and the mean change of a pixel from end to end."""
    values = torch.linspace(-1, 1, _VALUES)
    z = scene.codes(k)
    z = variant.coded(z, category=torch.arange(k)).repeat_interleave(_VALUES, dim=0)
    told = torch.as_tensor(variant.codes(z).continuous).clone()
    told[:, j] = values.repeat(k)
    pictures = scene.floats(variant.coded(z, continuous=told))
    rows, columns = [f"category {c}" for c in range(k)], [f"{v:g}" for v in values.tolist()]
    change = float((pictures[_VALUES - 1 :: _VALUES] - pictures[::_VALUES]).abs().mean()) / 2
    picture = sheet(pictures, rows=rows, columns=columns, title=f"continuous code {j}, seed {scene.seed}")
    return picture, change


def _information(scene: Scene, variant: Coded, k: int) -> dict[str, Any]:
    """NMI of the category with true classes, as Q reads held-out reals, and with the classifier's verdict on fakes."""
    found: dict[str, Any] = {}
    try:
        data = scene.reals("test")
        assert data.labels is not None
        rows = torch.split(torch.arange(len(data.values), device=data.values.device), _BATCH)
        read = torch.cat([_read(scene, variant, data.batch(part), k) for part in rows])
        agreed = sorted_by(read.numpy(), data.labels.cpu().numpy())
        found["real"] = {"n": len(read), "images": f"{scene.dataset}:test", **agreed}
    except Skipped as why:
        found["real"] = {"value": None, "reason": str(why)}
    z = scene.codes(scene.afforded(scene.num))
    pictures = scene.floats(z)
    asked: I64 = torch.as_tensor(variant.codes(z).category).numpy()
    if scene.classifier is None:
        found["fake"] = {"value": None, "reason": "there is no classifier for these data"}
    else:
        found["fake"] = {"n": len(z), "judged_by": scene.judge.name, **sorted_by(asked, scene.verdicts(pictures))}
    return found


def _read(scene: Scene, variant: Coded, x: Tensor, k: int) -> Tensor:
    """The category that Q reads in images, int64 (n,)."""
    with judging(scene.variant):
        _, said = variant.D(x)
        found: Tensor = said[:, :k].argmax(1).cpu()
    return found


def sorted_by(category: I64, label: I64) -> dict[str, float]:
    """NMI of two sortings, and the accuracy of naming each category by its most frequent class."""
    table = np.zeros((int(category.max()) + 1, int(label.max()) + 1), dtype=np.int64)
    np.add.at(table, (category, label), 1)
    nmi = float(normalized_mutual_info_score(label, category))
    return {"value": nmi, "accuracy": float(table.max(axis=1).sum() / len(label))}
