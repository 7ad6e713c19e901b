"""Batch norm over a batch that is split over ranks: its statistics are those of the whole batch on each of them."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganbench.nets._ranks import Ranks

N = TypeVar("N", bound=nn.Module)
_Norm = nn.modules.batchnorm._BatchNorm


class JointBatchNorm(_Norm):
    """A batch norm (n, c, ...) whose mean and variance in training are of the rows of all ranks, of n on each.

    Gradients of any order go through them; torch's own SyncBatchNorm is for GPUs alone. In eval mode nothing is
    exchanged, so that one rank can make samples while the others wait.

    Args:
        norm: whose parameters and buffers it takes over.
        ranks: that share the batch.
    """

    def __init__(self, norm: _Norm, ranks: Ranks) -> None:
        made: dict[str, Any] = {"affine": norm.affine, "track_running_stats": norm.track_running_stats}
        super().__init__(norm.num_features, norm.eps, norm.momentum, **made, device="meta")
        self._parameters.update(norm._parameters)
        self._buffers.update(norm._buffers)
        self.training = norm.training
        self._ranks = ranks

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not self.training:
            running = self.running_mean, self.running_var
            return functional.batch_norm(x, *running, self.weight, self.bias, running[0] is None, eps=self.eps)
        dims = [0, *range(2, x.dim())]
        column = (1, -1, *[1] * (x.dim() - 2))
        mean = self._ranks.mean(x.mean(dims))
        centred = x - mean.view(column)
        var = self._ranks.mean(centred.square().mean(dims))
        if self.running_mean is not None:
            self._follow(mean, var, x.numel() // x.shape[1] * self._ranks.world)
        scale = (var + self.eps).rsqrt()
        if not self.affine:
            return centred * scale.view(column)
        return centred * (scale * self.weight).view(column) + self.bias.view(column)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Takes the statistics of a batch of `count` numbers in each channel into the running ones."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(var * (count / (count - 1)), weight)


def joint(net: N, ranks: Ranks) -> N:
    """The network with each batch norm over the batch of all ranks; as it is where there is one rank."""
    if not ranks.alone:
        for module in list(net.modules()):
            for name, child in module.named_children():
                if isinstance(child, _Norm):
                    setattr(module, name, JointBatchNorm(child, ranks))
    return net
