"""The `embedded` protocol against timm's plain network fed by torch's own resize, and on two photographs."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ganbench.features.extractors.efficientnet_lite0 import EfficientNetLite0
from ganbench.features.loading import choose_backend, load_extractor
from ganbench.features.state_dict import read_state_dict
from ganbench.features.weights import search
from ganbench.protocol import get_protocol

pytestmark = pytest.mark.reference


def photograph(name: str) -> NDArray[np.uint8]:
    from sklearn.datasets import load_sample_image

    return np.asarray(load_sample_image(name)).transpose(2, 0, 1)


@pytest.mark.parametrize(("name", "label"), [("china.jpg", 442), ("flower.jpg", 985)])
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_photographs_get_their_classes(name: str, label: int, backend: str) -> None:
    """442 is ImageNet's bell cote, 985 its daisy."""
    if backend != "torch":
        pytest.importorskip("openvino")
    extractor = load_extractor(get_protocol("embedded"), device="cpu", backend=backend, offline=True)
    assert extractor.protocol.weights_verified
    image = photograph(name)
    squeezed = Image.fromarray(image.transpose(1, 2, 0)).resize((224, 224), Image.Resampling.BICUBIC)
    for pixels in (image, np.asarray(squeezed).transpose(2, 0, 1)):
        assert extractor([pixels])["logits"].argmax() == label


def test_features_are_timms() -> None:
    timm = pytest.importorskip("timm")
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    path = search(EfficientNetLite0.weights)
    assert path is not None
    names = [name for name in net.state_dict() if "num_batches_tracked" not in name]
    net.load_state_dict(dict(zip(names, read_state_dict(path).values(), strict=True)), strict=False)

    generator = np.random.default_rng(0)
    images = [photograph("china.jpg"), *generator.integers(0, 256, (7, 3, 28, 28), dtype=np.uint8)]
    with torch.no_grad():
        resized = [
            torch.nn.functional.interpolate(
                torch.tensor(image[None]).float(), size=(224, 224), mode="bicubic", antialias=True, align_corners=False
            )
            for image in images
        ]
        x = (torch.cat(resized).clamp(0, 255) - 127) / 128
        pool = net.global_pool(net.forward_features(x)).numpy()
        logits = net(x).numpy()
    extractor = load_extractor(get_protocol("embedded"), device="cpu", backend=choose_backend("auto", "cpu"))
    found = extractor(images)
    np.testing.assert_allclose(found["pool"], pool, atol=1e-3 * np.abs(pool).max(), rtol=0)
    np.testing.assert_allclose(found["logits"], logits, atol=1e-3 * np.abs(logits).max(), rtol=0)
