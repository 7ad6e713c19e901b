"""A pool of images that a generator made before, half of what D is shown (Shrivastava et al. 2017,
https://arxiv.org/abs/1612.07828).
"""

import torch
from torch import Tensor, nn


class History(nn.Module):
    """The images are buffers, so a training that is taken up again finds them.

    Args:
        size: images in the pool.
        shape: of an image, (c, h, w).
    """

    images: Tensor
    seen: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(size, *shape))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def reset(self, _: torch.Generator) -> None:
        """An empty pool."""
        self.images.zero_()
        self.seen.zero_()

    @torch.no_grad()
    def exchanged(self, made: Tensor, coins: Tensor, order: Tensor) -> Tensor:
        """As many images, of which about half come out of the pool, once it is full, and leave the new ones there.

        Until then new images fill it and come back as they are; so do those of a batch that are more than it holds.

        Args:
            made: new images, (n, c, h, w).
            coins: U[0, 1), (n,): below 1/2 a new image comes back as it is.
            order: U[0, 1), (size,): which places of the pool are drawn; no place for two images.
        """
        n = min(len(made), self.size)
        full = self.seen >= self.size
        places = torch.where(full, order.argsort()[:n], (self.seen + torch.arange(n, device=made.device)) % self.size)
        old, new = self.images[places], made[:n]
        swapped = (full & (coins[:n] >= 0.5)).view(-1, 1, 1, 1)
        kept = torch.where(swapped | ~full, new, old)
        self.images.copy_(self.images.index_copy(0, places, kept))
        self.seen.add_(n)
        return torch.cat([torch.where(swapped, old, new), made[n:]])
