"""The two layouts of CIFAR; the pickled one is made by hand, byte for byte as the published files are."""

import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import BadInput, Unavailable
from ganbench.images.datasets import _base, _store
from ganbench.images.datasets._base import DATASETS, open_dataset
from ganbench.images.datasets._cifar import pickled_part

RNG = np.random.default_rng(0)
N = 20


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(_base, "data_folders", lambda: [tmp_path / "data", tmp_path / "home" / "datasets"])


def short(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode()


def array_pickle(data: bytes, n: int, *, flag: bytes = b"\x89", string: bytes | None = None) -> bytes:
    """numpy's pickle of a uint8 (n, 3072), protocol 2 of Python 2."""
    start = b"cnumpy.core.multiarray\n_reconstruct\nq\x10cnumpy\nndarray\nq\x11K\x00\x85U\x01b\x87Rq\x12"
    shape = b"(K\x01M" + struct.pack("<H", n) + b"M\x00\x0c\x86"
    dtype = b"cnumpy\ndtype\nq\x13U\x02u1K\x00K\x01\x87Rq\x14(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    body = b"T" + struct.pack("<i", len(data)) + data if string is None else string
    return start + shape + dtype + flag + body + b"tb"


def list_pickle(values: np.ndarray) -> bytes:
    return b"]q\x05(" + b"".join(b"K" + bytes([value]) for value in values) + b"e"


def batch(pixels: np.ndarray, labels: np.ndarray, *, key: str = "labels", array: bytes | None = None) -> bytes:
    array = array or array_pickle(pixels.tobytes(), len(pixels))
    names = b"]q\x20(" + short("a_s_000001.png") + short("b_s_000002.png") + b"e"
    parts = [
        short("batch_label") + b"q\x02" + short("training batch 1 of 5") + b"q\x03",
        short("coarse_labels") + b"q\x21" + list_pickle(labels // 2),
        short(key) + b"q\x04" + list_pickle(labels),
        short("data") + b"q\x09" + array,
        short("filenames") + b"q\x22" + names,
    ]
    return b"\x80\x02}q\x01(" + b"".join(parts) + b"u."


def made(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    return RNG.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), RNG.integers(0, 10, n)


def check(name: str, split: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    source = open_dataset(name, split, offline=True)
    assert source.name == f"{name}:{split}"
    np.testing.assert_array_equal(np.stack([image.pixels for image in source.images()]), pixels)
    np.testing.assert_array_equal(source.labels, labels)
    chosen = [0, len(pixels) // 2, len(pixels) - 1]
    np.testing.assert_array_equal(np.stack([image.pixels for image in source.images(chosen)]), pixels[chosen])


def records(pixels: np.ndarray, labels: np.ndarray, before: bytes = b"") -> bytes:
    return b"".join(before + bytes([label]) + row.tobytes() for row, label in zip(pixels, labels, strict=True))


@pytest.mark.parametrize("place", ["cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_cifar10_binary(place: str, tmp_path: Path) -> None:
    pixels, labels = made()
    folder = tmp_path / "data" / place
    folder.mkdir(parents=True)
    for i in range(5):
        part = slice(4 * i, 4 * i + 4)
        (folder / f"data_batch_{i + 1}.bin").write_bytes(records(pixels[part], labels[part]))
    (folder / "test_batch.bin").write_bytes(records(pixels[:3], labels[:3]))
    check("cifar10", "train", pixels, labels)
    check("cifar10", "test", pixels[:3], labels[:3])


def test_cifar100_binary_takes_the_fine_labels(tmp_path: Path) -> None:
    pixels, labels = made()
    folder = tmp_path / "data" / "cifar-100-binary"
    folder.mkdir(parents=True)
    (folder / "train.bin").write_bytes(records(pixels, labels + 50, before=b"\x07"))
    check("cifar100", "train", pixels, labels + 50)


def test_cifar10_as_torchvision_keeps_it(tmp_path: Path) -> None:
    pixels, labels = made()
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for i in range(5):
        part = slice(4 * i, 4 * i + 4)
        (folder / f"data_batch_{i + 1}").write_bytes(batch(pixels[part], labels[part]))
    (folder / "test_batch").write_bytes(batch(pixels[:3], labels[:3]))
    check("cifar10", "train", pixels, labels)
    check("cifar10", "test", pixels[:3], labels[:3])


def test_cifar100_as_torchvision_keeps_it(tmp_path: Path) -> None:
    pixels, labels = made()
    folder = tmp_path / "data" / "cifar-100-python"
    folder.mkdir(parents=True)
    (folder / "test").write_bytes(batch(pixels, labels + 50, key="fine_labels"))
    check("cifar100", "test", pixels, labels + 50)


def test_the_handmade_pickle_is_a_true_one(tmp_path: Path) -> None:
    pixels, labels = made()
    data = batch(pixels, labels).replace(b"numpy.core.", b"numpy._core.")
    found = pickle.loads(data, encoding="latin1")
    np.testing.assert_array_equal(found["data"].reshape(-1, 3, 32, 32), pixels)
    assert found["labels"] == labels.tolist()


def test_pickled_again_by_python_3(tmp_path: Path) -> None:
    pixels, labels = made()
    again = {"data": pixels.reshape(N, -1), "labels": labels.tolist(), "filenames": ["a", "b"]}
    for protocol in (3, 4):
        (tmp_path / "x").write_bytes(pickle.dumps(again, protocol))
        part = pickled_part(tmp_path / "x", "labels")
        assert part.n == N
        np.testing.assert_array_equal(part.labels, labels)
        assert part.file.read_at(part.start, 3072 * N) == pixels.tobytes()


def test_a_folder_that_lacks_a_file_is_not_the_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    (folder / "data_batch_1").write_bytes(batch(*made()))
    assert DATASETS.get("cifar10").locate("train") is None
    with pytest.raises(Unavailable, match="cifar10:train was not found on this machine"):
        open_dataset("cifar10", offline=True)


@pytest.mark.parametrize("data", [b"", b"x" * 3072, b"x" * 6147])
def test_a_binary_file_of_another_length(data: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    (folder / "test_batch.bin").write_bytes(data)
    with pytest.raises(BadInput, match=r"test_batch\.bin is no file of CIFAR: its [\d,]+ bytes are no whole number"):
        open_dataset("cifar10", "test", offline=True)


def broken_pickles() -> dict[str, bytes]:
    pixels, labels = made()
    good = batch(pixels, labels)
    raw = pixels.tobytes()
    python_3 = pickle.dumps({"data": pixels.reshape(N, -1), "labels": labels.tolist()}, 2)
    return {
        "empty": b"",
        "no pickle": b"hello",
        "cut off": good[:-100],
        "no labels": batch(pixels, labels, key="labelz"),
        "a label too few": batch(pixels, labels[:-1]),
        "labels twice": batch(pixels, labels).replace(short("filenames"), short("labels") + b"]q\x30" + short("x"), 1),
        "pixels in Fortran order": batch(pixels, labels, array=array_pickle(raw, N, flag=b"\x88")),
        "pixels twice": batch(pixels, labels, array=array_pickle(raw, N) + short("more") + array_pickle(raw, N)),
        "a pixel too few": batch(pixels, labels, array=array_pickle(raw[:-1], N)),
        "pixels as text": python_3,
        "an absurd length": batch(pixels, labels, array=array_pickle(b"", N, string=b"T\xff\xff\xff\x7f")),
        "a negative length": batch(pixels, labels, array=array_pickle(b"", N, string=b"T\xff\xff\xff\xff")),
    }


@pytest.mark.parametrize("case", list(broken_pickles()))
def test_anything_else_than_the_published_form_is_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(broken_pickles()[case])
    with pytest.raises(
        BadInput, match=r"x is no file of CIFAR: it (is no whole pickle|has \d lists 'labels' and \d strings)"
    ):
        pickled_part(tmp_path / "x", "labels")


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "exploded",)

    (tmp_path / "x").write_bytes(pickle.dumps({"labels": [1, 2], "data": Bomb()}, 2))
    with pytest.raises(BadInput, match="x is no file of CIFAR"):
        pickled_part(tmp_path / "x", "labels")
    assert not (tmp_path / "exploded").exists()


# fetching


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as packed:
        for name, data in members.items():
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return file.getvalue()


class Origin:
    url = "http://server/cifar-100-python.tar.gz"

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, 0
        self.tgz_md5 = hashlib.md5(data).hexdigest()

    def download(self, url: str, target: Path, **_: object) -> None:
        self.asked += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.data)


def served(data: bytes, monkeypatch: pytest.MonkeyPatch) -> Origin:
    origin = Origin(data)
    monkeypatch.setattr(_store, "download", origin.download)
    monkeypatch.setattr("ganbench.images.datasets._cifar.torchvision_class", lambda name: origin)
    return origin


def test_the_archive_is_fetched_and_only_its_known_files_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = made()
    content = batch(pixels, labels + 50, key="fine_labels")
    origin = served(archive({"train": content, "test": content, "meta": b"x", "../../evil": b"x"}), monkeypatch)
    source = open_dataset("cifar100", "test")
    np.testing.assert_array_equal(source.labels, labels + 50)
    check("cifar100", "train", pixels, labels + 50)
    store = tmp_path / "home/datasets"
    visible = sorted(p.relative_to(store).as_posix() for p in store.rglob("*") if not p.name.startswith("."))
    assert visible == [
        "cifar-100-python",
        "cifar-100-python/test",
        "cifar-100-python/test.sha256",
        "cifar-100-python/train",
        "cifar-100-python/train.sha256",
    ]
    DATASETS.get("cifar100").download("train", progress=lambda *_: None)
    assert origin.asked == 1


def test_an_archive_that_lacks_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    served(archive({"train": b"x"}), monkeypatch)
    with pytest.raises(
        Unavailable, match=r"could not be fetched: http://server/cifar-100-python\.tar\.gz lacks test\."
    ):
        open_dataset("cifar100", "test")


def test_an_archive_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    served(b"no archive", monkeypatch)
    with pytest.raises(Unavailable, match=r"cifar-100-python\.tar\.gz cannot be unpacked: .*Remove it and try again"):
        open_dataset("cifar100", "test")


def test_a_kept_file_that_changed_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = made()
    content = batch(pixels, labels, key="fine_labels")
    origin = served(archive({"train": content, "test": content}), monkeypatch)
    open_dataset("cifar100", "test")
    (tmp_path / "home/datasets/cifar-100-python/test").write_bytes(content[:-1] + b"!")
    said: list[str] = []
    assert len(open_dataset("cifar100", "test", warn=said.append)) == N
    assert origin.asked == 2
    assert "no longer has the bytes that were fetched" in said[0]
