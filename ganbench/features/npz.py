"""Arrays in `.npz` files: written with the same bytes each time, read without trusting what a file says of itself."""

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ganbench.errors import BadInput

_SAMPLE = 1 << 20  # bytes of an array that are compressed on trial
_PAYS = 0.9
_DEFLATE_AT_MOST = 1100  # deflate never shrinks by more than 1032
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError)


def write_npz(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays as an npz that `numpy.load` reads. The bytes depend on the arrays and their order alone.

    Each array is deflated where that saves a tenth of a sample of it, and stored plain else.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            buffer = BytesIO()
            npy.write_array(buffer, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            data = buffer.getvalue()
            sample = data[:_SAMPLE]
            pays = len(zlib.compress(sample, 6)) < _PAYS * len(sample)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED if pays else zipfile.ZIP_STORED, compresslevel=6)


@dataclass(frozen=True)
class Header:
    """What an array in a file says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool


class NpzFile:
    """An open npz. Sizes are checked against the archive and a limit before memory is taken; no pickle is read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._archive = path, archive
        self.names = frozenset(name[:-4] for name in archive.namelist() if name.endswith(".npy"))

    def header(self, name: str) -> Header:
        """Shape and dtype of one array, without its data."""
        with self._entry(name) as (_, stream):
            return self._header(name, stream)

    def read(self, name: str, *, kind: str, shape: tuple[int | None, ...], limit: int) -> NDArray[Any]:
        """One array.

        Args:
            name: its key.
            kind: the dtype kinds that are taken, as in `numpy.dtype.kind`: "f", "iu".
            shape: its wanted shape; None where any length will do.
            limit: bytes beyond which it is refused.

        Raises:
            BadInput: there is no such array, it is of another kind or shape, or the file is damaged.
        """
        with self._entry(name) as (entry, stream):
            header = self._header(name, stream)
            self._fits(name, header, kind, shape)
            size = math.prod(header.shape) * header.dtype.itemsize
            held = entry.file_size - stream.tell()
            most = min(limit, _DEFLATE_AT_MOST * self.path.stat().st_size)
            if size > most:
                raise BadInput(f"{self.path}: {name!r} claims {size} bytes; at most {most} can be right here.")
            if size != held:
                raise BadInput(f"{self.path}: {name!r} claims {size} bytes and the file holds {held}. It is damaged.")
            data = bytearray(size)  # writable, so that torch takes the array without a copy
            done = _fill(data, stream)
            if done != size:
                raise BadInput(f"{self.path}: {name!r} ends after {done} of {size} bytes. It is damaged.")
            stream.read(1)  # at the end of the entry zipfile compares its checksum
        array: NDArray[Any] = np.frombuffer(data, header.dtype)
        return array.reshape(header.shape, order="F" if header.fortran else "C")

    @contextmanager
    def _entry(self, name: str) -> Iterator[tuple[zipfile.ZipInfo, IO[bytes]]]:
        if name not in self.names:
            raise BadInput(f"{self.path} has no array {name!r}; it has: {', '.join(sorted(self.names)) or 'none'}.")
        entry = self._archive.getinfo(f"{name}.npy")
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadInput(
                f"{self.path}: {name!r} is encrypted or packed as numpy never does. Save it with numpy.savez."
            )
        try:
            with self._archive.open(entry) as stream:
                yield entry, stream
        except _UNREADABLE as error:
            raise BadInput(
                f"{self.path}: {name!r} cannot be read ({error}). The file is damaged; get it again."
            ) from error

    def _header(self, name: str, stream: IO[bytes]) -> Header:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise BadInput(f"{self.path}: {name!r} is of npy version {version}; wanted 1.0 or 2.0.")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        try:
            shape, fortran, dtype = read(stream)
        except (SyntaxError, RecursionError, MemoryError) as error:  # a header built to break its parser
            raise BadInput(f"{self.path}: the header of {name!r} cannot be read. The file is damaged.") from error
        if dtype.hasobject:
            raise BadInput(
                f"{self.path}: {name!r} holds pickled Python objects, which can run code and are never read. "
                "Save plain numeric arrays with numpy.savez."
            )
        if any(length < 0 for length in shape):
            raise BadInput(f"{self.path}: {name!r} claims the shape {shape}. It is damaged.")
        return Header(shape, dtype, fortran)

    def _fits(self, name: str, header: Header, kind: str, shape: tuple[int | None, ...]) -> None:
        wanted = str(tuple("any" if length is None else length for length in shape)).replace("'", "")
        alike = len(shape) == len(header.shape) and all(
            want is None or want == found for want, found in zip(shape, header.shape, strict=True)
        )
        if not alike or header.dtype.kind not in kind:
            kinds = " or ".join({"f": "float", "i": "integer", "u": "unsigned"}[k] for k in kind)
            raise BadInput(
                f"{self.path}: {name!r} is {header.dtype} of shape {header.shape}; wanted {kinds} of shape {wanted}."
            )


def _fill(data: bytearray, stream: IO[bytes]) -> int:
    """Reads until `data` is full or the stream ends; returns the bytes read."""
    done, view = 0, memoryview(data)
    while done < len(data) and (chunk := stream.read(min(_SAMPLE, len(data) - done))):
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return done


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """Opens an npz for checked reading. Raises BadInput where it is none, or damaged."""
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise BadInput(f"There is no file {path}. Check the path.") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise BadInput(f"{path} is not an npz file ({error}). Wanted a file as numpy.savez writes it.") from error
    with archive:
        yield NpzFile(path, archive)
