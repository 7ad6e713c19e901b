"""Files that are whole or not there: atomic writes, locks between processes, hashes."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ganbench.errors import BadInput, GanbenchError, UsageError

CHUNK = 1 << 20


def sha256_file(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """The sha256 of a file, as 64 hexadecimal digits, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if progress:
                progress(len(chunk))
    return digest.hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` whole, synced and at once, or not at all.

    Raises GanbenchError where the disk is full, UsageError where the place cannot be written.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}-", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = ""
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explained(error: OSError, path: Path) -> GanbenchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return GanbenchError(
            f"The disk is full: {path} could not be written. Free some space, or choose another place."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOENT):
        return UsageError(f"{path} cannot be written ({error.strerror}). Choose a place that you may write to.")
    return GanbenchError(f"{path} could not be written: {error}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around code that writes at `path`: what the operating system refuses becomes GanbenchError or UsageError."""
    try:
        yield
    except OSError as error:
        raise _explained(error, path) from error


def check_writable(path: Path) -> None:
    """Raises UsageError where no file can be written at `path`; asked before work that takes long."""
    existing = next(parent for parent in (path.absolute().parent, *path.absolute().parents) if parent.exists())
    if path.is_dir() or not existing.is_dir() or not os.access(existing, os.W_OK):
        why = "it is a folder" if path.is_dir() else f"{existing} is closed to you, or no folder"
        raise UsageError(f"{path} cannot be written: {why}. Choose a place that you may write to.")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, atomically."""
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def read_limited(path: Path, largest: int, *, what: str) -> bytes:
    """The bytes of a file that should hold `what`. Raises BadInput where it cannot be read, or has over `largest`."""
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}). Wanted: {what}.") from error
    if len(data) > largest:
        raise BadInput(f"{path} is larger than {largest >> 20} MiB. Wanted: {what}.")
    return data


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds `path` for this process: others that want it wait. The lock lies beside it as `.NAME.lock`.

    The operating system releases the lock of a process that dies, so a crash leaves nothing to clean up.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.parent / f".{path.name}.lock", "a+b")  # noqa: SIM115 - closed below, after the unlock
    except OSError as error:
        raise _explained(error, path) from error
    with file:
        _lock(file)
        yield  # closing the file releases the lock


def _lock(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
