"""What contenders are given: folders of pictures, and weights of Inception drawn at random, made once for a run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Inputs:
    """Where they lie, and how many pictures each folder has.

    Attributes:
        folder: of everything.
        n: pictures of 32 pixels in `fake` and in `real`.
        quick: small inputs, to see that all of it runs; its numbers mean nothing.
    """

    folder: Path
    n: int
    quick: bool

    @property
    def weights(self) -> Path:
        """Random weights of the 2015 Inception."""
        return self.folder / "inception.pth"

    def images(self, side: str) -> Path:
        """A folder of PNG."""
        return self.folder / side


def make(folder: Path, *, quick: bool) -> Inputs:
    """Writes them."""
    found = Inputs(folder, 24 if quick else 1000, quick)
    for seed, side in enumerate(("fake", "real")):
        write_pictures(found.images(side), found.n, 32, seed)
    _weights(found.weights)
    return found


def write_pictures(folder: Path, n: int, size: int, seed: int, *, suffix: str = "png") -> None:
    """Patches of colour under noise: as incompressible as photographs."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        patches = rng.integers(0, 256, (8, 8, 3)).repeat(size // 8, axis=0).repeat(size // 8, axis=1)
        pixels = np.clip(patches + rng.normal(0, 20, patches.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:06}.{suffix}")


def _weights(path: Path) -> None:
    """Batch norm is fitted to pictures, so that features neither die nor grow."""
    import torch
    from torch import nn

    from ganbench.features.extractors.inception import Inception

    torch.manual_seed(0)
    network = Inception()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(8, 3, 299, 299, generator=torch.Generator().manual_seed(1)))
    torch.save(network.state_dict(), path)
