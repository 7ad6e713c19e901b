"""Statistics as other tools write them: `mu`, `sigma` of TTUR, pytorch-fid, clean-fid, ADM and EDM; in and out."""

from pathlib import Path

import numpy as np

from ganbench.errors import BadInput, UsageError
from ganbench.features.factors import FactorCache
from ganbench.features.moments import F64, Moments
from ganbench.features.npz import NpzFile, open_npz, write_npz
from ganbench.features.reference_content import content_sha256
from ganbench.features.reference_files import MAX_WIDTH, load
from ganbench.features.references import Factors, Reference, ReferenceFeatures, root
from ganbench.files import atomic_write, sha256_file
from ganbench.progress import Warn, unheard
from ganbench.protocol import Protocol

# A covariance in float32, or of float32 features, is symmetric and bounded by its diagonal to this part of its scale.
_ROUNDING = 1e-5


def is_statistics(path: Path) -> bool:
    """Whether a file is an npz with statistics in it, ours or another tool's, rather than with images alone."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    with open_npz(path) as file:
        return {"mu", "sigma"} <= file.names or _is_ours(path, file)


def _is_ours(path: Path, file: NpzFile) -> bool:
    return "n" in file.names and path.with_suffix(".json").is_file()


def open_statistics(
    path: Path, *, protocol: Protocol, explicit: bool, n: int | None = None, warn: Warn = unheard
) -> Reference:
    """Opens a file of statistics that was given as a path.

    Args:
        path: a file for which `is_statistics` holds.
        protocol: under which the samples will be extracted.
        explicit: whether the user named the protocol. A `mu`, `sigma` file does not say which it is of.
        n: images behind it, where that is known from elsewhere.
        warn: told of a cached factor that was corrupted and made again.

    Raises:
        UsageError: the protocol was not named, or is not the one that made the file.
        BadInput: the file is not as it should be. CorruptFile: it is one of ours, and has changed.
    """
    reference = read_foreign(path, head=protocol.head, n=n, factors=FactorCache(warn=warn))
    if reference.protocol_fingerprint is None and not explicit:
        raise unnamed_protocol(path)
    return reference.check_protocol(protocol)


def unnamed_protocol(path: Path) -> UsageError:
    """The error for statistics that do not say how they were made."""
    return UsageError(
        f"{path} holds mu and sigma and does not say which network and resize made them. Name them with --protocol: "
        "tf (TTUR, ADM, EDM, torch-fidelity), pytorch (pytorch-fid), clean (clean-fid), or the one that "
        "`ganbench ref export` told when it wrote them."
    )


def read_foreign(path: Path, *, factors: Factors = root, head: str = "pool", n: int | None = None) -> Reference:
    """Reads the `mu` and `sigma` of an npz; images and spatial statistics beside them (ADM) are left alone.

    A file of our own is read as such: it knows its protocol, and may have features.

    Args:
        path: a file for which `is_statistics` holds.
        factors: gives the factor of a covariance when it is asked for: a FactorCache, or `root` to make it each time.
        head: the head of the network that `mu` and `sigma` are of.
        n: images behind them, where that is known from elsewhere; a key `n` in the file goes first.

    Returns:
        A reference with moments only, of no protocol, `n` None where it is not known.

    Raises:
        BadInput: an array is absent, pickled, of another shape, not finite, or no covariance.
        CorruptFile: a file of our own has changed.
    """
    with open_npz(path) as file:
        if _is_ours(path, file):
            return load(path, factors=factors)
        d = _width(file)
        mean: F64 = file.read("mu", kind="f", shape=(d,), limit=8 * MAX_WIDTH).astype(np.float64)
        cov: F64 = file.read("sigma", kind="f", shape=(d, d), limit=8 * d * d).astype(np.float64)
        said = int(file.read("n", kind="iu", shape=(), limit=8)) if "n" in file.names else 0
    known = said if said > 0 else n
    moments = Moments(known or 0, mean, _covariance(path, mean, cov))
    heads = {head: ReferenceFeatures(moments=moments, factors=factors)}
    info = {"source": path.name, "file_sha256": sha256_file(path)}
    return Reference(path.stem, None, known, None, heads, content_sha256(heads, known), info=info)


def _width(file: NpzFile) -> int:
    header = file.header("mu")
    if len(header.shape) != 1 or not 1 <= header.shape[0] <= MAX_WIDTH:
        raise BadInput(f"{file.path}: 'mu' has shape {header.shape}; wanted (d,) with d at most {MAX_WIDTH}.")
    for name in ("mu", "sigma"):
        dtype = file.header(name).dtype
        if dtype.kind == "f" and dtype.itemsize not in (4, 8):
            raise BadInput(f"{file.path}: {name!r} is {dtype}; wanted float32 or float64: less is too coarse.")
    return header.shape[0]


def _covariance(path: Path, mean: F64, cov: F64) -> F64:
    """The covariance made exactly symmetric. Raises BadInput where it can be none."""
    if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
        raise BadInput(f"{path}: mu or sigma holds NaN or infinite values. Make the statistics again.")
    diagonal = cov.diagonal()
    scale = float(diagonal.max())
    off = float(np.abs(cov - cov.T).max())
    if off > _ROUNDING * max(scale, 0.0):
        raise BadInput(f"{path}: sigma is no covariance: it is not symmetric (off by {off:.3g}, scale {scale:.3g}).")
    if float(diagonal.min()) < -_ROUNDING * scale:
        raise BadInput(f"{path}: sigma is no covariance: a variance is negative ({diagonal.min():.3g}).")
    symmetric: F64 = (cov + cov.T) / 2
    deviation = np.sqrt(np.clip(diagonal, 0.0, None))
    beyond = float((np.abs(symmetric) - np.outer(deviation, deviation)).max())
    if beyond > _ROUNDING * scale:
        raise BadInput(f"{path}: sigma is no covariance: an entry exceeds what its variances allow, by {beyond:.3g}.")
    return symmetric


def export_foreign(reference: Reference, path: Path, *, head: str = "pool") -> None:
    """Writes `mu` (d,) and `sigma` (d, d), float64, as pytorch-fid and its kin read them; and our own key `n`.

    Raises:
        UsageError: the path cannot be written or does not end in .npz. GanbenchError: the disk is full.
    """
    if path.suffix.lower() != ".npz":
        raise UsageError(f"{path} does not end in .npz, by which other tools know statistics. Name it so.")
    if head not in reference.heads:
        raise UsageError(f"{reference.spec!r} has no head {head!r}; it has: {', '.join(reference.heads)}.")
    moments = reference.heads[head].moments
    arrays = {"mu": moments.mean, "sigma": moments.cov}
    if reference.n:
        arrays["n"] = np.array(reference.n, dtype="<i8")
    with atomic_write(path) as file:
        write_npz(file, arrays)
