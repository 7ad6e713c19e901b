"""An uncompressed .tar of image files (also webdataset shards), read in place."""

import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ganbench.errors import BadImage, BadInput
from ganbench.images.classes import FILE, Labels, only, reader
from ganbench.images.containers._entries import clean_name, is_image, no_images, order, refuse_twins, suffix_of
from ganbench.images.formats import CURE, MAX_BYTES
from ganbench.images.indexed import IndexedSource
from ganbench.images.reading import SharedFile
from ganbench.images.source import Container, ImageSource

_Entry = tuple[str, int, int]  # name, offset, size
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}


class TarArchive(Container):
    """Images in a .tar, in the order of their names. Links in it are passed over; nothing is unpacked to disk.

    A `labels.csv` at the top gives the classes.
    """

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .tar."""
        return path.suffix.lower() == ".tar"

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:  # noqa: ARG003
        """Reads all headers. `value_range` does not concern image files.

        Raises:
            BadInput: it is compressed, no tar, cut off, without images, or has an entry that climbs out or comes twice.
        """
        file = SharedFile(path)
        _refuse_packed(file)
        entries: list[_Entry] = []
        tables: list[_Entry] = []
        others: Counter[str] = Counter()
        for member in _members(file):
            name = clean_name(member.name, str(path))
            if not member.isreg() or not name:
                continue
            if not is_image(name):
                others[suffix_of(name)] += 1
                tables += [(name, member.offset_data, member.size)] * (name == FILE)
            elif member.issparse():
                raise BadInput(f"{path} has a sparse entry, {name!r}. Pack the images again without --sparse.")
            else:
                entries.append((name, member.offset_data, member.size))
        if not entries:
            raise no_images(f"The archive {path}", others)
        entries.sort(key=lambda entry: order(entry[0]))
        refuse_twins((name for name, _, _ in entries), str(path))
        names = [name for name, _, _ in entries]
        labels = _labels(file, tables, names) if tables else None
        return IndexedSource(str(path), names, read=lambda index: _read(file, *entries[index]), labels=labels)


def _labels(file: SharedFile, tables: Sequence[_Entry], names: Sequence[str]) -> Callable[[], Labels]:
    where = f"{FILE} in {file.path}"
    return reader(
        names,
        where,
        of=str(file.path),
        size=lambda: only(tables, where)[2],
        read=lambda: _read(file, *tables[0]),
    )


def _refuse_packed(file: SharedFile) -> None:
    head = file.read_at(0, 6)
    for signature, kind in _PACKED.items():
        if head.startswith(signature):
            raise BadInput(
                f"{file.path} is compressed with {kind}, in which images cannot be reached one by one. "
                f"Decompress it first."
            )


def _members(file: SharedFile) -> Iterator[tarfile.TarInfo]:
    try:
        with tarfile.open(file.path, "r:") as archive:
            last = -1
            while (member := archive.next()) is not None:
                if member.size < 0 or member.offset <= last:  # would be read for ever
                    raise tarfile.ReadError(f"the header of {member.name!r} points backwards")
                last = member.offset
                yield member
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            if file.read_at(archive.offset, tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile stops without a word
                raise tarfile.ReadError(f"there is no valid header at byte {archive.offset:,}")
    except OSError:
        raise
    except (tarfile.TarError, ValueError, OverflowError, EOFError, IndexError, KeyError) as error:
        raise BadInput(
            f"{file.path} is no tar archive, or is cut off or damaged ({error}). Copy or make it again."
        ) from error


def _read(file: SharedFile, name: str, offset: int, size: int) -> bytes:
    if size > MAX_BYTES:
        raise BadImage(f"{name} announces {size:,} bytes; at most {MAX_BYTES:,} are read for one image. {CURE}")
    data = file.read_at(offset, size)
    if len(data) < size:
        raise BadImage(f"{name} in {file.path} is cut off: the archive ends before it does. {CURE}")
    return data
