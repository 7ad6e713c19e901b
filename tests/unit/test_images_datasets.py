"""Datasets by name: where they are looked for, what they hold, and what is said where they cannot be had."""

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganbench import places
from ganbench.errors import BadInput, CorruptFile, Unavailable, UsageError
from ganbench.images.datasets import _base, _store
from ganbench.images.datasets._base import DATASETS, Dataset, check_split, open_dataset
from ganbench.images.datasets._idx import open_idx
from ganbench.images.datasets.digits import enlarged
from ganbench.images.source import ImageSource

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
RNG = np.random.default_rng(0)
FIRST = {"mnist": {"train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4)}, "fashion-mnist": {"train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)}}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No dataset of this machine is seen, nothing is fetched, nothing is stored but in tmp_path."""
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(_base, "data_folders", lambda: [p for p in places.data_folders() if "usr" not in p.parts])
    monkeypatch.setattr("ganbench.images.datasets._idx.data_folders", _base.data_folders)

    def refuse(url: str, target: Path, **_: object) -> None:
        raise Unavailable(f"{url} cannot be reached.")

    monkeypatch.setattr(_store, "download", refuse)


def idx_images(pixels: np.ndarray) -> bytes:
    return struct.pack(">4I", 0x0803, *pixels.shape) + pixels.tobytes()


def idx_labels(labels: np.ndarray) -> bytes:
    return struct.pack(">2I", 0x0801, len(labels)) + labels.astype(np.uint8).tobytes()


def idx_set(folder: Path, name: str = "mnist", *, packed: bool = False, joint: str = "-", n: int = 12) -> np.ndarray:
    """Writes the training split into a folder; the labels begin as those of the named dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    labels = np.resize(FIRST[name]["train"], n)
    for what, data in (("images", idx_images(pixels)), ("labels", idx_labels(labels))):
        dimensions = 3 if what == "images" else 1
        path = folder / f"train-{what}{joint}idx{dimensions}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return pixels


def pixels_of(source: ImageSource) -> np.ndarray:
    return np.stack([image.pixels[0] for image in source.images()])


# names and splits


def test_the_datasets_are_one_file_each_with_their_facts() -> None:
    stacked = ["stacked-fashion", "stacked-mnist"]
    kinds = ("emoji", "emoji-gray", "emoji-halves", "emoji-pairs")
    emoji = sorted([*kinds, *(f"{kind}-64" for kind in kinds)])
    others = ["cifar10", "cifar100", "digits", "edges2fashion", "fashion-mnist", "mnist"]
    assert DATASETS.names() == sorted([*others, *stacked, *emoji])
    for entry in DATASETS:
        dataset = DATASETS.get(entry.name)
        assert issubclass(dataset, Dataset)
        assert dataset.title
        assert dataset.licence
        assert dataset.splits == (("train",) if entry.name in stacked else ("train", "test"))
        assert dataset.homepage.startswith("http")


def test_an_unknown_dataset_gets_a_guess() -> None:
    with pytest.raises(UsageError, match=r"Unknown dataset 'fashion_mnist'\. Did you mean 'fashion-mnist'\? There are"):
        open_dataset("fashion_mnist")


def test_an_unknown_split_gets_a_guess() -> None:
    with pytest.raises(
        UsageError, match=r"Unknown split of digits 'tests'\. Did you mean 'test'\? There are: train, test"
    ):
        open_dataset("digits", "tests")


def test_the_default_split_is_train() -> None:
    assert open_dataset("digits").name == "digits:train"
    assert check_split("digits", None) == "train"


# digits


def test_digits_are_split_by_parity_and_labelled() -> None:
    from sklearn.datasets import load_digits

    target = load_digits().target
    for split, start, n in (("train", 0, 899), ("test", 1, 898)):
        source = open_dataset("digits", split, offline=True)
        assert len(source) == n
        assert source.name == f"digits:{split}"
        np.testing.assert_array_equal(source.labels, target[start::2])
        assert source.labels.dtype == np.int64


def test_digits_are_enlarged_as_the_interface_says() -> None:
    from sklearn.datasets import load_digits

    source = open_dataset("digits", "test")
    (image,) = source.images([5])
    values = load_digits().images[11].astype(np.float32)
    large = Pillow.fromarray(values * np.float32(255 / 16)).resize((32, 32), Pillow.Resampling.BICUBIC)
    expected = np.rint(np.clip(np.asarray(large, np.float64), 0, 255))
    assert image.pixels.shape == (3, 32, 32)
    for plane in image.pixels:
        np.testing.assert_array_equal(plane, expected)


