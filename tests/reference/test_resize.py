"""The resize against torch-fidelity's, torch's, Pillow's and clean-fid's, in grey levels of 0..255."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ganbench.features.preprocess import Preprocess
from ganbench.protocol import get_protocol

pytestmark = pytest.mark.reference

SIZES = [(32, 32), (64, 64), (250, 300), (512, 512)]
Pixels = NDArray[np.uint8]


def picture(height: int, width: int) -> Pixels:
    """Noise over a smooth ground: the harshest input for a resize."""
    generator = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    smooth = 127 + 100 * np.sin(x / 17) * np.cos(y / 23)
    noisy = smooth + generator.normal(0, 60, (3, height, width))
    return noisy.clip(0, 255).astype(np.uint8)


def ours(protocol: str, image: Pixels, **changed: object) -> NDArray[np.float32]:
    plain = replace(get_protocol(protocol), shift=0.0, scale=1.0, **changed)  # type: ignore[arg-type]
    resized: NDArray[np.float32] = Preprocess(plain)([image], "cpu")[0].numpy()
    return resized


@pytest.mark.parametrize("size", SIZES)
def test_tf_is_torch_fidelitys(size: tuple[int, int]) -> None:
    module = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    image = picture(*size)
    batch = torch.tensor(image[None]).float()
    theirs = module.interpolate_bilinear_2d_like_tensorflow1x(batch, size=(299, 299), align_corners=False)[0]
    np.testing.assert_allclose(ours("tf", image), theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_pytorch_is_interpolate(size: tuple[int, int]) -> None:
    """pytorch-fid calls exactly this function."""
    image = picture(*size)
    batch = torch.tensor(image[None]).float()
    theirs = torch.nn.functional.interpolate(batch, size=(299, 299), mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(ours("pytorch", image), theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_clean_is_clean_fids(size: tuple[int, int]) -> None:
    make = pytest.importorskip("cleanfid.resize").build_resizer
    image = picture(*size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow deprecates an argument that clean-fid gives
        theirs = make("clean")(image.transpose(1, 2, 0)).transpose(2, 0, 1)
    assert theirs.min() >= 0
    assert theirs.max() <= 255
    np.testing.assert_allclose(ours("clean", image), theirs, atol=2e-4)


Pillow = Callable[[Pixels], NDArray[np.float32]]


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (2000, 10)])
@pytest.mark.parametrize(
    ("name", "method"),
    [("bilinear-antialias", Image.Resampling.BILINEAR), ("bicubic-antialias", Image.Resampling.BICUBIC)],
)
def test_antialiased_is_pillows(size: tuple[int, int], name: str, method: Image.Resampling) -> None:
    image = picture(*size)
    channels = [Image.fromarray(channel.astype(np.float32)).resize((299, 299), method) for channel in image]
    theirs = np.stack([np.asarray(channel) for channel in channels])
    np.testing.assert_allclose(ours("clean", image, resize=name, clamp=False), theirs, atol=2e-4)


@pytest.mark.parametrize("size", SIZES)
def test_embedded_is_torchs_antialiased_bicubic(size: tuple[int, int]) -> None:
    """To 0.02 grey levels: torch computes its weights in float32."""
    image = picture(*size)
    batch = torch.tensor(image[None]).float()
    theirs = torch.nn.functional.interpolate(batch, size=(224, 224), mode="bicubic", antialias=True)[0].clamp(0, 255)
    np.testing.assert_allclose(ours("embedded", image), theirs.numpy(), atol=0.02)
