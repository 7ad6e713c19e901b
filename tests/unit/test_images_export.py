"""Writing sources out: folder, zip, npz; whole, in order, and equal bytes each time."""

import csv
import errno
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganbench.errors import BadImage, BadInput, GanbenchError, UsageError
from ganbench.images.export import export, file_names
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import Pixels, open_images

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), dtype=np.uint8)
OUTS = ["folder", "x.zip", "x.npz"]


def source(*, labels: bool = True) -> IndexedSource:
    known = (lambda: np.arange(12) % 5) if labels else None
    return IndexedSource("set:test", 12, read=lambda i: PIXELS[i], labels=known)


@pytest.mark.parametrize("out", OUTS)
def test_what_was_written_reads_the_same(out: str, tmp_path: Path) -> None:
    assert export(source(), tmp_path / out) == 12
    assert open_images(tmp_path / out).fingerprint == source().fingerprint


@pytest.mark.parametrize("out", OUTS)
def test_the_first_n_in_order(out: str, tmp_path: Path) -> None:
    assert export(source(), tmp_path / out, num=5) == 5
    found = np.stack([image.pixels for image in open_images(tmp_path / out).images()])
    np.testing.assert_array_equal(found, PIXELS[:5].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("out", ["x.zip", "x.npz"])
def test_equal_images_equal_bytes(out: str, tmp_path: Path) -> None:
    export(source(), tmp_path / "a" / out)
    export(source(), tmp_path / "b" / out)
    assert (tmp_path / "a" / out).read_bytes() == (tmp_path / "b" / out).read_bytes()


def test_a_folder_holds_rgb_png_and_labels(tmp_path: Path) -> None:
    export(source(), tmp_path / "new" / "folder", num=11)
    folder = tmp_path / "new" / "folder"
    assert sorted(p.name for p in folder.iterdir()) == [*(f"{i:05}.png" for i in range(11)), "labels.csv"]
    with Pillow.open(folder / "00003.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (7, 9))
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["name", "label"], ["00000.png", "0"]]
    assert len(rows) == 12
    assert rows[11] == ["00010.png", "0"]


def test_without_labels_there_is_no_table(tmp_path: Path) -> None:
    export(source(labels=False), tmp_path / "folder")
    assert not (tmp_path / "folder" / "labels.csv").exists()


def test_a_zip_is_stored_with_labels(tmp_path: Path) -> None:
    export(source(), tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist()[-1] == "labels.csv"
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_npz_is_what_numpy_reads(tmp_path: Path) -> None:
    export(source(), tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert archive.files == ["arr_0"]
        np.testing.assert_array_equal(archive["arr_0"], PIXELS)


@pytest.mark.parametrize(("n", "last"), [(1, "00000.png"), (100_000, "99999.png"), (100_001, "100000.png")])
def test_names_sort_as_the_images(n: int, last: str) -> None:
    names = file_names(n)
    assert names == sorted(names)
    assert (len(names), names[-1]) == (n, last)


def test_progress_counts_images(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    export(source(), tmp_path / "x.npz", num=3, progress=lambda *args: told.append(args))
    assert told == [("writing", 0, 3), ("writing", 1, 3), ("writing", 2, 3), ("writing", 3, 3)]


@pytest.mark.parametrize("num", [0, -1, 13])
def test_a_number_that_cannot_be_had(num: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{num} images were asked for; set:test has 12\. Give 1 to 12\."):
        export(source(), tmp_path / "folder", num=num)
    assert not (tmp_path / "folder").exists()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"The folder .* is not empty\. Give a new one, or empty it first\."):
        export(source(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert export(source(), tmp_path) == 12


@pytest.mark.parametrize("name", ["x.tar", "x.npy", "x.pt", "x.png", "x.tar.gz"])
def test_kinds_that_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"would be a \.\w+ file, which is not written\. Give a folder, FILE\.zip or"):
        export(source(), tmp_path / name)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(UsageError, match=r"folder cannot be written \(File exists\)"):
        export(source(), tmp_path / "folder")


def test_mixed_sizes_do_not_fit_an_npz(tmp_path: Path) -> None:
    mixed = IndexedSource("set", 3, read=lambda i: np.zeros((4 + i // 2, 6, 3), np.uint8))
    with pytest.raises(BadInput, match=r"set\[2\] is 6 x 5 pixels, set\[0\] is 6 x 4 pixels; .*folder or a \.zip"):
        export(mixed, tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []
    assert export(mixed, tmp_path / "x.zip") == 3
    assert open_images(tmp_path / "x.zip").fingerprint == mixed.fingerprint


@pytest.mark.parametrize("out", OUTS)
@pytest.mark.parametrize("error", [BadImage("x is damaged"), KeyboardInterrupt()])
def test_what_cannot_be_finished_leaves_nothing(out: str, error: BaseException, tmp_path: Path) -> None:
    def read(index: int) -> Pixels:
        if index == 8:
            raise error
        return PIXELS[index]

    def progress(stage: str, done: int, total: int | None) -> None:
        if done == 5 and isinstance(error, KeyboardInterrupt):
            raise error

    safe = read if isinstance(error, Exception) else (lambda i: PIXELS[i])
    with pytest.raises(type(error)):
        export(IndexedSource("set", 12, read=safe), tmp_path / out, progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_empty_folder_stays_when_writing_fails(tmp_path: Path) -> None:
    def read(index: int) -> Pixels:
        raise BadImage("x is damaged")

    with pytest.raises(BadImage):
        export(IndexedSource("set", 12, read=read), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_stays_when_writing_fails(tmp_path: Path) -> None:
    export(source(), tmp_path / "x.npz")
    before = (tmp_path / "x.npz").read_bytes()
    mixed = IndexedSource("set", 3, read=lambda i: np.zeros((4 + i, 6, 3), np.uint8))
    with pytest.raises(BadInput):
        export(mixed, tmp_path / "x.npz")
    assert (tmp_path / "x.npz").read_bytes() == before


@pytest.mark.parametrize("out", OUTS)
def test_a_full_disk_is_told_and_is_no_usage_error(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*args: object, **kwargs: object) -> None:
        raise full

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(GanbenchError, match=r"The disk is full: .* could not be written\. Free some space") as error:
        export(source(), tmp_path / out)
    assert error.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
