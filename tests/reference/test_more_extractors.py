"""DINOv2, CLIP and VGG16 against the code of those who published them, on random weights.

CLIP's and VGG16's oracles come with torch-fidelity, whose CLIP is OpenAI's module. DINOv2's is not published as a
package: its numbers below were computed once with the code of github.com/facebookresearch/dinov2 at commit b8931f7,
function `dinov2_vitl14(pretrained=False)`, with the weights and inputs that this file makes.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ganbench.features.extractors.clip_vit_b_32 import ClipVitB32
from ganbench.features.extractors.clip_vit_l_14_336 import ClipVitL14At336
from ganbench.features.extractors.dinov2_vit_l_14 import Dinov2VitL14, positions
from ganbench.features.loading import load_extractor
from ganbench.features.preprocess import Preprocess
from ganbench.protocol import get_protocol

pytestmark = pytest.mark.reference

Pixels = NDArray[np.uint8]
_BLOCK = 1_000_003  # numbers that all weights are taken from in turn


def pictures(n: int, seed: int, height: int = 40, width: int = 48) -> list[Pixels]:
    """Random colour patches under noise."""
    generator = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        patches = np.kron(generator.integers(0, 256, (3, 4, 4)), np.ones((1, height // 4, width // 4)))
        out.append((patches + generator.normal(0, 20, patches.shape)).clip(0, 255).astype(np.uint8))
    return out


def filled(shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Random weights under which activations neither die nor grow; the same on every machine."""
    block = np.random.RandomState(0).standard_normal(_BLOCK).astype(np.float32)
    out = {}
    for number, (name, shape) in enumerate(shapes.items()):
        values = np.resize(np.roll(block, -7919 * number), shape)
        if len(shape) == 1 and "norm" in name and name.endswith("weight"):
            values = 1 + 0.2 * values
        elif name.endswith("gamma"):
            values = 0.3 + 0.1 * values
        elif len(shape) >= 2 and name.endswith("weight"):
            values = values / np.sqrt(np.prod(shape[1:]))
        else:
            values = 0.1 * values
        out[name] = torch.from_numpy(np.ascontiguousarray(values))
    return out


