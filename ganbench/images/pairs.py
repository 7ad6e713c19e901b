"""Images of two domains, to be translated from one into the other: folders `A/` and `B/`, paired by names or not."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.images.derived import Subset
from ganbench.images.source import ImageSource, open_images

SOURCES, TARGETS = "A", "B"
_PART = 10  # one of so many is held out
_SEED = 0


@dataclass(frozen=True)
class Pairs:
    """Images of two domains.

    Attributes:
        sources: what is to be translated.
        targets: what it is to look like.
        unpaired: why image i of both is no pair; None where it is one.
    """

    sources: ImageSource
    targets: ImageSource
    unpaired: str | None = None


def is_pairs(path: Path) -> bool:
    """Whether a path is a folder with `A/` and `B/`."""
    return (path / SOURCES).is_dir() and (path / TARGETS).is_dir()


def open_pairs(path: Path) -> tuple[Pairs, Pairs]:
    """The images of `A/` and `B/`: those to learn from, and a tenth that is held out.

    They are pairs where both folders hold the same names, extensions aside; then pairs are held out. Which ones is
    decided by their number alone.

    Raises BadInput where one of the folders is missing or holds fewer than two images.
    """
    for part in (SOURCES, TARGETS):
        if not (path / part).is_dir():
            raise BadInput(
                f"{path} has no folder {part}/. Put the images to translate into {path / SOURCES} and those that they "
                f"are to look like into {path / TARGETS}; the same names make pairs."
            )
    sources, targets = open_images(path / SOURCES), open_images(path / TARGETS)
    unpaired = _strangers(path, _stems(sources), _stems(targets))
    a, b = ([Subset(of, rows, of.name) for rows in shared_out(len(of), of.name)] for of in (sources, targets))
    return Pairs(a[0], b[0], unpaired), Pairs(a[1], b[1], unpaired)


def shared_out(n: int, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of n things, ascending: those to learn from, and the tenth that is held out, one at least.

    Raises BadInput where there are fewer than two.
    """
    if n < 2:
        raise BadInput(f"{name} holds {n} image; one of them is held out, so at least 2 are needed. Add some.")
    order = np.random.default_rng(_SEED).permutation(n)
    held_out = max(1, n // _PART)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _stems(source: ImageSource) -> list[str]:
    """The names of images, without their extensions, in order."""
    return [str(PurePosixPath(item.name).with_suffix("")) for item in source.items(range(len(source)))]


def _strangers(path: Path, a: list[str], b: list[str]) -> str | None:
    """Why the names of two folders make no pairs; None where they do."""
    for mine, theirs, here, there in ((a, b, SOURCES, TARGETS), (b, a, TARGETS, SOURCES)):
        twice = next((name for name, after in pairwise(mine) if name == after), None)
        if twice is not None:
            return f"{path / here} has two images named {twice!r}, with different extensions"
        alone = sorted(set(mine) - set(theirs))
        if alone:
            return f"{path / there} has no image {alone[0]!r}, which {path / here} has ({len(alone)} such names)"
    # Both are in the order of their names with extensions, which may differ from folder to folder.
    return None if a == b else f"the names in {path / SOURCES} and {path / TARGETS} do not come in one order"
