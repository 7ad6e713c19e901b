"""CLIP's image tower ViT-B/32 by OpenAI, 224 px: head embedding (512), as `encode_image` gives it

Paper: Radford et al., Learning Transferable Visual Models From Natural Language Supervision (arXiv 2103.00020). The
published file is a TorchScript archive with both towers, most of it in half precision; the tensors of the image tower
are read from it and computed with in float32.
"""

from typing import ClassVar

from ganbench.features.extractor import Weights
from ganbench.features.extractors._clip import ClipTower

_SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"


class ClipVitB32(ClipTower):
    """ViT-B/32. Input float32 (n, 3, 224, 224), normalised with CLIP's mean and deviation."""

    architecture: ClassVar = "vit_base_patch32_clip_quickgelu_224"
    depth: ClassVar = 12
    heads: ClassVar = {"embedding": 512}
    weights: ClassVar = Weights(
        filename="ViT-B-32.pt",
        sha256=_SHA256,
        size=353_976_522,
        licence="MIT",
        urls=(f"https://openaipublic.azureedge.net/clip/models/{_SHA256}/ViT-B-32.pt",),
        aliases=(f"clip-vit-b-32-{_SHA256}.pt",),
    )
