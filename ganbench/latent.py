"""Walks through a generator's latent space: interpolation, perceptual path length, smoothness.

G is a module or a function from latent codes z (n, ...) to float pictures (n, 3, h, w) or (n, 1, h, w). It must be a
function of z alone: its noise fixed, its class fixed. A module is run in eval mode and given back as it was.

Nothing here reads or writes global random state; all codes are drawn at first, on the CPU, so that no value depends
on the batch size or the device beyond rounding.
"""

from collections.abc import Callable
from math import sqrt
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.errors import UsageError
from ganbench.features.generated import Generator, Pictures, device_of, still
from ganbench.features.interpolation import lerp, slerp
from ganbench.features.perceptual import Distance, distance_of
from ganbench.features.stats import Features
from ganbench.metrics.ppl import Ppl
from ganbench.progress import Progress, silent
from ganbench.results import Score

__all__ = ["interpolation_smoothness", "lerp", "perceptual_path_length", "slerp"]

Sampler = Callable[[int, torch.Generator], Tensor]
F64 = NDArray[np.float64]
_Z = 1.959963984540054  # the 97.5 % point of the normal distribution
_CHECKED = 4  # codes whose pictures are looked at first
_SMALL = 0.01  # steps up to this are too short for a picture to bend along them
_INTERPOLATIONS = {"lerp": lerp, "slerp": slerp}


def perceptual_path_length(
    G: Generator,
    *,
    z_dim: int | tuple[int, ...] | None = None,
    sample: Sampler | None = None,
    n: int = 10_000,
    epsilon: float = 1e-4,
    interpolation: Literal["lerp", "slerp"] = "lerp",
    endpoints: Literal["end", "full"] = "end",
    distance: str | Distance = "embedded",
    resize: int | None = 64,
    value_range: tuple[float, float] = (-1.0, 1.0),
    batch_size: int = 64,
    device: str | None = None,
    seed: int = 2020,
    progress: Progress = silent,
) -> dict[str, Score]:
    """Perceptual path length of a generator (see `ganbench.metrics.ppl`).

    With `distance="lpips"` these defaults are those of torch-fidelity and torchmetrics. Values of other distances do
    not compare with published ones. Below some 1e-3 rounding in float32 shows.

        ganbench.perceptual_path_length(G, z_dim=128)["ppl"].value

    Args:
        G: the generator; its pictures must not be rounded to 8 bits.
        z_dim: width or shape of a code, drawn from the standard normal distribution.
        sample: instead of z_dim: from (n, generator on the CPU) to n codes on the CPU. Codes in W, say.
        n: how many paths. 10,000 take some ten minutes on two cores; the interval says whether fewer do.
        epsilon: the length of each step, as a part of its path.
        interpolation: "lerp", or "slerp" for codes on a sphere.
        endpoints: "end": each step begins at a drawn code; "full": anywhere on the path between two.
        distance: "embedded" (EfficientNet-Lite0, works offline), "lpips" (VGG16), or a squared distance of two
            batches in -1..1 (see `ganbench.features.perceptual`).
        resize: pictures are brought to this side first, by the mean over areas where both sides shrink, else
            bilinearly; None leaves them.
        value_range: of G's pictures: (-1, 1), (0, 1) or (0, 255).
        batch_size: paths walked at once; changes speed and memory only.
        device: where codes and distance go: cpu, cuda, cuda:N, mps or auto; where None, that of G's parameters, or
            the CPU. G stays where it is.
        seed: of codes and places.
        progress: called with (stage, done, total).

    Returns:
        {"ppl": Score}, with the noise of the drawn paths as interval.

    Raises:
        UsageError: an argument cannot be used, or G does not take codes of that shape.
        BadInput: G gives no float pictures, rounded ones, others each time or others than `value_range` says; or it
            computes too coarsely for such small steps, as in half precision.
        Unavailable: the weights of the distance are nowhere to be had.
    """
    _require(n=(n, 2), batch_size=(batch_size, 1))
    if not 0 < epsilon <= 1:
        raise UsageError(f"epsilon must be above 0 and at most 1; found {epsilon!r}.")
    if endpoints not in ("end", "full"):
        raise UsageError(f"Unknown endpoints {endpoints!r}. There are: end, full.")
    between, draw = _interpolation(interpolation), _sampler(z_dim, sample)
    where, stream = device_of(G, device), torch.Generator().manual_seed(seed)
    pictures = Pictures(G, distance_of(distance, where, progress=progress), where, value_range, resize)
    a, b = draw(n, stream), draw(n, stream)
    t: float | Tensor = 0.0
    if endpoints == "full":
        t = torch.rand(n, generator=stream, dtype=torch.float64) * (1 - epsilon)
    first, second = between(a, b, t), between(a, b, t + epsilon)
    parts = []
    with still(G):
        pictures.check(first[:_CHECKED])
        if epsilon <= _SMALL:
            few = slice(_CHECKED)
            at = t[few] if isinstance(t, Tensor) else t
            pictures.check_steps(first[few], second[few], between(a[few], b[few], at + 2 * epsilon))
        for start in range(0, n, batch_size):
            progress("paths", start, n)
            rows = slice(start, start + batch_size)
            one, other = pictures(torch.cat([first[rows], second[rows]])).chunk(2)
            parts.append(pictures.squared(one, other))
    progress("paths", n, n)
    return dict(Ppl().compute(fake=Features(np.concatenate(parts) / epsilon**2), real=None))


