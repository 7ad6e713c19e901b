"""Nearest reals: how near the fakes come to single training images, and the closest pairs to look at.

    ratio(x) = ‖x - y(x)‖ / min over other reals y' of ‖y(x) - y'‖,   y(x) = the real nearest to the fake x
    nearest = median over fakes x of ratio(x)

A ratio of 0 is a copy; fakes that are as apart from the data as real images are from each other have ratios around 1;
far above 1 they are off the data. A fake at distance 0 has the ratio 0 even where the real has a double.

`details` counts exact copies (distance 0) and near copies (ratio below `near`, half the distance to a neighbour; 0.5
is the factor of the paper below, which divides by other distances). A reference rounded to float16 makes exact copies
near ones. `series` lists the pairs of the smallest ratios, smallest first: positions of the fake and the real in their
sources, distance, ratio. Copies are found of the reals that are given; a reference that kept a part of its images
knows no others.

Paper: after Carlini et al. 2023, "Extracting training data from diffusion models", https://arxiv.org/abs/2301.13188.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, require_at_least
from ganbench.metrics._nearest import nearest
from ganbench.metrics._neighbours import radii
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class NearestReals(Metric):
    """The median ratio of distances, and the closest pairs.

    Attributes:
        near: the ratio below which a fake counts as a near copy.
        pairs: how many pairs are listed.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"nearest": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"nearest": "Nearest (ratio)"}
    unranked: ClassVar[Mapping[str, str]] = {"nearest": "images far off the data score high as well"}
    readings: ClassVar[Mapping[str, str]] = {
        "nearest": "{exact_copies} exact and {near_copies} near copies of the reference. Ratios near 1 are those of "
        "fresh images; far above 1 lie images off the data."
    }

    near: float = 0.5
    pairs: int = 20

    def __post_init__(self) -> None:
        require_at_least(self, pairs=0)
        if not 0 < self.near < inf:
            raise UsageError(f"NearestReals: near must be a positive number; found {self.near!r}.")

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The median ratio, >= 0.

        Raises BadInput where the widths differ, UsageError where only the moments of one are known.
        """
        assert real is not None
        found = nearest(fake=fake, real=real)
        own = radii(real, 1, "real")[found.index, 0]
        ratio = np.full(len(own), inf)
        np.divide(found.distance, own, out=ratio, where=own > 0)
        ratio[found.distance == 0] = 0
        order = np.lexsort((found.distance, ratio))[: self.pairs]
        order = order[np.isfinite(ratio[order])]
        details = {
            "exact_copies": float(np.sum(found.distance == 0)),
            "near_copies": float(np.sum(ratio < self.near)),
        }
        series = {
            "fake": positions(fake, order).tolist(),
            "real": positions(real, found.index[order]).tolist(),
            "distance": found.distance[order].tolist(),
            "ratio": ratio[order].tolist(),
        }
        return {"nearest": Score(float(np.median(ratio)), details=details, series=series)}


def positions(features: Features, rows: NDArray[np.intp]) -> NDArray[np.integer]:
    """Where in their source the images of these rows stand."""
    return rows if features.positions is None else features.positions[rows]
