"""Extraction of features from where images lie: `python -m benchmarks.tasks.extraction memory|SOURCE WEIGHTS`.

What counts is the time from the first image to the last feature: start-up and compilation are before it.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from ganbench.features.extract import Wanted, extract
from ganbench.features.loading import load_extractor
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import ImageSource, open_images
from ganbench.protocol import get_protocol


def in_memory(source: ImageSource) -> ImageSource:
    """The same images, read already."""
    pixels = [np.ascontiguousarray(image.pixels.transpose(1, 2, 0)) for image in source.images()]
    return IndexedSource("memory", len(pixels), read=lambda i: pixels[i])


if __name__ == "__main__":
    kind, place, weights = sys.argv[1:]
    source = open_images(place)
    if kind == "memory":
        source = in_memory(source)
    extractor = load_extractor(
        get_protocol("tf"), device="cpu", backend="auto", weights=Path(weights), allow_unverified=True
    )
    wanted = Wanted(moments=frozenset({"pool"}))
    extract(source, extractor, wanted, indices=range(min(8, len(source))))  # the first batch compiles
    started = time.perf_counter()
    extract(source, extractor, wanted)
    print(json.dumps({"seconds": time.perf_counter() - started}))
