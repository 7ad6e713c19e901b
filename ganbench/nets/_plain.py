"""A built network without its normalisation: what methods that forbid it make of a backbone's generator."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

N = TypeVar("N", bound=nn.Module)
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.LayerNorm, nn.GroupNorm)


def without_norm(net: N) -> N:
    """The network with nothing in the place of each norm; layers that had no bias, since a norm's followed, get one."""
    replaced(net, lambda child: nn.Identity() if isinstance(child, _NORMS) else None)
    for layer in net.modules():
        if isinstance(layer, LAYERS) and layer.bias is None:
            outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
            layer.bias = nn.Parameter(torch.empty(outputs, device=layer.weight.device))
    return net


def replaced(net: nn.Module, instead: Callable[[nn.Module], nn.Module | None]) -> int:
    """Puts `instead(child)` in the place of each module inside `net` for which it is not None. Returns how many."""
    count = 0
    for module in list(net.modules()):
        for name, child in module.named_children():
            other = instead(child)
            if other is not None:
                setattr(module, name, other)
                count += 1
    return count
