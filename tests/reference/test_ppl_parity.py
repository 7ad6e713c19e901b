"""LPIPS and the perceptual path length, number for number, against torchmetrics and torch-fidelity.

VGG16 gets random weights, the same on both sides: the published ones are half a gigabyte. The weights of the
channels are the published ones, which travel with torchmetrics.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganbench.errors import BadInput, UsageError
from ganbench.features.lpips import Lpips
from ganbench.latent import perceptual_path_length

pytestmark = pytest.mark.reference
Z = 8


def heads() -> Path:
    reference = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not installed")
    return Path(reference.__file__).parent / "lpips_models" / "vgg.pth"


@pytest.fixture(scope="module")
def theirs() -> Any:
    """torchmetrics' LPIPS with random convolutions, resizing to 64 pixels."""
    heads()
    from torchmetrics.functional.image.lpips import _LPIPS

    with torch.random.fork_rng():
        torch.manual_seed(5)
        return _LPIPS(pretrained=True, net="vgg", pnet_rand=True, resize=64)


@pytest.fixture(scope="module")
def vgg(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its convolutions in a file as torchvision writes it, classifier and all."""
    slices = [getattr(theirs.net, f"slice{i}") for i in range(1, 6)]
    state = {f"features.{name}": x for part in slices for name, x in part.state_dict().items()}
    path: Path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, path)
    return path


@pytest.fixture(scope="module")
def ours(vgg: Path) -> Lpips:
    return Lpips.load(vgg=vgg, heads=heads(), allow_unverified=True, offline=True)


def pictures(seed: int, n: int = 5, side: int = 64) -> Tensor:
    return 2 * torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)) - 1


class Small(nn.Module):
    """Random smooth pictures of 32 pixels in 0..255, as both packages want them: grey about 128."""

    def __init__(self) -> None:
        super().__init__()
        draws = torch.randn(3 * 8 * 8, Z, generator=torch.Generator().manual_seed(4))
        self.mix = nn.Parameter(draws)

    def forward(self, z: Tensor) -> Tensor:
        coarse = torch.tanh(z @ self.mix.T / 4).view(-1, 3, 8, 8)
        return (nn.functional.interpolate(coarse, (32, 32), mode="bicubic") + 1) * 127.5


def legacy(seed: int) -> Callable[[int, torch.Generator], Tensor]:
    """Codes as torch-fidelity draws them."""
    rng = np.random.RandomState(seed)
    return lambda n, stream: torch.from_numpy(rng.randn(n, Z)).float()


def test_lpips_is_torchmetrics(theirs: Any, ours: Lpips) -> None:
    """In float32 both add the same products in other orders; they differ by 1e-8 under a root that is no nought."""
    a, b = pictures(1), pictures(2)
    with torch.no_grad():
        wanted, found = theirs(a, b).flatten(), ours(a, b)
        assert found.shape == (5, 5)
        torch.testing.assert_close(found.sum(dim=1), wanted, rtol=1e-5, atol=0)
        assert float(ours(a, a).abs().max()) == 0
        near = a + 1e-3 * (b - a)
        assert float(ours(a, near).sum() / ours(a, a + 2e-3 * (b - a)).sum()) == pytest.approx(1 / 4, rel=0.02)


def test_lpips_is_torchmetrics_layer_by_layer(theirs: Any, ours: Lpips) -> None:
    a, b = pictures(3), pictures(4)
    with torch.no_grad():
        layers = theirs(a, b, retperlayer=True)[1]
        torch.testing.assert_close(ours(a, b), torch.stack([x.flatten() for x in layers], dim=1), rtol=1e-5, atol=0)


@pytest.mark.parametrize("interpolation", ["lerp", "slerp"])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-2])
def test_path_length_is_torchmetrics(theirs: Any, ours: Lpips, interpolation: Any, epsilon: float) -> None:
    """Enlarging to 64 pixels. Steps of 1e-4 leave but three digits above the rounding of float32: 4e-5 was seen.

    Without its percentiles, which it takes in float32 and at the upper end of the path below.
    """
    from torchmetrics.functional.image.perceptual_path_length import perceptual_path_length as reference

    draw = legacy(2020)
    G: Any = Small()
    G.sample = lambda n: draw(n, torch.Generator())
    wanted = float(
        reference(
            G,
            num_samples=16,
            lower_discard=None,
            upper_discard=None,
            interpolation_method={"lerp": "lerp", "slerp": "slerp_any"}[interpolation],
            epsilon=epsilon,
            sim_net=theirs,
        )[0]
    )
    found = perceptual_path_length(
        Small(),
        sample=legacy(2020),
        n=16,
        epsilon=epsilon,
        interpolation=interpolation,
        distance=ours,
        value_range=(0, 255),
        batch_size=7,
    )["ppl"]
    assert found.details["untrimmed"] == pytest.approx(wanted, rel=5e-4 if epsilon < 1e-3 else 1e-5)


def test_path_length_is_torch_fidelitys(theirs: Any, ours: Lpips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrinking to 24 pixels, and with its percentiles: of 101 paths one at each end is left out.

    Its own LPIPS with our weights in it; NumPy 2.4 took away the argument by which it asks for percentiles.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = pytest.importorskip("torch_fidelity.metric_ppl", reason="torch-fidelity is not installed")
        from torch_fidelity import sample_similarity_lpips as similarity
        from torch_fidelity.generative_model_modulewrapper import GenerativeModelModuleWrapper
    state = torch.load(heads(), map_location="cpu", weights_only=True)
    monkeypatch.setattr(similarity, "load_state_dict_from_url", lambda *given, **more: state)
    features = [layer for i in range(1, 6) for layer in getattr(theirs.net, f"slice{i}")]
    monkeypatch.setattr(similarity, "torchvision_load_pretrained_vgg16", lambda: SimpleNamespace(features=features))
    numpy = SimpleNamespace(**{name: getattr(np, name) for name in dir(np) if not name.startswith("_")})
    numpy.percentile = lambda x, q, interpolation: np.percentile(x, q, method=interpolation)
    monkeypatch.setattr(reference, "np", numpy)
    wanted = reference.calculate_ppl(
        1,
        input1=GenerativeModelModuleWrapper(Small(), Z, "normal", 0),
        input1_model_num_samples=101,
        ppl_sample_similarity_resize=24,
        ppl_sample_similarity_dtype="float32",
        batch_size=32,
        cuda=False,
        verbose=False,
    )["perceptual_path_length_mean"]
    given: dict[str, Any] = {"distance": ours, "value_range": (0, 255), "resize": 24}
    found = perceptual_path_length(Small(), sample=legacy(2020), n=101, **given)["ppl"]
    assert found.value == pytest.approx(wanted, rel=5e-4)
    assert found.details["untrimmed"] != pytest.approx(wanted, rel=5e-3)


def test_files_that_are_not_lpips_are_refused(vgg: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the sha256"):
        Lpips.load(vgg=vgg, heads=heads(), offline=True)
    with pytest.raises(BadInput, match="no state-dict of LpipsHeads"):
        Lpips.load(vgg=vgg, heads=vgg, allow_unverified=True, offline=True)
    with pytest.raises(BadInput, match=r"no state-dict of VGG16Convolutions: it lacks 0\.weight and"):
        Lpips.load(vgg=heads(), heads=heads(), allow_unverified=True, offline=True)


def test_pictures_too_small_for_vgg_are_refused(ours: Lpips) -> None:
    with pytest.raises(BadInput, match="at least 16 pixels; found 12x12"):
        ours(pictures(1, side=12), pictures(2, side=12))
