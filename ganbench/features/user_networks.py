"""Networks of the user's own as protocols: protocol files, ONNX and TorchScript files, modules from Python."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from ganbench.errors import BadInput, UsageError
from ganbench.features import onnx_files
from ganbench.features.extractor import Network
from ganbench.features.preprocess import Preprocess
from ganbench.features.registries import EXTRACTORS
from ganbench.features.user_modules import HEAD, Ready, digest, load_torchscript, ready_module, sha256_of
from ganbench.protocol import Protocol, get_protocol, protocol_names
from ganbench.serialize import from_toml

Triple = tuple[float, float, float]
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
SIZE = 224
_PROGRAMS = (".pt", ".pth", ".ts", ".torchscript")
_SUFFIXES = (".toml", ".onnx", *_PROGRAMS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# device, back-end and side as asked for -> the network on its device
Prepare = Callable[[str, str, int], Ready]


@dataclass(frozen=True, kw_only=True)
class UserProtocol(Protocol):
    """A protocol whose network is the user's own.

    Its `extractor` says of what kind it is, its `weights_sha256` is that of the network itself, and nothing vouches for
    it: `weights_verified` is false.

    Attributes:
        prepare: makes the network ready.
    """

    prepare: Prepare = field(compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class CustomNetwork:
    """A torch module as the network of an evaluation, with what stands before it.

    Results carry the sha256 of the class's name and of all its tensors: the same module gives the same fingerprint.

    Attributes:
        module: takes float32 (n, 3, size, size); its output, or the first of its outputs, flattened to (n, d), are the
            features. It is copied, and the copy is run in eval mode.
        name: of the protocol, in reports; the name of the class by default.
        size: side of its input, pixels.
        mean, std: the input is (x - mean) / std with x in 0..1; one number, or one per channel.
        resize, crop, rounding, clamp: as in `ganbench.protocol.Protocol`.
        logits: whether the features are logits of a classifier, of which the Inception Score may be taken.
    """

    module: nn.Module
    name: str = ""
    size: int = SIZE
    mean: float | Triple = IMAGENET_MEAN
    std: float | Triple = IMAGENET_STD
    resize: str = "bicubic-antialias"
    crop: str = "none"
    rounding: str = "none"
    clamp: bool = True
    logits: bool = False


@dataclass(frozen=True, kw_only=True)
class _File:
    """A protocol file: the fields of a protocol, most of them with a default."""

    extractor: str
    name: str = ""
    summary: str = ""
    weights_sha256: str = ""
    head: str = ""
    logits_head: str = ""
    resize: str = "bicubic-antialias"
    size: int | None = None
    crop: str = "none"
    rounding: str = "none"
    clamp: bool = True
    shift: float | Triple = tuple(255 * x for x in IMAGENET_MEAN)  # type: ignore[assignment]  # three of them
    scale: float | Triple = tuple(255 * x for x in IMAGENET_STD)  # type: ignore[assignment]
    labels: dict[str, str] = field(default_factory=dict)


def protocol_of(spec: str | Path | CustomNetwork | Protocol, *, allow_code: bool = False) -> Protocol:
    """The protocol that a user names.

    Args:
        spec: the name of a bundled protocol; a protocol file (.toml), an ONNX file (.onnx) or a TorchScript program
            (.pt, .pth, .ts, .torchscript); a module from Python; or a protocol, which is returned as it is.
        allow_code: whether TorchScript programs may run.

    Raises:
        UsageError: no such name, a program without `allow_code`, or values that no protocol can have.
        BadInput: no such file, or it is not what its name says.
    """
    if isinstance(spec, Protocol):
        return spec
    if isinstance(spec, CustomNetwork):
        return _of_module(spec)
    if isinstance(spec, str) and not is_file(spec):
        return get_protocol(spec)
    path = Path(spec).expanduser()
    if not path.is_file():
        raise BadInput(f"There is no file {path}. A protocol is a name ({', '.join(protocol_names())}) or a file.")
    if path.suffix.lower() == ".toml":
        return _of_toml(path, allow_code=allow_code)
    return _of_network(path, _File(extractor=path.name), allow_code=allow_code)


def is_file(spec: str) -> bool:
    """Whether what `--protocol` was given is meant as a path, by its look alone."""
    return "/" in spec or "\\" in spec or spec.lower().endswith(_SUFFIXES)


def _of_toml(path: Path, *, allow_code: bool) -> Protocol:
    given = from_toml(_File, path)
    if not is_file(given.extractor):
        return _of_bundled(given, path)
    network = path.parent / given.extractor
    if network.suffix.lower() == ".toml" or not network.is_file():
        raise BadInput(
            f"{path} names the network {given.extractor}; there is no such ONNX or TorchScript file beside it."
        )
    return _of_network(network, given, allow_code=allow_code, fallback=path.stem)


def _of_bundled(given: _File, path: Path) -> Protocol:
    """A bundled network behind preprocessing of the user's own."""
    kind: type[Network] = EXTRACTORS.get(given.extractor)
    if given.size is None:
        raise BadInput(f"{path} names the bundled network {given.extractor}, and no size. Add: size = PIXELS")
    protocol = Protocol(
        name=_named(given.name or path.stem),
        summary=given.summary or f"the protocol file {path.name}",
        extractor=given.extractor,
        weights_sha256=given.weights_sha256 or kind.weights.sha256,
        head=given.head or next(iter(kind.heads)),
        logits_head=given.logits_head,
        labels=given.labels,
        resize=given.resize,
        size=given.size,
        crop=given.crop,
        rounding=given.rounding,
        clamp=given.clamp,
        shift=given.shift,
        scale=given.scale,
    )
    return _checked(protocol, tuple(kind.heads))


