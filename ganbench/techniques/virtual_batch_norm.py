"""Virtual batch normalisation of G: by the statistics of a fixed batch and of the datum (Salimans et al. 2016).

With B the size of the reference batch, for each channel of each layer

    m = (1/(B+1)) m_own + (B/(B+1)) m_ref,     s = (1/(B+1)) s_own + (B/(B+1)) s_ref

are the mean and the mean square of the datum and of the reference batch, and x becomes
gamma (x - m) / sqrt(s - m^2 + eps) + beta: no datum depends on others of its batch. The reference batch, drawn once in
the beginning, goes through G with every batch and is normalised by itself; it takes part in G's cost.
https://arxiv.org/abs/1606.03498, section 3.5.

Departures from the paper: none known. In points, where a channel of a datum is one number, m_own is that number.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganbench.nets._plain import replaced
from ganbench.techniques._base import Player, Technique
from ganbench.variants._base import Problem, Variant


class _Virtual(nn.Module):
    """One layer's norm; the first `size` rows of what it gets are the reference batch."""

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(norm.num_features))
        self.bias = nn.Parameter(torch.empty(norm.num_features))
        self._size, self._eps = size, norm.eps

    def reset(self, _: torch.Generator) -> None:
        """gamma = 1, beta = 0."""
        self.weight.fill_(1.0)
        self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(size + n, c, ...), the same shape."""
        B, places = self._size, list(range(2, x.dim()))
        mean, square = (each.mean(places) if places else each for each in (x, x.square()))  # (size + n, c) of each row
        m_ref, s_ref = mean[:B].mean(0, keepdim=True), square[:B].mean(0, keepdim=True)
        m = torch.cat([m_ref.expand(B, -1), (mean[B:] + B * m_ref) / (B + 1)])
        s = torch.cat([s_ref.expand(B, -1), (square[B:] + B * s_ref) / (B + 1)])
        scale = (s - m.square() + self._eps).rsqrt() * self.weight
        column = (*m.shape, *[1] * len(places))
        return (x - m.view(column)) * scale.view(column) + self.bias.view(1, -1, *[1] * len(places))


class _WithReference(nn.Module):
    """G whose norms are virtual: its batch goes through it behind the reference batch."""

    def __init__(self, G: nn.Module, size: int, z_dim: int) -> None:
        super().__init__()
        replaced(G, lambda child: _Virtual(child, size) if isinstance(child, _NORM) else None)
        self.G, self._size = G, size
        self.reference: Tensor
        self.register_buffer("reference", torch.empty(size, z_dim))

    def reset(self, generator: torch.Generator) -> None:
        """Draws the reference batch."""
        nn.init.normal_(self.reference, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        """(n, z_dim) to (n, *shape)."""
        found: Tensor = self.G(torch.cat([self.reference, z]))
        return found[self._size :]


_NORM = nn.modules.batchnorm._BatchNorm


class VirtualBatchNorm(Technique):
    """See the top of this file."""

    needs: ClassVar[tuple[Player, ...]] = ("G",)

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings: the reference batch is as large as this, or as a batch where 0."""

        size: int = 0

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self._size = config.size or problem.batch_size * problem.ranks.world

    @classmethod
    def misfit(cls, kind: type[Variant], _config: object) -> str | None:
        """The reference batch is drawn from N(0, I)."""
        plain = kind.known(kind.Config()) != "all" and kind.z_dim is Variant.z_dim
        return None if plain else "draws its reference batch from N(0, I), and this G sees classes or codes, too"

    def changed_G(self, G: nn.Module) -> nn.Module:
        """G with virtual norms; as it is where it has none."""
        return _WithReference(G, self._size, self.problem.backbone.z_dim)
