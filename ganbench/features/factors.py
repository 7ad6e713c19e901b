"""The factor R of a reference's covariance (cov = R Rᵀ), kept between runs: it takes longer than the distance."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganbench.errors import GanbenchError
from ganbench.features.moments import F64, Moments
from ganbench.features.references import root
from ganbench.files import atomic_write, locked, sha256_file, write_text
from ganbench.places import home


class FactorCache:
    """Gives the factor of a covariance: from `GANBENCH_HOME/references/factors`, or made and put there.

    A file is named by the covariance itself and checked against the sha256 beside it. One that is corrupted is
    made again and that is said; where none can be written the factor is made each time and that is said.

    Args:
        warn: told what went wrong and what was done about it.
    """

    def __init__(self, *, warn: Callable[[str], None]) -> None:
        self._warn = warn

    def __call__(self, moments: Moments) -> F64:
        """R, float64 (d, r), r <= d."""
        path = home() / "references" / "factors" / f"{_key(moments)}.npy"
        found = _whole(path, moments.d)
        if found is not None:
            return found
        factor: F64 | None = None
        try:
            with locked(path):
                found = _whole(path, moments.d)  # another process may have made it meanwhile
                if found is not None:
                    return found
                if path.exists():
                    self._warn(f"{path} was corrupted and is made again.")
                factor = root(moments)
                _put(path, factor)
        except (GanbenchError, OSError) as error:
            self._warn(f"The factor of the reference's covariance could not be kept for the next run. {error}")
        return root(moments) if factor is None else factor


def _whole(path: Path, d: int) -> F64 | None:
    """The factor in a file, or None where the file is absent or not what was written."""
    try:
        if path.with_suffix(".sha256").read_text(encoding="ascii").strip() != sha256_file(path):
            return None
        factor: F64 = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return factor if factor.ndim == 2 and factor.dtype == np.float64 and len(factor) == d else None


def _put(path: Path, factor: F64) -> None:
    """Writes the factor, and its digest before it becomes visible: a crash leaves no file that looks corrupted."""
    path.unlink(missing_ok=True)
    part = path.with_suffix(".part")
    with atomic_write(part) as file:
        np.save(file, factor, allow_pickle=False)
    write_text(path.with_suffix(".sha256"), sha256_file(part) + "\n")
    part.replace(path)


def _key(moments: Moments) -> str:
    """The factor depends on the covariance and on the rank that n allows, and on nothing else."""
    digest = hashlib.sha256(f"ganbench.factor/1 n={moments.n} d={moments.d}\n".encode())
    digest.update(np.ascontiguousarray(moments.cov, dtype="<f8").data)
    return digest.hexdigest()
