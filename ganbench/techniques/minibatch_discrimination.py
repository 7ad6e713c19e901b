"""Minibatch discrimination: D sees how close a datum is to the others of its batch (Salimans et al. 2016).

With f(x_i) in R^A what D's last layer read, T in R^(A x B x C) learnt and M_i = f(x_i) T in R^(B x C),

    o_b(i) = sum over j != i of exp(-c_b || M_ib - M_jb ||_1),     b = 1..B,

is put behind f(x_i). Reals and fakes go through D in separate batches. c_b is chosen once, in the first batch that D
sees in training, where the nearest other datum comes to lie 2 away on average, as in the authors' code: features of
some size or other would begin with all data alike, or none. https://arxiv.org/abs/1606.03498, section 3.2.

A batch norm right before f gives a batch of nearly equal fakes the spread of any other, and hides what this is to show:
where the backbone has one there (the info28 ones), say d_norm=none.

Departures from the paper: the sum leaves j = i out, as the authors' code does; T ~ N(0, 1/A); c_b is not learnt.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganbench.nets._base import Discriminator, Norm
from ganbench.nets._layers import linear
from ganbench.nets._spectral import SpectralLinear
from ganbench.techniques._base import Player, Technique

_NEAREST = 2.0  # how far the nearest other datum is to lie in the beginning
_FAR, _SMALLEST = 1e6, 1e-12


def distances(M: Tensor) -> Tensor:
    """|| M_ib - M_jb ||_1, (n, n, B), of M (n, B, C)."""
    return (M[:, None] - M[None]).abs().sum(-1)


def closeness(apart: Tensor) -> Tensor:
    """o (n, B) of distances (n, n, B)."""
    return (-apart).exp().sum(1) - 1  # the distance to itself is 0


class _Close(nn.Module):
    """f (n, A) with o behind it, (n, A + B)."""

    scale: Tensor
    begun: Tensor

    def __init__(self, width: int, kernels: int, dims: int) -> None:
        super().__init__()
        self.T = nn.Parameter(torch.empty(width, kernels * dims))
        self.register_buffer("scale", torch.empty(kernels))
        self.register_buffer("begun", torch.empty(()))

    def reset(self, generator: torch.Generator) -> None:
        """The first values of T; c is 1 until a batch was seen."""
        nn.init.normal_(self.T, 0.0, 1 / math.sqrt(len(self.T)), generator=generator)
        self.scale.fill_(1.0)
        self.begun.zero_()

    @torch.no_grad()
    def _begin(self, apart: Tensor) -> None:
        """Chooses c by the first batch; without a branch, so that nothing waits for the device."""
        itself = _FAR * torch.eye(len(apart), device=apart.device)
        nearest = (apart + itself[:, :, None]).amin(1).mean(0)
        chosen = torch.where(nearest > _SMALLEST, _NEAREST / nearest, self.scale)
        self.scale.copy_(torch.where(self.begun > 0, self.scale, chosen))
        self.begun.fill_(1.0)

    def forward(self, f: Tensor) -> Tensor:
        """(n, A) to (n, A + B)."""
        apart = distances((f @ self.T).view(len(f), len(self.scale), -1))
        if self.training and len(f) > 1:
            self._begin(apart)
        return torch.cat([f, closeness(apart * self.scale.clone())], dim=1)  # the next batch writes into the buffer


class MinibatchDiscrimination(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("D",)
    splits = False  # each datum is compared with all of its batch

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings: B kernels of C numbers."""

        kernels: int = 100
        dims: int = 5

    def changed_D(self, D: Discriminator) -> Discriminator:
        """D whose last layer reads o, too."""
        kernels, last = self.config.kernels, D.last
        assert isinstance(last, nn.Linear)
        norm: Norm = "spectral" if isinstance(last, SpectralLinear) else "none"
        close = _Close(D.width, kernels, self.config.dims)
        wider = linear(D.width + kernels, last.out_features, norm, bias=last.bias is not None)
        return Discriminator(nn.Sequential(D.trunk, close), wider)
