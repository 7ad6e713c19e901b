"""Reading parts of one file from many threads."""

import os
import weakref
from pathlib import Path
from threading import Lock


class SharedFile:
    """A file that any thread reads at any offset. Closed when nothing refers to it any more.

    Raises OSError where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = Lock()
        weakref.finalize(self, os.close, self._handle)
        self.size = os.fstat(self._handle).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer where the file ends before. Never allocates more than the file has."""
        size = max(0, min(size, self.size - offset))
        parts = []
        while size > 0:
            part = self._read(offset, size)
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._handle, size, offset)
        with self._lock:  # Windows has no pread
            os.lseek(self._handle, offset, os.SEEK_SET)
            return os.read(self._handle, size)
