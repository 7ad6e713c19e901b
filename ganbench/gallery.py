"""The pictures of a report: samples, reference images, and nearest neighbours."""

import base64
import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SIDE = 128  # pixels: pictures in a report are no larger


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    Attributes:
        name: where it stands in its source.
        pixels: uint8 RGB, (3, h, w).
    """

    name: str
    pixels: Pixels


@dataclass(frozen=True, eq=False)
class Pair:
    """A sample and the reference image nearest to it.

    Attributes:
        fake: the sample.
        real: the reference image.
        distance: Euclidean distance of their features.
    """

    fake: Picture
    real: Picture
    distance: float


@dataclass(frozen=True, eq=False)
class Gallery:
    """What a report shows besides numbers. Each list may be empty: what is not at hand is not shown."""

    fake: list[Picture] = field(default_factory=list)
    real: list[Picture] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


def png_data_uri(picture: Picture, side: int = SIDE) -> str:
    """The picture as a `data:` address holding a PNG.

    A picture whose longer edge is over `side` pixels is scaled down to it (Lanczos); a smaller one keeps its pixels,
    and the page that shows it scales it up.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture.pixels.transpose(1, 2, 0)))
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
