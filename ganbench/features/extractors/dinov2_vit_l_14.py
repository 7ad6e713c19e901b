"""DINOv2 ViT-L/14 at 224 px: head cls (1024), the normalised class token, as dgm-eval compares it

The network was trained at 518 px: its 37 x 37 grid of position embeddings is interpolated to 16 x 16. DINOv2's own code
does so by bicubic interpolation without antialiasing at a scale of (16 + 0.1) / 37, and so does this.

Papers: Oquab et al., DINOv2: Learning Robust Visual Features without Supervision (arXiv 2304.07193); Stein et al.,
Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion models (arXiv 2306.04675).
"""

import math
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ganbench.features.extractor import Network, Weights
from ganbench.features.state_dict import load_into, read_state_dict

_GRID = 16  # patches on a side at 224 px
_OFFSET = 0.1  # DINOv2's guard against a side of 15; it shifts the sampling positions, and the features with them


class Dinov2VitL14(Network):
    """DINOv2 ViT-L/14, no registers. Input float32 (n, 3, 224, 224), normalised with ImageNet's mean and deviation."""

    architecture: ClassVar = "vit_large_patch14_dinov2"
    depth: ClassVar = 24  # blocks, all alike
    heads: ClassVar = {"cls": 1024}
    weights: ClassVar = Weights(
        filename="dinov2_vitl14_pretrain.pth",
        sha256="d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        size=1_217_586_395,
        licence="Apache-2.0",
        urls=("https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",),
    )

    def __init__(self) -> None:
        super().__init__()
        import timm  # a second to import, and only some networks need it

        net: Any = timm.create_model(
            self.architecture, pretrained=False, num_classes=0, img_size=14 * _GRID, depth=self.depth
        )
        self.net = net

    @classmethod
    def load(cls, path: Path) -> "Dinov2VitL14":
        """The network with the weights of a state-dict file. Raises BadInput where they do not fit."""
        with torch.device("meta"):
            network = cls()
        state = {name.removeprefix("net."): value for name, value in read_state_dict(path).items()}
        state.pop("mask_token", None)  # of training
        if "pos_embed" in state and state["pos_embed"].dim() == 3:
            state["pos_embed"] = positions(state["pos_embed"])
        return load_into(network, {f"net.{name}": value for name, value in state.items()}, path)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, 224, 224) to cls (n, 1024)."""
        return {"cls": self.net.forward_head(self.net.forward_features(x), pre_logits=True)}


def positions(embedding: Tensor) -> Tensor:
    """Position embeddings (1, 1 + side², width) interpolated to the grid of 224 px; those of that grid stay."""
    of_class, of_patches = embedding[:, :1].float(), embedding[:, 1:].float()
    side = math.isqrt(of_patches.shape[1])
    if side == _GRID or side * side != of_patches.shape[1] or side == 0:
        return embedding  # what does not fit is refused by name later
    grid = of_patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = float(_GRID + _OFFSET) / side
    resized = functional.interpolate(grid, mode="bicubic", antialias=False, scale_factor=(scale, scale))
    return torch.cat([of_class, resized.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
