"""The two layouts of the CIFAR datasets, read without unpickling; and what the two datasets share."""

import mmap
import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ganbench.errors import BadInput
from ganbench.images.datasets._base import Dataset, places, store
from ganbench.images.datasets._store import fetch_members, torchvision_class, verified
from ganbench.images.indexed import IndexedSource, Labels
from ganbench.images.reading import SharedFile
from ganbench.images.source import ImageSource, Pixels
from ganbench.progress import Progress

_SHAPE = (3, 32, 32)
_PIXELS = 3072
_STRINGS = ("BINSTRING", "BINBYTES", "BINBYTES8")
_MEMO = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "FRAME")


class CifarDataset(Dataset):
    """A dataset of 32 x 32 colour images in CIFAR's files. Subclasses name files and folders.

    Class attributes: the name; the folder and the files of each split in the binary layout, and how many label bytes
    stand before the pixels there, the wanted one last; the same of the layout for Python and the name of its labels;
    torchvision's class.
    """

    name: ClassVar[str]
    torchvision_name: ClassVar[str]
    homepage: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar.html"
    licence: ClassVar[str] = "none stated; to be cited as Krizhevsky 2009"
    binary_folder: ClassVar[str]
    binary_files: ClassVar[dict[str, tuple[str, ...]]]
    label_bytes: ClassVar[int]
    python_folder: ClassVar[str]
    python_files: ClassVar[dict[str, tuple[str, ...]]]
    label_key: ClassVar[str]

    @classmethod
    def locate(cls, split: str) -> Path | None:
        """The folder of the files, binary layout first."""
        return cls._binary(split) or cls._python(split)

    @classmethod
    def _binary(cls, split: str) -> Path | None:
        return _folder_with(cls.binary_files[split], f"{cls.name}/{cls.binary_folder}", cls.binary_folder)

    @classmethod
    def _python(cls, split: str) -> Path | None:
        return _folder_with(cls.python_files[split], f"{cls.name}/{cls.python_folder}", cls.python_folder)

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        """The images of a split, in the order of the files."""
        if folder := cls._binary(split):
            parts = [binary_part(folder / name, cls.label_bytes) for name in cls.binary_files[split]]
        elif folder := cls._python(split):
            paths = [verified(folder / name) for name in cls.python_files[split]]
            parts = [pickled_part(path, cls.label_key) for path in paths]
        else:
            return None
        return joined(parts, f"{cls.name}:{split}")

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:  # noqa: ARG003 - one archive holds all
        """Fetches the archive that torchvision knows, checked against its md5 sum; nothing in it is unpickled."""
        origin = torchvision_class(cls.torchvision_name)
        members = [name for files in cls.python_files.values() for name in files]
        fetch_members(origin.url, store() / cls.python_folder, md5=origin.tgz_md5, members=members, progress=progress)


def _folder_with(files: Sequence[str], *layouts: str) -> Path | None:
    return next((folder for folder in places(*layouts) if all((folder / name).is_file() for name in files)), None)


@dataclass(frozen=True)
class Part:
    """Images in one file: n of them, the first at byte `start`, one every `stride` bytes; and their labels, (n,)."""

    file: SharedFile
    n: int
    start: int
    stride: int
    labels: Labels | None  # None: the byte before the pixels


def joined(parts: Sequence[Part], name: str) -> ImageSource:
    """One source of all parts, one after the other."""
    ends = np.cumsum([part.n for part in parts])

    def read(index: int) -> Pixels:
        which = int(np.searchsorted(ends, index, side="right"))
        part = parts[which]
        at = part.start + (index - int(ends[which]) + part.n) * part.stride
        data = part.file.read_at(at, _PIXELS)
        if len(data) < _PIXELS:
            raise _bad(part.file.path, "it became shorter while it was read")
        return np.frombuffer(data, np.uint8).reshape(_SHAPE).transpose(1, 2, 0)

    labels = partial(_labels, parts)
    return IndexedSource(name, int(ends[-1]), read=read, labels=labels)


def _labels(parts: Sequence[Part]) -> Labels:
    return np.concatenate([_part_labels(part) for part in parts])


def _part_labels(part: Part) -> Labels:
    if part.labels is not None:
        return part.labels
    found = (part.file.read_at(part.start + i * part.stride - 1, 1)[0] for i in range(part.n))
    return np.fromiter(found, np.int64, part.n)


def binary_part(path: Path, label_bytes: int) -> Part:
    """A file of the binary layout: records of labels and 3,072 pixels. Raises BadInput for another length."""
    file = SharedFile(path)
    stride = label_bytes + _PIXELS
    if file.size == 0 or file.size % stride:
        raise _bad(path, f"its {file.size:,} bytes are no whole number of records of {stride:,}")
    return Part(file, file.size // stride, label_bytes, stride, None)


def pickled_part(path: Path, label_key: str) -> Part:
    """A file of the layout for Python: the pickle's opcodes are listed, none is carried out.

    What must be there: one string of 3,072 bytes for each label, the raw bytes of a row-major array; and one list of
    small integers, the value of `label_key`.

    Raises:
        BadInput: the file is anything else.
    """
    file = SharedFile(path)
    scan = _Scan(label_key)
    try:
        with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for opcode, argument, position in pickletools.genops(data):  # type: ignore[arg-type]
                scan.take(opcode.name, argument, position or 0)
    except Exception as error:  # nearly anything on hostile bytes
        raise _bad(path, f"it is no whole pickle ({error})") from error
    labels = np.array(scan.labels, np.int64)
    strings = [(start, size) for start, size in scan.strings if len(labels) and size == _PIXELS * len(labels)]
    if len(strings) != 1 or scan.lists != 1:
        raise _bad(path, f"it has {scan.lists} lists {label_key!r} and {len(strings)} strings of pixels for them")
    return Part(file, len(labels), strings[0][0], _PIXELS, labels)


class _Scan:
    """What a pickle holds, told from its opcodes one after the other."""

    def __init__(self, label_key: str) -> None:
        self._key = label_key
        self._before = ""
        self._in_labels = False
        self.lists = 0
        self.labels: list[int] = []
        self.strings: list[tuple[int, int]] = []  # where the content begins, and its length

    def take(self, name: str, argument: Any, position: int) -> None:
        """Looks at one opcode."""
        if name in _MEMO:
            return
        if name in _STRINGS and self._before == "NEWFALSE":  # the array's flag: it is not in Fortran order
            self.strings.append((position + (9 if name == "BINBYTES8" else 5), len(argument)))
        if self._before == "KEY" and name == "EMPTY_LIST":
            self.lists += 1
            self._in_labels = True
        elif self._in_labels and name == "BININT1":
            self.labels.append(argument)
        elif name not in ("MARK", "APPENDS", "APPEND"):
            self._in_labels = False
        self._before = "KEY" if argument in (self._key, self._key.encode()) else name


def _bad(path: Path, why: str) -> BadInput:
    return BadInput(f"{path} is no file of CIFAR: {why}. Take it away, or put the original file in its place.")
