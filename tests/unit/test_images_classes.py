"""Classes that travel with images: a labels.csv beside them, arrays in an .npz; read only when they are asked for."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganbench.errors import BadImage, BadInput
from ganbench.images import classes
from ganbench.images.export import export
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import ImageSource, open_images

N = 6
NAMES = [f"{i:05}.png" for i in range(N)]
CLASSES = [3, 0, 2, 2, 1, 7]
GOOD = ("name,label\n" + "".join(f"{name},{c}\n" for name, c in zip(NAMES, CLASSES, strict=True))).encode()
# Out of order, in quotes, with what Excel adds, an empty line, and an image that is not among these.
EXCEL = b"\xef\xbb\xbfName,Label\r\n\r\ngone.png,9\r\n" + b"".join(
    f'"{name}",{c}\r\n'.encode() for name, c in reversed(list(zip(NAMES, CLASSES, strict=True)))
)
Place = Callable[..., ImageSource]


def png(value: int) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (3, 2), (value, value, value)).save(file, "PNG")
    return file.getvalue()


def contents(*tables: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    return [*tables, *((name, png(i)) for i, name in enumerate(NAMES))]


def folder(top: Path, *tables: tuple[str, bytes]) -> ImageSource:
    for name, data in contents(*tables):
        (top / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (top / "in" / name).write_bytes(data)
    return open_images(top / "in")


def zipped(top: Path, *tables: tuple[str, bytes]) -> ImageSource:
    with zipfile.ZipFile(top / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents(*tables):
            archive.writestr(f"./{name}", data)
    return open_images(top / "in.zip")


def tarred(top: Path, *tables: tuple[str, bytes]) -> ImageSource:
    with tarfile.open(top / "in.tar", "w") as archive:
        for name, data in contents(*tables):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return open_images(top / "in.tar")


@pytest.fixture(params=[folder, zipped, tarred], ids=["folder", "zip", "tar"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    def make(*tables: tuple[str, bytes]) -> ImageSource:
        found: ImageSource = request.param(tmp_path, *tables)
        return found

    return make


@pytest.mark.parametrize("table", [GOOD, EXCEL], ids=["exported", "excel"])
def test_a_table_at_the_top_gives_the_classes(place: Place, table: bytes) -> None:
    source = place(("labels.csv", table))
    assert len(source) == N
    assert source.labels is not None
    assert source.labels.tolist() == CLASSES
    assert source.labels.dtype == np.int64


def test_without_one_there_are_none(place: Place) -> None:
    assert place().labels is None


def test_one_that_stands_elsewhere_is_another(place: Place) -> None:
    assert place(("cat/labels.csv", GOOD), ("old-labels.csv", GOOD)).labels is None


@pytest.mark.parametrize("kind", ["out", "out.zip"])
def test_what_is_exported_comes_back_with_its_classes(tmp_path: Path, kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (N, 4, 4, 3), dtype=np.uint8)
    source = IndexedSource("six", N, read=lambda i: pixels[i], labels=lambda: np.array(CLASSES))
    export(source, tmp_path / kind, num=5)
    back = open_images(tmp_path / kind)
    assert back.labels is not None
    assert back.labels.tolist() == CLASSES[:5]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (GOOD.replace(b"00003", b"x"), "does not name '00003.png' (1 such images of "),
        (b"name,label\n", f"does not name '00000.png' ({N} such images of "),
        (GOOD.replace(b",7", b",cat"), "holds 'cat'; wanted whole numbers"),
        (GOOD.replace(b",7", b",2.0"), "holds '2.0'; wanted whole numbers"),
        (GOOD.replace(b",7", b",-1"), "holds the label -1; classes are numbered from 0"),
        (GOOD.replace(b",7", b"," + b"9" * 999), "a class has a number below 2,147,483,648"),
        (GOOD.replace(b",7", b""), "holds the line '00005.png'; wanted a name and a label"),
        (GOOD.replace(b",7", b",7,8"), "holds the line '00005.png,7,8'; wanted a name and a label"),
        (GOOD + b"00000.png,4\n", "gives '00000.png' the labels 3 and 4; wanted one"),
        (b"filename,breed\na,b\n", "begins with 'filename,breed'; wanted name,label"),
        (b"", "begins with ''; wanted name,label"),
        (b"name,label\n\xff\xfe", "is no text of labels"),
        (b"name,label\n" + b"x" * 200_000, "is no text of labels"),
    ],
)
def test_a_table_that_does_not_fit_is_told_to_who_asks_for_classes(place: Place, table: bytes, found: str) -> None:
    source = place(("labels.csv", table))
    assert len(list(source.images())) == N  # and to nobody else
    assert len(source.fingerprint) == 64
    with pytest.raises(BadInput, match=r"labels\.csv") as error:
        _ = source.labels
    assert found in str(error.value)
    assert "rename it" in str(error.value)
    assert not isinstance(error.value, BadImage)
    assert len(str(error.value)) < 500


def test_size_is_looked_at_before_the_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    source = place(("labels.csv", GOOD))
    monkeypatch.setattr(classes, "MAX_BYTES", len(GOOD) - 1)
    monkeypatch.setattr(classes, "_parsed", lambda *_: pytest.fail("it was read"))
    with pytest.raises(BadInput, match=rf"is {len(GOOD)} bytes long; at most {len(GOOD) - 1} are read"):
        _ = source.labels


def test_a_huge_file_takes_no_memory(tmp_path: Path) -> None:
    source = folder(tmp_path, ("labels.csv", b""))
    with (tmp_path / "in" / "labels.csv").open("wb") as file:
        file.truncate(classes.MAX_BYTES + 1)
    with pytest.raises(BadInput, match="are read"):
        _ = source.labels


def test_an_entry_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    zipped(tmp_path, ("labels.csv", GOOD))
    path = tmp_path / "in.zip"
    size, less = (n.to_bytes(4, "little") for n in (len(GOOD), 9))
    path.write_bytes(path.read_bytes().replace(size, less))
    with pytest.raises(BadInput, match="it holds more than the 9 bytes it announces") as error:
        _ = open_images(path).labels
    assert "--on-bad-image" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_two_tables_are_none(tmp_path: Path, pack: Place) -> None:
    source = pack(tmp_path, ("labels.csv", GOOD), ("labels.csv", GOOD))
    assert len(source) == N
    with pytest.raises(BadInput, match="is there 2 times"):
        _ = source.labels


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_link_to_a_pipe_is_not_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    folder(tmp_path)
    (tmp_path / "in" / "labels.csv").symlink_to(tmp_path / "pipe")
    with pytest.raises(BadInput, match="leads to no regular file"):
        _ = open_images(tmp_path / "in").labels


# ---------------------------------------------------------------- .npz

PIXELS = np.zeros((N, 4, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["arr_1", "labels"])
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">i8", "<u8"])
def test_an_npz_brings_its_classes(tmp_path: Path, name: str, dtype: str) -> None:
    np.savez_compressed(tmp_path / "in.npz", arr_0=PIXELS, **{name: np.array(CLASSES, dtype)})
    labels = open_images(tmp_path / "in.npz").labels
    assert labels is not None
    assert labels.tolist() == CLASSES
    assert labels.dtype == np.int64


def test_an_npz_of_images_alone_has_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", PIXELS)
    assert open_images(tmp_path / "in.npz").labels is None


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros(N), "holds float64; wanted whole numbers"),
        (np.zeros((N, 10), np.int64), r"has the shape \(6, 10\); wanted one label for each of 6 images"),
        (np.zeros(N - 1, np.int64), r"has the shape \(5,\)"),
        (np.full(N, -2), "holds the label -2"),
        (np.full(N, 2**63, np.uint64), "holds the label 9223372036854775808"),
        (np.array([{}] * N), "holds object"),
    ],
)
def test_arrays_of_another_kind_are_told_to_who_asks_for_classes(tmp_path: Path, array: np.ndarray, found: str) -> None:
    np.savez(tmp_path / "in.npz", arr_0=PIXELS, arr_1=array)
    source = open_images(tmp_path / "in.npz")
    assert len(list(source.images())) == N
    with pytest.raises(BadInput, match=found) as error:
        _ = source.labels
    assert "in.npz[arr_1]" in str(error.value)
