"""Batch normalisation folded into the convolutions before it: the same function with less memory traffic."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from ganbench.features.extractor import Network

_Pair = tuple[nn.Conv2d, nn.BatchNorm2d]
_TOLERANCE = 1e-4  # largest change allowed, relative to the largest feature; folding itself makes about 1e-6


def folded(network: Network, example: Tensor) -> Network:
    """A copy of the network in which each batch normalisation that directly follows a convolution is part of it.

    Which follows which is seen by running the example. Where the copy does not give the same features, because a
    convolution's output is also used elsewhere, an unchanged copy is returned.

    Args:
        network: in eval mode; left as it is.
        example: an input, (1, 3, size, size).
    """
    copy = deepcopy(network)
    with torch.no_grad():
        before, pairs = _observed(copy, example)
        for conv, norm in pairs:
            _fold(conv, norm)
            _replace(copy, norm, _what_remains(norm))
        after = copy(example)
    equal = all((after[head] - value).abs().max() <= _TOLERANCE * value.abs().max() for head, value in before.items())
    return copy if equal else deepcopy(network)


def _observed(network: Network, example: Tensor) -> tuple[dict[str, Tensor], list[_Pair]]:
    """The network's features of the example, and each convolution with the one norm that takes its very output."""
    made: list[tuple[nn.Conv2d, Tensor]] = []  # keeps the outputs alive, so that no two are the same object
    pairs: list[_Pair] = []

    def convolved(module: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        made.append((module, output))

    def normalises(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        pairs.extend((conv, module) for conv, output in made if output is args[0])

    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(convolved))
        elif isinstance(module, nn.BatchNorm2d) and _what_remains(module) is not module:
            hooks.append(module.register_forward_pre_hook(normalises))
    features = network(example)
    for hook in hooks:
        hook.remove()
    once = [pair for pair in pairs if sum(pair[0] is conv or pair[1] is norm for conv, norm in pairs) == 1]
    return features, once


def _what_remains(norm: nn.BatchNorm2d) -> nn.Module:
    """What a batch normalisation does besides normalising; itself where that is not known."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    activation = getattr(norm, "act", None)  # timm's BatchNormAct2d: normalise, drop, activate
    if type(norm).__name__ == "BatchNormAct2d" and isinstance(activation, nn.Module):
        return activation
    return norm


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """γ (W x + b - μ) / √(σ² + ε) + β as one convolution, computed in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias = torch.zeros_like(scale) if conv.bias is None else conv.bias.double()
    shifted = (bias - norm.running_mean.double()) * scale + norm.bias.double()
    conv.weight = nn.Parameter((conv.weight.double() * scale[:, None, None, None]).float(), requires_grad=False)
    conv.bias = nn.Parameter(shifted.float(), requires_grad=False)


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new)
