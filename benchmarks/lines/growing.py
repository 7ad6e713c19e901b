"""Memory and time as samples grow."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.measure import Contender, Line


def lines(inputs: Inputs) -> Iterator[Line]:
    """FID alone, of noise in .npy by the embedded network, whose reference is shipped."""
    sizes = (60, 20) if inputs.quick else (60_000, 5_000)
    many, few = (Contender(f"{n:,} images", _command(inputs, n)) for n in sizes)
    yield Line(
        title=f"Peak memory of FD at {sizes[0]:,} images over that at {sizes[1]:,}",
        contenders=[many, few],
        wanted=1.10,
        most=True,
        memory=True,
    )


def _command(inputs: Inputs, n: int) -> list[str]:
    path = inputs.folder / f"noise-{n}.npy"
    if not path.exists():
        pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, 28, 28, 3))
        rng = np.random.default_rng(n)
        for at in range(0, n, 1000):
            part = pixels[at : at + 1000]
            part[:] = rng.integers(0, 256, part.shape, dtype=np.uint8)
        pixels.flush()
    ganbench = str(Path(sys.executable).parent / "ganbench")
    return [ganbench, "eval", str(path), "--ref", "fashion-mnist", "--metrics", "fid", "--quiet", "--device", "cpu"]
