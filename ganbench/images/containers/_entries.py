"""Names of files in folders and archives: which are images, which are dangerous, in which order they stand."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from ganbench.errors import BadInput
from ganbench.images.formats import SUFFIXES

_DRIVE = re.compile(r"[A-Za-z]:")


def is_hidden(part: str) -> bool:
    """Whether a file or folder of this name is passed over: `.DS_Store`, `._0001.png`, `__MACOSX`."""
    return part.startswith(".") or part == "__MACOSX"


def is_image(name: str) -> bool:
    """Whether the extension is that of an image, in any letter case."""
    return suffix_of(name) in SUFFIXES


def suffix_of(name: str) -> str:
    """The last extension in lower case, with its dot; "" where there is none."""
    return PurePosixPath(name).suffix.lower()


def order(name: str) -> tuple[str, str]:
    """The sort key of a relative path with forward slashes: by code points, however the file system spells accents."""
    return unicodedata.normalize("NFC", name), name


def clean_name(name: str, archive: str) -> str:
    """The name of an archive's entry without `./`; "" where it, or a folder above it, is hidden.

    Raises:
        BadInput: the name leads out of the archive's own folder, or is written so that it might elsewhere.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or "\\" in name or _DRIVE.match(name) or ".." in parts:
        raise BadInput(
            f"{archive} has an entry named {name!r}, which climbs out of the archive's folder, or would on some "
            f"systems; wanted plain relative names such as 'cat/0001.png'. Do not trust this file, or, where you know "
            f"its maker, pack the images again with forward slashes."
        )
    return "" if any(is_hidden(part) for part in parts) else "/".join(parts)


def refuse_twins(names: Iterable[str], archive: str) -> None:
    """Raises BadInput where a name comes twice. `names` are sorted."""
    last = None
    for name in names:
        if name == last:
            raise BadInput(
                f"{archive} has two entries named {name!r}; nothing tells which one is meant. Pack the images again."
            )
        last = name


def no_images(where: str, found: Counter[str]) -> BadInput:
    """The error for a place that holds files of other kinds only, or nothing.

    Args:
        where: the place.
        found: the extensions that were seen there, counted.
    """
    wanted = f"Wanted image files ({', '.join(sorted(suffix[1:] for suffix in SUFFIXES))})."
    if not found:
        return BadInput(f"{where} is empty. {wanted} Was it written to another place?")
    kinds = ", ".join(f"{suffix or 'without extension'} ({count})" for suffix, count in found.most_common(8))
    archives = [s for s in (".zip", ".tar", ".npz", ".npy", ".pt", ".pth", ".safetensors") if s in found]
    cure = f" Give the {archives[0]} file itself." if archives else " Check the path, or rename the files."
    total = sum(found.values())
    files = f"{total} file{'s' if total > 1 else ''}"
    return BadInput(f"{where} holds no images: found {files}, {kinds}. {wanted}{cure}")
