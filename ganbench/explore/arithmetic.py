"""Latent arithmetic: codes moved by the difference of two classes' mean codes, and what a classifier says of it.

As for DCGAN's faces (Radford et al. 2016, https://arxiv.org/abs/1511.06434), classes taking the place of attributes:

    z' = |z| (z + s (m_b - m_a)) / |z + s (m_b - m_a)|

m_c is the mean of codes whose pictures the classifier gives class c, z another code of class a, s a strength. Beside
it, as a control, z is moved as far in a random direction.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.explore.scene import I64, Found, Scene, Skipped
from ganbench.explore.sheets import sheet
from ganbench.variants._base import LabelledVariant

_LEAST = 10  # codes of a class, to have a mean
_MOVED = 40  # codes of a class, at most
_STRENGTHS = (1.0, 2.0, 4.0)
_SHOWN = 4  # codes of each pair in the picture
_PAIRS = 10


def arithmetic(scene: Scene) -> Found:
    """Moves codes of each class to the next one."""
    if isinstance(scene.variant, LabelledVariant):
        raise Skipped("its class is told beside the code, so no direction of codes is one")
    classes = len(scene.judge.prior)
    n, walked = scene.afforded(scene.num, times=2), scene.variant.walked
    codes = scene.codes(2 * n)
    verdicts = scene.verdicts(scene.floats(codes))
    known, fresh = (codes[:n], verdicts[:n]), (codes[n:], verdicts[n:])
    means = _means(known[0][:, :walked], known[1], classes)
    able = [c for c in means if (fresh[1] == c).any()]
    if len(able) < 2:
        raise Skipped(f"of {n} samples the classifier finds {_LEAST} of one class alone, or of none: no two means")
    pairs = list(zip(able, [*able[1:], able[0]], strict=True))[:_PAIRS]
    moved = [_pair(scene, means, fresh, a, b) for a, b in pairs]
    hits = {key: float(np.mean([each[key] for each in moved])) for key in (*map(_key, _STRENGTHS), "control")}
    numbers = {
        "samples": n,
        "judged_by": scene.judge.name,
        "counts": np.bincount(known[1], minlength=classes).tolist(),
        "strengths": list(_STRENGTHS),
        "share_judged_as_wanted": hits,
        "pairs": moved,
    }
    return Found(numbers, {"arithmetic": _picture(scene, means, fresh, pairs)})


def _means(codes: Tensor, verdicts: I64, classes: int) -> dict[int, Tensor]:
    """The mean code of each class that has enough."""
    of = {c: torch.from_numpy(np.flatnonzero(verdicts == c)) for c in range(classes)}
    return {c: codes[rows].mean(0) for c, rows in of.items() if len(rows) >= _LEAST}


def shifted(z: Tensor, direction: Tensor, strength: float) -> Tensor:
    """Codes (n, d) moved by `strength` times a direction (d,), each at its length."""
    found = z + strength * direction
    moved: Tensor = found * (z.norm(dim=1, keepdim=True) / found.norm(dim=1, keepdim=True))
    return moved


def _moved(scene: Scene, z: Tensor, direction: Tensor, strength: float) -> Tensor:
    walked = scene.variant.walked
    return scene.floats(torch.cat([shifted(z[:, :walked], direction, strength), z[:, walked:]], dim=1))


def _pair(scene: Scene, means: dict[int, Tensor], fresh: tuple[Tensor, I64], a: int, b: int) -> dict[str, Any]:
    """How many codes of class a are judged to be of class b after each move."""
    most = scene.afforded(_MOVED, times=_PAIRS * (len(_STRENGTHS) + 1))
    z = fresh[0][torch.from_numpy(np.flatnonzero(fresh[1] == a)[:most])]
    direction = means[b] - means[a]
    generator = torch.Generator().manual_seed(scene.seed * 1000 + a)
    chance = torch.randn(len(direction), generator=generator)
    chance *= direction.norm() / chance.norm()

    def share(pictures: Tensor) -> float:
        return float((scene.verdicts(pictures) == b).mean())

    found: dict[str, Any] = {
        "from": a,
        "to": b,
        "n": len(z),
        "distance_of_means": float(direction.norm()),
    }
    for strength in _STRENGTHS:
        found[_key(strength)] = share(_moved(scene, z, direction, strength))
    return {**found, "control": share(_moved(scene, z, chance, _STRENGTHS[-1]))}


def _key(strength: float) -> str:
    return f"times_{strength:g}"


def _picture(scene: Scene, means: dict[int, Tensor], fresh: tuple[Tensor, I64], pairs: list[tuple[int, int]]) -> Any:
    """For each pair one row: a code of class a, and the same moved, for some codes side by side."""
    rows, pictures = [], []
    columns = ["z", *(f"x {s:g}" for s in _STRENGTHS)] * _SHOWN
    for a, b in pairs:
        found = np.flatnonzero(fresh[1] == a)
        z = fresh[0][torch.from_numpy(np.resize(found, _SHOWN))]
        stages = [scene.floats(z), *(_moved(scene, z, means[b] - means[a], s) for s in _STRENGTHS)]
        pictures.append(torch.stack(stages, dim=1).flatten(0, 1))
        rows.append(f"{a} to {b}")
    title = f"z + s (mean of class b - mean of class a), seed {scene.seed}"
    return sheet(torch.cat(pictures), rows=rows, columns=columns, title=title)