def _of_network(path: Path, given: _File, *, allow_code: bool, fallback: str = "") -> Protocol:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        kind, sha256, declared = "own-onnx", onnx_files.digest(path), onnx_files.declared_size(path)

        def prepare(device: str, backend: str, size: int) -> Ready:
            return onnx_files.ready_onnx(path, device=device, backend=backend, size=size)
    elif suffix in _PROGRAMS:
        if not allow_code:
            raise UsageError(
                f"{path} is a program: to use it runs code that is in the file. Add --allow-code if you trust where it "
                "comes from, or give the network as ONNX, which holds no code."
            )
        kind, sha256, declared = "own-torchscript", sha256_of(path), None

        def prepare(device: str, backend: str, size: int) -> Ready:
            return ready_module(load_torchscript(path), device=device, backend=backend, size=size)
    else:
        raise UsageError(f"{path} is no network that can be run. There are: {', '.join(_SUFFIXES)}.")
    if given.weights_sha256 not in ("", sha256):
        raise UsageError(f"{path} has the sha256 {sha256}; its protocol file wants {given.weights_sha256}.")
    if None not in (declared, given.size) and declared != given.size:
        raise UsageError(f"{path} takes images of {declared} px; its protocol file says {given.size}.")
    size = next(side for side in (given.size, declared, SIZE) if side is not None)
    return _own(kind, given, sha256=sha256, size=size, fallback=fallback or path.stem, prepare=prepare)


def _of_module(network: CustomNetwork) -> Protocol:
    module = network.module
    if not isinstance(module, nn.Module):
        raise UsageError(f"CustomNetwork takes a torch.nn.Module; found {type(module).__name__}.")
    given = _File(
        extractor="",
        name=network.name,
        logits_head=HEAD if network.logits else "",
        resize=network.resize,
        size=network.size,
        crop=network.crop,
        rounding=network.rounding,
        clamp=network.clamp,
        shift=_times_255(network.mean),
        scale=_times_255(network.std),
    )

    def prepare(device: str, backend: str, size: int) -> Ready:
        return ready_module(module, device=device, backend=backend, size=size)

    fallback, size = type(module).__name__, network.size
    return _own("own-module", given, sha256=digest(module), size=size, fallback=fallback, prepare=prepare)


def _own(kind: str, given: _File, *, sha256: str, size: int, fallback: str, prepare: Prepare) -> Protocol:
    protocol = UserProtocol(
        name=_named(given.name or re.sub(r"[^A-Za-z0-9._-]+", "_", fallback).lstrip("._-") or "own"),
        summary=given.summary or "a network of the user's own",
        extractor=kind,
        weights_sha256=sha256,
        weights_verified=False,
        head=given.head or HEAD,
        logits_head=given.logits_head,
        labels=given.labels,
        prepare=prepare,
        resize=given.resize,
        size=size,
        crop=given.crop,
        rounding=given.rounding,
        clamp=given.clamp,
        shift=given.shift,
        scale=given.scale,
    )
    return _checked(protocol, (HEAD,))


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a protocol: letters, digits, dots, dashes and underscores.")
    if name in (*protocol_names(), "auto"):
        raise UsageError(f"{name!r} is the name of a bundled protocol. Give yours another: name = ...")
    return name


def _checked(protocol: Protocol, heads: tuple[str, ...]) -> Protocol:
    """The protocol, if its values make sense. Raises UsageError."""
    Preprocess(protocol)
    if protocol.head not in heads or protocol.logits_head not in ("", *heads):
        raise UsageError(
            f"The protocol {protocol.name} asks for the heads {protocol.head!r} and {protocol.logits_head!r}; "
            f"its network has {', '.join(heads)}."
        )
    if not isinstance(protocol.size, int) or protocol.size < 1:
        raise UsageError(f"The protocol {protocol.name} has the size {protocol.size}; wanted 1 pixel or more.")
    for what, value in (("shift", protocol.shift), ("scale", protocol.scale)):
        numbers = value if isinstance(value, tuple) else (value,)
        if len(numbers) not in (1, 3) or not all(math.isfinite(x) for x in numbers):
            raise UsageError(f"The protocol {protocol.name} has the {what} {value}; wanted one number, or three.")
        if what == "scale" and 0 in numbers:
            raise UsageError(f"The protocol {protocol.name} has the scale {value}, by which nothing can be divided.")
    return protocol


def _times_255(value: float | Triple) -> float | Triple:
    if isinstance(value, int | float):
        return 255.0 * value
    red, green, blue = value
    return 255.0 * red, 255.0 * green, 255.0 * blue
