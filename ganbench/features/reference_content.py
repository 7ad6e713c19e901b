"""The numbers of a reference as bytes: their digest, and covariances without the half that is there twice."""

import hashlib
from collections.abc import Mapping

import numpy as np

from ganbench.features.moments import F64
from ganbench.features.stats import Features

_BLOCK = 4096


def content_sha256(heads: Mapping[str, Features], n: int | None) -> str:
    """sha256 over the numbers of a reference: equal statistics, equal digest, whatever file holds them."""
    digest = hashlib.sha256(b"ganbench.reference/1\n")
    for name in sorted(heads):
        head = heads[name]
        digest.update(f"{name} n={n} d={head.d}\n".encode())
        if head.moments_given:
            digest.update(head.moments.mean.astype("<f8").tobytes())
            digest.update(packed(head.moments.cov).astype("<f8").tobytes())
        if head.values is not None:
            for start in range(0, len(head.values), _BLOCK):
                digest.update(head.values[start : start + _BLOCK].astype("<f4").tobytes())
    return digest.hexdigest()


def packed(cov: F64) -> F64:
    """The upper triangle of a symmetric (d, d) matrix, row by row, (d (d + 1) / 2,)."""
    return np.concatenate([cov[i, i:] for i in range(len(cov))])


def unpacked(triangle: F64, d: int) -> F64:
    """The symmetric (d, d) matrix of an upper triangle."""
    full = np.empty((d, d))
    start = 0
    for i in range(d):
        row = triangle[start : start + d - i]
        full[i, i:] = row
        full[i:, i] = row
        start += d - i
    return full
