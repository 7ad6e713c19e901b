"""Minibatch discrimination: D sees how close a datum is to the others of its batch (Salimans et al. 2016).

With f(x_i) in R^A what D's last layer read, T in R^(A x B x C) learnt and M_i = f(x_i) T in R^(B x C),

    o_b(i) = sum over j != i of exp(-|| M_ib - M_jb ||_1),     b = 1..B,

is put behind f(x_i). Reals and fakes go through D in separate batches. https://arxiv.org/abs/1606.03498, section 3.2.

Departures from the paper: the sum leaves j = i out, as the authors' code does; T ~ N(0, 1/A) (their code scales it by
the first batch).
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


def closeness(M: Tensor) -> Tensor:
    """o (n, B) of M (n, B, C)."""
    apart = (M[:, None] - M[None]).abs().sum(-1)
    return (-apart).exp().sum(1) - 1  # the distance to itself is 0


class _Close(nn.Module):
    """f (n, A) with o behind it, (n, A + B)."""

    def __init__(self, width: int, kernels: int, dims: int) -> None:
        super().__init__()
        self.T = nn.Parameter(torch.empty(width, kernels * dims))
        self._kernels = kernels

    def reset(self, generator: torch.Generator) -> None:
        """The first values of T."""
        nn.init.normal_(self.T, 0.0, 1 / math.sqrt(len(self.T)), generator=generator)

    def forward(self, f: Tensor) -> Tensor:
        """(n, A) to (n, A + B)."""
        return torch.cat([f, closeness((f @ self.T).view(len(f), self._kernels, -1))], dim=1)


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
