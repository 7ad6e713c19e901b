"""The few data whose class a semi-supervised training knows: as many of each class, the same for every variant."""

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError

Rows = NDArray[np.int64]


def balanced(labels: Rows, n: int, *, k: int, seed: int, name: str) -> Rows:
    """Rows of n data, n / k of each of the k classes: with one seed fewer of them are among more.

    Args:
        labels: the class of each of all data, 0..k-1.
        n: how many.
        k: number of classes.
        seed: decides which.
        name: of the data, for errors.

    Raises:
        UsageError: n is no multiple of k, or a class has fewer than n / k data.
    """
    each, left = divmod(n, k)
    if left or each < 1:
        raise UsageError(
            f"{n} known labels cannot be shared evenly among the {k} classes of {name}. Give a multiple of {k}, such "
            f"as --set labels={k * max(1, round(n / k))}"
        )
    counts = np.bincount(labels, minlength=k)
    if counts.min() < each:
        raise UsageError(
            f"{n} known labels are {each} of each class of {name}, which has {counts.min()} of class "
            f"{counts.argmin()}. Say --set labels={k * counts.min()} or less."
        )
    rng = np.random.default_rng(seed)  # each class takes as many numbers out of it, whatever n is
    return np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:each] for c in range(k)])
