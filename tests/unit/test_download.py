"""One file over http: whole and checked, or not there."""

import errno
import hashlib
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from ganbench import download as module
from ganbench.download import download, filename_of, mirrored
from ganbench.errors import GanbenchError, Unavailable, UsageError

DATA = bytes(range(256)) * 9000  # more than two pieces
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANBENCH_MIRROR", raising=False)


def left(folder: Path) -> list[str]:
    """What lies in a folder, but for locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_fetches_checks_and_tells(file_server: Any, tmp_path: Path) -> None:
    file_server.files["a.bin"] = DATA
    told: list[tuple[str, int, int | None]] = []
    download(f"{file_server.address}/a.bin", tmp_path / "deep" / "a.bin", sha256=SHA, size=len(DATA),
             progress=lambda *step: told.append(step))  # fmt: skip
    assert (tmp_path / "deep" / "a.bin").read_bytes() == DATA
    assert left(tmp_path / "deep") == ["a.bin"]
    assert told[0] == ("downloading a.bin", 0, len(DATA))
    assert told[-1] == ("downloading a.bin", len(DATA), len(DATA))
    assert len(told) >= 3


def test_a_right_file_is_kept_and_a_wrong_one_replaced(file_server: Any, tmp_path: Path) -> None:
    file_server.files["a.bin"] = DATA
    target, url = tmp_path / "a.bin", f"{file_server.address}/a.bin"
    target.write_bytes(b"damaged")
    download(url, target, sha256=SHA)
    assert target.read_bytes() == DATA
    download(url, target, sha256=SHA)
    assert len(file_server.asked) == 1


def test_without_a_hash_it_is_fetched_anew(file_server: Any, tmp_path: Path) -> None:
    file_server.files["a.bin"] = b"new"
    (tmp_path / "a.bin").write_bytes(b"old")
    download(f"{file_server.address}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("absent.bin", None, "answered 404"),
        ("other.bin", None, "gave a file with the sha256 "),
        ("other.bin", 7, "offers 5 bytes, wanted 7"),
        ("cut.bin", None, "Try again"),
    ],
)
def test_what_is_wrong_is_said_and_not_kept(
    file_server: Any, tmp_path: Path, name: str, size: int | None, message: str
) -> None:
    file_server.files |= {"other.bin": b"other", "cut.bin": DATA}
    file_server.cut.add("cut.bin")
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(Unavailable, match=message) as caught:
        download(f"{file_server.address}/{name}", tmp_path / "a.bin", sha256=SHA, size=size)
    assert caught.value.exit_code == 1
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert left(tmp_path) == ["a.bin"]


def test_a_server_that_is_not_there(file_server: Any, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", sha256=SHA)
    assert left(tmp_path) == []


def test_a_server_that_falls_silent(file_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 2.0)  # a machine with much to do may take a second for the headers
    file_server.files["a.bin"] = DATA
    file_server.silent.add("a.bin")
    with pytest.raises(Unavailable, match="broke off after 0 bytes"):
        download(f"{file_server.address}/a.bin", tmp_path / "a.bin", sha256=SHA)
    assert left(tmp_path) == []


def test_only_http(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no http address"):
        download("file:///etc/hostname", tmp_path / "a.bin")


def test_a_full_disk(file_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    file_server.files["a.bin"] = DATA
    with pytest.raises(GanbenchError, match="The disk is full") as caught:
        download(f"{file_server.address}/a.bin", tmp_path / "a.bin", sha256=SHA)
    assert caught.value.exit_code == 1
    assert left(tmp_path) == []


def test_the_mirror_is_asked_instead(file_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_MIRROR", f"{file_server.address}/deep/")
    file_server.files["deep/a%20b.bin"] = DATA
    download("https://example.org/releases/a%20b.bin?x=1", tmp_path / "a.bin", sha256=SHA)
    assert file_server.asked == ["/deep/a%20b.bin"]
    file_server.files["deep/a%20b.bin"] = b"tampered with"
    with pytest.raises(Unavailable, match=r"gave a file with the sha256 .* was not kept"):
        download("https://example.org/releases/a%20b.bin", tmp_path / "b.bin", sha256=SHA)


def test_a_mirror_must_be_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_MIRROR", "/mnt/files")
    with pytest.raises(UsageError, match="give it an address such as http"):
        mirrored("https://example.org/a.bin")
    assert filename_of("https://example.org/x/a%20b.bin?y=z") == "a b.bin"


def test_two_processes_at_once_fetch_once(file_server: Any, tmp_path: Path) -> None:
    file_server.files["a.bin"] = DATA
    spawn = multiprocessing.get_context("spawn")
    arguments = (f"{file_server.address}/a.bin", tmp_path / "a.bin")
    processes = [spawn.Process(target=download, args=arguments, kwargs={"sha256": SHA}) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert len(file_server.asked) == 1