def test_enlarging_keeps_flat_fields_and_clamps() -> None:
    assert (enlarged(np.full((8, 8), 16.0)) == 255).all()
    assert (enlarged(np.zeros((8, 8))) == 0).all()
    edge = np.zeros((8, 8))
    edge[:, 4:] = 16
    found = enlarged(edge)
    assert found.min() == 0
    assert found.max() == 255
    assert found.dtype == np.uint8


def test_digits_never_change() -> None:
    prints = [open_dataset("digits", split).fingerprint for split in ("train", "test")]
    assert prints == [
        "5c48b62495b2503132e98ba40f7938add0861113e0cb0842dde26966c3871193",
        "82d0d2ec8012ff1e753ac4efde53febf8e93e0eecead08eaa97f1f222f696c7e",
    ]


# idx: where


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("joint", ["-", "."])
@pytest.mark.parametrize("layout", ["MNIST/raw", "mnist", "MNIST", "."])
def test_mnist_is_found_in_its_layouts(layout: str, joint: str, packed: bool, tmp_path: Path) -> None:
    pixels = idx_set(tmp_path / "data" / layout, packed=packed, joint=joint)
    source = open_dataset("mnist", offline=True)
    np.testing.assert_array_equal(pixels_of(source), pixels)
    np.testing.assert_array_equal(source.labels, np.resize(FIRST["mnist"]["train"], 12))
    assert source.name == "mnist:train"
    assert next(source.images()).name == "mnist:train[0]"


@pytest.mark.parametrize("last", ["raw", "mnist", "MNIST"])
def test_the_folder_itself_may_be_named(last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elsewhere" / ("MNIST/raw" if last == "raw" else last)
    pixels = idx_set(folder)
    monkeypatch.setenv("GANBENCH_DATA", str(folder))
    np.testing.assert_array_equal(pixels_of(open_dataset("mnist", offline=True)), pixels)


def test_a_folder_without_a_telling_name_is_told_by_its_labels(tmp_path: Path) -> None:
    idx_set(tmp_path / "data", "fashion-mnist")
    assert DATASETS.get("fashion-mnist").find("train") is not None
    assert DATASETS.get("mnist").find("train") is None


def test_without_labels_a_nameless_folder_tells_nothing(tmp_path: Path) -> None:
    idx_set(tmp_path / "data")
    (tmp_path / "data" / "train-labels-idx1-ubyte").unlink()
    assert DATASETS.get("mnist").find("train") is None


def test_a_named_folder_without_labels_is_a_source_without_labels(tmp_path: Path) -> None:
    idx_set(tmp_path / "data" / "mnist")
    (tmp_path / "data" / "mnist" / "train-labels-idx1-ubyte").unlink()
    assert open_dataset("mnist", offline=True).labels is None


def test_the_first_of_several_folders_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = idx_set(tmp_path / "one" / "mnist")
    idx_set(tmp_path / "two" / "mnist")
    monkeypatch.setenv("GANBENCH_DATA", os.pathsep.join(str(tmp_path / name) for name in ("none", "one", "two")))
    np.testing.assert_array_equal(pixels_of(open_dataset("mnist", offline=True)), first)


def test_plain_and_packed_files_are_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = idx_set(tmp_path / "data" / "mnist", packed=True)
    packed = open_dataset("mnist", offline=True)
    plain = tmp_path / "train-images-idx3-ubyte"
    plain.write_bytes(idx_images(pixels))
    assert open_idx(plain, name="x", labels=None).fingerprint == packed.fingerprint
    assert [i.index for i in packed.images([2, 7])] == [2, 7]


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_base, "data_folders", lambda: [DEBIAN.parent])
    source = open_dataset("fashion-mnist", "test", offline=True)
    assert len(source) == 10_000
    assert source.fingerprint == "af3c6956378884ecffde69ee501b74e40f65f914f0a328dcae9a342efee53b5c"
    assert source.labels is not None
    assert np.bincount(source.labels).tolist() == [1000] * 10
    assert DATASETS.get("fashion-mnist").locate("train") == DEBIAN / "train-images-idx3-ubyte.gz"


# idx: damaged

