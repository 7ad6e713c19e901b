"""Classes that travel with images: a `labels.csv` beside them, as `ganbench data export` writes it.

It is read when classes are asked for and not before: a stray file of that name is no matter of who needs none.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadImage, BadInput
from ganbench.images.formats import CURE as CURE_OF_IMAGES

T = TypeVar("T")
Labels = NDArray[np.int64]
FILE = "labels.csv"
MAX_BYTES = 1 << 28
CURE = "Mend it or, where it is no list of the classes of these images, rename it."
_HEADER = ("name", "label")
_BEYOND = 1 << 31  # of the numbers of classes
_SHOWN = 60  # characters of a file's text in a message


def reader(
    names: Sequence[str], where: str, *, of: str, size: Callable[[], int], read: Callable[[], bytes]
) -> Callable[[], Labels]:
    """What reads the classes of the images `names` out of a `labels.csv`, when it is called.

    Args:
        names: of the images, in their order.
        where: what messages call the file.
        of: what they call the images.
        size: gives its size in bytes, asked before it is read.
        read: gives its bytes.
    """

    def labels() -> Labels:
        try:
            if size() > MAX_BYTES:
                raise BadInput(f"{where} is {size():,} bytes long; at most {MAX_BYTES:,} are read.")
            return _parsed(read(), names, where, of)
        except OSError as error:
            raise BadInput(f"{where} cannot be read ({error.strerror}). Check its permissions.") from error
        except BadInput as error:
            # What reads images says what to do about a bad image.
            why = str(error).removesuffix(CURE_OF_IMAGES).strip() if isinstance(error, BadImage) else str(error)
            raise BadInput(f"{why} {CURE}") from error

    return labels


def only(found: Sequence[T], where: str) -> T:
    """The one entry of an archive. Raises BadInput where there are several of that name."""
    if len(found) > 1:
        raise BadInput(f"{where} is there {len(found)} times; nothing tells which one is meant.")
    return found[0]


def _parsed(data: bytes, names: Sequence[str], where: str, of: str) -> Labels:
    rows = rows_of(data, where)
    head = next(rows, [])
    if not is_header(head):
        raise BadInput(f"{where} begins with {_shortened(','.join(head))}; wanted {','.join(_HEADER)}.")
    return by_name(rows, names, where, of=of)


def rows_of(data: bytes, where: str) -> Iterator[list[str]]:
    """The rows of a file of text that are not empty. Raises BadInput where it is no such text."""
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")  # Excel begins files with a byte order mark
    try:
        yield from (row for row in csv.reader(text) if row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{where} is no text of labels ({error}).") from error


def is_header(row: Sequence[str]) -> bool:
    """Whether a row is `name,label`."""
    return tuple(cell.strip().lower() for cell in row) == _HEADER


def by_name(rows: Iterable[Sequence[str]], names: Sequence[str], where: str, *, of: str) -> Labels:
    """The class of each of `names` by rows of a name and a label, int64 (n,). Other names may be there too.

    Raises BadInput where a row is none of that kind, or an image is given no class, or two.
    """
    places = {name: place for place, name in enumerate(names)}
    found = np.full(len(names), -1, dtype=np.int64)
    for row in rows:
        if len(row) != len(_HEADER):
            raise BadInput(f"{where} holds the line {_shortened(','.join(row))}; wanted a name and a label.")
        label, place = whole(row[1], where), places.get(row[0])
        if place is None:
            continue
        if found[place] not in (-1, label):
            raise BadInput(f"{where} gives {row[0]!r} the labels {found[place]} and {label}; wanted one.")
        found[place] = label
    missing = np.flatnonzero(found < 0)
    if len(missing):
        raise BadInput(f"{where} does not name {names[missing[0]]!r} ({len(missing)} such images of {of}).")
    return found


def whole(text: str, where: str) -> int:
    """A label. Raises BadInput where it is no whole number that can be one."""
    try:
        label = int(text)
    except ValueError as error:
        raise BadInput(f"{where} holds {_shortened(text)}; wanted whole numbers, one for each image.") from error
    _check_range(label, label, where)
    return label


def checked(labels: NDArray[np.generic], n: int, where: str, *, of: str) -> Labels:
    """Labels out of an array as int64 (n,). Raises BadInput where they are no whole numbers, one for each image."""
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        found = f"{labels.dtype} of shape {labels.shape}"
        raise BadInput(f"{where} holds {found}; wanted whole numbers, one for each image.")
    if len(labels) != n:
        raise BadInput(f"{where} has {len(labels)} labels; {of} has {n} images. Give one for each.")
    if n:
        _check_range(int(labels.min()), int(labels.max()), where)
    return labels.astype(np.int64)


def labels_sha256(labels: Labels) -> str:
    """sha256 over the classes of images, which no fingerprint of the images knows."""
    return hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()


def _check_range(low: int, high: int, where: str) -> None:
    if low < 0:
        raise BadInput(f"{where} holds the label {_shown(low)}; classes are numbered from 0.")
    if high >= _BEYOND:
        raise BadInput(f"{where} holds the label {_shown(high)}; a class has a number below {_BEYOND:,}.")


def _shown(number: int) -> str:
    """A number as far as a message shows it."""
    text = str(number)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _shortened(text: str) -> str:
    """Text of a file, quoted, as far as a message shows it."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
