"""Opening a path as a source of images: which container reads it, or why none does."""

import difflib
from pathlib import Path

from ganbench.errors import BadInput, UsageError
from ganbench.images.containers._entries import is_image
from ganbench.images.source import Container, ImageSource
from ganbench.registry import Registry

CONTAINERS = Registry("container", "ganbench.images.containers", Container)

_KINDS = "a folder of images, .zip, .tar, .npz, .npy, .pt, .pth or .safetensors"
_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_PACKED = (".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".lz4")
_SIBLINGS = 10_000  # names looked at for a guess


def open_path(path: Path, *, value_range: tuple[float, float] | None = None) -> ImageSource:
    """Opens a folder, archive or array file.

    Args:
        path: the place.
        value_range: what float arrays hold, (0, 1), (-1, 1) or (0, 255); None is (0, 1).

    Raises:
        BadInput: there is no such path, it is of no known kind, it cannot be read, or it holds no images.
        UsageError: `value_range` is another one.
    """
    if value_range is not None and tuple(value_range) not in _RANGES:
        raise UsageError(f"The value range {value_range} is not known; it can be 0,1 or -1,1 or 0,255.")
    path = path.expanduser()
    if not path.exists():
        raise _missing(path)
    containers = sorted((CONTAINERS.get(name) for name in CONTAINERS.names()), key=lambda c: c.priority)
    for container in containers:
        if container.accepts(path):
            try:
                return container.open(path, value_range=value_range)
            except OSError as error:
                raise BadInput(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error
    raise _unknown_kind(path)


def is_known_kind(path: Path) -> bool:
    """Whether the name of an existing path, or its being a folder, tells that `open_path` would try it."""
    return path.exists() and any(CONTAINERS.get(name).accepts(path) for name in CONTAINERS.names())


def _missing(path: Path) -> BadInput:
    if path.is_symlink():
        return BadInput(f"{path} is a link that leads nowhere. Mend the link, or give the place it should lead to.")
    parent = path.parent
    if not parent.is_dir():
        return BadInput(f"There is no file or folder {path}: its folder {parent} is not there either. Check the path.")
    try:
        names = [entry.name for entry, _ in zip(parent.iterdir(), range(_SIBLINGS), strict=False)]
    except OSError:  # a folder that can be entered and not listed: no guess then
        names = []
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    guess = f" Did you mean {parent / close[0]}?" if close else ""
    return BadInput(f"There is no file or folder {path}.{guess} Wanted: {_KINDS}.")


def _unknown_kind(path: Path) -> BadInput:
    suffix = path.suffix.lower()
    if suffix in _PACKED:
        return BadInput(
            f"{path} is compressed as a whole, so that images in it cannot be reached one by one. Decompress it "
            f"first; a plain .tar is read in place."
        )
    if is_image(path.name):
        return BadInput(f"{path} is one single image; a set is wanted. Give the folder that holds the images.")
    kind = f"of the kind {suffix}" if suffix else "without an extension"
    return BadInput(f"{path} is a file {kind}, which is not read. Wanted: {_KINDS}.")
