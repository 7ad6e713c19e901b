"""Self-normalising networks (Klambauer et al. 2017, https://arxiv.org/abs/1706.02515) out of built ones.

With weights N(0, 1 / fan-in), no biases at first and inputs of mean 0 and variance 1, SELU keeps what every layer
gives near mean 0 and variance 1, so nothing else normalises.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganbench.errors import UsageError
from ganbench.nets._init import with_init
from ganbench.nets._layers import Maxout
from ganbench.nets._plain import LAYERS, replaced, without_norm
from ganbench.nets._ranks import ALONE, Ranks

N = TypeVar("N", bound=nn.Module)
Uniform = Callable[..., Tensor]  # U(0, 1) of the shape that is given
_FLOOR = -1.0507009873554805 * 1.6732632423543772  # -lambda alpha: what SELU gives far below 0
_HIDDEN = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus)
_SMALLEST = 1e-6  # a variance that is divided by


class AlphaDropout(nn.Module):
    """Dropout that keeps mean 0 and variance 1: dropped units are -lambda alpha, and an affine map corrects the rest.

    Args:
        rate: of units that are dropped.
        uniform: draws the numbers that decide which.
    """

    def __init__(self, rate: float, uniform: Uniform) -> None:
        super().__init__()
        self.kept, self._uniform = 1 - rate, uniform
        self.scale = (self.kept + _FLOOR**2 * self.kept * rate) ** -0.5
        self.shift = -self.scale * rate * _FLOOR

    def forward(self, x: Tensor) -> Tensor:
        """The same shape; x itself in eval mode."""
        if not self.training:
            return x
        kept = self._uniform(*x.shape) < self.kept
        found: Tensor = torch.where(kept, x, _FLOOR) * self.scale + self.shift
        return found


def lecun_normal(layer: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
    """Weights N(0, 1 / fan-in), the fan-in being the numbers that one output is a sum of."""
    nn.init.normal_(weight, 0.0, fan_in(layer) ** -0.5, generator=generator)


def fan_in(layer: nn.Module) -> float:
    """Numbers that one output of a layer is a sum of: of a deconvolution those that its stride lets meet there."""
    if isinstance(layer, nn.ConvTranspose2d):
        places = layer.kernel_size[0] * layer.kernel_size[1] / (layer.stride[0] * layer.stride[1])
        return layer.in_channels // layer.groups * places
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    return float(layer.weight[0].numel())


def selu_form(net: N, *, dropout: float = 0.0, uniform: Uniform | None = None) -> N:
    """The network without its norms, with SELU for each activation between layers and LeCun's first weights.

    A maxout layer becomes a linear one of as many units. An activation that bounds the output (tanh) stays.

    Args:
        net: built, its weights not yet filled; its activations are modules.
        dropout: rate of alpha-dropout behind each SELU.
        uniform: draws its masks.
    """

    def activation() -> nn.Module:
        if not dropout:
            return nn.SELU()
        assert uniform is not None, "what drops units draws which"
        return nn.Sequential(nn.SELU(), AlphaDropout(dropout, uniform))

    def instead(child: nn.Module) -> nn.Module | None:
        if isinstance(child, Maxout):
            return nn.Sequential(nn.Linear(child.linear.in_features, child.units), activation())
        return activation() if isinstance(child, _HIDDEN) else None

    if not replaced(without_norm(net), instead):
        raise UsageError(
            f"{type(net).__name__} has no activation that is a module, so it has no SELU form. Name another backbone: "
            "ganbench list backbones"
        )
    for layer in net.modules():
        if isinstance(layer, LAYERS):
            with_init(layer, lecun_normal)
    return net


class Standardised(nn.Module):
    """Data with mean 0 and variance 1 in each channel (or coordinate), by the moments of the reals seen so far.

    Each batch of reals has the same weight, so the moments come to rest at those of the data.

    Args:
        channels: of the data, their first axis.
        ranks: that share each batch.
    """

    mean: Tensor
    square: Tensor
    batches: Tensor

    def __init__(self, channels: int, ranks: Ranks = ALONE) -> None:
        super().__init__()
        self._ranks = ranks
        for name, shape in (("mean", (channels,)), ("square", (channels,)), ("batches", ())):
            self.register_buffer(name, torch.empty(shape))

    def reset(self, _: torch.Generator) -> None:
        """To no batch seen, with which data stay as they are."""
        self.mean.zero_()
        self.square.fill_(1.0)
        self.batches.zero_()

    @torch.no_grad()
    def follow(self, real: Tensor) -> None:
        """Takes a batch of reals (n, channels, ...) into the moments."""
        self.batches.add_(1)
        dims = [0, *range(2, real.dim())]
        self.mean.lerp_(self._ranks.mean(real.mean(dims)), 1 / self.batches)
        self.square.lerp_(self._ranks.mean(real.square().mean(dims)), 1 / self.batches)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        column = (1, -1, *[1] * (x.dim() - 2))
        std = (self.square - self.mean.square()).clamp(min=_SMALLEST).sqrt()
        return (x - self.mean.view(column)) / std.view(column)
