"""Two time-scale update rule: D learns at another rate than G (Heusel et al. 2017).

The rates of the variant's optimisers become `lr_G` and `lr_D`; all else stays, `n_critic` too.

https://arxiv.org/abs/1706.08500. The defaults, 1e-4 and 4e-4, are those that SAGAN took
(Zhang et al. 2019, https://arxiv.org/abs/1805.08318).

Departures from the paper: it chose the two rates for each network and dataset.
"""

from dataclasses import dataclass

from ganbench.techniques._base import Player, Technique, players
from ganbench.variants._base import Variant


class Ttur(Technique):
    """See the top of this file."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings."""

        lr_G: float = 1e-4
        lr_D: float = 4e-4

    def begin(self, variant: Variant) -> None:
        """Sets the rates."""
        rates: dict[Player, float] = {"G": self.config.lr_G, "D": self.config.lr_D}
        for player, optimiser in players(variant, "ttur").items():
            for group in optimiser.param_groups:
                group["lr"] = rates[player]
