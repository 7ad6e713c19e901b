"""What the image towers of OpenAI's CLIP have in common."""

from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ganbench.features.extractor import Network
from ganbench.features.state_dict import load_into, read_state_dict
from ganbench.features.torchscript_tensors import is_torchscript, read_torchscript

_TOWER = "visual."  # the image tower's tensors begin so; the others are the text tower's
# OpenAI's names for parts of names, and timm's.
_NAMES = {
    "conv1.": "net.patch_embed.proj.",
    "class_embedding": "net.cls_token",
    "positional_embedding": "net.pos_embed",
    "ln_pre.": "net.norm_pre.",
    "transformer.resblocks.": "net.blocks.",
    "ln_post.": "net.norm.",
    ".ln_": ".norm",
    ".in_proj_": ".qkv.",
    ".out_proj.": ".proj.",
    ".c_fc.": ".fc1.",
    ".c_proj.": ".fc2.",
}


class ClipTower(Network):
    """The image tower of a CLIP. The head is the image embedding, not brought to length 1."""

    architecture: ClassVar[str]  # timm's name
    depth: ClassVar[int]  # blocks, all alike

    def __init__(self) -> None:
        super().__init__()
        import timm  # a second to import, and only some networks need it

        net: Any = timm.create_model(self.architecture, pretrained=False, num_classes=0, depth=self.depth)
        self.net = net
        self.proj = nn.Linear(net.embed_dim, self.heads["embedding"], bias=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The tower with the weights of OpenAI's archive, or of a state-dict of its tensors.

        No code in the file is run. Raises BadInput where the tensors do not fit.
        """
        with torch.device("meta"):
            network = cls()
        if is_torchscript(path):
            state = read_torchscript(path, prefix=_TOWER)
        else:
            state = read_state_dict(path)
            if any(name.startswith(_TOWER) for name in state):
                state = {n.removeprefix(_TOWER): value for n, value in state.items() if n.startswith(_TOWER)}
        return load_into(network, dict(_renamed(name, value) for name, value in state.items()), path)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Normalised images to the embedding, (n, width)."""
        return {"embedding": self.proj(self.net.forward_head(self.net.forward_features(x), pre_logits=True))}


def _renamed(name: str, value: Tensor) -> tuple[str, Tensor]:
    """A tensor of OpenAI's under our name and in our shape; one that has our name already stays."""
    if name == "proj":
        return "proj.weight", value.T
    if name.startswith(("net.", "proj.")):
        return name, value
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    if name in ("net.cls_token", "net.pos_embed"):
        value = value.reshape(1, -1, value.shape[-1])
    return name, value
