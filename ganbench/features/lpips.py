"""LPIPS on VGG16: a learned perceptual distance between pictures, of which the perceptual path length is made.

    d(a, b) = sum over layers l of mean over places of w_l · (u_l(a) - u_l(b))²

u_l are the activations behind ReLU 1_2, 2_2, 3_3, 4_3 and 5_3, brought to unit length over the channels at each place,
and w_l >= 0 the learned weights of the channels (version 0.1). It is a squared distance: quadratic in a small change.

Two files make it: torchvision's VGG16, and the weights w, which also travel with the package torchmetrics.

Papers: Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (arXiv 1801.03924);
Simonyan and Zisserman 2015, Very Deep Convolutional Networks (arXiv 1409.1556).
"""

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from ganbench.errors import BadInput
from ganbench.features.extractor import Weights
from ganbench.features.state_dict import load_into, read_state_dict
from ganbench.features.weights import locate
from ganbench.progress import Progress, Warn, silent, unheard

_TAPS = (3, 8, 15, 22, 29)  # the ReLUs whose activations are compared
_WIDTHS = (64, 128, 256, 512, 512)
_SMALLEST = 16  # pixels: VGG halves the picture four times before its last tap
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of ImageNet's colours, for pictures in -1..1


class VGG16Convolutions(nn.Sequential):
    """The convolutions of torchvision's VGG16 up to the last tap."""

    def __init__(self) -> None:
        super().__init__(*list(vgg16(weights=None, init_weights=False).features)[: _TAPS[-1] + 1])


class LpipsHeads(nn.ModuleList):
    """The weights of the channels of each tap: 1x1 convolutions without bias."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(width, 1, 1, bias=False) for width in _WIDTHS)


class Lpips(nn.Module):
    """LPIPS distances. Make it with `load`."""

    vgg: ClassVar = Weights(
        filename="vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size=553_433_881,
        licence="BSD-3-Clause (torchvision)",
        urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    )
    heads: ClassVar = Weights(
        filename="lpips-vgg-v0.1.pth",
        sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        size=7_289,
        licence="BSD-2-Clause (PerceptualSimilarity)",
        urls=("https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",),
        aliases=("vgg.pth", "weights-vgg16-lpips.pth"),
        package="torchmetrics",
        package_path="functional/image/lpips_models/vgg.pth",
    )

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions, self.channels = VGG16Convolutions(), LpipsHeads()
        self.register_buffer("shift", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.empty(1, 3, 1, 1), persistent=False)

    @classmethod
    def load(
        cls,
        *,
        vgg: Path | None = None,
        heads: Path | None = None,
        allow_unverified: bool = False,
        offline: bool = False,
        progress: Progress = silent,
        warn: Warn = unheard,
    ) -> "Lpips":
        """The network with its weights, in eval mode.

        Args:
            vgg, heads: the user's own files; searched for, by sha256, where None (see `weights.locate`).
            allow_unverified: take these whatever their sha256.
            offline, progress, warn: as in `weights.locate`.

        Raises:
            UsageError: a file is not what it should be.
            Unavailable: a file is nowhere to be had; the message names the ways to get it.
        """
        vgg_path, heads_path = (
            locate(
                weights, given=given, allow_unverified=allow_unverified, offline=offline, progress=progress, warn=warn
            )[0]
            for weights, given in ((cls.vgg, vgg), (cls.heads, heads))
        )
        with torch.device("meta"):
            network = cls()
        found = read_state_dict(vgg_path)
        convolutions = {name.removeprefix("features."): x for name, x in found.items() if name.startswith("features.")}
        load_into(network.convolutions, convolutions, vgg_path)
        named = {_head_name(name): x for name, x in read_state_dict(heads_path).items()}
        load_into(network.channels, named, heads_path)
        network.shift, network.scale = (torch.tensor(x).view(1, 3, 1, 1) for x in (_SHIFT, _SCALE))
        return network.eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The squared distances of two float32 batches (n, 3, h, w) in -1..1, by layer: (n, 5), to be added up.

        Raises BadInput where h or w is below 16 pixels.
        """
        if min(a.shape[2:]) < _SMALLEST:
            raise BadInput(
                f"LPIPS needs pictures of at least {_SMALLEST} pixels; found {a.shape[3]}x{a.shape[2]}. Resize them."
            )
        x = (torch.cat([a, b]).to(self.shift.dtype) - self.shift) / self.scale
        parts: list[Tensor] = []
        for i, layer in enumerate(self.convolutions):
            x = layer(x)
            if i in _TAPS:
                length = x.square().sum(dim=1, keepdim=True).sqrt()
                one, other = (x / (length + 1e-10)).chunk(2)
                weighted = self.channels[len(parts)]((one - other).square())
                parts.append(weighted.mean(dim=(1, 2, 3)))
        return torch.stack(parts, dim=1)


def _head_name(name: str) -> str:
    """`lin0.model.1.weight`, as it is published, to `0.weight`."""
    return name.removeprefix("lin").replace(".model.1.", ".")
