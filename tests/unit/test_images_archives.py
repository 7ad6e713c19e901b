"""Zip and tar, honest and hostile."""

import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganbench.errors import BadImage, BadInput
from ganbench.images.formats import MAX_BYTES
from ganbench.images.reading import SharedFile
from ganbench.images.source import ImageSource, open_images


def png(value: int = 0) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (9, 8), (value, value, value)).save(file, "PNG")
    return file.getvalue()


def zipped(path: Path, names: list[str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for value, name in enumerate(names):
            archive.writestr(name, png(value))
    return path


def tarred(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for value, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = len(png(value))
            archive.addfile(info, io.BytesIO(png(value)))
    return path


Make = Callable[[Path, list[str]], Path]
MAKERS = [pytest.param(zipped, "x.zip", id="zip"), pytest.param(tarred, "x.tar", id="tar")]


def names(source: ImageSource) -> list[str]:
    return [item.name for item in source.items(range(len(source)))]


def values(source: ImageSource) -> list[int]:
    return [int(image.pixels[0, 0, 0]) for image in source.images()]


def patched(path: Path, old: bytes, new: bytes, *, last: bool = True) -> Path:
    """Replaces bytes of a zip: at their last place, the central directory, or at their first, the local header."""
    data = path.read_bytes()
    at = data.rindex(old) if last else data.index(old)
    path.write_bytes(data[:at] + new + data[at + len(old) :])
    return path


@pytest.mark.parametrize(("make", "file"), MAKERS)
def test_order_is_that_of_the_names(make: Make, file: str, tmp_path: Path) -> None:
    source = open_images(make(tmp_path / file, ["b/2.png", "b/10.PNG", "./a.png", "readme.txt", "b/", "B.png"]))
    assert names(source) == ["B.png", "a.png", "b/10.PNG", "b/2.png"]
    assert values(source) == [5, 2, 1, 0]
    assert source.name == str(tmp_path / file)


@pytest.mark.parametrize(("make", "file"), MAKERS)
def test_hidden_entries_are_passed_over(make: Make, file: str, tmp_path: Path) -> None:
    source = open_images(make(tmp_path / file, ["a.png", "__MACOSX/._a.png", ".thumbs/b.png", "c/.d.png"]))
    assert names(source) == ["a.png"]


@pytest.mark.parametrize(("make", "file"), MAKERS)
@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "c:x.png", "..\\x.png", "a\\x.png", "../notes.txt"]
)
def test_an_entry_that_climbs_out_is_named(make: Make, file: str, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / file, ["a.png", name])
    with pytest.raises(BadInput) as error:
        open_images(path)
    assert str(error.value).startswith(f"{path} has an entry named {name!r}, which climbs out of the archive's folder")
    assert not isinstance(error.value, BadImage)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("make", "file"), MAKERS)
def test_dots_inside_names_are_no_climbing(make: Make, file: str, tmp_path: Path) -> None:
    assert len(open_images(make(tmp_path / file, ["a..b/c...png", "x..png"]))) == 2


@pytest.mark.parametrize(("make", "file"), MAKERS)
def test_no_images_and_nothing_at_all(make: Make, file: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"x\.\w+ holds no images: found 2 files, \.txt \(2\)"):
        open_images(make(tmp_path / file, ["a.txt", "b.txt"]))
    with pytest.raises(BadInput, match=r"The archive .* is empty\. Wanted image files"):
        open_images(make(tmp_path / file, []))


@pytest.mark.parametrize(("make", "file"), MAKERS)
def test_twins_are_refused(make: Make, file: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what we want
        path = make(tmp_path / file, ["a.png", "b.png", "./a.png"])
    with pytest.raises(BadInput, match=r"has two entries named 'a\.png'; nothing tells which one is meant"):
        open_images(path)


@pytest.mark.parametrize(("make", "file"), MAKERS)
@pytest.mark.parametrize("workers", [1, 4])
def test_reading_from_many_threads(make: Make, file: str, workers: int, tmp_path: Path) -> None:
    source = open_images(make(tmp_path / file, [f"{i:03}.png" for i in range(200)]))
    assert [int(image.pixels[0, 0, 0]) for image in source.images(workers=workers)] == list(range(200))
    items = list(source.items(range(200)))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda item: item.read(), items)) == [png(i) for i in range(200)]


