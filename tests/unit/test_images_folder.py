"""Folders: what counts as an image, in which order, and what is said where there is none."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganbench.errors import BadImage, BadInput
from ganbench.images.containers import folder as module
from ganbench.images.source import ImageSource, open_images


def png(value: int = 0, size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", size, (value, value, value)).save(file, "PNG")
    return file.getvalue()


def filled(top: Path, *names: str) -> Path:
    for value, name in enumerate(names):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(png(value))
    return top


def names(source: ImageSource) -> list[str]:
    return [item.name for item in source.items(range(len(source)))]


def test_order_is_that_of_the_relative_paths_whatever_the_file_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ["b/10.png", "b/9.png", "a.png", "B.png", "b-c/1.png", "b/a/1.png", "é.png", "z.png"]
    expected = sorted(made)
    filled(tmp_path, *made)
    assert names(open_images(tmp_path)) == expected
    plain = os.scandir

    class Backwards:
        def __init__(self, path: str) -> None:
            with plain(path) as listing:
                self.entries = list(listing)[::-1]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(module.os, "scandir", Backwards)
    assert names(open_images(tmp_path)) == expected


def test_order_does_not_depend_on_how_accents_are_stored(tmp_path: Path) -> None:
    composed, decomposed = filled(tmp_path / "c", "é.png", "f.png", "z.png"), tmp_path / "d"
    filled(decomposed, "e\u0301.png", "f.png", "z.png")
    assert [name[-5] for name in names(open_images(composed))] == ["f", "z", "é"]
    assert (
        open_images(composed).fingerprint != open_images(filled(tmp_path / "e", "f.png", "z.png", "é.png")).fingerprint
    )
    assert open_images(composed).fingerprint == open_images(decomposed).fingerprint


def test_extensions_count_in_any_letter_case_and_depth(tmp_path: Path) -> None:
    filled(tmp_path, "a.PNG", "b.JpG", "deep/er/still/c.jpeg", "d.txt", "e", "f.png.bak")
    assert names(open_images(tmp_path)) == ["a.PNG", "b.JpG", "deep/er/still/c.jpeg"]


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    filled(tmp_path, "a.png", "._a.png", ".cache/b.png", "__MACOSX/c.png", "x/.hidden.png", "x/d.png")
    assert names(open_images(tmp_path)) == ["a.png", "x/d.png"]


def test_a_folder_may_itself_be_hidden(tmp_path: Path) -> None:
    assert len(open_images(filled(tmp_path / ".samples", "a.png"))) == 1


def test_loops_of_links_end(tmp_path: Path) -> None:
    filled(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a/again").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert names(open_images(tmp_path)) == ["a/1.png", "b/2.png"]


def test_links_are_followed(tmp_path: Path) -> None:
    filled(tmp_path / "store", "x/1.png", "y.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/x").symlink_to(tmp_path / "store/x", target_is_directory=True)
    (tmp_path / "set/y.png").symlink_to(tmp_path / "store/y.png")
    assert names(open_images(tmp_path / "set")) == ["x/1.png", "y.png"]


def test_a_link_that_leads_nowhere_is_a_bad_image_not_a_missing_one(tmp_path: Path) -> None:
    filled(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    source = open_images(tmp_path)
    assert len(source) == 2
    with pytest.raises(BadImage, match=r"b\.png cannot be read \(No such file or directory\)"):
        list(source.images())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_link_to_a_pipe_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "set/a.png")  # no file of ours
    (tmp_path / "set/b.png").symlink_to(tmp_path / "pipe")
    source = open_images(tmp_path / "set")
    assert names(source) == ["b.png"]
    with pytest.raises(BadImage, match=r"b\.png leads to no regular file"):
        list(source.images())


def test_mixed_sizes_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(size=(3, 2)))
    (tmp_path / "b.png").write_bytes(png(size=(7, 5)))
    assert [image.pixels.shape for image in open_images(tmp_path).images()] == [(3, 2, 3), (3, 5, 7)]


def test_the_source_is_called_as_the_path(tmp_path: Path) -> None:
    assert open_images(filled(tmp_path / "samples", "a.png")).name == str(tmp_path / "samples")


def test_fingerprint_minds_content_and_order_but_no_names(tmp_path: Path) -> None:
    one = open_images(filled(tmp_path / "1", "a.png", "b.png")).fingerprint
    renamed = open_images(filled(tmp_path / "2", "x/c.png", "x/d.png")).fingerprint
    swapped = open_images(filled(tmp_path / "3", "b.png", "a.png")).fingerprint
    assert one == renamed != swapped


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        open_images(tmp_path)
    assert str(error.value).startswith(f"The folder {tmp_path} is empty. Wanted image files (bmp, gif, ")
    assert error.value.exit_code == 2


def test_a_folder_without_images_tells_what_it_holds(tmp_path: Path) -> None:
    filled(tmp_path, "a.txt", "b.TXT", "x/c.json", "README")
    with pytest.raises(BadInput) as error:
        open_images(tmp_path)
    text = str(error.value)
    assert f"The folder {tmp_path} holds no images: found 4 files, .txt (2), " in text
    assert ".json (1)" in text
    assert "without extension (1)" in text


def test_a_folder_of_archives_points_to_the_archive(tmp_path: Path) -> None:
    filled(tmp_path, "samples.zip")
    with pytest.raises(BadInput, match=r"found 1 file, \.zip \(1\).*Give the \.zip file itself"):
        open_images(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    filled(tmp_path, "a/1.png")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(BadInput, match=r"a/? cannot be read \(Permission denied\)"):
            open_images(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o755)


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.os, "scandir", refuse)
    with pytest.raises(BadInput, match=r"cannot be read \(Permission denied\)\. Check its permissions"):
        open_images(tmp_path)


def test_a_file_of_absurd_length_is_a_bad_image(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(513 * 2**20)  # takes no place on the disk
    with pytest.raises(BadImage, match=r"a\.png is 537,919,488 bytes long; at most 536,870,912 are read"):
        list(open_images(tmp_path).images())


def test_text_named_png_and_a_truncated_png(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    (tmp_path / "b.png").write_bytes(png(size=(300, 300))[:200])
    (tmp_path / "c.png").write_bytes(b"")
    source = open_images(tmp_path)
    for index, words in enumerate([r"a\.png is no image.*it is text", r"b\.png is damaged", r"c\.png .*file is empty"]):
        with pytest.raises(BadImage, match=words):
            list(source.images([index]))


def test_pixels_arrive_unchanged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    (image,) = open_images(tmp_path).images()
    np.testing.assert_array_equal(image.pixels, pixels.transpose(2, 0, 1))
