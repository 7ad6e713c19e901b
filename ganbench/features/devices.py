"""The one module that names devices: what there is, which to take, and how it is made to compute the same again."""

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from ganbench.errors import UsageError

CPU = "cpu"


def choose(device: str) -> str:
    """The device to run on, as torch spells it: "cpu", "cuda:0", "mps".

    Args:
        device: "auto" (the first of CUDA, MPS and CPU that is there), "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UsageError: there is no such device, or it is not there.
    """
    kind, _, number = device.partition(":")
    if device == "auto":
        return "cuda:0" if _cuda_count() else "mps" if _has_mps() else CPU
    if device == CPU:
        return CPU
    if kind == "cuda" and (number.isdecimal() or device == "cuda"):
        return _cuda(int(number or 0))
    if device == "mps":
        if _has_mps():
            return device
        raise UsageError("--device mps needs a Mac with Apple silicon and a torch built for it. Use --device cpu.")
    raise UsageError(f"Unknown device {device!r}. There are: auto, cpu, cuda, cuda:N, mps.")


def _cuda(number: int) -> str:
    count = _cuda_count()
    if not count:
        built = "was built without CUDA" if torch.version.cuda is None else "finds no CUDA device or driver"
        raise UsageError(f"--device cuda: torch {torch.__version__} {built}. Use --device cpu.")
    if number >= count:
        raise UsageError(f"--device cuda:{number}: there are {count} CUDA devices, numbered from 0.")
    return f"cuda:{number}"


def _cuda_count() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def describe() -> list[dict[str, str | int]]:
    """The devices of this machine, the one that "auto" takes first: device, name, threads or bytes of memory."""
    found: list[dict[str, str | int]] = []
    for number in range(_cuda_count()):
        about = torch.cuda.get_device_properties(number)
        found.append({"device": f"cuda:{number}", "name": about.name, "memory": int(about.total_memory)})
    if _has_mps():
        found.append({"device": "mps", "name": platform.processor() or platform.machine()})
    found.append({"device": CPU, "name": _processor(), "threads": torch.get_num_threads()})
    return found


def _processor() -> str:
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


@contextmanager
def exact() -> Iterator[None]:
    """Full float32 and repeatable algorithms for what runs inside; the settings of before come back afterwards.

    No TF32 and no bfloat16 in matrix products and convolutions, no choice of algorithm by timing, and no autocast of a
    training loop around it.
    """
    cudnn = torch.backends.cudnn
    benchmark, deterministic = cudnn.benchmark, cudnn.deterministic
    restore = _full_precision()
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        with ExitStack() as stack:
            for kind in {CPU, choose("auto").partition(":")[0]}:
                stack.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic
        for place, name, value in restore:
            setattr(place, name, value)


def _full_precision() -> list[tuple[object, str, object]]:
    """Turns reduced precision off; returns (place, name, value) of what stood there before."""
    cudnn: Any = torch.backends.cudnn
    mkldnn: Any = torch.backends.mkldnn
    matmul: Any = torch.backends.cuda.matmul
    places: list[tuple[object, str, object]]
    if hasattr(matmul, "fp32_precision"):  # torch >= 2.9; its older switches raise where both kinds were used
        parts = (matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv)
        places = [(part, "fp32_precision", "ieee") for part in parts]
    else:
        places = [(matmul, "allow_tf32", False), (cudnn, "allow_tf32", False)]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, value in places:
        setattr(place, name, value)
    return before
