"""The average of weights over training, which is what is judged."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ganbench.variants._base import Variant

HALF_LIFE = 0.05  # as a part of the steps done: early weights are soon forgotten, whatever the budget
_STATISTICS = ("running_mean", "running_var")


class Ema:
    """w <- beta w + (1 - beta) w_now after every step, beta = 0.5^(1 / half-life), half-life = 5 % of the steps done.

    Batch norm's running statistics are averaged likewise; other buffers (counts, vectors of the spectral norm) are
    taken as they are now.

    Args:
        variant: whose `judged` modules are averaged.
    """

    def __init__(self, variant: Variant) -> None:
        averaged: dict[str, Tensor] = {}
        copied: dict[str, Tensor] = {}
        for name in variant.judged:
            module = getattr(variant, name)
            learnt = {key for key, _ in module.named_parameters()}
            for key, tensor in module.state_dict().items():
                chosen = key in learnt or key.rpartition(".")[2] in _STATISTICS
                (averaged if chosen else copied)[f"{name}.{key}"] = tensor
        self._live, self._live_copied = averaged, copied
        self.shadow = {key: tensor.clone() for key, tensor in averaged.items()}

    def update(self, step: int) -> None:
        """Takes in the weights after `step` (1, 2, ...)."""
        weight = 1 - 0.5 ** (1 / (HALF_LIFE * step))
        torch._foreach_lerp_(list(self.shadow.values()), list(self._live.values()), weight)

    def weights(self) -> dict[str, Tensor]:
        """What makes the judged samples: averaged and copied tensors by name."""
        return {**self.shadow, **self._live_copied}

    def restore(self, shadow: dict[str, Tensor]) -> None:
        """Goes back to averages that were saved."""
        for key, tensor in self.shadow.items():
            tensor.copy_(shadow[key])

    def keep(self) -> None:
        """Gives the variant the averaged weights for good."""
        _copy(self._live, self.shadow)

    @contextmanager
    def applied(self, weights: dict[str, Tensor] | None = None) -> Iterator[None]:
        """Within it the variant has the averaged weights, or those given."""
        live = {**self._live, **self._live_copied}
        chosen = self.weights() if weights is None else weights
        kept = {key: tensor.clone() for key, tensor in live.items()}
        try:
            _copy(live, chosen)
            yield
        finally:
            _copy(live, kept)


def _copy(to: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for key, tensor in to.items():
            tensor.copy_(values[key])
