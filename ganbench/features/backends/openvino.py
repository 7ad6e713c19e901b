"""OpenVINO on the CPU in float32: about twice as fast as torch there; pip install 'ganbench[cpu]'"""

import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganbench.errors import GanbenchError
from ganbench.features.devices import CPU
from ganbench.features.extractor import Backend, Network, Runner

_OPTIONS = {
    "INFERENCE_PRECISION_HINT": "f32",  # newer processors would take bfloat16
    "PERFORMANCE_HINT": "THROUGHPUT",  # many images at once, each on few threads
}


class OpenVinoBackend(Backend):
    """The network as OpenVINO compiles it: images run alone and in parallel, so none depends on another."""

    @classmethod
    def available(cls, device: str) -> str | None:
        """On the CPU, where the package openvino can be imported."""
        if device != CPU:
            return f"OpenVINO runs on the CPU here, not on {device}: use --backend torch"
        try:
            openvino_package()
        except ImportError as error:
            return f"OpenVINO is not installed ({error}): pip install 'ganbench[cpu]', or use --backend torch"
        return None

    @classmethod
    def prepare(cls, network: Network, device: str, *, size: int) -> Runner:  # noqa: ARG003 - it is the CPU
        """Converts and compiles the network; takes one or two seconds.

        Raises GanbenchError where OpenVINO cannot convert it.
        """
        return in_parallel(on_cpu(_converted(network, size)), network.heads)


def openvino_package() -> Any:
    """The package, without its telemetry: importing it would send an event over the network."""
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # then its own stand-in is taken
    import openvino

    return openvino


class _Values(nn.Module):
    """A network that returns a tuple, which tracing can follow."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        found = self.network(x)
        return tuple(found[head] for head in self.network.heads)


def _converted(network: Network, size: int) -> Any:
    """The network as an OpenVINO model for one image."""
    shape = [1, 3, size, size]
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's advice to authors of networks
            return openvino_package().convert_model(_Values(network), example_input=torch.zeros(shape), input=shape)
    except Exception as error:  # whatever its many layers raise, the cure is one
        name = type(network).__name__
        raise GanbenchError(f"OpenVINO cannot convert {name} ({error}). Use --backend torch.") from error


def on_cpu(model: Any) -> Any:
    """An OpenVINO model for one image, ready for the CPU."""
    return openvino_package().Core().compile_model(model, "CPU", _OPTIONS)


def in_parallel(compiled: Any, heads: Mapping[str, int]) -> Runner:
    """Runs a compiled model on images one by one, many at once. Its first outputs are the heads, in their order."""
    queue = openvino_package().AsyncInferQueue(compiled)

    def run(x: Tensor) -> dict[str, Tensor]:
        images = x.contiguous().numpy()
        out = {head: np.empty((len(images), width), dtype=np.float32) for head, width in heads.items()}

        def done(request: Any, place: int) -> None:
            for number, head in enumerate(out):
                out[head][place] = request.get_output_tensor(number).data.reshape(-1)

        queue.set_callback(done)
        for place in range(len(images)):
            queue.start_async({0: images[place : place + 1]}, place)
        queue.wait_all()
        return {head: torch.from_numpy(values) for head, values in out.items()}

    return run
