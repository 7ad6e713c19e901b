"""The 2015 Inception v3 of the original FID, 299 px: heads pool (2048), spatial, logits_unbiased and logits (1008)

This is the graph of 2015-12-05 that FID, KID and the Inception Score were defined on, not torchvision's Inception.
It differs from the textbook network in four places: the classifier has 1008 outputs, the average pools inside the
blocks leave the padding out of the mean, the last block pools by maximum, and batch normalisation uses eps 0.001.

Papers: Szegedy et al., Rethinking the Inception Architecture for Computer Vision (arXiv 1512.00567); Heusel et al.,
GANs Trained by a Two Time-Scale Update Rule (arXiv 1706.08500). The file of weights is the one that pytorch-fid and
torch-fidelity publish under two names; the names of its tensors are torchvision's.

The head spatial (2023) is that of sFID as guided-diffusion's evaluator computes it (Dhariwal and Nichol 2021, arXiv
2105.05233): the first 7 channels of `mixed_6/conv:0`, which is here the branch1x1 of Mixed_6d after its ReLU, on
17 x 17 places. They come place by place with the channels innermost, as that evaluator flattens its NHWC tensor; a
Frechet distance is the same in any order.
"""

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganbench.features.extractor import Network, Weights
from ganbench.features.state_dict import load_into, read_state_dict

_GITHUB = "https://github.com"


class _Conv(nn.Module):
    """Convolution without bias, batch normalisation, ReLU. Keeps height and width where stride is 1."""

    def __init__(self, n_in: int, n_out: int, kernel: int | tuple[int, int], *, stride: int = 1, pad: bool = True):
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if pad and stride == 1 else (0, 0)
        self.conv = nn.Conv2d(n_in, n_out, (height, width), stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(n_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class _BlockA(nn.Module):
    """35x35: 1x1, 5x5, double 3x3, average pool."""

    def __init__(self, n_in: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(n_in, 64, 1)
        self.branch5x5_1 = _Conv(n_in, 48, 1)
        self.branch5x5_2 = _Conv(48, 64, 5)
        self.branch3x3dbl_1 = _Conv(n_in, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3)
        self.branch3x3dbl_3 = _Conv(96, 96, 3)
        self.branch_pool = _Conv(n_in, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_average(x))], dim=1)


class _BlockB(nn.Module):
    """35x35 to 17x17."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.branch3x3 = _Conv(n_in, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Conv(n_in, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, functional.max_pool2d(x, 3, stride=2)], dim=1)


class _BlockC(nn.Module):
    """17x17: 1x1, factorised 7x7, double factorised 7x7, average pool."""

    def __init__(self, n_in: int, c: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(n_in, 192, 1)
        self.branch7x7_1 = _Conv(n_in, c, 1)
        self.branch7x7_2 = _Conv(c, c, (1, 7))
        self.branch7x7_3 = _Conv(c, 192, (7, 1))
        self.branch7x7dbl_1 = _Conv(n_in, c, 1)
        self.branch7x7dbl_2 = _Conv(c, c, (7, 1))
        self.branch7x7dbl_3 = _Conv(c, c, (1, 7))
        self.branch7x7dbl_4 = _Conv(c, c, (7, 1))
        self.branch7x7dbl_5 = _Conv(c, 192, (1, 7))
        self.branch_pool = _Conv(n_in, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_average(x))], dim=1)


class _BlockD(nn.Module):
    """17x17 to 8x8."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.branch3x3_1 = _Conv(n_in, 192, 1)
        self.branch3x3_2 = _Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Conv(n_in, 192, 1)
        self.branch7x7x3_2 = _Conv(192, 192, (1, 7))
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1))
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, functional.max_pool2d(x, 3, stride=2)], dim=1)


class _BlockE(nn.Module):
    """8x8: 1x1, forked 3x3, double forked 3x3, and a pool: average, or maximum in the last block of this graph."""

    def __init__(self, n_in: int, *, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum
        self.branch1x1 = _Conv(n_in, 320, 1)
        self.branch3x3_1 = _Conv(n_in, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, (1, 3))
        self.branch3x3_2b = _Conv(384, 384, (3, 1))
        self.branch3x3dbl_1 = _Conv(n_in, 448, 1)
        self.branch3x3dbl_2 = _Conv(448, 384, 3)
        self.branch3x3dbl_3a = _Conv(384, 384, (1, 3))
        self.branch3x3dbl_3b = _Conv(384, 384, (3, 1))
        self.branch_pool = _Conv(n_in, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = functional.max_pool2d(x, 3, stride=1, padding=1) if self.maximum else _average(x)
        parts = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(parts, dim=1)


class Inception(Network):
    """The FID Inception. Input float32 (n, 3, 299, 299) in about [-1, 1]; heads as in the module's first line."""

    heads: ClassVar = {"pool": 2048, "spatial": 17 * 17 * 7, "logits_unbiased": 1008, "logits": 1008}
    weights: ClassVar = Weights(
        filename="pt_inception-2015-12-05-6726825d.pth",
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        size=95_628_359,
        licence="Apache-2.0",
        urls=(
            f"{_GITHUB}/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
            f"{_GITHUB}/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        ),
        aliases=("weights-inception-2015-12-05-6726825d.pth",),
    )

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3, pad=False)
        self.Mixed_5b = _BlockA(192, 32)
        self.Mixed_5c = _BlockA(256, 64)
        self.Mixed_5d = _BlockA(288, 64)
        self.Mixed_6a = _BlockB(288)
        self.Mixed_6b = _BlockC(768, 128)
        self.Mixed_6c = _BlockC(768, 160)
        self.Mixed_6d = _BlockC(768, 160)
        self.Mixed_6e = _BlockC(768, 192)
        self.Mixed_7a = _BlockD(768)
        self.Mixed_7b = _BlockE(1280, maximum=False)
        self.Mixed_7c = _BlockE(2048, maximum=True)
        self.fc = nn.Linear(2048, 1008)

    @classmethod
    def load(cls, path: Path) -> "Inception":
        """The network with the weights of a state-dict file. Raises BadInput where it is no FID Inception's."""
        with torch.device("meta"):
            network = cls()
        return load_into(network, read_state_dict(path), path)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, 299, 299) to the heads; logits_unbiased are the logits without the bias."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = functional.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = functional.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x))))
        spatial = x[:, :7].permute(0, 2, 3, 1).flatten(1)  # branch1x1 comes first in the block
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(self.Mixed_6e(x))))
        pool = torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1)
        unbiased = functional.linear(pool, self.fc.weight)
        return {"pool": pool, "spatial": spatial, "logits_unbiased": unbiased, "logits": unbiased + self.fc.bias}
