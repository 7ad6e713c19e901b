"""A torch module of the user's own made ready to run: TorchScript files, and modules handed over from Python."""

import hashlib
import warnings
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganbench.errors import BadInput, UsageError
from ganbench.features import devices
from ganbench.features.backends._pieces import in_pieces, piece_of
from ganbench.features.extractor import Network, Runner
from ganbench.features.registries import BACKENDS
from ganbench.files import sha256_file

HEAD = "features"


@dataclass(frozen=True)
class Ready:
    """A network of the user's own on its device.

    Attributes:
        runner: normalised float32 (n, 3, size, size) to the one head.
        width: of that head.
        device: as torch spells it.
        backend: what runs it.
    """

    runner: Runner
    width: int
    device: str
    backend: str


class UserNetwork(Network):
    """A module whose first output, flattened to (n, d), is the head `features`."""

    heads: ClassVar = {}

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    @classmethod
    def load(cls, path: Path) -> "UserNetwork":
        """There is no file of weights apart from the module."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, size, size) to features (n, d)."""
        found: Any = self.module(x)
        while not isinstance(found, Tensor):
            found = _first(found)
        if found.dim() < 2:
            raise BadInput(f"The network gives {tuple(found.shape)} for {len(x)} images; wanted (n, d).")
        return {HEAD: found.flatten(1).to(torch.float32)}


def _first(found: Any) -> Any:
    if isinstance(found, dict) and found:
        return next(iter(found.values()))
    if isinstance(found, list | tuple) and found:
        return found[0]
    raise BadInput(
        f"The network gives {type(found).__name__}; wanted a tensor (n, d), or something that begins with one."
    )


def load_torchscript(path: Path) -> nn.Module:
    """A TorchScript program. Loading and running it runs code of the file. Raises BadInput where it is none."""
    try:
        module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a damaged file makes torch raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise BadInput(f"{path} is no TorchScript program ({reason}). Save one with torch.jit.save.") from error
    return module


def sha256_of(path: Path) -> str:
    """The sha256 of a file, computed once as long as the file is not touched."""
    about = path.stat()
    return _sha256(path.resolve(), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 - they are there to be compared
    return sha256_file(path)


def digest(module: nn.Module) -> str:
    """sha256 over a module as it prints itself, with its class, and over its tensors: names, types, shapes, values.

    Raises UsageError where a tensor is no plain one.
    """
    total = hashlib.sha256(f"{type(module).__module__}.{type(module).__qualname__}\n{module!r}".encode())
    for name, value in module.state_dict().items():
        try:
            plain = value.detach().cpu().contiguous()
            raw = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
        except (RuntimeError, AttributeError, TypeError, NotImplementedError, ValueError) as error:
            raise UsageError(f"{name} of {type(module).__name__} is no plain tensor ({error}). Give a module that is "
                             "initialised and neither sparse nor quantised.") from error  # fmt: skip
        total.update(f"\n{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        total.update(raw)
    return total.hexdigest()


def ready_module(module: nn.Module, *, device: str, backend: str, size: int) -> Ready:
    """Copies a module to a device and tries it on images of noise.

    Args:
        module: left as it is.
        device, backend: as the user asked for them; "auto" takes torch.
        size: side of its input, pixels.

    Raises:
        UsageError: another back-end than torch and openvino, or a device that is not there.
        BadInput: the module cannot run, or does not give one row for each image.
    """
    chosen = devices.choose(device)
    engine = "torch" if backend == "auto" else backend
    if engine not in ("torch", "openvino"):
        raise UsageError(f"--backend {backend} runs no network of one's own. There are: torch, openvino.")
    if reason := BACKENDS.get(engine).available(chosen):
        raise UsageError(f"--backend {engine} cannot be used: {reason}.")
    network = _copied(module, chosen)
    with devices.exact(), torch.inference_mode():
        width = _width(network, chosen, size)
        piece = _piece(network, chosen, size)
    network.heads = {HEAD: width}  # type: ignore[misc]  # known only now, and for this one network
    if engine == "openvino":
        return Ready(BACKENDS.get(engine).prepare(network, chosen, size=size), width, chosen, engine)
    return Ready(in_pieces(network, piece, layout=torch.contiguous_format), width, chosen, engine)


def _copied(module: nn.Module, device: str) -> UserNetwork:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # copying a script looks at gradients, which torch remarks on
            return UserNetwork(deepcopy(module)).to(device).eval()
    except Exception as error:  # any attribute of the user's may refuse
        raise UsageError(
            f"{type(module).__name__} cannot be copied ({error}). Give a module that copy.deepcopy takes."
        ) from error


def _noise(n: int, size: int, device: str) -> Tensor:
    return torch.randn((n, 3, size, size), generator=torch.Generator().manual_seed(0)).to(device)


def _width(network: UserNetwork, device: str, size: int) -> int:
    try:
        shape = tuple(network(_noise(1, size, device))[HEAD].shape)
    except BadInput:
        raise
    except Exception as error:  # the user's code may raise anything
        name = type(network.module).__name__
        raise BadInput(
            f"{name} cannot run on float32 (1, 3, {size}, {size}): {type(error).__name__}: {error}. Is {size} the side "
            "of its input, and does it take 3 channels?"
        ) from error
    if len(shape) != 2 or shape[0] != 1 or not shape[1]:
        raise BadInput(f"{type(network.module).__name__} gives {shape} for one image; wanted (1, d).")
    return int(shape[1])


def _piece(network: UserNetwork, device: str, size: int) -> int:
    """How many images it may be given at once, so that none sees the others, nor the place where it stands."""
    piece = piece_of(device)
    images = _noise(piece, size, device)
    moved = torch.zeros_like(images)
    moved[-1] = images[0]
    try:
        rows, others = network(images)[HEAD], network(moved)[HEAD]
    except Exception:  # for instance a batch that is fixed to one
        return 1
    alike = rows.shape[0] == others.shape[0] == piece and torch.equal(rows[0], others[-1])
    return piece if alike else 1
