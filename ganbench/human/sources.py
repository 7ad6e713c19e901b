"""The pictures of a study: opened as `eval` opens them, drawn by a seed, and written anew without their metadata."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.hype import SourceInfo
from ganbench.images.datasets._base import DATASETS, open_dataset
from ganbench.images.export import png
from ganbench.images.source import Image, ImageSource, fingerprint_of, open_images
from ganbench.progress import Progress, Warn, silent, unheard

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """A picture of a study: a file under a random name.

    Attributes:
        name: of the file, without its extension: 32 hexadecimal digits that say nothing.
        index: its position in its source.
        sha256: of the file.
        width, height: in pixels.
        lossy: it came from a file that discards information.
    """

    name: str
    index: int
    sha256: str
    width: int
    height: int
    lossy: bool = False


@dataclass
class Draw:
    """Pictures drawn from one source one after the other, none twice, none equal to one before."""

    source: ImageSource
    rng: np.random.Generator
    folder: Path
    taken: set[bytes] = field(default_factory=set)
    order: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = [int(index) for index in self.rng.permutation(len(self.source))]

    def take(self, n: int, stage: str = "pictures", progress: Progress = silent) -> list[Drawn]:
        """The next n pictures, in the order drawn; fewer where there are no more. Each is written into the folder."""
        found: list[Drawn] = []
        while len(found) < n and self.order:
            wanted, self.order = self.order[: n - len(found)], self.order[n - len(found) :]
            made = dict[int, tuple[bytes, Drawn]]()
            for image in self.source.images(sorted(wanted)):
                made[image.index] = (image.digest, write(image, self.folder))
                progress(stage, len(found) + len(made), n)
            for position in wanted:
                digest, drawn = made[position]
                if digest in self.taken:
                    (self.folder / f"{drawn.name}.png").unlink()
                    continue
                self.taken.add(digest)
                found.append(drawn)
        return found


def open_source(
    spec: str,
    *,
    value_range: tuple[float, float] | None = None,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> ImageSource:
    """Opens what `--fake` and `--real` name: a path, or a dataset as NAME[:SPLIT].

    Raises:
        BadInput: there is no such path, or no images are in it.
        Unavailable: the dataset is not here and cannot be fetched.
    """
    name, _, split = spec.partition(":")
    name = name.lower().replace("_", "-")
    if name in DATASETS.names() and "/" not in spec:
        return open_dataset(name, split.lower() or None, offline=offline, progress=progress, warn=warn)
    return open_images(spec, value_range=value_range)


def write(image: Image, folder: Path) -> Drawn:
    """Writes pixels alone, as PNG, under a random name."""
    return write_pixels(image.pixels, folder, index=image.index, lossy=image.lossy)


def write_pixels(pixels: Pixels, folder: Path, *, index: int = -1, lossy: bool = False) -> Drawn:
    """Writes uint8 RGB (3, h, w) as PNG under a random name."""
    data, name = png(pixels), secrets.token_hex(16)
    (folder / f"{name}.png").write_bytes(data)
    return Drawn(name, index, hashlib.sha256(data).hexdigest(), pixels.shape[2], pixels.shape[1], lossy)


def info_of(source: ImageSource, spec: str, progress: Progress = silent) -> SourceInfo:
    """What the text of a study says of a source. Reads all of it once."""

    def digests() -> Iterator[bytes]:
        for done, image in enumerate(source.images(), start=1):
            yield image.digest
            progress(f"fingerprint of {source.name}", done, len(source))

    return SourceInfo(source=spec, fingerprint=fingerprint_of(digests()), n=len(source))


def differences(real: Sequence[Drawn], fake: Sequence[Drawn]) -> Iterator[str]:
    """By what raters could tell reals from fakes without looking at what the pictures show."""
    sizes = [sorted({(each.width, each.height) for each in drawn}) for drawn in (real, fake)]
    if sizes[0] != sizes[1]:
        told = [", ".join(f"{w}x{h}" for w, h in found[:3]) + (", ..." if len(found) > 3 else "") for found in sizes]
        yield (
            f"Real pictures are {told[0]}, fake ones {told[1]} pixels: raters can tell them apart by size or "
            "sharpness. Bring both to one size first."
        )
    lossy = [sum(each.lossy for each in drawn) / max(len(drawn), 1) for drawn in (real, fake)]
    if abs(lossy[0] - lossy[1]) > 0.5:
        one, other = ("Real", "fake") if lossy[0] > lossy[1] else ("Fake", "real")
        yield (
            f"{one} pictures come from a lossy format such as JPEG and {other} ones do not: raters may tell them apart "
            "by its traces."
        )
