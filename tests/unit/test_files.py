"""Files are whole or not there."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganbench.errors import GanbenchError, UsageError
from ganbench.files import atomic_write, sha256_file, write_bytes


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.bin"
    write_bytes(path, b"old")

    def fail_midway() -> None:
        with atomic_write(path) as file:
            file.write(b"new, but unfinished")
            raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        fail_midway()
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_a_full_disk_is_a_reason_outside_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match="disk is full") as caught, atomic_write(tmp_path / "x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_the_users_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written") as caught:
        write_bytes(tmp_path / "file" / "below", b"x")
    assert caught.value.exit_code == 2


def test_sha256_of_a_file(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()


ADD = """
import sys
from pathlib import Path
from ganbench.files import locked
path = Path(sys.argv[1])
for _ in range(50):
    with locked(path):
        value = int(path.read_text()) if path.exists() else 0
        path.write_text(str(value + 1))
"""


def test_processes_wait_for_each_other(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", ADD, tmp_path / "count"]) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "150"
