"""Changes of images of which each datum has its own, with gradients of any order."""

import torch
from torch import Tensor


def shifted(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Images (n, c, h, w) moved by whole pixels, int64 (n,) each; what comes in is 0."""
    n, _, h, w = x.shape
    rows = torch.arange(h, device=x.device)[None] - down[:, None]
    columns = torch.arange(w, device=x.device)[None] - right[:, None]
    there = ((rows >= 0) & (rows < h))[:, None, :, None] & ((columns >= 0) & (columns < w))[:, None, None, :]
    rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    taken = x[torch.arange(n, device=x.device)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return taken.permute(0, 3, 1, 2) * there


def scaled(x: Tensor, by: Tensor, *, dims: list[int]) -> Tensor:
    """x about its mean over `dims`, times `by`."""
    mean = x.mean(dims, keepdim=True)
    return (x - mean) * by + mean


def turned(x: Tensor, quarters: Tensor) -> Tensor:
    """Square images (n, c, s, s) turned by quarters of a circle, int64 (n,) in 0..3."""
    every = torch.stack([torch.rot90(x, k, (2, 3)) for k in range(4)])
    return every[quarters, torch.arange(len(x), device=x.device)]


def where(chosen: Tensor, changed: Tensor, x: Tensor) -> Tensor:
    """`changed` for the data that are chosen, bool (n,), x for the others."""
    return torch.where(chosen.view(-1, *[1] * (x.dim() - 1)), changed, x)
