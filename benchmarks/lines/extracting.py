"""Does reading images starve the network?"""

from collections.abc import Iterator

from benchmarks.inputs import Inputs, write_pictures
from benchmarks.measure import Contender, Line, task


def lines(inputs: Inputs) -> Iterator[Line]:
    """Small PNG beside images in memory, large JPEG beside the same in memory."""
    small, large = inputs.images("fake"), inputs.folder / "large"
    write_pictures(large, 8 if inputs.quick else 100, 512 if inputs.quick else 1024, 3, suffix="jpg")
    for place, what, wanted in ((small, "PNG of 32 pixels", 1.05), (large, "JPEG of 1024 pixels", None)):
        yield Line(
            title=f"Extraction from {what} over extraction of the same images in memory",
            contenders=[
                Contender(kind, task("extraction", kind, place, inputs.weights)) for kind in ("files", "memory")
            ],
            wanted=wanted,
            most=True,
            notes="From the first image to the last feature, start-up and compilation before it.",
        )
