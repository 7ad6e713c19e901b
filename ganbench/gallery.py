"""The pictures of a report: samples, reference images, and nearest neighbours."""

import base64
import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Places = NDArray[np.floating]
SIDE = 128  # pixels: pictures in a report are no larger
DRAWN = 2500  # points at most: more are a blot, and a large file
_ROOM = 0.3  # around the centres of modes, as a part of their extent


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
        real: the reference image; where that is not at hand, its position in the reference.
        distance: Euclidean distance of their features.
        ratio: that divided by the distance from the reference image to its own neighbour, where it is known.
    """

    fake: Picture
    real: Picture | int
    distance: float
    ratio: float | None = None


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points in two coordinates, and the centres of the modes that they should be of.

    Attributes:
        points: those to draw, (m, 2).
        good: which of them are samples of high quality, bool (m,).
        centres: of the modes, (K, 2).
        captured: the modes that some sample of high quality is of, among all that were counted, bool (K,).
        axes: what the coordinates are called.
        words: how points of more coordinates came to two; "" where they have just these.
        total: how many points were counted.
    """

    points: Places
    good: NDArray[np.bool_]
    centres: Places
    captured: NDArray[np.bool_]
    axes: tuple[str, str]
    words: str
    total: int

    @property
    def window(self) -> tuple[Places, Places]:
        """The lower left and upper right corners of what is drawn: a square with the centres in its middle."""
        low, high = self.centres.min(axis=0), self.centres.max(axis=0)
        half = (0.5 + _ROOM) * (float((high - low).max()) or 1.0)
        middle = (low + high) / 2
        return middle - half, middle + half

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which of the points lie in the window, (m,)."""
        low, high = self.window
        found: NDArray[np.bool_] = np.all((self.points >= low) & (self.points <= high), axis=1)
        return found

    @property
    def missed(self) -> list[int]:
        """The modes that no sample of high quality is of."""
        return [int(mode) for mode in np.flatnonzero(~self.captured)]

    @property
    def outside(self) -> int:
        """How many of the points lie beyond the window."""
        return int(np.count_nonzero(~self.inside))


@dataclass(frozen=True, eq=False)
class Gallery:
    """What a report shows besides numbers. Each list may be empty: what is not at hand is not shown.

    Attributes:
        fake: samples, drawn at random.
        real: reference images, drawn at random.
        pairs: some of these samples with their neighbours.
        closest: of all samples those that come nearest to reference images, in the order of the metric `nearest`.
        scatter: of an evaluation of points: the points over their modes.
    """

    fake: list[Picture] = field(default_factory=list)
    real: list[Picture] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    closest: list[Pair] = field(default_factory=list)
    scatter: Scatter | None = None


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
