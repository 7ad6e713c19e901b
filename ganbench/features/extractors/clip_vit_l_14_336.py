"""CLIP's image tower ViT-L/14@336px by OpenAI, 336 px: head embedding (768), the network of CMMD

Papers: Radford et al., Learning Transferable Visual Models From Natural Language Supervision (arXiv 2103.00020);
Jayasumana et al., Rethinking FID: Towards a Better Evaluation Metric for Image Generation (arXiv 2401.09603). The
published file is a TorchScript archive with both towers, most of it in half precision; the tensors of the image tower
are read from it and computed with in float32.
"""

from typing import ClassVar

from ganbench.features.extractor import Weights
from ganbench.features.extractors._clip import ClipTower

_SHA256 = "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"


class ClipVitL14At336(ClipTower):
    """ViT-L/14 at 336 px. Input float32 (n, 3, 336, 336), normalised with CLIP's mean and deviation."""

    architecture: ClassVar = "vit_large_patch14_clip_quickgelu_336"
    depth: ClassVar = 24
    heads: ClassVar = {"embedding": 768}
    weights: ClassVar = Weights(
        filename="ViT-L-14-336px.pt",
        sha256=_SHA256,
        size=934_088_680,
        licence="MIT",
        urls=(f"https://openaipublic.azureedge.net/clip/models/{_SHA256}/ViT-L-14-336px.pt",),
        aliases=(f"clip-vit-l-14-336px-{_SHA256}.pt",),
    )
