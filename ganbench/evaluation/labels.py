"""The classes of samples: from a file, `--labels`, or as they travel with the images."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.evaluation.sides import Missing
from ganbench.features.npz import open_npz
from ganbench.images.classes import by_name, checked, is_header, rows_of, whole
from ganbench.images.source import ImageSource

Labels = NDArray[np.int64]
_LARGEST = 1 << 28  # bytes of a file of labels


def read_labels(path: Path, source: ImageSource) -> Labels:
    """The class of each image of a source, int64 (n,), >= 0.

    Args:
        path: a `.csv` with the columns name and label, as `ganbench data export` writes it, whose names are those of
            the images; a `.txt` or `.csv` with one whole number a line, in the order of the images; an `.npy` of
            whole numbers; or an `.npz` with `labels`, or `arr_1` as samplers of diffusion models write it.
        source: the images.

    Raises:
        BadInput: the file cannot be read, or does not fit the images.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path} is larger than {_LARGEST >> 20} MiB, so it is no file of labels.")
        found = _read(path, source)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}). Give a file with the classes of the samples."
        ) from error
    return checked(found, len(source), str(path), of=source.name)


def classes_of(source: ImageSource, given: Labels | None, used: NDArray[np.int64]) -> Labels | None:
    """The classes of the samples used: those `given`, or those that travel with them. None where nobody says them.

    Raises Missing where those that travel with them cannot be read: metrics that need none are computed all the same.
    """
    try:
        labels = source.labels if given is None else given
    except BadInput as error:
        raise Missing(f"The classes of the samples cannot be read: {error} Or give them: --labels FILE") from error
    return None if labels is None else labels[used]


def _read(path: Path, source: ImageSource) -> NDArray[np.integer]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _from_npz(path, len(source))
    if suffix == ".npy":
        try:
            loaded: NDArray[np.integer] = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise BadInput(f"{path} is no array of numbers ({error}).") from error
        return loaded
    if suffix in (".csv", ".txt"):
        return _from_text(path, source)
    raise BadInput(f"{path}: labels come as .csv, .txt, .npy or .npz.")


def _from_npz(path: Path, n: int) -> NDArray[np.integer]:
    with open_npz(path) as file:
        names = [name for name in ("labels", "arr_1") if name in file.names]
        if not names:
            raise BadInput(f"{path} has the arrays {', '.join(sorted(file.names))}; wanted labels, or arr_1.")
        found: NDArray[np.integer] = file.read(names[0], kind="iu", shape=(None,), limit=8 * max(n, 1))
        return found


def _from_text(path: Path, source: ImageSource) -> NDArray[np.integer]:
    rows = list(rows_of(path.read_bytes(), str(path)))
    if rows and is_header(rows[0]):
        names = [item.name for item in source.items(range(len(source)))]
        return by_name(rows[1:], names, str(path), of=source.name)
    if rows and rows[0] == ["label"]:
        rows = rows[1:]
    return np.array([whole(row[-1], str(path)) for row in rows], dtype=np.int64)
