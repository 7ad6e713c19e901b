"""Interpolation between latent codes: along lines and along great arcs."""

import torch
from torch import Tensor
from torch.nn import functional

_PARALLEL = 1e-7  # sine of the angle below which two codes have no arc between them


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The points at `t` on the straight lines from a to b.

    Args:
        a, b: (n, ...), of one shape.
        t: a number, or one for each line, (n,); 0 gives a, 1 gives b.

    Returns:
        (n, ...), in the precision of a.
    """
    return (a + (b - a) * _as_column(t, a)).to(a.dtype)


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The points at `t` on the great arcs from a to b: for codes of a normal distribution, which lie near a sphere.

        slerp = (a sin((1 - t) ω) + b sin(t ω)) / sin ω,   ω the angle between a and b

    Lengths that differ are blended on the way. Where a and b are parallel, opposite or 0 the line takes the place of
    the arc. Arguments and result as in `lerp`; all but the first dimension make one vector; computed in float64.
    """
    x, y = a.flatten(1).double(), b.flatten(1).double()
    part = _as_column(t, x)
    cosine = (functional.normalize(x, dim=1) * functional.normalize(y, dim=1)).sum(dim=1, keepdim=True)
    angle = cosine.clamp(-1, 1).acos()
    nowhere = (x.norm(dim=1, keepdim=True) == 0) | (y.norm(dim=1, keepdim=True) == 0)
    straight = nowhere | (angle.sin() < _PARALLEL)
    sine = torch.where(straight, 1.0, angle.sin())
    arc = (x * ((1 - part) * angle).sin() + y * (part * angle).sin()) / sine
    return torch.where(straight, x + (y - x) * part, arc).to(a.dtype).view_as(a)


def _as_column(t: float | Tensor, like: Tensor) -> float | Tensor:
    """One number for each row, shaped to multiply `like`."""
    return t.to(like.device).view(-1, *[1] * (like.dim() - 1)) if isinstance(t, Tensor) and t.dim() else t