def alike(found: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    """Equal to 1e-5 of the largest: float32 sums in another order, through a dozen or two of layers."""
    between = np.abs(theirs[0] - theirs[1]).max()
    assert between > 0.05 * np.abs(theirs).max()  # the oracle's features tell the images apart
    np.testing.assert_allclose(found, theirs, atol=1e-5 * np.abs(theirs).max(), rtol=0)


# CLIP


class Clip(nn.Module):
    """Both towers as OpenAI's archives have them: what is not the image tower is only there."""

    def __init__(self, *, layers: int, width: int, patch: int, side: int, embedding: int) -> None:
        super().__init__()
        module = pytest.importorskip("torch_fidelity.feature_extractor_clip")
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.visual = module.CLIPVisual(embedding, side, layers, width, patch).visual
            for name, parameter in self.visual.named_parameters():
                if name.endswith("bias"):
                    nn.init.normal_(parameter, std=0.1)
        self.transformer = nn.ModuleDict({"resblocks": nn.Linear(2, 2)})
        self.text_projection = nn.Parameter(torch.zeros(3, embedding))
        self.logit_scale = nn.Parameter(torch.ones([]))
        self.register_buffer("input_resolution", torch.tensor(side))

    def forward(self, x: Tensor) -> Tensor:
        return self.visual(x) * (1 + 0 * (self.text_projection.sum() + self.transformer["resblocks"].weight.sum()))


@pytest.fixture(scope="module")
def clip_b_32() -> Clip:
    return Clip(layers=12, width=768, patch=32, side=224, embedding=512).eval()


@pytest.fixture(scope="module")
def archive(clip_b_32: Clip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A TorchScript archive such as OpenAI publishes, in half precision."""
    path = tmp_path_factory.mktemp("clip") / "ViT-B-32.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its jit
        traced = torch.jit.trace(clip_b_32, torch.zeros(1, 3, 224, 224))
        torch.jit.save(traced.half(), str(path))
    yield path
    path.unlink()


def test_clip_is_openais(archive: Path) -> None:
    """Through torch-fidelity, which loads the archive as a program; its resize, which is another, is stepped over."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_clip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = module.FeatureExtractorCLIP("clip-vit-b-32", ["clip"], feature_extractor_weights_path=str(archive))
    images = pictures(3, 0)
    pixels = Preprocess(get_protocol("clip"))(images, "cpu")
    with torch.no_grad():
        theirs = oracle.model.visual(pixels).numpy()
    ours = load_extractor(get_protocol("clip"), device="cpu", backend="torch", weights=archive, allow_unverified=True)
    alike(ours(images)["embedding"], theirs)


def test_clip_reads_plain_tensors_too(clip_b_32: Clip, archive: Path, tmp_path: Path) -> None:
    wanted = ClipVitB32.load(archive).state_dict()
    whole = {name: value.half() for name, value in clip_b_32.state_dict().items()}
    files = [whole, {n.removeprefix("visual."): v for n, v in whole.items() if n.startswith("visual.")}, wanted]
    for content in files:
        torch.save(content, tmp_path / "clip.pth")
        found = ClipVitB32.load(tmp_path / "clip.pth").state_dict()
        assert all(torch.equal(value, wanted[name]) for name, value in found.items())
        assert {value.dtype for value in found.values()} == {torch.float32}


@pytest.mark.slow
def test_clip_l_14_is_openais(tmp_path: Path) -> None:
    model = Clip(layers=24, width=1024, patch=14, side=336, embedding=768).eval()
    torch.save(model.state_dict(), tmp_path / "clip.pth")
    network = ClipVitL14At336.load(tmp_path / "clip.pth")
    pixels = Preprocess(get_protocol("cmmd"))(pictures(2, 1), "cpu")
    with torch.no_grad():
        alike(network(pixels)["embedding"].numpy(), model.visual(pixels).numpy())


# DINOv2


def dinov2_shapes() -> dict[str, torch.Size]:
    """Names and shapes of the published file, in its order."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, 1024),
        "pos_embed": (1, 1 + 37 * 37, 1024),
        "mask_token": (1, 1024),
        "patch_embed.proj.weight": (1024, 3, 14, 14),
        "patch_embed.proj.bias": (1024,),
    }
    block = {
        "norm1.weight": (1024,), "norm1.bias": (1024,), "attn.qkv.weight": (3072, 1024), "attn.qkv.bias": (3072,),
        "attn.proj.weight": (1024, 1024), "attn.proj.bias": (1024,), "ls1.gamma": (1024,), "norm2.weight": (1024,),
        "norm2.bias": (1024,), "mlp.fc1.weight": (4096, 1024), "mlp.fc1.bias": (4096,),
        "mlp.fc2.weight": (1024, 4096), "mlp.fc2.bias": (1024,), "ls2.gamma": (1024,),
    }  # fmt: skip
    shapes |= {f"blocks.{number}.{name}": shape for number in range(24) for name, shape in block.items()}
    shapes |= {"norm.weight": (1024,), "norm.bias": (1024,)}
    return {name: torch.Size(shape) for name, shape in shapes.items()}


def dinov2_input() -> Tensor:
    noise = np.random.RandomState(1).standard_normal((2, 3, 224, 224)).astype(np.float32)
    return torch.from_numpy(noise * np.array([1.0, 0.5], dtype=np.float32)[:, None, None, None])


# The first eight features of each of the two images. Without the 0.1 at the interpolation they move by up to 0.016.
DINOV2 = np.array([
    [0.16188087, 1.4035162, 0.9057994, 1.0955561, 0.23714805, 0.2751308, 1.1651108, -0.4348775],
    [-0.04680473, 1.097044, 0.5747148, 1.6510997, -0.33408117, 0.10177758, -1.2585698, -0.2351541],
])  # fmt: skip


@pytest.mark.slow
def test_dinov2_is_facebooks(tmp_path: Path) -> None:
    torch.save(filled(dinov2_shapes()), tmp_path / "dinov2.pth")
    network = Dinov2VitL14.load(tmp_path / "dinov2.pth")
    (tmp_path / "dinov2.pth").unlink()
    with torch.no_grad():
        found = network(dinov2_input())["cls"].numpy()
    np.testing.assert_allclose(found[:, :8], DINOV2, atol=2e-5)  # float32 sums in another order, 24 layers


# 1 + 37 * 37 positions of two numbers, interpolated by DINOv2's `interpolate_pos_encoding` for 224 px: see the top.
POSITIONS = {
    1: (-0.9714039, -1.0505017),
    16: (1.1169308, -0.4936233),
    17: (0.7475217, -0.3410581),
    100: (0.9464592, -0.5600601),
    200: (0.5561957, -0.1525632),
    256: (1.1560565, 1.0651704),
}


def test_dinov2s_positions() -> None:
    embedding = torch.from_numpy(np.random.RandomState(2).standard_normal((1, 1 + 37 * 37, 2)).astype(np.float32))
    found = positions(embedding)
    assert found.shape == (1, 257, 2)
    assert torch.equal(found[:, 0], embedding[:, 0])
    for place, values in POSITIONS.items():
        np.testing.assert_allclose(found[0, place], values, atol=1e-5)
    assert torch.equal(positions(found), found)


# VGG16


@pytest.mark.slow
def test_vgg16_is_torch_fidelitys(tmp_path: Path) -> None:
    """From pixels on: its resize is torch-fidelity's too."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_vgg16")
    models = pytest.importorskip("torchvision.models")
    with torch.random.fork_rng():
        torch.manual_seed(2)
        torch.save(models.vgg16(weights=None).state_dict(), tmp_path / "vgg16.pth")
    path = tmp_path / "vgg16.pth"
    oracle = module.FeatureExtractorVGG16("vgg16", ["fc2_relu"], feature_extractor_weights_path=str(path))
    images = pictures(3, 3)
    with torch.no_grad():
        theirs = oracle(torch.from_numpy(np.stack(images)))[0].numpy()
        whole = models.vgg16(weights=None, init_weights=False).eval()
        whole.load_state_dict(torch.load(path))
        logits = whole(Preprocess(get_protocol("vgg16"))(images, "cpu")).numpy()
    ours = load_extractor(get_protocol("vgg16"), device="cpu", backend="torch", weights=path, allow_unverified=True)
    found = ours(images)
    alike(found["fc2_relu"], theirs)
    np.testing.assert_allclose(found["logits"], logits, atol=1e-5 * np.abs(logits).max())


# What stands before the networks


def torchvisions(name: str) -> Callable[[Image.Image], Tensor]:
    """The published preprocessing: dgm-eval's for DINOv2, clean-fid's for CLIP."""
    tv: Any = pytest.importorskip("torchvision.transforms")
    bicubic = tv.InterpolationMode.BICUBIC
    if name == "dinov2":
        steps = [tv.Resize((224, 224), bicubic)]
        normalise = tv.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    else:
        steps = [tv.Resize(224, bicubic), tv.CenterCrop(224)]
        normalise = tv.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    chained: Callable[[Image.Image], Tensor] = tv.Compose([*steps, tv.ToTensor(), normalise])
    return chained


def cmmds(image: Image.Image) -> Tensor:
    """CMMD's: the centred square, then Pillow's bicubic; normalised with CLIP's mean and deviation."""
    tv: Any = pytest.importorskip("torchvision.transforms")
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((336, 336), Image.Resampling.BICUBIC)
    normalise = tv.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    normal: Tensor = normalise(tv.ToTensor()(square))
    return normal


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (300, 400), (512, 512), (224, 301), (128, 1000)])
@pytest.mark.parametrize("name", ["dinov2", "clip", "cmmd"])
def test_preprocessing_is_the_published_one(name: str, size: tuple[int, int]) -> None:
    """To float32 rounding of the last step, (x - mean) / deviation, less than 1e-4 of a grey level.

    No image is taller than wide: for some such Pillow 13 resizes the columns first, unlike what published numbers used.
    """
    (image,) = pictures(1, 4, *size)
    theirs = (cmmds if name == "cmmd" else torchvisions(name))(Image.fromarray(image.transpose(1, 2, 0)))
    ours = Preprocess(get_protocol(name))([image], "cpu")[0]
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)
