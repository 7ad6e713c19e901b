"""Feature rows that arrive in portions: in memory while they are few, in a file when they are many."""

import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
MEMORY_LIMIT = 1 << 29  # bytes beyond which rows lie in a file


class Rows:
    """Collects float32 rows of width d and gives them back as one array, (n, d).

    Beyond `limit` bytes the array is a memory map of a temporary file that is deleted with it.
    """

    def __init__(self, d: int, *, limit: int | None = None) -> None:
        self.d = d
        self.n = 0
        self._limit = MEMORY_LIMIT if limit is None else limit
        self._blocks: list[F32] = []
        self._file: IO[bytes] | None = None

    def append(self, rows: NDArray[np.floating]) -> None:
        """Takes in (m, d) rows. Raises OSError where the file's disk is full."""
        block = np.ascontiguousarray(rows, dtype=np.float32)
        self.n += len(block)
        if self._file is None and self.n * self.d * 4 > self._limit:
            self._file = self._open()
            for earlier in self._blocks:
                self._file.write(earlier.tobytes())
            self._blocks.clear()
        if self._file is None:
            self._blocks.append(block.copy() if block is rows else block)
        else:
            self._file.write(block.tobytes())

    def _open(self) -> IO[bytes]:
        # The system deletes it when the last of this object and the maps made of it is gone: see `finish`.
        return tempfile.NamedTemporaryFile(prefix="ganbench-features-")

    def finish(self) -> F32:
        """All rows so far, (n, d). More may be appended afterwards."""
        if self._file is None:
            return np.concatenate(self._blocks) if self._blocks else np.empty((0, self.d), dtype=np.float32)
        self._file.flush()
        return np.memmap(self._file, dtype=np.float32, mode="r", shape=(self.n, self.d))
