"""The statistics that clean-fid publishes: which there are, where, and those that it has already downloaded.

Address and folder are read from the installed clean-fid, without importing it (that would import torch).
The list is the table "Supported Precomputed Datasets" of its README.
"""

import ast
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ganbench.errors import Unavailable

MODES = {"tf": "legacy_tensorflow", "clean": "clean", "pytorch": "legacy_pytorch"}
_ALL = tuple(MODES)
_FILE = re.compile(
    r"(?P<name>.+)_(?P<mode>clean|legacy_tensorflow|legacy_pytorch)_(?P<split>[a-z0-9]+)_(?P<res>na|\d+)"
)


@dataclass(frozen=True)
class Published:
    """Statistics that can be had from clean-fid.

    Attributes:
        name: as `--ref` takes it.
        split: part of the dataset.
        n: images behind them, None where that is not known.
        theirs: clean-fid's name of the dataset.
        resolution: in clean-fid's file name.
        protocols: for which there is a file.
    """

    name: str
    split: str
    n: int | None
    theirs: str
    resolution: str
    protocols: tuple[str, ...] = _ALL

    def filename(self, protocol: str) -> str:
        """The name under which they are published for `tf`, `clean` or `pytorch`."""
        return f"{self.theirs}_{MODES[protocol]}_{self.split}_{self.resolution}.npz".lower()


PUBLISHED = (
    Published("cifar10", "train", 50_000, "cifar10", "32"),
    Published("cifar10", "test", 10_000, "cifar10", "32"),
    Published("ffhq-256", "trainval", 50_000, "ffhq", "256"),
    Published("ffhq-256", "trainval70k", 70_000, "ffhq", "256"),
    Published("ffhq-1024", "trainval", 50_000, "ffhq", "1024"),
    Published("ffhq-1024", "trainval70k", 70_000, "ffhq", "1024"),
    Published("lsun-church", "train", 50_000, "lsun_church", "256"),
    Published("lsun-church", "trainfull", 126_227, "lsun_church", "256", ("clean",)),
    Published("lsun-horse", "train", 50_000, "lsun_horse", "256"),
    Published("lsun-horse", "trainfull", 2_000_340, "lsun_horse", "256", ("clean",)),
    Published("lsun-cat", "train", 50_000, "lsun_cat", "256"),
    Published("lsun-cat", "trainfull", 1_657_264, "lsun_cat", "256"),
    Published("afhq-cat", "train", 5153, "afhq_cat", "512"),
    Published("afhq-dog", "train", 4739, "afhq_dog", "512"),
    Published("afhq-wild", "train", 4738, "afhq_wild", "512"),
    Published("brecahad", "train", 1944, "brecahad", "512"),
    Published("metfaces", "train", 1336, "metfaces", "1024"),
    Published("horse2zebra", "test", 140, "horse2zebra", "256"),
    Published("cat2dog", "test", 500, "cat2dog", "256"),
)


def published(name: str, split: str, protocol: str) -> Published | None:
    """The published statistics of that name, split and protocol, or those in clean-fid's folder; else None."""
    for entry in [*PUBLISHED, *(entry for entry, _ in own_files())]:
        if (entry.name, entry.split) == (name, split) and protocol in entry.protocols:
            return entry
    return None


def address(filename: str) -> str:
    """Where clean-fid publishes a file.

    Raises Unavailable where clean-fid is not installed, or no longer says where.
    """
    folder = _package()
    if folder is None:
        raise Unavailable("clean-fid, which names the published statistics, is not installed: pip install clean-fid")
    source = folder / "features.py"
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise Unavailable(f"{source} cannot be read ({error}): pip install --force-reinstall clean-fid") from error
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name == "get_reference_statistics":
            for node in ast.walk(function):
                match node:
                    case ast.Assign(targets=[ast.Name(id="base_url")], value=ast.Constant(value=str(base))):
                        return f"{base.rstrip('/')}/{filename}"
    raise Unavailable(f"{source} no longer says where the statistics are: pip install clean-fid==0.1.35")


def own_files() -> list[tuple[Published, Path]]:
    """What lies in clean-fid's own folder, downloaded or made by it (`make_custom_stats`, split "custom")."""
    folder = _package()
    if folder is None:
        return []
    found = []
    for path in sorted((folder / "stats").glob("*.npz")):
        parts = _FILE.fullmatch(path.stem)
        if parts:
            found.append((_entry(parts), path))
    return found


def downloaded(filename: str) -> Path | None:
    """That file in clean-fid's own folder, or None."""
    folder = _package()
    path = folder / "stats" / filename if folder else None
    return path if path is not None and path.is_file() else None


def _entry(parts: re.Match[str]) -> Published:
    theirs, split, resolution = parts["name"], parts["split"], parts["res"]
    for entry in PUBLISHED:
        if (entry.theirs, entry.split, entry.resolution) == (theirs, split, resolution):
            return entry
    protocol = next(name for name, mode in MODES.items() if mode == parts["mode"])
    return Published(theirs.replace("_", "-"), split, None, theirs, resolution, (protocol,))


def _package() -> Path | None:
    """The folder of the installed clean-fid, found without running any of it."""
    spec = find_spec("cleanfid")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
