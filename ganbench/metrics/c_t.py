"""Data-copying test: whether fakes lie nearer to the training images than held-out images of the same kind do.

    C_T = Σ_π P(π) Z(π) / Σ_π P(π),   Z(π) = (U - nm/2 + ½) / √(nm(n + m + 1)/12)

over the cells π of a k-means partition of the training images. P(π) is the share of the n held-out images in the cell;
U counts the pairs of one of the cell's m fakes and one of its n held-out images in which the fake is farther from its
nearest training image of the cell. Far below 0: copies. 0: as fresh draws would be. Far above 0: off the data, so 0 is
ideal, and results are ranked by their distance from it. For fresh draws C_T is normal with mean 0 and the deviation
√ΣP²/ΣP in `details` (`null_std`, 1 for one cell).

As in dgm-eval: features wider than 64 are reduced to their 64 main components among the training images, by exact
eigenvectors here; three cells, the best of 10 runs of k-means; cells of 20 fakes or fewer do not count. Cells without
held-out images do not count either, where the authors' code stops.

Paper: Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying in generative models",
https://arxiv.org/abs/2004.05675.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.errors import BadInput
from ganbench.features.moments import F64
from ganbench.features.stats import Features
from ganbench.metrics._base import Metric, TooFewImages, held_out_of, require_at_least, same_width, values_of
from ganbench.metrics._clusters import cells_of
from ganbench.metrics._components import reduced
from ganbench.metrics._nearest import search
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class CT(Metric):
    """The data-copying test.

    Attributes:
        cells: of the k-means partition.
        dims: to how many main components wider features are reduced.
        least: a cell counts where it has more fakes than this.
        seed: of k-means.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"c_t": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"c_t": "C_T"}
    ideals: ClassVar[Mapping[str, float]] = {"c_t": 0.0}
    readings: ClassVar[Mapping[str, str]] = {
        "c_t": "0 is ideal: fresh draws of the data score 0 ± {null_std}. Far below 0 are copies of the training "
        "images, far above 0 images off the data."
    }
    needs_held_out: ClassVar[bool] = True

    cells: int = 3
    dims: int = 64
    least: int = 20
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, cells=1, dims=1, least=0, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The statistic; None where no cell counts.

        Raises BadInput where the widths differ, TooFewImages where no cell could count, UsageError where there are
        no held-out images or only the moments of a set are known.
        """
        assert real is not None
        same_width(fake, real)
        held_out = held_out_of(real)
        if held_out.d != real.d:
            raise BadInput(f"test has features of width {held_out.d}, real of width {real.d}; give those of one head.")
        sets = values_of(fake, "fake"), values_of(real, "real"), values_of(held_out, "test")
        for side, values, wanted in zip(("fake", "real"), sets, (self.least + 1, self.cells), strict=False):
            if len(values) < wanted:
                raise TooFewImages(f"{side} has {len(values)} images; at least {wanted} are needed. Give more.")
        return {"c_t": self._score(*reduced(*sets, among=sets[1], dims=self.dims))}

    def _score(self, fake: F64, real: F64, held_out: F64) -> Score:
        seed = int(self.generator(self.seed).integers(2**31))
        cell_of = cells_of(fake, real, held_out, among=real, cells=self.cells, seed=seed)
        z, weight = [], []
        for cell in range(self.cells):
            x, train, test = (v[c == cell] for v, c in zip((fake, real, held_out), cell_of, strict=True))
            if len(x) > self.least and len(test) and len(train):
                z.append(z_of(search(x, train).distance, search(test, train).distance))
                weight.append(len(test) / len(held_out))
        details = {"cells": float(len(z))}
        if not z:
            return Score(None, reason=f"no cell has more than {self.least} fakes and a held-out image", details=details)
        null = float(np.linalg.norm(weight) / sum(weight))
        return Score(float(np.average(z, weights=weight)), details=details | {"null_std": null})


def z_of(x: F64, y: F64) -> float:
    """Mann and Whitney's U of x over y as a standard normal number: large where x is larger."""
    n, m = len(y), len(x)
    y = np.sort(y)
    u = (np.searchsorted(y, x, "left").sum() + np.searchsorted(y, x, "right").sum()) / 2
    return float((u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12))