def interpolation_smoothness(
    G: Generator,
    *,
    z_dim: int | tuple[int, ...] | None = None,
    sample: Sampler | None = None,
    n: int = 100,
    steps: int = 16,
    interpolation: Literal["lerp", "slerp"] = "slerp",
    distance: str | Distance = "embedded",
    resize: int | None = 64,
    value_range: tuple[float, float] = (-1.0, 1.0),
    batch_size: int = 64,
    device: str | None = None,
    seed: int = 2020,
    progress: Progress = silent,
) -> dict[str, Score]:
    """How evenly and how directly pictures change along paths between random codes.

    Each path has `steps` steps of equal length in latent space. With d the distance of two frames, the root of the
    squared perceptual distance:

        step_length = mean of d(frame i, frame i + 1)
        unevenness = largest step of a path / mean step of that path: 1 where all are alike, `steps` for one leap
        detour = sum of the steps of a path / d(first frame, last frame): 1 where the way is straight, never less

    Each is the mean over the paths, with the normal interval of n independent ones. Paths on which nothing changes
    have no unevenness, nor a detour those that end where they began: such paths are left out of these. The series of
    `step_length` gives the mean step by its place on the path.

    Args:
        n: how many paths.
        steps: of each path.
        batch_size: pictures made at once, at least one path; changes speed and memory only.
        G, z_dim, sample, interpolation, distance, resize, value_range, device, seed, progress: as in
            `perceptual_path_length`.

    Returns:
        {"step_length": Score, "unevenness": Score, "detour": Score}.

    Raises:
        UsageError, BadInput, Unavailable: as `perceptual_path_length`.
    """
    _require(n=(n, 2), steps=(steps, 1), batch_size=(batch_size, 1))
    between, draw = _interpolation(interpolation), _sampler(z_dim, sample)
    where, stream = device_of(G, device), torch.Generator().manual_seed(seed)
    pictures = Pictures(G, distance_of(distance, where, progress=progress), where, value_range, resize)
    a, b = draw(n, stream), draw(n, stream)
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    at_once = max(batch_size // (steps + 1), 1)
    lengths, ends = [], []
    with still(G):
        pictures.check(a[:_CHECKED])
        for start in range(0, n, at_once):
            progress("paths", start, n)
            one, other = (x[start : start + at_once].repeat_interleave(steps + 1, dim=0) for x in (a, b))
            count = len(one) // (steps + 1)
            flat = pictures(between(one, other, t.repeat(count)))
            frames = flat.view(count, steps + 1, *flat.shape[1:])
            apart = pictures.squared(frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1)).sum(axis=1)
            lengths.append(np.sqrt(apart).reshape(count, steps))
            ends.append(np.sqrt(pictures.squared(frames[:, 0], frames[:, -1]).sum(axis=1)))
    progress("paths", n, n)
    return _smoothness(np.concatenate(lengths), np.concatenate(ends))


def _smoothness(lengths: F64, ends: F64) -> dict[str, Score]:
    """The scores from the lengths of the steps, (n, steps), and the distances of the ends, (n,)."""
    steps, total = lengths.shape[1], lengths.sum(axis=1)
    series = {"t": ((np.arange(steps) + 0.5) / steps).tolist(), "step": lengths.mean(axis=0).tolist()}
    moved, away = total > 0, ends > 0
    return {
        "step_length": _mean(total / steps, "", least=0.0, series=series),
        "unevenness": _mean(lengths[moved].max(axis=1) * steps / total[moved], "no path changes anything", least=1.0),
        "detour": _mean(total[away] / ends[away], "every path ends on the picture that it began with", least=1.0),
    }


def _mean(each: F64, reason: str, *, least: float, series: dict[str, list[float]] | None = None) -> Score:
    if not len(each):
        return Score(None, reason=reason)
    value, details = float(each.mean()), {"paths": float(len(each))}
    if len(each) < 2:
        return Score(value, details=details)
    stderr = float(each.std(ddof=1)) / sqrt(len(each))
    interval = (min(value, max(value - _Z * stderr, least)), value + _Z * stderr)
    return Score(value, stderr=stderr, ci95=interval, details=details, series=series or {})


def _require(**given: tuple[int, int]) -> None:
    for name, (value, least) in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UsageError(f"{name} must be a whole number of at least {least}; found {value!r}.")


def _interpolation(name: str) -> Callable[[Tensor, Tensor, float | Tensor], Tensor]:
    if name not in _INTERPOLATIONS:
        raise UsageError(f"Unknown interpolation {name!r}. There are: {', '.join(_INTERPOLATIONS)}.")
    return _INTERPOLATIONS[name]


def _sampler(z_dim: int | tuple[int, ...] | None, sample: Sampler | None) -> Sampler:
    if (z_dim is None) == (sample is None):
        raise UsageError("Give either z_dim=, the width of a code, or sample=, which draws (n, generator) codes.")
    if sample is not None:
        return lambda n, stream: _codes(sample(n, stream), n)
    assert z_dim is not None
    shape = tuple(z_dim) if isinstance(z_dim, tuple | list) else (z_dim,)
    if not shape or any(not isinstance(side, int) or isinstance(side, bool) or side < 1 for side in shape):
        raise UsageError(
            f"z_dim must be the width or the shape of a code, such as 128 or (128, 1, 1); found {z_dim!r}."
        )
    return lambda n, stream: torch.randn(n, *shape, generator=stream, dtype=torch.float32)


def _codes(found: object, n: int) -> Tensor:
    """What `sample=` drew. Raises UsageError where it is no float tensor of n codes."""
    if isinstance(found, Tensor) and found.dim() >= 2 and len(found) == n and found.is_floating_point():
        return found
    what = f"{found.dtype} of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
    raise UsageError(f"sample= must give a float tensor ({n}, ...), a code in each row; found {what}.")
