"""The classes of samples from a file: `--labels`."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.npz import open_npz
from ganbench.images.source import ImageSource

Labels = NDArray[np.int64]
_LARGEST = 1 << 28  # bytes of a file of labels
_HEADER = ("name", "label")


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
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise BadInput(f"{path} holds {found.dtype} of shape {found.shape}; wanted whole numbers, one for each image.")
    if len(found) != len(source):
        raise BadInput(f"{path} has {len(found)} labels; {source.name} has {len(source)} images. Give one for each.")
    if found.min() < 0:
        raise BadInput(f"{path} holds the label {found.min()}; classes are numbered from 0.")
    return found.astype(np.int64)


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
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8").splitlines()) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} is no text of labels ({error}).") from error
    if rows and tuple(cell.strip().lower() for cell in rows[0]) == _HEADER:
        return _by_name(rows[1:], path, source)
    if rows and rows[0] == ["label"]:
        rows = rows[1:]
    return np.array([_whole(row[-1], path) for row in rows], dtype=np.int64)


def _by_name(rows: Sequence[Sequence[str]], path: Path, source: ImageSource) -> Labels:
    classes = {row[0]: _whole(row[-1], path) for row in rows}
    names = [item.name for item in source.items(range(len(source)))]
    missing = [name for name in names if name not in classes]
    if missing:
        raise BadInput(f"{path} does not name {missing[0]!r} ({len(missing)} such images of {source.name}).")
    return np.array([classes[name] for name in names], dtype=np.int64)


def _whole(text: str, path: Path) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput(f"{path} holds {text!r}; wanted whole numbers, one for each image.") from error
