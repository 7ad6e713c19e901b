"""The three Inception protocols against torch-fidelity, pytorch-fid and clean-fid, from pixels to FID.

One random state-dict is given to all. Its batch normalisation is fitted to images, so that activations neither die
nor grow and features differ between images as much as a trained network's.

Exactness of the oracles: with fewer images than features, torch-fidelity (non-symmetric eigenvalues) and pytorch-fid
and clean-fid (`sqrtm`) compute roots of eigenvalues that are rounding noise around 0. On the sets below that moves
their results by about 1e-7 relative; a third way, the nuclear norm, does not touch the null space at all.
"""

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import linalg
from torch import nn

from ganbench.features.extractors.inception import Inception
from ganbench.features.loading import Extractor, load_extractor
from ganbench.features.preprocess import Preprocess
from ganbench.features.stats import Features
from ganbench.metrics.fid import Fid
from ganbench.protocol import get_protocol

pytestmark = [pytest.mark.reference, pytest.mark.slow]

F32 = NDArray[np.float32]
Pixels = list[NDArray[np.uint8]]
SQRTM_RUNS = "disp" in inspect.signature(linalg.sqrtm).parameters
WHY = "pytorch-fid and clean-fid call sqrtm(disp=False), which SciPy 1.18 removed"


def pictures(n: int, seed: int, *, contrast: float = 1.0, side: int = 32) -> Pixels:
    """Random colour patches under noise."""
    generator = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        patches = np.kron(generator.integers(0, 256, (3, 4, 4)), np.ones((1, side // 4, side // 4)))
        noisy = contrast * (patches + generator.normal(0, 20, (3, side, side))) + 40 * (1 - contrast)
        out.append(noisy.clip(0, 255).astype(np.uint8))
    return out


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the random state-dict."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Inception()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.2)
                module.momentum = None  # the running statistics become those of the images seen
        with torch.no_grad():
            network.train()(Preprocess(get_protocol("tf"))(pictures(16, 9), "cpu"))
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


def ours(protocol: str, weights: Path, backend: str = "auto") -> Extractor:
    return load_extractor(get_protocol(protocol), device="cpu", backend=backend, weights=weights, allow_unverified=True)


def batched(network: Callable[[torch.Tensor], Any], images: Pixels) -> list[F32]:
    """All outputs of an oracle, in batches."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), 16):
            found = network(torch.from_numpy(np.stack(images[start : start + 16])))
            parts.append([value.reshape(len(value), -1).numpy() for value in found])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def same(found: F32, theirs: F32) -> None:
    """Equal to 1e-4 of the largest: float32 sums in another order, amplified by some fifty random layers."""
    assert theirs.std(axis=0).mean() > 0.1 * np.abs(theirs).mean()  # the oracle's features are not degenerate
    np.testing.assert_allclose(found, theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)


def fid(fake: F32, real: F32) -> float:
    return float(Fid().compute(fake=Features(fake), real=Features(real))["frechet_distance"])


def nuclear(fake: F32, real: F32) -> float:
    """The distance by the nuclear norm: tr (Σ_1 Σ_2)^½ = ‖X_1 X_2ᵀ‖_* for centred X divided by √(n - 1)."""
    means, rows = zip(
        *[(x.mean(axis=0), x - x.mean(axis=0)) for x in (fake.astype(float), real.astype(float))], strict=True
    )
    first, second = (x / np.sqrt(len(x) - 1) for x in rows)
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    step = means[0] - means[1]
    return float(step @ step + np.sum(first**2) + np.sum(second**2) - 2 * cross)  # fmt: skip


def in_their_span(*sets: F32) -> list[NDArray[np.float64]]:
    """Features in an orthonormal basis of the space they span. It changes no Frechet distance, and sqrtm is quick."""
    basis = np.linalg.qr(np.concatenate(sets).astype(float).T)[0]
    return [features @ basis for features in sets]


def test_tf_is_torch_fidelity(weights: Path) -> None:
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    metric = pytest.importorskip("torch_fidelity.metric_fid")
    heads = {"2048": "pool", "logits_unbiased": "logits_unbiased", "logits": "logits"}
    oracle = module.FeatureExtractorInceptionV3("oracle", list(heads), feature_extractor_weights_path=str(weights))
    sets = pictures(300, 1), pictures(300, 2, contrast=0.7)
    theirs = [batched(oracle.to(memory_format=torch.channels_last), images) for images in sets]
    extractor = ours("tf", weights)
    found = [extractor(images) for images in sets]
    for values, features in zip(theirs, found, strict=True):
        for head, value in zip(heads.values(), values, strict=True):
            same(features[head], value)

    statistics = [metric.fid_features_to_statistics(torch.from_numpy(values[0])) for values in theirs]
    whole = metric.fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    got = fid(found[0]["pool"], found[1]["pool"])
    assert got == pytest.approx(whole, rel=1e-5)
    assert got == pytest.approx(nuclear(theirs[0][0], theirs[1][0]), rel=1e-5)
    assert got > 1


def pytorch_fid_network(weights: Path, monkeypatch: pytest.MonkeyPatch, **given: bool) -> Any:
    module = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(module, "load_state_dict_from_url", lambda *args, **kwargs: torch.load(weights))
    return module.InceptionV3([3], **given).eval()


def test_pytorch_is_pytorch_fid(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = pytorch_fid_network(weights, monkeypatch)
    sets = pictures(48, 3, side=64), pictures(48, 4, side=64, contrast=0.7)
    theirs = [batched(lambda batch: oracle(batch.float() / 255), images)[0] for images in sets]
    found = [ours("pytorch", weights, "torch")(images)["pool"] for images in sets]
    for features, values in zip(found, theirs, strict=True):
        same(features, values)
    assert fid(*found) == pytest.approx(nuclear(*theirs), rel=1e-5)
    if not SQRTM_RUNS:
        pytest.skip(WHY)
    distance = pytest.importorskip("pytorch_fid.fid_score").calculate_frechet_distance
    moments = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in in_their_span(*theirs)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy deprecates `disp`
        assert fid(*found) == pytest.approx(distance(*moments[0], *moments[1]), rel=1e-5)


def test_clean_is_clean_fid(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """clean-fid's resize before pytorch-fid's network: its own is the same graph in a file that cannot be random."""
    resize = pytest.importorskip("cleanfid.resize").build_resizer("clean")
    network = pytorch_fid_network(weights, monkeypatch, resize_input=False, normalize_input=False)
    sets = pictures(48, 5, side=64), [image[:, :40] for image in pictures(48, 6, contrast=0.7, side=48)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow deprecates an argument that clean-fid gives
        resized = [[resize(image.transpose(1, 2, 0)).transpose(2, 0, 1) for image in images] for images in sets]
    theirs = [batched(lambda batch: network((batch - 128) / 128), images)[0] for images in resized]
    found = [ours("clean", weights)(images)["pool"] for images in sets]
    for features, values in zip(found, theirs, strict=True):
        same(features, values)
    assert fid(*found) == pytest.approx(nuclear(*theirs), rel=1e-5)
    if not SQRTM_RUNS:
        pytest.skip(WHY)
    distance = pytest.importorskip("cleanfid.fid").frechet_distance
    moments = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in in_their_span(*theirs)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fid(*found) == pytest.approx(distance(*moments[0], *moments[1]), rel=1e-5)
