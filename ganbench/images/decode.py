"""From the bytes of an image file, or from an array, to uint8 RGB by stated rules.

- Gray is repeated to three channels; palettes are looked up.
- Transparency of any kind (RGBA, LA, a transparent palette entry or colour key) is laid over white:
  round-half-up of (a c + (255 - a) 255) / 255, exact. Noted.
- 16-bit gray becomes round(v / 257). Noted. 16-bit colour keeps its high byte, as Pillow decodes it. Noted.
- CMYK, YCbCr and other colour spaces become RGB by Pillow's own conversion, without colour profiles. Noted.
- Of an animation, the first frame counts. Noted.
- Orientation in EXIF is not applied, as in the reference implementations of the field.
- Floating-point pixels and 32-bit integers have no agreed range and are refused.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFile

from ganbench.errors import BadImage
from ganbench.images.formats import check_size, is_lossy, open_encoded, undecodable
from ganbench.images.source import Image, Item, Pixels

OVER_WHITE = "RGBA laid over white"
GRAY_16 = "16-bit gray scaled to 8 bits"
COLOUR_16 = "16-bit colour cut to its high byte"
FIRST_FRAME = "first frame of an animation"


def decode(item: Item, index: int) -> Image:
    """Decodes one image by the rules above. Safe in any thread.

    Args:
        item: what to read; arrays are uint8, (h, w) or (h, w, 1|3|4), channels RGB or RGBA.
        index: position in its source, passed on.

    Returns:
        The image, uint8 RGB (3, h, w), with the sha256 of its size and pixels.

    Raises:
        BadImage: it is empty, no image, broken, truncated, too large, or of a kind without a rule.
    """
    raw = item.read()
    if isinstance(raw, np.ndarray):
        return from_pixels(raw, item.name, index)
    image = open_encoded(raw, item.name)
    lossy, notes = is_lossy(image, raw), list[str]()
    return _image(_decoded(image, item.name, notes), item.name, index, notes=notes, lossy=lossy)


def from_pixels(array: Pixels, name: str, index: int) -> Image:
    """The image of an array, uint8 (h, w) or (h, w, 1|3|4). Raises BadImage where it has too many pixels."""
    check_size(array.shape[1], array.shape[0], name)
    notes: list[str] = []
    return _image(_planes(array, notes), name, index, notes=notes, lossy=False)


def _image(pixels: Pixels, name: str, index: int, *, notes: list[str], lossy: bool) -> Image:
    return Image(index, name, pixels, digest_of(pixels), tuple(notes), lossy)


def digest_of(pixels: Pixels) -> bytes:
    """sha256 of "h w", a line feed, and the pixels of a contiguous uint8 (3, h, w); 32 bytes."""
    digest = hashlib.sha256(b"%d %d\n" % pixels.shape[1:])
    digest.update(pixels.data)
    return digest.digest()


def _decoded(image: ImageFile.ImageFile, name: str, notes: list[str]) -> Pixels:
    kind = image.format or "image"
    try:
        if getattr(image, "is_animated", False):
            notes.append(FIRST_FRAME)
        wide = any(";16" in str(tile[3]) for tile in image.tile)  # known only until it is loaded
        image.load()
        if image.mode == "F" or (image.mode == "I" and kind not in ("PNG", "PPM")):
            raise BadImage(
                f"{name} has {'floating-point' if image.mode == 'F' else '32-bit integer'} pixels, whose range nothing "
                f"tells; wanted 8 or 16 bits. Save it as 8-bit PNG, or give the values as .npy with --value-range."
            )
        if image.mode.startswith("I"):  # "I" of PNG and PPM holds 16 bits too
            notes.append(GRAY_16)
            return _planes(_eight_bits(image), notes)
        return _planes(_eight_bit_array(image, wide, notes), notes)
    except BadImage:
        raise
    except Exception as error:  # decoders raise nearly anything on hostile bytes
        raise undecodable(name, kind, error) from error


def _eight_bits(image: ImageFile.ImageFile) -> Pixels:
    values = np.asarray(image)
    if image.info.get("transparency") is not None:
        values = np.where(values == image.info["transparency"], 65535, values)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)  # no v / 257 lies half-way


def _eight_bit_array(image: ImageFile.ImageFile, wide: bool, notes: list[str]) -> Pixels:
    """uint8 (h, w), (h, w, 3) or (h, w, 4)."""
    if wide:
        notes.append(COLOUR_16)
        image.info.pop("transparency", None)  # a 16-bit colour key says nothing about high bytes
    converted: Pillow.Image = image
    if image.has_transparency_data:
        converted = image.convert("RGBA")
    elif image.mode == "1":
        converted = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        if image.mode not in ("P", "RGBX"):
            notes.append(f"{image.mode} converted to RGB")
        converted = image.convert("RGB")
    return np.asarray(converted)


def _planes(array: NDArray[np.uint8], notes: list[str]) -> Pixels:
    """uint8 (h, w) or (h, w, 1|3|4) to contiguous (3, h, w)."""
    assert array.dtype == np.uint8
    assert array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)), array.shape
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(1, *array.shape[:2]), 3, axis=0)
    if array.shape[2] == 4:
        notes.append(OVER_WHITE)
        array = over_white(array)
    return np.array(array.transpose(2, 0, 1), order="C")


def over_white(rgba: Pixels) -> Pixels:
    """uint8 (h, w, 4) to (h, w, 3): round-half-up of (a c + (255 - a) 255) / 255."""
    alpha = rgba[..., 3:].astype(np.uint16)
    total = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((total + 127) // 255).astype(np.uint8)  # fits 16 bits; no quotient lies half-way
