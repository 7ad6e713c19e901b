"""All randomness of a training: numbers out of one generator whose state goes into the checkpoint."""

import torch
from torch import Tensor

from ganbench.nets._ranks import ALONE, Ranks


class Draws:
    """Random numbers on a device.

    On the meta device, where only shapes and costs are looked at, they have shapes alone. The first axis is that of
    the batch: where several ranks share it, all of them draw the numbers of the whole batch and each keeps its rows,
    so the batch is the one that a single process would have.

    Args:
        seed: of the stream, the same on all ranks.
        device: where the numbers are wanted.
        ranks: that share a batch.
    """

    def __init__(self, seed: int, device: str | torch.device, ranks: Ranks = ALONE) -> None:
        self.device, self._ranks = torch.device(device), ranks
        self.generator = torch.Generator("cpu" if self.device.type == "meta" else self.device).manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """N(0, 1), float32."""
        return self._mine(torch.randn(self._whole(shape), generator=self.generator, device=self.device))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """U(low, high), float32."""
        drawn = torch.rand(self._whole(shape), generator=self.generator, device=self.device)
        return self._mine(drawn) * (high - low) + low

    def integers(self, n: int, high: int) -> Tensor:
        """n whole numbers in 0..high-1, int64."""
        return self._mine(torch.randint(high, self._whole((n,)), generator=self.generator, device=self.device))

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape for all ranks; a single number, which has no rows, is the same for all."""
        return (shape[0] * self._ranks.world, *shape[1:]) if shape else shape

    def _mine(self, drawn: Tensor) -> Tensor:
        if self._ranks.alone or not drawn.dim():
            return drawn
        return drawn[self._ranks.rows(len(drawn) // self._ranks.world)].clone()  # lets go of the others' rows

    def state(self) -> Tensor:
        """Where the stream stands, uint8."""
        return self.generator.get_state()

    def restore(self, state: Tensor) -> None:
        """Brings the stream to where it stood."""
        self.generator.set_state(state.cpu())
