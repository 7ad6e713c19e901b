"""Files of points: one array (n, d) of floats, read without running code."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.features.npz import open_npz

_LIMIT = 4 << 30  # bytes of an array that is taken into memory
_WANTED = "one array of floats, (n, d)"
_OF_A_RUN = "samples/final.npy"  # in the folder of a training run
_NAME = "points"  # of the array among several


def read_points(path: Path) -> NDArray[np.floating]:
    """The points in a .npy, .npz, .pt, .pth or .safetensors file, or of the last checkpoint of a run's folder.

    Of several arrays the one named `points` is meant, `arr_0` in .npz, else the only one with two axes.

    Raises BadInput where the file is something else, is damaged, or holds no such array.
    """
    if (path / _OF_A_RUN).is_file():
        path = path / _OF_A_RUN
    reader = {".npy": _npy, ".npz": _npz, ".pt": _torch, ".pth": _torch, ".safetensors": _safetensors}.get(
        path.suffix.lower()
    )
    if path.is_dir():
        raise BadInput(f"{path} is a folder. Points come in one .npy, .npz, .pt or .safetensors file: {_WANTED}.")
    if not path.is_file():
        raise BadInput(f"There is no file {path}. Points come in a .npy, .npz, .pt or .safetensors file.")
    if reader is None:
        raise BadInput(f"{path} is no file of points; wanted {_WANTED} in a .npy, .npz, .pt or .safetensors file.")
    points = reader(path)
    if points.ndim != 2 or not np.issubdtype(points.dtype, np.floating) or 0 in points.shape:
        raise BadInput(f"{path} holds {points.dtype} of shape {points.shape}; wanted {_WANTED}.")
    return points


def _npy(path: Path) -> NDArray[Any]:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # numpy's reader raises nearly anything on hostile bytes
        raise _bad(path, error, "numpy.save(path, x)") from error


def _npz(path: Path) -> NDArray[Any]:
    with open_npz(path) as file:
        shapes = {name: file.header(name).shape for name in file.names}
        name = "arr_0" if "arr_0" in shapes else _chosen(shapes, path)
        return file.read(name, kind="f", shape=(None, None), limit=_LIMIT)


def _safetensors(path: Path) -> NDArray[Any]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no dict
            name = _chosen(shapes, path)
            found: NDArray[Any] = file.get_tensor(name)
    except BadInput:
        raise
    except Exception as error:  # bfloat16, which NumPy lacks, raises a TypeError
        raise _bad(path, error, "safetensors.numpy.save_file({'points': x}, path)") from error
    return found


def _torch(path: Path) -> NDArray[Any]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on formats that are refused below
            loaded = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # the restricted unpickler raises nearly anything on hostile bytes
        raise _bad(path, error, "torch.save(x, path), x a plain tensor; code in files is never run") from error
    tensors = {_NAME: loaded} if isinstance(loaded, torch.Tensor) else loaded
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise BadInput(f"{path} holds {type(loaded).__name__}; wanted {_WANTED}: torch.save(x, path).")
    name = _chosen({key: tuple(value.shape) for key, value in tensors.items()}, path)
    x = tensors[name].detach()
    if x.layout != torch.strided or x.numel() * x.element_size() > path.stat().st_size:
        raise BadInput(f"{path} holds a tensor that is not stored plainly. Save x.contiguous().")
    found: NDArray[Any] = (x.float() if x.dtype == torch.bfloat16 else x).numpy()
    return found


def _chosen(shapes: dict[str, tuple[int, ...]], path: Path) -> str:
    fitting = [name for name, shape in shapes.items() if len(shape) == 2]
    if _NAME in shapes:
        return _NAME
    if len(fitting) != 1:
        shown = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:8]) or "nothing"
        raise BadInput(f"{path} holds {shown}; wanted {_WANTED}, alone or under the name {_NAME!r}.")
    return fitting[0]


def _bad(path: Path, error: Exception, cure: str) -> BadInput:
    first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return BadInput(f"{path} cannot be read ({first}); wanted {_WANTED}. Save it again: {cure}.")
