"""The streams of random numbers of one run, each out of the run's seed and a number of its own.

Runs of different variants with one seed begin with the same stream of first weights, see the data in the same order
and are judged on the same codes.
"""

import numpy as np
import torch
from torch import Tensor

from ganbench.variants._classes import Classes

INIT, NOISE, ORDER, JUDGED, REAL, JUDGED_CLASS, LIKELIHOOD, FEW, FEW_ORDER, CONDITION_ORDER = range(10)


def stream_seed(seed: int, *key: int) -> int:
    """A 63-bit seed for the stream of that key."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0] >> 1)


def judged_codes(seed: int, start: int, stop: int, z_dim: int) -> Tensor:
    """The codes of samples start..stop-1, float32 (n, z_dim), N(0, I): each of its own seed, so no batch matters."""
    rows = np.empty((stop - start, z_dim), dtype=np.float32)
    for row, i in zip(rows, range(start, stop), strict=True):
        sequence = np.random.SeedSequence(seed, spawn_key=(JUDGED, i))
        row[:] = np.random.Generator(np.random.Philox(sequence)).standard_normal(z_dim, dtype=np.float32)
    return torch.from_numpy(rows)


def judged_labels(seed: int, start: int, stop: int, classes: Classes) -> Tensor:
    """The classes of samples start..stop-1, int64 (n,), as often as the reals have them; each of its own seed."""
    rolls = [
        np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(JUDGED_CLASS, i)))).random()
        for i in range(start, stop)
    ]
    return classes.of(torch.tensor(rolls, dtype=torch.float64))
