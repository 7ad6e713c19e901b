"""k-means by scikit-learn, on one thread: its parallel sums would end in other digits from run to run."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.features.moments import F64

_BATCH = 1024  # scikit-learn's default since 1.0, held fast
_STARTS = 10


def cells_of(*sets: F64, among: F64, cells: int, seed: int) -> list[NDArray[np.int32]]:
    """The cell of each row of each set, in a k-means partition of the rows of `among`."""
    from sklearn.cluster import KMeans

    means = _fitted(KMeans(n_clusters=cells, n_init=_STARTS, random_state=seed), among)
    return [means.predict(values) for values in sets]


def clusters_of(values: F64, *, clusters: int, seed: int) -> NDArray[np.int32]:
    """The cluster of each row, by k-means on random batches."""
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(n_clusters=clusters, n_init=_STARTS, batch_size=_BATCH, random_state=seed)
    found: NDArray[np.int32] = _fitted(means, values).labels_
    return found


def _fitted(means: Any, values: F64) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Fewer different rows than clusters: some clusters are empty then, which their counts say.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        return means.fit(values)
