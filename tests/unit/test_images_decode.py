"""Each rule of decoding on an image made for it, and each way in which an image can be bad."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganbench.errors import BadImage
from ganbench.images.decode import COLOUR_16, FIRST_FRAME, GRAY_16, OVER_WHITE, decode, digest_of
from ganbench.images.formats import MAX_PIXELS
from ganbench.images.source import Image, Item

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def encoded(image: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes | np.ndarray, name: str = "cat/0001.png") -> Image:
    return decode(Item(name, lambda: data), 3)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(bits: int, colour: int, rows: bytes, *, width: int, height: int, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_rgb_comes_as_planes_with_index_name_and_digest() -> None:
    image = decoded(encoded(Pillow.fromarray(RGB)))
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, RGB.transpose(2, 0, 1))
    assert (image.index, image.name, image.notes, image.lossy) == (3, "cat/0001.png", (), False)
    assert image.digest == digest_of(image.pixels)


def test_digest_tells_sizes_apart() -> None:
    flat = np.zeros((3, 2, 8), np.uint8)
    assert digest_of(flat) != digest_of(flat.reshape(3, 8, 2).copy())
    assert len(digest_of(flat)) == 32


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_gray_is_repeated(shape: tuple[int, ...]) -> None:
    gray = RGB[..., 0].reshape(shape)
    for data in (gray, encoded(Pillow.fromarray(gray.reshape(5, 7)))):
        image = decoded(data)
        assert image.notes == ()
        for plane in image.pixels:
            np.testing.assert_array_equal(plane, RGB[..., 0])


def test_bilevel_is_black_and_white() -> None:
    bits = RGB[..., 0] > 127
    image = decoded(encoded(Pillow.fromarray(bits)))
    np.testing.assert_array_equal(image.pixels[0], np.where(bits, 255, 0))


def test_palette_is_looked_up() -> None:
    indexed = Pillow.fromarray(RGB).quantize(4)
    image = decoded(encoded(indexed))
    np.testing.assert_array_equal(image.pixels, np.asarray(indexed.convert("RGB")).transpose(2, 0, 1))
    assert image.notes == ()


def test_alpha_is_laid_over_white_exactly() -> None:
    values, alphas = np.meshgrid(np.arange(256), np.arange(256))
    rgba = np.stack([values, 255 - values, values, alphas], axis=2).astype(np.uint8)
    weight = alphas / 255
    expected = np.floor(weight * values + (1 - weight) * 255 + 0.5 + 1e-9)
    for data in (rgba, encoded(Pillow.fromarray(rgba))):
        image = decoded(data)
        np.testing.assert_array_equal(image.pixels[0], expected)
        assert image.notes == (OVER_WHITE,)


def test_gray_with_alpha_is_laid_over_white() -> None:
    la = np.array([[[100, 255], [100, 0], [100, 51]]], np.uint8)
    image = decoded(encoded(Pillow.frombytes("LA", (3, 1), la.tobytes())))
    np.testing.assert_array_equal(image.pixels[:, 0], [[100, 255, 224]] * 3)
    assert image.notes == (OVER_WHITE,)


def test_transparent_palette_entry_is_white() -> None:
    indexed = Pillow.frombytes("P", (2, 1), b"\0\1")
    indexed.putpalette([10, 20, 30, 40, 50, 60])
    image = decoded(encoded(indexed, transparency=0))
    np.testing.assert_array_equal(image.pixels[:, 0], [[255, 40], [255, 50], [255, 60]])
    assert image.notes == (OVER_WHITE,)


def test_transparent_colour_key_is_white() -> None:
    image = decoded(encoded(Pillow.frombytes("RGB", (2, 1), bytes([1, 2, 3, 4, 5, 6])), transparency=(1, 2, 3)))
    np.testing.assert_array_equal(image.pixels[:, 0], [[255, 4], [255, 5], [255, 6]])
    assert image.notes == (OVER_WHITE,)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_is_scaled_and_rounded(kind: str) -> None:
    values = np.array([[0, 128, 129, 256, 257, 385, 386, 32768, 65535]], np.uint16)
    image = decoded(encoded(Pillow.fromarray(values), kind))
    np.testing.assert_array_equal(image.pixels[0], np.rint(values / 257))
    assert image.notes == (GRAY_16,)


def test_16_bit_gray_of_the_other_byte_order() -> None:
    tiff = io.BytesIO()
    big = Pillow.frombytes("I;16B", (2, 1), struct.pack(">2H", 257 * 9, 257 * 200))
    big.save(tiff, "TIFF")
    image = decoded(tiff.getvalue())
    np.testing.assert_array_equal(image.pixels[0], [[9, 200]])
    assert image.notes == (GRAY_16,)


def test_16_bit_gray_with_a_transparent_value() -> None:
    rows = b"\0" + struct.pack(">2H", 1000, 2570)
    image = decoded(png(16, 0, rows, width=2, height=1, extra=chunk(b"tRNS", struct.pack(">H", 1000))))
    np.testing.assert_array_equal(image.pixels[0], [[255, 10]])


def test_16_bit_colour_keeps_the_high_byte_and_ignores_a_colour_key() -> None:
    rows = b"\0" + struct.pack(">6H", 0x12FF, 0x3480, 0x5600, 0xFFFF, 0, 0x80)
    key = chunk(b"tRNS", struct.pack(">3H", 0x12FF, 0x3480, 0x5600))
    image = decoded(png(16, 2, rows, width=2, height=1, extra=key))
    np.testing.assert_array_equal(image.pixels[:, 0], [[0x12, 0xFF], [0x34, 0], [0x56, 0]])
    assert image.notes == (COLOUR_16,)


def test_cmyk_is_converted_and_noted() -> None:
    image = decoded(encoded(Pillow.new("CMYK", (2, 2), (255, 0, 0, 0)), "TIFF"))
    np.testing.assert_array_equal(image.pixels[:, 0, 0], [0, 255, 255])
    assert image.notes == ("CMYK converted to RGB",)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_colour_spaces_follow_pillow(mode: str) -> None:
    image = Pillow.fromarray(RGB).convert(mode)
    found = decoded(encoded(image, "TIFF"))
    np.testing.assert_array_equal(found.pixels, np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    assert found.notes == (f"{mode} converted to RGB",)


def test_a_conversion_that_pillow_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Pillow.Image, mode: str) -> Pillow.Image:
        raise ValueError("conversion not supported")

    data = encoded(Pillow.new("LAB", (2, 2)), "TIFF")
    monkeypatch.setattr(Pillow.Image, "convert", refuse)
    with pytest.raises(BadImage, match=r"its TIFF data cannot be decoded \(conversion not supported\)"):
        decoded(data)


@pytest.mark.parametrize(("mode", "words"), [("F", "floating-point pixels"), ("I", "32-bit integer pixels")])
def test_pixels_without_a_range_are_refused(mode: str, words: str) -> None:
    with pytest.raises(BadImage, match=rf"cat/0001\.png has {words}.*8 or 16 bits.*--value-range"):
        decoded(encoded(Pillow.new(mode, (2, 2)), "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Pillow.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    image = decoded(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    np.testing.assert_array_equal(image.pixels[:, 0, 0], [255, 0, 0])
    assert FIRST_FRAME in image.notes


def test_a_still_gif_is_not_noted_as_an_animation() -> None:
    assert decoded(encoded(Pillow.new("RGB", (4, 4), "red"), "GIF")).notes == ()


def test_exif_orientation_is_ignored() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    image = decoded(encoded(Pillow.fromarray(RGB), "PNG", exif=exif))
    np.testing.assert_array_equal(image.pixels, RGB.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("kind", "options", "lossy"),
    [
        ("PNG", {}, False),
        ("BMP", {}, False),
        ("GIF", {}, False),
        ("PPM", {}, False),
        ("TIFF", {}, False),
        ("TIFF", {"compression": "jpeg"}, True),
        ("JPEG", {}, True),
        ("JPEG2000", {}, True),
        ("WEBP", {"lossless": True}, False),
        ("WEBP", {"lossless": False}, True),
        ("WEBP", {"lossless": True, "exif": b"Exif\0\0"}, False),  # an extended header before the lossless chunk
        ("WEBP", {"lossless": False, "exif": b"Exif\0\0"}, True),
    ],
)
def test_lossy_formats_are_told(kind: str, options: dict[str, object], lossy: bool) -> None:
    image = decoded(encoded(Pillow.fromarray(np.kron(RGB, np.ones((4, 4, 1), np.uint8))), kind, **options))
    assert image.lossy is lossy
    assert image.pixels.shape == (3, 20, 28)


def test_an_animated_lossless_webp_is_lossless() -> None:
    frames = [Pillow.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    assert not decoded(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)).lossy


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "the file is empty"),
        (b"hello, I am text\n", "it is text, beginning 'hello, I am text'"),
        ("żółć".encode() * 300, "it is text, beginning 'żółć"),
        (b"\0\1\2\3\4\5\6\7\x08", "it begins with the bytes 00 01 02 03 04 05 06 07"),
        (b"<svg xmlns=''></svg>", "it is text, beginning"),
    ],
)
def test_what_is_no_image_is_described(data: bytes, found: str) -> None:
    with pytest.raises(BadImage) as error:
        decoded(data)
    assert str(error.value).startswith(f"cat/0001.png is no image that can be read: {found}")
    assert "wanted PNG, JPEG," in str(error.value)
    assert "--on-bad-image skip" in str(error.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated_files_are_refused(kind: str, part: float) -> None:
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Pillow.fromarray(noise), kind)
    with pytest.raises(BadImage, match=r"^cat/0001\.png is (damaged: its \w+ data cannot be decoded|no image)"):
        decoded(data[: int(len(data) * part)])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "WEBP", "JPEG2000", "BMP"])
def test_flipped_bytes_never_give_another_error(kind: str) -> None:
    data = bytearray(encoded(Pillow.fromarray(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)), kind))
    rng = np.random.default_rng(1)
    outcomes = set()
    for _ in range(150):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 120), 3):
            broken[at] = rng.integers(0, 256)
        try:
            outcomes.add(decoded(bytes(broken)).pixels.dtype)
        except BadImage:
            outcomes.add(BadImage)
    assert BadImage in outcomes


def bomb(kind: str, side: int) -> bytes:
    """A small file that claims to be side x side pixels."""
    if kind == "PNG":
        return png(8, 2, b"\0", width=side, height=side)
    if kind == "GIF screen":
        return b"GIF89a" + struct.pack("<HHBBB", side, side, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    if kind == "GIF frame":
        return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, side, side, 0)
    if kind == "WEBP":
        body = b"WEBPVP8X" + struct.pack("<II", 10, 0) + (side - 1).to_bytes(3, "little") * 2
        return b"RIFF" + struct.pack("<I", len(body)) + body
    if kind == "WEBP lossless":
        bits = (side - 1) | (side - 1) << 14
        return b"RIFF\x20\0\0\0WEBPVP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", bits) + b"\0" * 9
    if kind == "WEBP lossy":
        return (
            b"RIFF\x20\0\0\0WEBPVP8 " + struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", side, side)
        )
    if kind == "BMP":
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header
    if kind == "TIFF":
        tags = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 4, side)]
        entries = b"".join(struct.pack("<HHII", tag, size, 1, value) for tag, size, value in [*tags, (279, 4, 1)])
        return b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + entries + bytes(4)
    if kind in ("JPEG", "JPEG2000"):
        small = encoded(Pillow.new("RGB", (8, 8)), kind)
        mark, size = (b"\xff\xc0\0\x11\x08", ">HH") if kind == "JPEG" else (b"ihdr", ">II")
        at = small.index(mark) + len(mark)
        return small[:at] + struct.pack(size, side, side) + small[at + struct.calcsize(size) :]
    assert kind == "PPM"
    return b"P6 %d %d 255\n" % (side, side)


@pytest.mark.parametrize(
    "kind",
    ["PNG", "GIF screen", "GIF frame", "WEBP", "WEBP lossless", "WEBP lossy", "BMP", "PPM", "TIFF", "JPEG", "JPEG2000"],
)
@pytest.mark.parametrize("side", [9_000, 11_000, 16_000])
def test_decompression_bombs_are_refused_from_the_header(kind: str, side: int) -> None:
    # 9,000 is below Pillow's limit for a warning, 11,000 above it, 16,000 above its limit for an error.
    with pytest.raises(BadImage) as error:
        decoded(bomb(kind, side))
    text = str(error.value)
    assert text.startswith(f"cat/0001.png is {side} x {side} pixels; at most {MAX_PIXELS:,} (8192 x 8192) are decoded")
    assert "Scale it down" in text


def test_an_array_is_limited_too() -> None:
    wide = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (1, MAX_PIXELS + 1), (0, 0))
    with pytest.raises(BadImage, match=rf"is {MAX_PIXELS + 1} x 1 pixels"):
        decoded(wide)


def test_no_pixels_are_refused() -> None:
    with pytest.raises(BadImage, match=r"(is 0 x 3 pixels; at least 1 x 1 is needed|cannot be decoded)"):
        decoded(png(8, 2, b"\0", width=0, height=3))
    with pytest.raises(BadImage, match="is 0 x 3 pixels; at least 1 x 1 is needed"):
        decoded(np.zeros((3, 0, 3), np.uint8))


def test_pillow_is_left_as_it_was(tmp_path: Path) -> None:
    from PIL import ImageFile

    before = Pillow.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    decoded(encoded(Pillow.fromarray(RGB)))
    assert before == (Pillow.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
