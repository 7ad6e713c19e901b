"""One set of pixels in every container is one fingerprint; and what is said of paths that cannot be opened."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.numpy import save_file

from ganbench.errors import BadInput
from ganbench.images.opening import CONTAINERS, is_known_kind, open_path
from ganbench.images.source import open_images

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), dtype=np.uint8)


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def everywhere(tmp_path: Path) -> dict[str, Path]:
    """The same images in every kind of container."""
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("zip", "tar", "npz", "npy", "pt", "pth", "safetensors")}
    paths["folder"] = tmp_path / "folder"
    paths["folder"].mkdir()
    with zipfile.ZipFile(paths["zip"], "w") as packed, tarfile.open(paths["tar"], "w") as tar:
        for index, array in reversed(list(enumerate(PIXELS))):  # names decide, not the order of writing
            name, content = f"{index:05}.png", png(array)
            (paths["folder"] / name).write_bytes(content)
            packed.writestr(name, content)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    np.savez_compressed(paths["npz"], PIXELS)
    np.save(paths["npy"], PIXELS.transpose(0, 3, 1, 2))
    torch.save(torch.from_numpy(PIXELS), paths["pt"])
    torch.save({"images": torch.from_numpy(PIXELS / 255.0), "epoch": 3}, paths["pth"])
    save_file({"x": PIXELS}, paths["safetensors"])
    return paths


def test_the_fingerprint_is_that_of_the_pixels(everywhere: dict[str, Path]) -> None:
    sources = {kind: open_images(path) for kind, path in everywhere.items()}
    assert {len(source) for source in sources.values()} == {12}
    prints = {kind: source.fingerprint for kind, source in sources.items()}
    assert len(set(prints.values())) == 1, prints
    assert len(prints["folder"]) == 64


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_gives_the_same(everywhere: dict[str, Path], workers: int) -> None:
    for path in everywhere.values():
        found = np.stack([image.pixels for image in open_images(path).images(workers=workers)])
        np.testing.assert_array_equal(found, PIXELS.transpose(0, 3, 1, 2))


def test_a_source_can_be_read_again(everywhere: dict[str, Path]) -> None:
    for path in everywhere.values():
        source = open_images(path)
        assert [image.digest for image in source.images()] == [image.digest for image in source.images()]


def test_a_source_can_be_left_and_read_again(everywhere: dict[str, Path]) -> None:
    for path in everywhere.values():
        source = open_images(str(path))
        images = source.images()
        first = next(images).digest
        images.close()  # type: ignore[attr-defined]
        assert next(source.images()).digest == first


def test_extensions_count_in_any_letter_case(everywhere: dict[str, Path]) -> None:
    for kind, path in everywhere.items():
        if kind != "folder":
            loud = path.rename(path.with_name(f"LOUD.{kind.upper()}"))
            assert len(open_images(loud)) == 12


def test_a_home_folder_is_understood(everywhere: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(everywhere["folder"].parent))
    monkeypatch.setenv("USERPROFILE", str(everywhere["folder"].parent))
    assert len(open_images("~/folder")) == 12


def test_the_containers_are_one_file_each() -> None:
    assert CONTAINERS.names() == [
        "folder", "npy", "npz", "run_folder", "safetensors", "tar_archive", "torch_tensor", "zip_archive",
    ]  # fmt: skip
    for entry in CONTAINERS:
        assert entry.summary.endswith(".")
        assert CONTAINERS.get(entry.name).priority >= 0


def test_known_kinds_are_told_by_name(everywhere: dict[str, Path], tmp_path: Path) -> None:
    assert all(is_known_kind(path) for path in everywhere.values())
    (tmp_path / "a.txt").touch()
    assert not is_known_kind(tmp_path / "a.txt")
    assert not is_known_kind(tmp_path / "gone.zip")


def test_no_such_path_with_a_guess(tmp_path: Path) -> None:
    (tmp_path / "samples.zip").touch()
    with pytest.raises(BadInput) as error:
        open_images(tmp_path / "sample.zip")
    text = str(error.value)
    assert f"There is no file or folder {tmp_path / 'sample.zip'}. Did you mean {tmp_path / 'samples.zip'}?" in text
    assert "Wanted: a folder of images, .zip, .tar, .npz, .npy, .pt, .pth or .safetensors." in text
    assert error.value.exit_code == 2


def test_no_such_path_without_a_guess(tmp_path: Path) -> None:
    (tmp_path / "unlike.anything").touch()
    with pytest.raises(BadInput) as error:
        open_images(tmp_path / "samples")
    assert str(error.value).startswith(f"There is no file or folder {tmp_path / 'samples'}. Wanted: a folder")


def test_no_such_path_in_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"There is no file or folder .*b: its folder .*a is not there either\. Check the path\."
    ):
        open_images(tmp_path / "a" / "b")


def test_no_such_path_in_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(BadInput, match=r"There is no file or folder .*samples\. Wanted"):
        open_images(tmp_path / "samples")


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(tmp_path / "gone")
    with pytest.raises(BadInput, match=r"samples is a link that leads nowhere\. Mend the link"):
        open_images(tmp_path / "samples")


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz", "x.tar.zst", "x.TGZ"])
def test_compressed_archives_ask_to_be_decompressed(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    with pytest.raises(
        BadInput, match=r"is compressed as a whole.*Decompress it first; a plain \.tar is read in place"
    ):
        open_images(tmp_path / name)


def test_a_single_image_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(PIXELS[0]))
    with pytest.raises(BadInput, match=r"a\.png is one single image; a set is wanted\. Give the folder"):
        open_images(tmp_path / "a.png")


@pytest.mark.parametrize(("name", "kind"), [("x.rar", r"of the kind \.rar"), ("samples", "without an extension")])
def test_unknown_kinds_are_listed(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(
        BadInput, match=rf"{name} is a file {kind}, which is not read\. Wanted: a folder of images, \.zip"
    ):
        open_images(tmp_path / name)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npy"
    np.save(path, PIXELS)

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match=r"x\.npy cannot be read \(Permission denied\)\. Check its permissions\."):
        open_path(path)
