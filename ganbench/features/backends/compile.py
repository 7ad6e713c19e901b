"""torch.compile: generated kernels, worth their minute of compilation for many thousands of images"""

import os
import shutil
from importlib.util import find_spec

from ganbench.features.backends._pieces import in_pieces, piece_of
from ganbench.features.backends.torch import laid_out
from ganbench.features.devices import CPU
from ganbench.features.extractor import Backend, Network, Runner


class CompileBackend(Backend):
    """The network as torch.compile generates it."""

    @classmethod
    def available(cls, device: str) -> str | None:
        """Where the compiler that torch calls is there: C++ for the CPU, Triton for CUDA."""
        if device == CPU:
            compilers = [os.environ.get("CXX") or "c++", "g++", "clang++", "cl"]
            if not any(shutil.which(name) for name in compilers):
                return "torch.compile needs a C++ compiler on the CPU: install g++ or clang, or use --backend torch"
            return None
        if device.startswith("cuda"):
            if find_spec("triton") is None:
                return "torch.compile needs Triton on CUDA: pip install triton, or use --backend torch"
            return None
        return f"torch.compile is not used on {device}: use --backend torch"

    @classmethod
    def prepare(cls, network: Network, device: str, *, size: int) -> Runner:
        """Hands the folded network to torch.compile; the first images trigger the compilation."""
        plain = laid_out(network, device, size=size)
        plain.compile(dynamic=False)
        return in_pieces(plain, piece_of(device))