PIXELS = np.zeros((3, 4, 5), np.uint8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it ends too early"),
        (b"\0\0\x08", "it ends too early"),
        (struct.pack(">4I", 0x0801, 3, 4, 5), "it begins with 0x00000801 instead of 0x00000803, the mark of images"),
        (b"not an idx file at all", "it begins with 0x6e6f7420 instead of 0x00000803, the mark of images"),
        (idx_images(PIXELS)[:-1], "its header asks for 76 bytes, it has 75"),
        (idx_images(PIXELS) + b"x", "its header asks for 76 bytes, it has 77"),
        (struct.pack(">4I", 0x0803, 2**32 - 1, 28, 28), r"its header asks for 3,367,254,359,296 bytes, it has 16"),
        (struct.pack(">4I", 0x0803, 0, 28, 28), "it announces 0 images of 28 x 28 pixels"),
        (struct.pack(">4I", 0x0803, 1, 2**31, 2**31), "it announces 1 images of 2147483648 x 2147483648 pixels"),
    ],
)
def test_damaged_idx_files(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(
        BadInput, match=rf"x-idx3-ubyte is no whole IDX file: {words}\. Take it away, or put the original"
    ):
        open_idx(path, name="x", labels=None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"not gzip", "Not a gzipped file"),
        (gzip.compress(idx_images(PIXELS), mtime=0)[:-9], "its header asks for 76 bytes, its end tells of"),
        (gzip.compress(idx_images(PIXELS), mtime=0)[:12], "Compressed file ended|it ends too early|its header asks"),
        (
            gzip.compress(idx_images(PIXELS) + b"x", mtime=0),
            "its header asks for 76 bytes, its end tells of 77 unpacked ones",
        ),
        (
            gzip.compress(struct.pack(">4I", 0x0803, 2**31, 2**10, 2**10), mtime=0),
            "its header asks for 2,251,799,813,685,264",
        ),
    ],
)
def test_damaged_packed_idx_files(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=rf"x\.gz is no whole IDX file: .*({words})"):
        open_idx(path, name="x", labels=None)


