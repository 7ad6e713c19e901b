"""The image file formats that are read: told by their first bytes, and measured before anything is decoded."""

import struct
from collections.abc import Callable
from io import BytesIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ganbench.errors import BadImage

# 8192 x 8192. Pillow's own limit lies above it, so that its warning is never met.
MAX_PIXELS = 2**26
# Of one encoded image, in a file or in an archive.
MAX_BYTES = 512 * 2**20

_EXTENSIONS = "png jpg jpeg jpe jfif bmp gif tif tiff webp ppm pgm pbm pnm jp2 j2k"
SUFFIXES = frozenset(f".{extension}" for extension in _EXTENSIONS.split())  # in lower case
KINDS = "PNG, JPEG, BMP, GIF, TIFF, WebP, PPM/PGM/PBM or JPEG 2000"

# The classes are called directly: Image.open would warn about a size before we can look at it.
_READERS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
    "JPEG2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"BM", "BMP"),
)


def kind_of(data: bytes) -> str | None:
    """The name of the format that `data` begins as, or None."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PPM"
    return None


def open_encoded(data: bytes, name: str) -> ImageFile.ImageFile:
    """Opens the bytes of an image file; only its header is read.

    Args:
        data: the whole file.
        name: what messages call it.

    Raises:
        BadImage: it is empty, of no known format, broken, or has more than MAX_PIXELS pixels.
    """
    kind = kind_of(data)
    if kind is None:
        raise BadImage(f"{name} is no image that can be read: {_looks(data)}; wanted {KINDS}. {CURE}")
    try:
        if kind in _EARLY:  # their readers allocate the canvas at once
            check_size(*_EARLY[kind](data), name)
        image = _READERS[kind](BytesIO(data))
    except BadImage:
        raise
    except Exception as error:  # the readers raise nearly anything on hostile bytes
        raise undecodable(name, kind, error) from error
    check_size(*image.size, name)
    return image


CURE = "Replace it, take it out, or pass over such images with --on-bad-image skip."


def undecodable(name: str, kind: str, error: Exception) -> BadImage:
    """The error for an image whose bytes are broken."""
    return BadImage(
        f"{name} is damaged: its {kind} data cannot be decoded ({str(error) or type(error).__name__}). {CURE}"
    )


def check_size(width: int, height: int, name: str) -> None:
    """Raises BadImage where an image has no pixels, or more than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise BadImage(f"{name} is {width} x {height} pixels; at least 1 x 1 is needed. {CURE}")
    if width * height > MAX_PIXELS:
        raise BadImage(
            f"{name} is {width} x {height} pixels; at most {MAX_PIXELS:,} (8192 x 8192) are decoded, "
            f"since a small file can claim any size. Scale it down. {CURE}"
        )


def is_lossy(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether the file's format discards information: JPEG, JPEG 2000, WebP but its lossless kind, JPEG in TIFF."""
    if image.format == "WEBP":
        return not _lossless_webp(data)
    if image.format == "TIFF":
        return image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp")
    return image.format in ("JPEG", "MPO", "JPEG2000")


def _looks(data: bytes) -> str:
    if not data:
        return "the file is empty"
    head = data[:512]
    try:
        text = head.decode("utf-8") if len(data) <= 512 else head.decode("utf-8", errors="ignore")
    except UnicodeDecodeError:
        text = ""
    if text and all(c.isprintable() or c.isspace() for c in text):
        return f"it is text, beginning {text.strip()[:20]!r}"
    return f"it begins with the bytes {data[:8].hex(' ')}"


def _webp_size(data: bytes) -> tuple[int, int]:
    chunk = data[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _lossless_webp(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data):
        tag, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if tag in (b"VP8 ", b"VP8L"):
            return tag == b"VP8L"
        at += 24 if tag == b"ANMF" else 8 + size + size % 2  # a frame's own chunks follow its 16 bytes of header
    return False


def _gif_size(data: bytes) -> tuple[int, int]:
    """The screen, enlarged to the first frame, as the reader does."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    while data[at] == 0x21:  # an extension: label, then blocks up to an empty one
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    if data[at] == 0x2C:
        x, y, w, h = struct.unpack_from("<HHHH", data, at + 1)
        width, height = max(width, x + w), max(height, y + h)
    return width, height


_EARLY: dict[str, Callable[[bytes], tuple[int, int]]] = {"WEBP": _webp_size, "GIF": _gif_size}
