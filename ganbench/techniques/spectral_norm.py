"""Spectral normalisation: every layer of D is divided by its largest singular value (Miyato et al. 2018).

W_SN = W / sigma(W), sigma by one step of the power iteration in each forward pass of training.

https://arxiv.org/abs/1802.05957. The backbone's other normalisation of D goes.

Departures from the paper: none known; `sngan` is the variant of its authors, with their hinge loss.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganbench.nets._base import Norm
from ganbench.techniques._base import Player, Technique


class SpectralNorm(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("D",)

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """No settings."""

    def d_norm(self, _norm: Norm) -> Norm:
        """Whatever the variant asked for."""
        return "spectral"
