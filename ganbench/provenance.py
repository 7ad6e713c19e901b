"""Where a result comes from: versions and machine. Reads metadata only, so nothing heavy is imported."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_WATCHED = ("ganbench", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "timm", "openvino",
            "onnxruntime")  # fmt: skip


def versions() -> dict[str, str]:
    """The versions of the packages that can change a number; those that are absent are left out."""
    found = {}
    for name in _WATCHED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """The interpreter, the operating system and the processor."""
    return {
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu_count": os.cpu_count() or 1,
    }
