"""VGG16 trained on ImageNet, 224 px: heads fc2_relu (4096), after the second ReLU of the classifier, and logits (1000)

The network on which precision and recall were defined, with torchvision's weights, as torch-fidelity runs it.

Papers: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition (arXiv 1409.1556);
Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models (arXiv 1904.06991).
"""

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganbench.features.extractor import Network, Weights
from ganbench.features.state_dict import load_into, read_state_dict


class Vgg16(Network):
    """VGG16. Input float32 (n, 3, 224, 224), normalised with ImageNet's mean and deviation."""

    heads: ClassVar = {"fc2_relu": 4096, "logits": 1000}
    weights: ClassVar = Weights(
        filename="vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size=553_433_881,
        licence="BSD-3-Clause",
        urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    )

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg16  # only this network needs it

        whole: Any = vgg16(weights=None, init_weights=False)
        self.features: nn.Module = whole.features
        self.classifier: nn.Module = whole.classifier

    @classmethod
    def load(cls, path: Path) -> "Vgg16":
        """The network with the weights of a state-dict file. Raises BadInput where they do not fit."""
        with torch.device("meta"):
            network = cls()
        return load_into(network, read_state_dict(path), path)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, 224, 224) to fc2_relu (n, 4096) and logits (n, 1000)."""
        x = self.features(x).flatten(1)
        assert isinstance(self.classifier, nn.Sequential)
        fc2 = self.classifier[:5](x)
        return {"fc2_relu": fc2, "logits": self.classifier[5:](fc2)}
