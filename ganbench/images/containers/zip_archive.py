"""A .zip of image files, read in place."""

import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from ganbench.errors import BadImage, BadInput
from ganbench.images.classes import FILE, Labels, only, reader
from ganbench.images.containers._entries import clean_name, is_image, no_images, order, refuse_twins, suffix_of
from ganbench.images.formats import CURE, MAX_BYTES
from ganbench.images.indexed import IndexedSource
from ganbench.images.reading import SharedFile
from ganbench.images.source import Container, ImageSource

_HEADER = 30  # bytes of a local header before name and extra field
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflate"}


class _Entry(NamedTuple):
    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int


class ZipArchive(Container):
    """Images in a .zip, in the order of their names, stored or deflated. Links are passed over; nothing is unpacked.

    A `labels.csv` at the top gives the classes.
    """

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .zip."""
        return path.suffix.lower() == ".zip"

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:  # noqa: ARG003
        """Reads the list of entries. `value_range` does not concern image files.

        Raises:
            BadInput: it is no zip, holds no images, or has an entry that climbs out, is encrypted, comes twice, or is
                packed by another method than deflate.
        """
        entries: list[_Entry] = []
        tables: list[zipfile.ZipInfo] = []
        others: Counter[str] = Counter()
        for info in directory(path):
            name = clean_name(info.filename, str(path))
            if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16) or not name:
                continue
            if is_image(name):
                entries.append(_entry(info, name, path))
            else:
                others[suffix_of(name)] += 1
                tables += [info] * (name == FILE)
        if not entries:
            raise no_images(f"The archive {path}", others)
        entries.sort(key=lambda entry: order(entry.name))
        refuse_twins((entry.name for entry in entries), str(path))
        file = SharedFile(path)
        names = [entry.name for entry in entries]
        labels = _labels(file, tables, names) if tables else None
        return IndexedSource(str(path), names, read=lambda index: _read(file, entries[index]), labels=labels)


def _labels(file: SharedFile, tables: Sequence[zipfile.ZipInfo], names: Sequence[str]) -> Callable[[], Labels]:
    where = f"{FILE} in {file.path}"
    return reader(
        names,
        where,
        of=str(file.path),
        size=lambda: only(tables, where).file_size,
        read=lambda: _read(file, _entry(tables[0], FILE, file.path)),
    )


def directory(path: Path) -> list[zipfile.ZipInfo]:
    """The central directory of a zip. Raises BadInput where there is none that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except OSError:
        raise
    except Exception as error:  # zipfile raises nearly anything on hostile bytes
        raise BadInput(
            f"{path} is no zip archive, or is cut off or damaged ({error}). Copy or make it again."
        ) from error


def _entry(info: zipfile.ZipInfo, name: str, path: Path) -> _Entry:
    if info.flag_bits & 1:
        raise BadInput(f"{path} has an encrypted entry, {name!r}. Pack the images without a password.")
    if info.compress_type not in _METHODS:
        raise BadInput(
            f"{path} has an entry, {name!r}, packed by method {info.compress_type}; wanted stored or deflate. "
            f"Pack the images again, for instance with `zip -r`."
        )
    return _Entry(name, info.header_offset, info.compress_size, info.file_size, info.CRC, info.compress_type)


def _read(file: SharedFile, entry: _Entry) -> bytes:
    """The bytes of an entry, unpacked; sizes are checked before anything is allocated."""
    if entry.size > MAX_BYTES:
        raise BadImage(
            f"{entry.name} announces {entry.size:,} bytes; at most {MAX_BYTES:,} are read for one image. {CURE}"
        )
    header = file.read_at(entry.offset, _HEADER)
    if header[:4] != b"PK\3\4" or len(header) < _HEADER:
        raise _damaged(file, entry, "its place in the archive holds something else")
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    packed = file.read_at(entry.offset + _HEADER + names, min(entry.packed, MAX_BYTES))
    if len(packed) < entry.packed:
        raise _damaged(file, entry, "the archive ends, or the entry's limit is met, before the entry does")
    data = packed
    if entry.method == zipfile.ZIP_DEFLATED:
        try:  # one byte more than announced shows an entry that is longer than it says
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise _damaged(file, entry, str(error)) from error
    if len(data) != entry.size:
        more = "more" if len(data) > entry.size else "fewer"
        raise _damaged(file, entry, f"it holds {more} than the {entry.size:,} bytes it announces")
    if zlib.crc32(data) != entry.crc:
        raise _damaged(file, entry, "its checksum is wrong")
    return data


def _damaged(file: SharedFile, entry: _Entry, why: str) -> BadImage:
    return BadImage(f"{entry.name} in {file.path} is damaged: {why}. {CURE}")