@pytest.mark.parametrize(("make", "file"), MAKERS)
def test_garbage_and_cut_off_archives(make: Make, file: str, tmp_path: Path) -> None:
    path = make(tmp_path / file, [f"{i}.png" for i in range(50)])
    data = path.read_bytes()
    for broken in (b"", b"garbage" * 1000, data[: len(data) // 2 + 7]):
        path.write_bytes(broken)
        with pytest.raises(BadInput, match=r"is cut off or damaged .*Copy or make it again"):
            open_images(path)


# zip


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated(method: int, tmp_path: Path) -> None:
    assert values(open_images(zipped(tmp_path / "x.zip", ["a.png", "b.png"], method))) == [0, 1]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(method: int, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"'a\.png', packed by method {method}; wanted stored or deflate"):
        open_images(zipped(tmp_path / "x.zip", ["a.png"], method))


def test_an_archive_behind_other_bytes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png", "b.png"])
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert values(open_images(path)) == [0, 1]


def test_an_archive_written_as_a_stream(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.writestr("a.png", png(7))
    (tmp_path / "x.zip").write_bytes(pipe.data)
    assert values(open_images(tmp_path / "x.zip")) == [7]


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"])
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"has an encrypted entry, 'a\.png'\. Pack the images without a password"):
        open_images(path)


def test_an_entry_larger_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", png(1) + bytes(10_000_000))
    size = struct.pack("<I", len(png(1)) + 10_000_000)
    source = open_images(patched(path, size, struct.pack("<I", 500)))
    with pytest.raises(BadImage, match=r"a\.png in .* is damaged: it holds more than the 500 bytes it announces"):
        list(source.images())


def test_an_entry_smaller_than_it_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"])
    source = open_images(patched(path, struct.pack("<I", len(png())), struct.pack("<I", 5000)))
    with pytest.raises(BadImage, match=r"it holds fewer than the 5,000 bytes it announces"):
        list(source.images())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_entry_of_absurd_size_is_never_allocated(method: int, tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"], method)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, MAX_BYTES + 1)
    path.write_bytes(data)
    with pytest.raises(BadImage, match=rf"a\.png announces {MAX_BYTES + 1:,} bytes; at most {MAX_BYTES:,} are read"):
        list(open_images(path).images())


def test_a_packed_size_beyond_the_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"])
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\1\2") + 20, 2**31)
    path.write_bytes(data)
    with pytest.raises(BadImage, match="the archive ends, or the entry's limit is met, before the entry does"):
        list(open_images(path).images())


def test_a_wrong_checksum(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"], zipfile.ZIP_STORED)
    source = open_images(patched(path, png()[20:30], bytes(10)))
    with pytest.raises(BadImage, match=r"a\.png in .* is damaged: its checksum is wrong"):
        list(source.images())


def test_broken_deflate(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"])
    data = bytearray(path.read_bytes())
    start = 30 + len("a.png")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(BadImage, match=r"is damaged: Error -3 while decompressing data"):
        list(open_images(path).images())


def test_a_directory_that_points_elsewhere(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"])
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\1\2") + 42, 11)
    path.write_bytes(data)
    with pytest.raises(BadImage, match="its place in the archive holds something else"):
        list(open_images(path).images())


def test_one_broken_entry_can_be_skipped(tmp_path: Path) -> None:
    from ganbench.images.stream import stream

    path = zipped(tmp_path / "x.zip", ["a.png", "b.png", "c.png"])
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"PK\1\2"))
    struct.pack_into("<I", data, at + 16, zlib.crc32(b"other"))
    path.write_bytes(data)
    bad: list[BadImage] = []
    assert [image.index for image in stream(open_images(path), range(3), on_bad=bad.append)] == [0, 2]
    assert [str(error).split(" ")[0] for error in bad] == ["b.png"]


def test_links_in_a_zip_are_passed_over(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ["a.png"])
    link = zipfile.ZipInfo("b.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "../../etc/passwd")
    assert names(open_images(path)) == ["a.png"]


# tar


def test_links_and_devices_in_a_tar_are_passed_over(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", ["a.png"])
    with tarfile.open(path, "a") as archive:
        for name, kind in (("b.png", tarfile.SYMTYPE), ("c.png", tarfile.LNKTYPE), ("d.png", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../../etc/passwd"
            archive.addfile(info)
    assert names(open_images(path)) == ["a.png"]


def test_a_webdataset_shard(tmp_path: Path) -> None:
    path = tarred(tmp_path / "000.tar", ["0001.png", "0001.json", "0001.cls", "0000.png", "0000.json"])
    assert names(open_images(path)) == ["0000.png", "0001.png"]
    assert values(open_images(path)) == [3, 0]


def test_long_names_in_a_tar(tmp_path: Path) -> None:
    name = "/".join(["long" * 20] * 5) + "/é.png"
    assert names(open_images(tarred(tmp_path / "x.tar", [name]))) == [name]


@pytest.mark.parametrize(("mode", "kind"), [("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz")])
def test_a_compressed_tar_named_tar(mode: str, kind: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("a.png"))
    with pytest.raises(BadInput, match=rf"x\.tar is compressed with {kind}, .*Decompress it first"):
        open_images(tmp_path / "x.tar")


def test_a_damaged_header_in_the_middle_is_not_the_end(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", ["a.png", "b.png", "c.png"])
    data = bytearray(path.read_bytes())
    at = data.index(b"b.png")
    data[at : at + 5] = b"XXXXX"  # the header's checksum is wrong now
    path.write_bytes(data)
    with pytest.raises(BadInput, match=rf"damaged \(there is no valid header at byte {at:,}\)"):
        open_images(path)


def test_a_tar_without_its_end_mark_is_whole(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", ["a.png", "b.png"])
    data = path.read_bytes()
    path.write_bytes(data.rstrip(b"\0").ljust((len(data.rstrip(b"\0")) + 511) // 512 * 512, b"\0"))
    assert values(open_images(path)) == [0, 1]


def test_a_header_that_points_backwards_does_not_hang(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", ["a.png", "b.png"])
    data = bytearray(path.read_bytes())
    at = data.index(b"b.png")
    data[at + 124 : at + 136] = b"\xff" * 10 + struct.pack(">h", -1536)  # the size, negative in base 256
    header = bytes(data[at : at + 148]) + b" " * 8 + bytes(data[at + 156 : at + 512])
    data[at + 148 : at + 156] = b"%06o\0 " % sum(header)
    path.write_bytes(data)
    with pytest.raises(BadInput, match="is no tar archive, or is cut off or damaged"):
        open_images(path)


def test_a_sparse_entry_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "x.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(BadInput, match=r"has a sparse entry, 'a\.png'\. Pack the images again without --sparse"):
        open_images(tmp_path / "x.tar")


def test_a_tar_that_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", ["a.png", "b.png"])
    source = open_images(path)
    with path.open("r+b") as file:
        file.truncate(520)
    with pytest.raises(BadImage, match=r"a\.png in .*x\.tar is cut off: the archive ends before it does"):
        list(source.images())


def test_shared_file_reads_parts_and_never_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    file = SharedFile(path)
    assert file.read_at(10, 5) == bytes(range(10, 15))
    assert file.read_at(95, 2**62) == bytes(range(95, 100))
    assert file.read_at(200, 5) == file.read_at(0, -5) == b""


def test_shared_file_without_pread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(np.arange(10_000, dtype=np.uint16).tobytes())
    monkeypatch.delattr("os.pread")
    file = SharedFile(path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: file.read_at(2 * i, 2), range(10_000)))
    assert found == [struct.pack("<H", i) for i in range(10_000)]
