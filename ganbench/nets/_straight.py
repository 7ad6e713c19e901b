"""ReLU and LeakyReLU for D, with a second backward that does no work for nothing.

A penalty on D's gradient is differentiated through the backward of each layer. These are straight on either side of 0:
the slope at x does not move with x, and nothing goes back from it into what made x. torch's own nevertheless send zeros
back, through the layers of the forward pass: a seventh of the operations of WGAN-GP on `info28-nano`. These send
nothing. Values and gradients of any order are those of torch, bit for bit.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_aten = torch.ops.aten


class _Leaky(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return functional.leaky_relu(x, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return _aten.leaky_relu_backward(gradient, x.detach(), ctx.slope, False), None


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        found = functional.relu(x)
        ctx.save_for_backward(found)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (found,) = ctx.saved_tensors
        back: Tensor = _aten.threshold_backward(gradient, found.detach(), 0)
        return back


class LeakyReLU(nn.LeakyReLU):
    """nn.LeakyReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        found: Tensor = _Leaky.apply(x, self.negative_slope)
        return found


class ReLU(nn.ReLU):
    """nn.ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        found: Tensor = _Relu.apply(x)
        return found
