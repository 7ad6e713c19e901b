"""Interpolation: what lies between two codes, along great arcs in z, and along lines in w where there is one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganbench.bench.judge import judging
from ganbench.errors import BadInput
from ganbench.explore.abilities import styled
from ganbench.explore.scene import Found, Scene
from ganbench.explore.sheets import sheet
from ganbench.latent import interpolation_smoothness, lerp, perceptual_path_length, slerp
from ganbench.results import Score
from ganbench.variants._base import made

_ROWS, _STEPS = 6, 8
_PATHS, _PATH_STEPS = 32, 8
_EPSILON = 1e-3
_EVENNESS = ("step_length", "unevenness", "detour")
Between = Callable[[Tensor, Tensor, float | Tensor], Tensor]


def interpolation(scene: Scene) -> Found:
    """Strips between pairs of codes, and how evenly pictures change along such walks."""
    shown = {"interpolation-z": _strips(scene, in_z(scene), "slerp in z")}
    numbers: dict[str, Any] = {"z": {"kind": "slerp", "pairs": _ROWS, "steps": _STEPS, **_smoothness(scene, "slerp")}}
    if styled(scene.variant):
        shown["interpolation-w"] = _strips(scene, in_w(scene), "lerp in w")
        numbers["w"] = {"kind": "lerp", "pairs": _ROWS, "steps": _STEPS, **_smoothness(scene, "lerp", in_styles=True)}
    return Found(numbers, shown)


Walk = Callable[[Tensor, Tensor, Tensor], Tensor]


def in_z(scene: Scene) -> Walk:
    """From codes a and b and shares t (n,) to pictures: slerp of what makes the picture, the noise of a."""

    def walk(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        walked = scene.variant.walked
        between = slerp(a[:, :walked], b[:, :walked], t.double())
        return scene.floats(torch.cat([between, a[:, walked:]], dim=1))

    return walk


def in_w(scene: Scene) -> Walk:
    """The same along lines between the styles of a and b."""
    G = styled(scene.variant)
    assert G is not None

    def walk(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        device, width = scene.variant.problem.device, a.shape[1]

        def make(rows: Tensor) -> Tensor:
            one, other, share = rows[:, :width], rows[:, width : 2 * width], rows[:, -1]
            return G.from_styles(lerp(G.styles(one), G.styles(other), share.double()), one)

        return scene.by(torch.cat([a, b, t[:, None].to(a.dtype)], dim=1).to(device), make)

    return walk


def _strips(scene: Scene, walk: Walk, kind: str) -> Any:
    codes, steps = scene.codes(2 * _ROWS), _STEPS + 1
    t = torch.linspace(0, 1, steps, dtype=torch.float64)
    a, b = (part.repeat_interleave(steps, dim=0) for part in (codes[::2], codes[1::2]))
    pictures = walk(a, b, t.repeat(_ROWS))
    rows = [f"{2 * i} to {2 * i + 1}" for i in range(_ROWS)]
    title = f"{kind}, codes of seed {scene.seed}"
    return sheet(pictures, rows=rows, columns=[f"{x:.3g}" for x in t.tolist()], title=title)


def _smoothness(scene: Scene, kind: str, *, in_styles: bool = False) -> dict[str, Any]:
    """Path length and smoothness, by the embedded network's distance; for classes: those of the first class."""
    variant, device, maker = scene.variant, scene.variant.problem.device, styled(scene.variant)
    noise = scene.codes(1)[:, variant.walked :].to(device)

    def behind(z: Tensor) -> Tensor:
        return torch.cat([z, noise.expand(len(z), -1)], dim=1)

    def pictures(z: Tensor) -> Tensor:
        y = scene.labels(len(z))
        return scene.built.data.cut(made(variant, behind(z), None if y is None else y.to(device)))

    def of_styles(w: Tensor) -> Tensor:
        assert maker is not None
        return scene.built.data.cut(maker.from_styles(w, behind(w)))

    def sample(n: int, stream: torch.Generator) -> Tensor:
        z = torch.randn(n, variant.walked, generator=stream)
        if not in_styles:
            return z
        assert maker is not None
        return maker.styles(behind(z.to(device))).cpu()

    paths = scene.afforded(_PATHS, times=_PATH_STEPS + 5)
    asked: dict[str, Any] = {"sample": sample, "interpolation": kind, "seed": scene.seed, "device": str(device),
                             "progress": scene.progress}  # fmt: skip
    G = of_styles if in_styles else pictures
    with judging(variant):
        walked = _tried(lambda: interpolation_smoothness(G, n=paths, steps=_PATH_STEPS, **asked), _EVENNESS)
        small = _tried(lambda: perceptual_path_length(G, n=2 * paths, epsilon=_EPSILON, **asked), ("ppl",))
    return {
        "paths": paths,
        "steps_of_a_path": _PATH_STEPS,
        "distance": "embedded",
        **walked,
        "path_length": {"epsilon": _EPSILON, "paths": 2 * paths, **small["ppl"]},
    }


def _tried(measure: Callable[[], dict[str, Score]], keys: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Scores for the JSON; without values, and why, where the pictures do not allow to measure."""
    try:
        return {key: told(score) for key, score in measure().items()}
    except BadInput as error:  # a sampler that rounds to 8 bits has no small steps
        return {key: {"value": None, "reason": str(error)} for key in keys}


def told(score: Score) -> dict[str, Any]:
    """A score for the JSON."""
    found: dict[str, Any] = {"value": score.value}
    if score.ci95 is not None:
        found["ci95"] = list(score.ci95)
    return found if score.value is not None else {**found, "reason": score.reason}
