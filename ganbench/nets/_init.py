"""First weights out of a passed generator, so that equal seeds give equal networks whatever else was drawn."""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

Fill = Callable[[nn.Module, Tensor, torch.Generator], None]
M = TypeVar("M", bound=nn.Module)
_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def normal(std: float) -> Fill:
    """Weights N(0, std^2)."""

    def fill(_: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, 0.0, std, generator=generator)

    return fill


def zeros() -> Fill:
    """Weights 0."""

    def fill(_: nn.Module, weight: Tensor, __: torch.Generator) -> None:
        weight.zero_()

    return fill


def xavier(gain: float) -> Fill:
    """Weights U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    def fill(_: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.xavier_uniform_(weight, gain, generator=generator)

    return fill


def with_init(module: M, rule: Fill) -> M:
    """The module, whose weight is to begin by `rule`."""
    module.weight_init = rule  # type: ignore[assignment]
    return module


def initialise(net: nn.Module, generator: torch.Generator, *, weights: Fill, gamma_std: float = 0.0) -> None:
    """Fills every parameter and buffer of a network built on the meta device and moved by `to_empty`.

    Args:
        net: the network. A module with `weight_init` (a Fill) has that rule for its own weight; one with
            `reset(generator)` fills itself.
        generator: on the network's device.
        weights: the rule for weights of linear layers and convolutions; their biases are 0.
        gamma_std: batch norm begins with gamma ~ N(1, gamma_std^2) and beta = 0.
    """
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.fill_(math.nan)  # what nothing fills is found below
        for module in net.modules():
            _fill(module, generator, weights, gamma_std)
        left = [name for name, tensor in net.state_dict().items() if tensor.isnan().any()]
    assert not left, f"no rule for the first values of {left}"


def _fill(module: nn.Module, generator: torch.Generator, weights: Fill, gamma_std: float) -> None:
    if isinstance(module, _WEIGHTED):
        rule: Fill = getattr(module, "weight_init", weights)
        rule(module, module.weight, generator)
        if module.bias is not None:
            module.bias.zero_()
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.reset_running_stats()
        if module.affine:
            nn.init.normal_(module.weight, 1.0, gamma_std, generator=generator)
            module.bias.zero_()
    elif isinstance(module, nn.LayerNorm | nn.GroupNorm) and module.weight is not None:
        module.weight.fill_(1.0)
        module.bias.zero_()
    reset = getattr(module, "reset", None)
    if reset is not None:
        reset(generator)
