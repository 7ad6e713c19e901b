"""Bits per dimension of held-out images: of whom, of which images, and that no batch decides them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganbench.bench import likelihood
from ganbench.bench.build import Built, build
from ganbench.bench.likelihood import bits_per_dim
from ganbench.bench.plan import plan_run
from ganbench.variants._base import LikelihoodVariant


@pytest.fixture
def images(tmp_path: Path) -> str:
    path = tmp_path / "images.npz"
    np.savez(path, np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    return str(path)


def built(variant: str, images: str, backbone: str = "info28-nano") -> Built:
    return build(plan_run(variant, data=images, budget="2steps", backbone=backbone, batch_size=4, judged=0))


@pytest.mark.parametrize("variant", ["glow", "pixelcnn"])
def test_it_is_the_mean_over_the_first_images(variant: str, images: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(variant, images)
    found = bits_per_dim(run, images, 30)
    assert found is not None
    assert (found.n_real, found.n_fake, found.direction) == (30, 0, "lower")
    made = run.variant
    assert isinstance(made, LikelihoodVariant)
    if variant == "pixelcnn":  # exact, so no noise has a part in it
        with torch.no_grad():
            values = made.eval().bits_per_dim(run.data.batch(torch.arange(30)), torch.zeros(30, 1, 8, 8))
        assert found.value == pytest.approx(float(values.double().mean()), rel=1e-6)
        assert found.stderr == pytest.approx(float(values.double().std()) / 30**0.5, rel=1e-5)
    assert found.value is not None
    assert found.ci95 is not None
    assert found.ci95[1] - found.value == pytest.approx(1.96 * found.stderr, rel=1e-3)
    monkeypatch.setattr(likelihood, "_BATCH", 7)
    again = bits_per_dim(run, images, 30)
    assert again is not None
    assert again.value == pytest.approx(found.value, rel=1e-6)
    everything = bits_per_dim(run, images, 10_000)
    assert everything is not None
    assert everything.n_real == 40


def test_a_gan_tells_none(images: str) -> None:
    assert bits_per_dim(built("ns-gan", images), images, 10) is None


def test_a_black_frame_has_no_bits(images: str) -> None:
    found = bits_per_dim(built("pixelcnn", images, "sndcgan"), images, 10)
    assert found is not None
    assert found.value is None
    assert found.reason is not None
    assert "padded" in found.reason
