"""PyTorch on any device, batch normalisation folded into the convolutions, channels last"""

import torch

from ganbench.features.backends._folding import folded
from ganbench.features.backends._pieces import in_pieces, piece_of
from ganbench.features.extractor import Backend, Network, Runner


class TorchBackend(Backend):
    """The network as torch runs it."""

    @classmethod
    def available(cls, device: str) -> str | None:  # noqa: ARG003 - any
        """Always: torch is what chose the device."""
        return None

    @classmethod
    def prepare(cls, network: Network, device: str, *, size: int) -> Runner:
        """Folds, lays out and moves a copy of the network."""
        return in_pieces(laid_out(network, device, size=size), piece_of(device))


def laid_out(network: Network, device: str, *, size: int) -> Network:
    """A copy of the network, folded, channels last, on the device."""
    example = torch.randn((1, 3, size, size), generator=torch.Generator().manual_seed(0))
    copy = folded(network, example).to(device)
    return copy.to(memory_format=torch.channels_last)