def test_a_packed_file_damaged_further_on(tmp_path: Path) -> None:
    noise = RNG.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    data = bytearray(gzip.compress(idx_images(noise), mtime=0))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "x.gz").write_bytes(data)
    source = open_idx(tmp_path / "x.gz", name="x", labels=None)
    with pytest.raises(BadInput, match=r"^x (is damaged: |ends before the 50 images)"):
        list(source.images())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack(">2I", 0x0803, 3) + bytes(3), "it begins with 0x00000803 and 3 labels; wanted 0x00000801 and 3"),
        (idx_labels(np.zeros(4)), "it begins with 0x00000801 and 4 labels; wanted 0x00000801 and 3"),
        (idx_labels(np.zeros(3))[:-1], "its header asks for 11 bytes, it has 10"),
        (b"", "it ends too early"),
    ],
)
def test_damaged_labels(data: bytes, words: str, tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(idx_images(PIXELS))
    labels.write_bytes(data)
    source = open_idx(images, name="x", labels=labels)
    assert len(list(source.images())) == 3
    with pytest.raises(BadInput, match=rf"labels is no whole IDX file: {words}"):
        _ = source.labels


# what cannot be had


def test_offline_names_the_ways(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as error:
        open_dataset("fashion-mnist", "test", offline=True)
    text = str(error.value)
    assert text.startswith(
        "The dataset fashion-mnist:test was not found on this machine, and --offline forbids to fetch"
    )
    assert f"Looked in: {tmp_path / 'data'}, {tmp_path / 'home' / 'datasets'}" in text
    assert "- with a network: ganbench data get fashion-mnist" in text
    assert "GANBENCH_DATA" in text
    assert "- on Debian and Ubuntu: apt install dataset-fashion-mnist" in text
    assert error.value.exit_code == 1


def test_without_download_nothing_is_fetched() -> None:
    with pytest.raises(Unavailable, match=r"was not found on this machine, and it was not to be fetched\.\nLooked in"):
        open_dataset("cifar10", download=False)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_no_network_names_the_address_and_the_ways(name: str) -> None:
    with pytest.raises(Unavailable) as error:
        open_dataset(name)
    text = str(error.value)
    assert text.startswith(f"The dataset {name}:train was not found on this machine and could not be fetched: http")
    assert "cannot be reached.\nLooked in" in text
    assert f"- with a network: ganbench data get {name}" in text


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idx_set(tmp_path / "data" / "mnist")

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte cannot be read \(Permission denied\)"):
        open_dataset("mnist", offline=True)


# fetching


class Origin:
    """Stands in for torchvision's class, and for the servers it knows."""

    def __init__(self, files: dict[str, bytes], mirrors: list[str]) -> None:
        self.files, self.asked = files, list[str]()
        self.mirrors = mirrors
        self.resources = [(name, hashlib.md5(data).hexdigest()) for name, data in files.items()]

    def download(self, url: str, target: Path, **_: object) -> None:
        self.asked.append(url)
        if "broken" in url:
            raise Unavailable(f"{url} cannot be reached.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"other bytes" if "wrong" in url else self.files[url.rpartition("/")[2]])


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Origin:
    pixels = RNG.integers(0, 256, (12, 28, 28), dtype=np.uint8)
    labels = np.resize(FIRST["mnist"]["train"], 12)
    files = {
        "train-images-idx3-ubyte.gz": gzip.compress(idx_images(pixels), mtime=0),
        "train-labels-idx1-ubyte.gz": gzip.compress(idx_labels(labels), mtime=0),
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx_images(pixels[:5]), mtime=0),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx_labels(labels[:5]), mtime=0),
    }
    made = Origin(files, ["http://broken/", "http://wrong/", "http://good/"])
    monkeypatch.setattr(_store, "download", made.download)
    monkeypatch.setattr("ganbench.images.datasets._idx.torchvision_class", lambda name: made)
    return made


def test_a_dataset_is_fetched_from_the_first_good_address_and_kept(origin: Origin, tmp_path: Path) -> None:
    source = open_dataset("mnist", "test")
    assert len(source) == 5
    assert source.labels is not None
    raw = tmp_path / "home/datasets/MNIST/raw"
    assert (raw / "t10k-images-idx3-ubyte.gz").read_bytes() == origin.files["t10k-images-idx3-ubyte.gz"]
    assert not (raw / "train-images-idx3-ubyte.gz").exists()
    asked = len(origin.asked)
    assert asked == 6
    assert len(open_dataset("mnist", "test", offline=True)) == 5
    assert len(origin.asked) == asked


def test_no_good_address_tells_each(origin: Origin) -> None:
    origin.mirrors = ["http://broken/", "http://wrong/"]
    with pytest.raises(Unavailable) as error:
        open_dataset("mnist")
    text = str(error.value)
    assert "http://broken/train-images-idx3-ubyte.gz cannot be reached." in text
    assert "http://wrong/train-images-idx3-ubyte.gz gave a file with the md5 sum" in text
    assert "wanted " + origin.resources[0][1] in text


def test_a_fetched_file_that_changed_is_said_removed_and_fetched_again(origin: Origin, tmp_path: Path) -> None:
    before = open_dataset("mnist").fingerprint
    path = tmp_path / "home/datasets/MNIST/raw/train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFile, match="no longer has the bytes that were fetched, and was removed"):
        DATASETS.get("mnist").find("train")
    path.write_bytes(b"changed again")
    said: list[str] = []
    assert open_dataset("mnist", warn=said.append).fingerprint == before
    assert len(said) == 1
    assert str(path) in said[0]


def test_a_changed_file_and_no_network(origin: Origin, tmp_path: Path) -> None:
    open_dataset("mnist")
    path = tmp_path / "home/datasets/MNIST/raw/train-labels-idx1-ubyte.gz"
    path.write_bytes(b"changed")
    origin.mirrors = ["http://broken/"]
    source = None
    with pytest.raises(CorruptFile, match=r"train-labels-idx1-ubyte\.gz no longer has the bytes"):
        source = DATASETS.get("mnist").find("train")
    assert source is None


def test_fetching_again_finds_it_done(origin: Origin) -> None:
    dataset = DATASETS.get("mnist")
    dataset.download("train", progress=lambda *_: None)
    asked = len(origin.asked)
    dataset.download("train", progress=lambda *_: None)
    assert len(origin.asked) == asked


def test_torchvision_still_knows_the_addresses() -> None:
    for name in ("MNIST", "FashionMNIST"):
        known = _store.torchvision_class(name)
        assert all(url.startswith("http") for url in known.mirrors)
        assert [len(md5) for _, md5 in known.resources] == [32] * 4
    for name in ("CIFAR10", "CIFAR100"):
        known = _store.torchvision_class(name)
        assert known.url.startswith("http")
        assert len(known.tgz_md5) == 32
