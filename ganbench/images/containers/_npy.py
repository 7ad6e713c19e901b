"""The header of the .npy format, read without trust."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from ganbench.errors import BadInput
from ganbench.images.arrays import check_dtype


@dataclass(frozen=True)
class Header:
    """What an array file announces.

    Attributes:
        shape: of the array.
        fortran: the first axis runs fastest.
        dtype: its numbers.
        start: where the numbers begin, bytes.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int


def read_header(
    file: IO[bytes], size: int, where: str, *, check: Callable[[np.dtype[Any], str], None] = check_dtype
) -> Header:
    """Reads the header and checks it against the size of the file, so that nothing is allocated on a lie.

    Args:
        file: at its beginning.
        size: bytes of header and numbers together.
        where: what messages call it.
        check: raises BadInput where the numbers are of a kind that is not wanted; by default where they are no pixels.

    Raises:
        BadInput: it is no .npy, holds pickled objects or other numbers than are wanted, or lies about its size.
    """
    try:
        version = npy_format.read_magic(file)
        read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # the reader raises nearly anything on hostile bytes
        raise BadInput(f"{where} is no .npy array, or is damaged ({error}). Save it again with numpy.save.") from error
    start = file.tell()
    check(dtype, where)
    announced = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or announced != size - start:
        raise BadInput(
            f"{where} announces the shape {shape} of {dtype}, {announced:,} bytes, but holds {size - start:,}: "
            f"it is cut off or damaged. Copy or save it again."
        )
    return Header(shape, fortran, dtype, start)
