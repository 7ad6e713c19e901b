"""Inputs run in pieces of one fixed shape, so that an image's features do not depend on what comes with it.

Kernels are chosen, and sums ordered, by the shape of the whole batch. With one shape there is one way of computing.
"""

import torch
from torch import Tensor

from ganbench.features.devices import CPU
from ganbench.features.extractor import Network, Runner


def piece_of(device: str) -> int:
    """Images per call of the network: few on a CPU, whose caches are small."""
    return 8 if device == CPU else 32


def in_pieces(network: Network, piece: int, *, layout: torch.memory_format = torch.channels_last) -> Runner:
    """Runs a network on inputs of any length in calls of exactly `piece` images, the last filled up with zeros.

    Args:
        network: in eval mode, on its device.
        piece: images per call.
        layout: how the pixels of a call lie in memory.
    """

    def run(x: Tensor) -> dict[str, Tensor]:
        parts: dict[str, list[Tensor]] = {head: [] for head in network.heads}
        with torch.inference_mode():
            for start in range(0, len(x), piece):
                part = x[start : start + piece]
                n = len(part)
                if n < piece:
                    part = torch.cat([part, part.new_zeros((piece - n, *part.shape[1:]))])
                features = network(part.contiguous(memory_format=layout))
                for head, kept in parts.items():
                    kept.append(features[head][:n].clone())
            return {head: torch.cat(kept) for head, kept in parts.items()}

    return run
