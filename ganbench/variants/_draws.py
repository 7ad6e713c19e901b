"""All randomness of a training: numbers out of one generator whose state goes into the checkpoint."""

import torch
from torch import Tensor


class Draws:
    """Random numbers on a device.

    On the meta device, where only shapes and costs are looked at, they have shapes alone.

    Args:
        seed: of the stream.
        device: where the numbers are wanted.
    """

    def __init__(self, seed: int, device: str | torch.device) -> None:
        self.device = torch.device(device)
        self.generator = torch.Generator("cpu" if self.device.type == "meta" else self.device).manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """N(0, 1), float32."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """U(low, high), float32."""
        return torch.rand(shape, generator=self.generator, device=self.device) * (high - low) + low

    def integers(self, n: int, high: int) -> Tensor:
        """n whole numbers in 0..high-1, int64."""
        return torch.randint(high, (n,), generator=self.generator, device=self.device)

    def state(self) -> Tensor:
        """Where the stream stands, uint8."""
        return self.generator.get_state()

    def restore(self, state: Tensor) -> None:
        """Brings the stream to where it stood."""
        self.generator.set_state(state.cpu())
