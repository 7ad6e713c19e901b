"""A .safetensors file with one tensor of images, read image by image."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ganbench.errors import BadInput
from ganbench.images.arrays import Layout, check_dtype
from ganbench.images.containers._tensors import the_images
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import Container, ImageSource

_DTYPES = {"U8": "u1", "F16": "f2", "F32": "f4", "F64": "f8", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8"}


class Safetensors(Container):
    """Images in the only tensor of a .safetensors file that has the shape of images, or in the one named `images`."""

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .safetensors."""
        return path.suffix.lower() == ".safetensors"

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """Reads the header. Raises BadInput where it is damaged or holds no tensor of images."""
        from safetensors import SafetensorError, safe_open

        try:
            file: Any = safe_open(path, framework="numpy")
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
        except SafetensorError as error:
            raise BadInput(
                f"{path} is no safetensors file, or is cut off or damaged ({error}). Copy or save it again."
            ) from error
        key = the_images({key: tuple(part.get_shape()) for key, part in slices.items()}, str(path))
        where, images = f"{path}[{key}]", slices[key]
        kind = images.get_dtype()
        if kind not in _DTYPES:
            raise BadInput(f"{where} holds {kind}; wanted U8, F16, F32 or F64. Convert it, for instance x.float().")
        check_dtype(np.dtype(_DTYPES[kind]), where)
        layout = Layout.of(tuple(images.get_shape()), where)
        return IndexedSource(str(path), layout.n, read=lambda i: layout.pixels(images[i : i + 1][0], i, value_range))
