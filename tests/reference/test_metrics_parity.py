"""The metrics, number for number, against the packages that the field uses."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganbench.metrics._score import score

pytestmark = pytest.mark.reference
Array = NDArray[np.float32]


def draw(n: int, d: int, seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Array:
    """Skewed, correlated, non-negative: as features of a network are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return np.maximum(rng.normal(size=(n, d)) @ mix * scale + shift, 0).astype(np.float32)


PAIRS = {
    "many": (draw(1500, 64, 1), draw(1200, 64, 2, scale=1.3, shift=0.2)),
    "wide": (draw(700, 256, 3), draw(900, 256, 4, scale=0.8)),
}
pairs = pytest.mark.parametrize(("fake", "real"), PAIRS.values(), ids=PAIRS.keys())


def torch_fidelity(module: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(f"torch_fidelity.{module}", reason="torch-fidelity is not installed")


def value(name: str, key: str, **given: Any) -> float:
    found = score(name, **given)[key].value
    assert found is not None
    return found


@pairs
def test_frechet_distance_is_torch_fidelitys(fake: Array, real: Array) -> None:
    import torch

    reference = torch_fidelity("metric_fid")
    stats = [reference.fid_features_to_statistics(torch.from_numpy(x)) for x in (fake, real)]
    theirs = reference.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert value("fid", "frechet_distance", fake=fake, real=real) == pytest.approx(theirs, rel=1e-5)


@pairs
def test_frechet_distance_is_torchmetrics(fake: Array, real: Array) -> None:
    import torch

    reference = pytest.importorskip("torchmetrics.image.fid", reason="torchmetrics is not installed")
    wide = [torch.from_numpy(x).double() for x in (fake, real)]
    moments = [part for x in wide for part in (x.mean(dim=0), torch.cov(x.T))]
    theirs = float(reference._compute_fid(*moments))
    assert value("fid", "frechet_distance", fake=fake, real=real) == pytest.approx(theirs, rel=1e-5)


@pairs
@pytest.mark.parametrize(("subsets", "size"), [(100, 300), (20, 700)])
def test_kernel_distance_is_torch_fidelitys_at_its_seed(fake: Array, real: Array, subsets: int, size: int) -> None:
    import torch

    theirs = torch_fidelity("metric_kid").kid_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), kid_subsets=subsets, kid_subset_size=size, verbose=False
    )
    ours = score("kid", fake=fake, real=real, subsets=subsets, subset_size=size)["kernel_distance"]
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-5)
    assert ours.details["subset_std"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-3)


def test_kernel_distance_draws_as_torch_fidelity_where_subsets_are_apart() -> None:
    """In float64 both agree to rounding, so not one index can differ."""
    import torch

    fake, real = (x.astype(np.float64) for x in PAIRS["many"])
    theirs = torch_fidelity("metric_kid").kid_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), kid_subsets=10, kid_subset_size=50, rng_seed=7, verbose=False
    )
    ours = score("kid", fake=fake, real=real, subsets=10, subset_size=50, seed=7)["kernel_distance"]
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-10)
    assert ours.details["subset_std"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-10)


@pytest.mark.parametrize(("n", "splits"), [(1000, 10), (997, 10), (55, 7)])
def test_inception_score_is_torch_fidelitys_shuffling_included(n: int, splits: int) -> None:
    import torch

    logits = (4 * np.random.default_rng(n).normal(size=(n, 50))).astype(np.float32)
    theirs = torch_fidelity("metric_isc").isc_features_to_metric(torch.from_numpy(logits), splits=splits)
    ours = score("inception_score", fake=logits, splits=splits)["inception_score"]
    assert ours.value == pytest.approx(theirs["inception_score_mean"], rel=1e-10)
    assert ours.details["split_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-9)


@pairs
@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_torch_fidelitys(fake: Array, real: Array, k: int) -> None:
    """Until torch-fidelity's pull request 70 (2026) the two names were exchanged there.

    Which way round the installed version has them shows on a set that has precision but no recall.
    """
    import torch

    reference = torch_fidelity("metric_prc")

    def theirs(x: Array, y: Array) -> tuple[float, float]:
        found = reference.prc_features_to_metric(
            torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=k, verbose=False
        )
        return found["precision"], found["recall"]

    narrow = draw(200, 8, 5, scale=0.1, shift=1.0)
    broad = draw(200, 8, 6, scale=1.0, shift=1.0)
    precision, recall = theirs(narrow, broad)
    assert precision != recall
    exchanged = precision < recall
    found = score("precision_recall", fake=fake, real=real, k=k)
    ours = found["precision"].value, found["recall"].value
    assert ours == pytest.approx(theirs(fake, real)[:: -1 if exchanged else 1], abs=1e-7)  # its means are float32


@pairs
@pytest.mark.parametrize("k", [1, 3, 5])
def test_density_and_coverage_are_prdcs(fake: Array, real: Array, k: int, capsys: pytest.CaptureFixture[str]) -> None:
    prdc = pytest.importorskip("prdc", reason="prdc is not installed")
    theirs = prdc.compute_prdc(real_features=real, fake_features=fake, nearest_k=k)
    capsys.readouterr()
    ours = score("density_coverage", fake=fake, real=real, k=k)
    assert ours["density"].value == pytest.approx(theirs["density"], rel=1e-14)
    assert ours["coverage"].value == theirs["coverage"]
    # prdc compares with <, the paper of precision and recall with <=: no pair of these sets lies on a radius
    other = score("precision_recall", fake=fake, real=real, k=k)
    assert (other["precision"].value, other["recall"].value) == (theirs["precision"], theirs["recall"])
