"""Pictures for the report: samples, reference images, and for some samples the reference image nearest to them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ganbench.evaluation.real import Real
from ganbench.features.extract import Extraction
from ganbench.features.stats import Features
from ganbench.gallery import Gallery, Pair, Picture
from ganbench.images.source import Image, ImageSource

SHOWN = 32
PAIRS = 12


def choose(positions: Sequence[int], *, seed: int) -> list[int]:
    """The positions whose images are shown: at most SHOWN, drawn with the seed, ascending."""
    if len(positions) <= SHOWN:
        return list(positions)
    drawn = np.random.default_rng([seed, 0x9A11]).choice(len(positions), SHOWN, replace=False)
    return [positions[int(i)] for i in np.sort(drawn)]


def gallery(
    extraction: Extraction,
    heads: Mapping[str, Features],
    real: Real,
    *,
    images: ImageSource | None,
    head: str,
    seed: int,
    nearest: Mapping[str, Sequence[float | None]] | None = None,
) -> Gallery:
    """The pictures of one evaluation. Where the reference's images are not at hand, only those of the samples.

    Args:
        extraction: the pass over the samples, which may have kept pictures.
        heads: the features of the samples.
        real: the reference.
        images: the samples, for pictures that the pass did not keep.
        head: the one whose features say what is near.
        seed: of the choice.
        nearest: the pairs that the metric `nearest` lists, where it was computed.
    """
    shown, closest = _shown(extraction, images, seed), _closest(images, real, nearest or {})
    if real.images is None:
        return Gallery(fake=[_picture(image) for image in shown], closest=closest)
    positions = choose(real.shown_from(), seed=seed)
    return Gallery(
        fake=[_picture(image) for image in shown],
        real=[_picture(image) for image in real.images.images(positions)],
        pairs=_pairs(extraction, shown, real, heads.get(head), head),
        closest=closest,
    )


def _shown(extraction: Extraction, images: ImageSource | None, seed: int) -> list[Image]:
    if extraction.pictures or images is None:
        return [extraction.pictures[i] for i in sorted(extraction.pictures)]
    return list(images.images(choose([int(i) for i in extraction.used], seed=seed)))


def _pairs(extraction: Extraction, shown: Sequence[Image], real: Real, fake: Features | None, head: str) -> list[Pair]:
    """For the first shown samples the nearest reference image in feature space, nearest pairs first."""
    reals, positions = real.reference.heads.get(head), real.row_positions()
    if fake is None or fake.values is None or reals is None or reals.values is None or positions is None:
        return []
    assert real.images is not None
    shown = shown[:PAIRS]
    rows = np.searchsorted(extraction.used, [image.index for image in shown])
    nearest, distance = _nearest(fake.values[rows], reals.values)
    wanted = positions[nearest]
    found = {image.index: image for image in real.images.images([int(i) for i in np.unique(wanted)])}
    pairs = [
        Pair(fake=_picture(image), real=_picture(found[int(position)]), distance=float(d))
        for image, position, d in zip(shown, wanted, distance, strict=True)
    ]
    return sorted(pairs, key=lambda pair: pair.distance)


def _closest(images: ImageSource | None, real: Real, pairs: Mapping[str, Sequence[float | None]]) -> list[Pair]:
    """The pictures of the pairs that the metric `nearest` lists; nothing where the samples are not at hand."""
    if images is None or not pairs:
        return []
    fakes, reals = ([int(place or 0) for place in pairs[side]] for side in ("fake", "real"))
    shown, found = _at(images, fakes), {} if real.images is None else _at(real.images, reals)
    return [
        Pair(fake=shown[fake], real=found.get(place, place), distance=float(distance or 0), ratio=ratio)
        for fake, place, distance, ratio in zip(fakes, reals, pairs["distance"], pairs["ratio"], strict=True)
    ]


def _at(source: ImageSource, positions: Sequence[int]) -> dict[int, Picture]:
    return {image.index: _picture(image) for image in source.images(sorted(set(positions)))}


def _nearest(
    x: NDArray[np.floating], y: NDArray[np.floating], block: int = 4096
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each row of x the row of y at the smallest Euclidean distance, and that distance; y in blocks."""
    best = np.full(len(x), np.inf)
    where = np.zeros(len(x), dtype=np.intp)
    x64 = x.astype(np.float64)
    for start in range(0, len(y), block):
        part = y[start : start + block].astype(np.float64)
        squared = (x64**2).sum(1)[:, None] + (part**2).sum(1)[None] - 2 * x64 @ part.T
        i = squared.argmin(axis=1)
        d = squared[np.arange(len(x)), i]
        closer = d < best
        best[closer], where[closer] = d[closer], start + i[closer]
    return where, np.sqrt(np.clip(best, 0, None))


def _picture(image: Image) -> Picture:
    return Picture(name=image.name, pixels=image.pixels)
