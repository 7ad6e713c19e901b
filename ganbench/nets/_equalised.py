"""Layers at an equalised learning rate (Karras et al. 2018, https://arxiv.org/abs/1710.10196).

Weights are N(0, 1) and are multiplied by gain / sqrt(fan_in) whenever they are used, so that Adam, whose steps do not
know how large a weight is, moves all layers at one speed. With a multiplier m the stored weight is 1 / m times as
large, and what a step of Adam changes is m times as small (Karras et al. 2019, https://arxiv.org/abs/1812.04948).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAKY = math.sqrt(2)  # the gain before a LeakyReLU
SLOPE = 0.2


class _Equalised(nn.Module):
    """Weight and bias of a layer.

    Args:
        shape: of the weight, (out, in, ...).
        gain: of the layer: LEAKY, or 1 where no activation follows.
        rate: m.
        biased: first values of the bias.
        equalised: without it the weight begins as large as it is used.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, shape: tuple[int, ...], *, gain: float, rate: float = 1.0, biased: float = 0.0, equalised: bool = True
    ) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(shape)), nn.Parameter(torch.empty(shape[0]))
        wanted = gain / math.sqrt(math.prod(shape[1:]))
        self.scale, self.std = (wanted * rate, 1 / rate) if equalised else (rate, wanted / rate)
        self.rate, self.biased = rate, biased

    def reset(self, generator: torch.Generator) -> None:
        """Draws the weight."""
        nn.init.normal_(self.weight, 0.0, self.std, generator=generator)
        self.bias.fill_(self.biased / self.rate)


class EqualLinear(_Equalised):
    """(n, in) to (n, out)."""

    def __init__(
        self,
        cin: int,
        cout: int,
        *,
        gain: float = LEAKY,
        rate: float = 1.0,
        biased: float = 0.0,
        equalised: bool = True,
    ) -> None:
        super().__init__((cout, cin), gain=gain, rate=rate, biased=biased, equalised=equalised)
        self.in_features = cin

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out)."""
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualConv2d(_Equalised):
    """(n, in, h, w) to (n, out, h, w), by a kernel of odd side."""

    def __init__(self, cin: int, cout: int, kernel: int, *, gain: float = LEAKY, equalised: bool = True) -> None:
        super().__init__((cout, cin, kernel, kernel), gain=gain, equalised=equalised)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, h, w) to (n, out, h, w)."""
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[2] // 2)


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU with the slope 0.2."""
    return functional.leaky_relu(x, SLOPE)
