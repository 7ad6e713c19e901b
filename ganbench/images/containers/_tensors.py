"""Which tensor of a file holds the images."""

from collections.abc import Mapping

from ganbench.errors import BadInput
from ganbench.images.arrays import CHANNELS, WANTED


def the_images(shapes: Mapping[str, tuple[int, ...]], where: str) -> str:
    """The name of the tensor that holds the images: the one named `images`, else the only one of fitting shape.

    Raises BadInput where that is none or several.
    """
    if "images" in shapes:
        return "images"
    fitting = [
        name
        for name, shape in shapes.items()
        if len(shape) == 3 or (len(shape) == 4 and (shape[1] in CHANNELS or shape[3] in CHANNELS))
    ]
    if len(shapes) == 1:
        return next(iter(shapes))  # its shape is judged, and explained, with all arrays
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:8]) or "nothing"
    raise BadInput(f"{where} holds {shown}; wanted one tensor of {WANTED}. Save it alone, or under the name 'images'.")
