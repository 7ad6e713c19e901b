"""What `--ref` can say, and what a name means."""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ganbench.errors import CorruptFile, UsageError
from ganbench.features.published_stats import PUBLISHED, own_files
from ganbench.features.reference_files import Stored, read_record, stored_in
from ganbench.images.datasets._base import DATASETS
from ganbench.places import home, shipped_references
from ganbench.progress import Warn, unheard

DEFAULT_SPLIT = "train"
DEFAULT_PROTOCOL = "tf"
# References that travel with ganbench, under the one protocol that needs no download. A constant, not a look into
# a folder: what `--protocol auto` means must not depend on the installation.
SHIPPED_UNDER = {"digits": "embedded", "fashion-mnist": "embedded"}

_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_SPLIT = re.compile(r"[a-z0-9][a-z0-9.+]{0,31}")
_FILES = (".npz", ".npy", ".zip", ".tar", ".tgz", ".tar.gz", ".pt", ".pth", ".safetensors")


@dataclass(frozen=True)
class RefName:
    """A reference by name: NAME or NAME:SPLIT, where the split defaults to `train`."""

    name: str
    split: str = DEFAULT_SPLIT

    def __str__(self) -> str:
        return f"{self.name}:{self.split}"


def canonical(name: str) -> str:
    """The one spelling of a name: lower case, dashes. `CIFAR10` is `cifar10`, `fashion_mnist` `fashion-mnist`."""
    return name.lower().replace("_", "-")


def parse(spec: str) -> RefName:
    """Reads NAME or NAME:SPLIT. Raises UsageError where it is neither."""
    name, colon, split = spec.partition(":")
    found = RefName(canonical(name), split.lower() if colon else DEFAULT_SPLIT)
    if not _NAME.fullmatch(found.name) or not _SPLIT.fullmatch(found.split) or found.name.endswith(_FILES):
        raise UsageError(
            f"{spec!r} is no name of a reference; wanted NAME or NAME:SPLIT in letters, digits, dashes and dots, "
            "such as cifar10 or cifar10:test."
        )
    return found


def store() -> Path:
    """The folder of the user's own references."""
    return home() / "references"


def looks_like_path(spec: str) -> bool:
    """Whether `--ref` means a path: known names come first, then what exists, then what looks like a file.

    Example:
        >>> looks_like_path("digits"), looks_like_path("./digits"), looks_like_path("samples.zip")
        (False, True, True)
    """
    if "/" in spec or os.sep in spec or spec.startswith(("~", ".")):
        return True
    try:
        if parse(spec).name in known_names():
            return False
    except UsageError:
        return spec.lower().endswith(_FILES) or Path(spec).exists()
    return Path(spec).exists()


def auto_protocol(spec: str) -> str:
    """What `--protocol auto` means for a reference: decided by the reference alone, never by what is installed.

    A file of statistics of our own says its protocol; the names that are shipped have one; all else is `tf`.
    """
    if looks_like_path(spec):
        return _said(Path(spec).expanduser())
    return SHIPPED_UNDER.get(parse(spec).name, DEFAULT_PROTOCOL)


def _said(path: Path) -> str:
    if path.suffix.lower() != ".npz" or not path.with_suffix(".json").is_file():
        return DEFAULT_PROTOCOL
    try:
        return read_record(path).protocol[0]
    except CorruptFile:
        return DEFAULT_PROTOCOL  # who opens the file says what is wrong with it


def known_names() -> list[str]:
    """Every name that means something here: shipped, stored, datasets, published, clean-fid's own files."""
    names = {*SHIPPED_UNDER, *DATASETS.names(), *(entry.name for entry in PUBLISHED)}
    names |= {entry.name for entry, _ in own_files()}
    # A side-car that cannot be read is told by `ref list` and `ref verify`, not whenever names are compared.
    names |= {stored.record.name for stored in local(warn=unheard)}
    return sorted(names)


def splits(name: str) -> list[str]:
    """The splits of a name that are known here, in alphabetical order."""
    found = {stored.record.split for stored in local(warn=unheard) if stored.record.name == name}
    found |= {entry.split for entry in (*PUBLISHED, *(entry for entry, _ in own_files())) if entry.name == name}
    if name in DATASETS.names():
        found |= set(DATASETS.get(name).splits)
    return sorted(found)


def local(*, warn: Warn) -> list[Stored]:
    """All references in files: the shipped ones, then the user's."""
    return [*stored_in(shipped_references(), warn=warn), *stored_in(store(), warn=warn)]


def check_name(spec: str) -> RefName:
    """Reads NAME[:SPLIT] and returns it if it is known. Raises UsageError, with the nearest ones, else."""
    asked = parse(spec)
    names = known_names()
    if asked.name not in names:
        close = difflib.get_close_matches(asked.name, names, n=1, cutoff=0.5)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(
            f"Unknown reference {asked.name!r}, and there is no such path.{guess} "
            f"There are: {', '.join(names)}. For images of your own: ganbench ref make NAME --from SOURCE"
        )
    parts = splits(asked.name)
    if asked.split not in parts:
        near = difflib.get_close_matches(asked.split, parts, n=1, cutoff=0.0)[0]
        raise UsageError(
            f"{asked.name!r} has no split {asked.split!r}; it has: {', '.join(parts)}. Give {asked.name}:{near}"
        )
    return asked
