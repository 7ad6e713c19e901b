"""ONNX files run image by image on the CPU: by OpenVINO where it is installed, else by onnxruntime."""

import hashlib
import mmap
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganbench.errors import BadInput, UsageError
from ganbench.features import devices
from ganbench.features.backends.openvino import in_parallel, on_cpu, openvino_package
from ganbench.features.extractor import Runner
from ganbench.features.user_modules import HEAD, Ready, sha256_of

_ELSEWHERE = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")  # tensors whose numbers lie in another file
Shape = Sequence[int | None]  # None: free


def digest(path: Path) -> str:
    """sha256 of an ONNX file; where its tensors lie in files beside it, of all their sha256 together.

    Raises BadInput where one of those is not there.
    """
    own = sha256_of(path)
    others = [path.parent / name for name in _elsewhere(path)]
    for other in others:
        if not other.is_file() or other.resolve().parent != path.resolve().parent:
            raise BadInput(f"{path} keeps tensors in {other.name}, which is not beside it.")
    if not others:
        return own
    return hashlib.sha256(" ".join([own, *(sha256_of(other) for other in others)]).encode()).hexdigest()


def _elsewhere(path: Path) -> list[str]:
    if not path.stat().st_size:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = {content[match.end() : match.end() + match[1][0]] for match in _ELSEWHERE.finditer(content)}
    return sorted(name.decode("utf-8", "replace") for name in found)


class _Engine(ABC):
    """What reads and runs ONNX files."""

    name: ClassVar[str]
    shape: Shape
    kind: str

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def runner(self, size: int) -> tuple[Runner, int]:
        """What runs it on images of side `size`, and the width of its first output."""


class _OpenVino(_Engine):
    name: ClassVar = "openvino"

    def __init__(self, path: Path) -> None:
        self.model: Any = openvino_package().Core().read_model(str(path))
        if len(self.model.inputs) != 1:
            raise ValueError(f"it has {len(self.model.inputs)} inputs, wanted one")
        entry = self.model.inputs[0]
        dimensions = entry.partial_shape if entry.partial_shape.rank.is_static else [None] * 4
        self.shape = [d.get_length() if d is not None and d.is_static else None for d in dimensions]
        self.kind = entry.element_type.get_type_name()

    def runner(self, size: int) -> tuple[Runner, int]:
        self.model.reshape([1, 3, size, size])
        model = on_cpu(self.model)
        width = np.asarray(model(np.zeros((1, 3, size, size), np.float32))[0]).size
        return in_parallel(model, {HEAD: width}), width


class _OnnxRuntime(_Engine):
    name: ClassVar = "onnxruntime"

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self.session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            raise ValueError(f"it has {len(inputs)} inputs, wanted one")
        self.input = inputs[0].name
        self.shape = [d if isinstance(d, int) else None for d in inputs[0].shape]
        self.kind = {"tensor(float)": "f32"}.get(inputs[0].type, inputs[0].type)

    def runner(self, size: int) -> tuple[Runner, int]:
        def features(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            found: np.ndarray[Any, Any] = np.asarray(self.session.run(None, {self.input: image})[0], np.float32)
            return found.reshape(1, -1)

        def run(x: Tensor) -> Mapping[str, Tensor]:
            images = x.contiguous().numpy()
            rows = [features(images[i : i + 1]) for i in range(len(images))]
            return {HEAD: torch.from_numpy(np.concatenate(rows))}

        return run, features(np.zeros((1, 3, size, size), np.float32)).size


def _engine(path: Path, asked: str = "auto") -> _Engine:
    kinds: dict[str, type[_Engine]] = {kind.name: kind for kind in (_OpenVino, _OnnxRuntime)}
    if asked not in ("auto", *kinds):
        raise UsageError(f"--backend {asked} runs no ONNX file. There are: {', '.join(kinds)}.")
    there = [name for name in kinds if find_spec(name) is not None and asked in ("auto", name)]
    if not there:
        what = "openvino or onnxruntime" if asked == "auto" else asked
        raise UsageError(f"{path} needs {what}: pip install 'ganbench[cpu]' for openvino, or pip install onnxruntime.")
    try:
        return kinds[there[0]](path)
    except Exception as error:  # whatever a damaged file makes them raise
        raise BadInput(f"{path} cannot be read as an ONNX network by {there[0]}: {_short(error)}.") from error


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300].rstrip(".")


def declared_size(path: Path) -> int | None:
    """The side that an ONNX file asks for, in pixels; None where it takes any.

    Raises:
        BadInput: it is no ONNX file, or does not take float32 (n, 3, side, side).
        UsageError: nothing is installed that reads it.
    """
    engine = _engine(path)
    shape, fits = list(engine.shape), (len(engine.shape) == 4)
    if fits:
        n, channels, height, width = shape
        fits = n in (None, 1) and channels in (None, 3) and (height == width or None in (height, width))
    if not fits or engine.kind != "f32":
        wanted = "float32 (n, 3, side, side) with n free or 1"
        raise BadInput(f"{path} takes {engine.kind} {['?' if d is None else d for d in shape]}; wanted {wanted}.")
    return shape[2] or shape[3]


def ready_onnx(path: Path, *, device: str, backend: str, size: int) -> Ready:
    """Makes an ONNX file ready.

    Raises:
        UsageError: another device than the CPU, or a back-end that does not read ONNX.
        BadInput: the file cannot be run at this size.
    """
    if device not in ("auto", devices.CPU):
        raise UsageError(f"ONNX files run on the CPU here, not on {device}. Use --device cpu, or give TorchScript.")
    engine = _engine(path, backend)
    try:
        runner, width = engine.runner(size)
    except Exception as error:  # whatever they raise, the network does not run
        raise BadInput(f"{path} does not run on images of {size} px: {_short(error)}.") from error
    return Ready(runner, width, devices.CPU, engine.name)
