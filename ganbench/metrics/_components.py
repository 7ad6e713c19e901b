"""The main components of a set of features, by exact eigenvectors of its covariance."""

import numpy as np

from ganbench.features.moments import F64
from ganbench.metrics._screen import Array, centre_of, tiles


def reduced(*sets: Array, among: Array, dims: int) -> list[F64]:
    """Each set along the `dims` main components of `among`, float64 (n, dims); the features themselves where no wider.

    The components are centred and keep their lengths, so distances are those of the projections.
    """
    from scipy.linalg import eigh

    d = among.shape[1]
    if d <= dims:
        return [np.asarray(values, dtype=np.float64) for values in sets]
    centre = centre_of(among)
    scatter = np.zeros((d, d))
    for part in tiles(len(among)):
        gap = among[part] - centre
        scatter += gap.T @ gap
    _, basis = eigh(scatter, subset_by_index=[d - dims, d - 1], overwrite_a=True, check_finite=False)
    return [np.concatenate([(values[part] - centre) @ basis for part in tiles(len(values))]) for values in sets]
