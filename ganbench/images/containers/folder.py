"""A folder of image files, searched in depth."""

import os
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ganbench.errors import BadImage, BadInput
from ganbench.images.classes import FILE, Labels, reader
from ganbench.images.containers._entries import is_hidden, is_image, no_images, order, suffix_of
from ganbench.images.formats import CURE, MAX_BYTES
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import Container, ImageSource


class Folder(Container):
    """Images in any depth of folders, in the order of their relative paths, hidden files passed over.

    Links are followed; a folder that is met again, by way of links, is passed over. A `labels.csv` at the top gives
    the classes.
    """

    priority: ClassVar[int] = 5

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether it is a folder."""
        return path.is_dir()

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:  # noqa: ARG003
        """Lists the images. `value_range` does not concern image files. Raises BadInput where there are none."""
        names: list[str] = []
        others: Counter[str] = Counter()
        found = _files(path)
        for name in found:
            if is_image(name):
                names.append(name)
            else:
                others[suffix_of(name)] += 1
        if not names:
            raise no_images(f"The folder {path}", others)
        names.sort(key=order)
        return IndexedSource(
            str(path),
            names,
            read=lambda index: _read(path / names[index], names[index]),
            labels=_labels(path, names) if FILE in found else None,
        )


def _labels(path: Path, names: list[str]) -> Callable[[], Labels]:
    table = path / FILE
    return reader(
        names, str(table), of=str(path), size=lambda: table.stat().st_size, read=lambda: _read(table, str(table))
    )


def _files(top: Path) -> list[str]:
    """Relative paths, with forward slashes, of all files below `top` that are not hidden."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    folders, links = [""], list[str]()
    while folders or links:  # links last: what can be reached twice keeps its own path
        prefix = folders.pop() if folders else links.pop()
        try:
            status = (top / prefix).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(top / prefix) as listing:
                entries = [entry for entry in listing if not is_hidden(entry.name)]
        except OSError as error:
            raise BadInput(f"{top / prefix} cannot be read ({error.strerror}). Check its permissions.") from error
        for entry in sorted(entries, key=lambda e: e.name, reverse=True):
            if entry.is_symlink():
                if os.path.isdir(entry.path):
                    links.append(f"{prefix}{entry.name}/")
                else:  # a link that leads nowhere is an image that is missing, not one that never was
                    found.append(prefix + entry.name)
            elif entry.is_dir():
                folders.append(f"{prefix}{entry.name}/")
            elif entry.is_file():
                found.append(prefix + entry.name)
    return found


def _read(path: Path, name: str) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a link to a pipe or device would be read for ever
            raise BadImage(f"{name} leads to no regular file. {CURE}")
        if status.st_size > MAX_BYTES:
            raise BadImage(
                f"{name} is {status.st_size:,} bytes long; at most {MAX_BYTES:,} are read for one image. {CURE}"
            )
        return path.read_bytes()
    except OSError as error:
        raise BadImage(f"{name} cannot be read ({error.strerror}). {CURE}") from error
