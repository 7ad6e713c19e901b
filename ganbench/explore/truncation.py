"""Truncation: codes nearer to the middle give surer and more alike pictures.

z: every number of a code is brought into [-t, t] by distribution functions, z' = F_t^-1(F(z)), F_t that of the normal
distribution cut at t (as codes are drawn for BigGAN, Brock et al. 2019, https://arxiv.org/abs/1809.11096), so that one
code can be followed over all t. w: w' = mean + psi (w - mean) (Karras et al. 2019, https://arxiv.org/abs/1812.04948).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.explore.abilities import Truncated
from ganbench.explore.scene import Found, Picture, Scene
from ganbench.explore.sheets import sheet
from ganbench.variants._base import made

_CUTS = (0.25, 0.5, 1.0, 1.5, 2.0, math.inf)
_PSIS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ROWS, _JUDGED = 6, 300


def truncation(scene: Scene) -> Found:
    """Sweeps of t, and of psi where there is a w."""
    steps = [("none" if math.isinf(cut) else f"{cut:g}", _cut_by(scene, cut)) for cut in _CUTS]
    found, picture = _sweep(scene, steps, "z cut at t")
    numbers, shown = {"z": found}, {"truncation-z": picture}
    variant = scene.variant
    if isinstance(variant, Truncated):
        styles = [(f"{psi:g}", _drawn_by(variant, psi)) for psi in _PSIS]
        numbers["w"], shown["truncation-w"] = _sweep(scene, styles, "w drawn to its mean, psi")
    return Found(numbers, shown)


def cut(z: Tensor, t: float) -> Tensor:
    """F_t^-1(F(z)) number by number: of N(0, 1) the normal distribution within [-t, t]. Computed in float64."""
    if math.isinf(t):
        return z
    inside = torch.erf(z.double() / math.sqrt(2)) * math.erf(t / math.sqrt(2))
    return (torch.erfinv(inside) * math.sqrt(2)).clamp(-t, t).to(z.dtype)


def _cut_by(scene: Scene, t: float) -> Picture:
    walked = scene.variant.walked

    def make(z: Tensor) -> Tensor:
        y = scene.labels(len(z))
        codes = torch.cat([cut(z[:, :walked], t), z[:, walked:]], dim=1)
        return made(scene.variant, codes, None if y is None else y.to(z.device))

    return make


def _drawn_by(variant: Truncated, psi: float) -> Picture:
    return lambda z: variant.truncated(z, psi)


def _sweep(scene: Scene, steps: Sequence[tuple[str, Picture]], what: str) -> tuple[list[dict[str, Any]], Any]:
    codes = scene.codes(scene.afforded(_JUDGED, times=len(steps)))
    pictures = [scene.by(codes, make) for _, make in steps]
    names = [name for name, _ in steps]
    found = [{"at": at, "n": len(codes), **_measured(scene, each)} for at, each in zip(names, pictures, strict=True)]
    shown = torch.stack([each[:_ROWS] for each in pictures], dim=1).flatten(0, 1)
    rows = [f"code {i}" for i in range(_ROWS)]
    return found, sheet(shown, rows=rows, columns=names, title=f"{what}, seed {scene.seed}")


def _measured(scene: Scene, pictures: Tensor) -> dict[str, Any]:
    """How much pictures differ; by a classifier, how sure it is of them, and into how many classes they fall."""
    found: dict[str, Any] = {"spread": float(pictures.std(0).mean())}
    if scene.classifier is None:
        return found
    scores = scene.scores(pictures)
    shares = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]) / len(scores)
    entropy = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    return {**found, "confidence": float(scores.max(axis=1).mean()), "classes": math.exp(entropy)}
