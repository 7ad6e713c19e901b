"""From a protocol to a ready extractor: device, back-end, weights, network."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError
from ganbench.features import devices
from ganbench.features.extractor import Runner, Weights
from ganbench.features.preprocess import Preprocess
from ganbench.features.registries import BACKENDS, EXTRACTORS
from ganbench.features.user_modules import HEAD
from ganbench.features.user_networks import UserProtocol
from ganbench.features.weights import locate, wanted
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.protocol import Protocol

_AT_ONCE = 64  # images preprocessed together: bounds the memory of a call with thousands of images


class Extractor:
    """A protocol made ready: uint8 images in, features out.

    An image's features do not depend, bit for bit, on which images are given with it.

    Args:
        protocol: the protocol, with the sha256 of the weights that are really used.
        runner: the network on its device.
        heads: width of each head.
        device: as torch spells it: "cpu", "cuda:0", "mps".
        backend: the name of what runs it: "torch", "compile", "openvino"; "onnxruntime" for ONNX files.
    """

    def __init__(
        self, protocol: Protocol, runner: Runner, *, heads: Mapping[str, int], device: str, backend: str
    ) -> None:
        self.protocol, self.heads, self.device, self.backend = protocol, heads, device, backend
        self._runner, self._preprocess = runner, Preprocess(protocol)

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Uint8 RGB images (3, h, w), sizes mixed, to float32 (n, width) for each head.

        Raises BadInput where an image is of another type or shape.
        """
        out = {head: np.empty((len(images), width), dtype=np.float32) for head, width in self.heads.items()}
        with devices.exact():
            for start in range(0, len(images), _AT_ONCE):
                part = images[start : start + _AT_ONCE]
                features = self._runner(self._preprocess(part, self.device))
                for head, rows in out.items():
                    rows[start : start + len(part)] = features[head].cpu().numpy()
        return out


def load_extractor(
    protocol: Protocol,
    *,
    device: str = "auto",
    backend: str = "auto",
    weights: Path | None = None,
    allow_unverified: bool = False,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Extractor:
    """Makes a protocol ready to run.

    Args:
        protocol: what to run: a bundled one, or one of the user's own (`user_networks.protocol_of`).
        device: "auto", "cpu", "cuda", "cuda:N", "mps".
        backend: "auto" (OpenVINO on a CPU where it is installed, else torch), or one of `BACKENDS`.
        weights: the user's own file of weights; None searches for the published one (`weights.locate`).
        allow_unverified: take `weights` whatever its sha256; the extractor's protocol then says so.
        offline: do not download.
        progress: told of the bytes of a download.
        warn: told of files of weights that were passed over.

    Raises:
        UsageError: device, back-end or file of weights cannot be used (status 2).
        Unavailable: the weights are nowhere to be had (status 1).
    """
    if isinstance(protocol, UserProtocol):
        if weights is not None:
            raise UsageError("--weights is for bundled networks; a network of your own carries its weights itself.")
        own = protocol.prepare(device, backend, protocol.size)
        return Extractor(protocol, own.runner, heads={HEAD: own.width}, device=own.device, backend=own.backend)
    kind = EXTRACTORS.get(protocol.extractor)
    chosen = devices.choose(device)
    engine = choose_backend(backend, chosen)
    path, sha256 = locate(
        wanted(kind.weights, protocol.weights_sha256),
        given=weights,
        allow_unverified=allow_unverified,
        offline=offline,
        progress=progress,
        warn=warn,
    )
    network = kind.load(path)
    with devices.exact():
        runner = BACKENDS.get(engine).prepare(network, chosen, size=protocol.size)
    used = protocol.with_weights(sha256)
    return Extractor(used, runner, heads=dict(network.heads), device=chosen, backend=engine)


def choose_backend(backend: str, device: str) -> str:
    """The back-end that runs on a device, as `choose` spelt it.

    Raises UsageError where there is none of that name, or it cannot run there.
    """
    if backend == "auto":
        fast = device == devices.CPU and BACKENDS.get("openvino").available(device) is None
        return "openvino" if fast else "torch"
    reason = BACKENDS.get(backend).available(device)
    if reason:
        raise UsageError(f"--backend {backend} cannot be used: {reason}.")
    return backend


def known_weights() -> Iterator[tuple[str, Weights]]:
    """The weights that each installed network asks for, by its name. Imports every network."""
    for name in EXTRACTORS.names():
        yield name, EXTRACTORS.get(name).weights
