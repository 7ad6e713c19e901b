"""The distances beyond FID and KID, number for number, against the packages that the field uses."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import linalg, stats
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from ganbench.features.backends.torch import laid_out
from ganbench.features.extractors.inception import Inception
from ganbench.metrics._score import score
from ganbench.metrics.fid_infinity import FidInfinity

pytestmark = pytest.mark.reference
Array = NDArray[np.float32]
SQRTM_RUNS = "disp" in inspect.signature(linalg.sqrtm).parameters
WHY = "pytorch-fid calls sqrtm(disp=False), which SciPy 1.18 removed"


def draw(n: int, d: int, seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Array:
    """Skewed, correlated, non-negative: as features of a network are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    found: Array = np.maximum(rng.normal(size=(n, d)) @ mix * scale + shift, 0).astype(np.float32)
    return found


FAKE, REAL = draw(900, 64, 1), draw(700, 64, 2, scale=1.3, shift=0.2)


def module(name: str) -> Any:
    """An oracle; without it the test is skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


def value(name: str, **given: Any) -> float:
    (found,) = score(name, **given).values()
    assert found.value is not None
    return found.value


def pytorch_fid(fake: Array, real: Array) -> float:
    if not SQRTM_RUNS:
        pytest.skip(WHY)
    moments = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in (fake.astype(float), real.astype(float))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy deprecates `disp`
        return float(module("pytorch_fid.fid_score").calculate_frechet_distance(*moments[0], *moments[1]))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state-dict, whose activations neither die nor explode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Inception()
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, 0.0, 0.2)
                part.momentum = None  # the running statistics become those of the input seen
        with torch.no_grad():
            network.train()(torch.randn(4, 3, 299, 299))
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


def test_spatial_features_are_those_of_torch_fidelitys_network(weights: Path) -> None:
    """Its Mixed_6d.branch1x1 after the ReLU, read as guided-diffusion reads it: NHWC, the first 7 channels."""
    kind = module("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    oracle = kind("oracle", ["2048"], feature_extractor_weights_path=str(weights))
    seen: dict[str, Tensor] = {}
    oracle.Conv2d_1a_3x3.register_forward_pre_hook(lambda part, given: seen.update(x=given[0]))
    oracle.Mixed_6d.branch1x1.register_forward_hook(lambda part, given, out: seen.update(map=out))
    images = np.random.default_rng(3).integers(0, 256, (3, 3, 8, 8)).repeat(8, axis=2).repeat(8, axis=3)
    with torch.no_grad():
        oracle(torch.from_numpy(images.astype(np.uint8)))
        nhwc = seen["map"].permute(0, 2, 3, 1).numpy()
        theirs = nhwc[..., :7].reshape(len(nhwc), -1)
        assert theirs.shape == (3, 2023)
        plain = Inception.load(weights)
        for network in (plain, laid_out(plain, "cpu", size=299)):
            found = network(seen["x"])["spatial"].numpy()
            # float32 sums in another order, amplified by some thirty random layers
            np.testing.assert_allclose(found, theirs, atol=1e-4 * theirs.max(), rtol=0)
    assert theirs.std(axis=0).mean() > 0.1 * theirs.mean()  # not degenerate


def test_sfid_is_pytorch_fids_distance() -> None:
    assert value("sfid", fake=FAKE, real=REAL) == pytest.approx(pytorch_fid(FAKE, REAL), rel=1e-6)


def test_intra_fid_is_the_mean_of_pytorch_fids_distances() -> None:
    of_fake, of_real = np.arange(900) % 3, np.arange(700) % 3
    theirs = np.mean([pytorch_fid(FAKE[of_fake == c], REAL[of_real == c]) for c in range(3)])
    found = value("intra_fid", fake=FAKE, real=REAL, fake_labels=of_fake, real_labels=of_real)
    assert found == pytest.approx(theirs, rel=1e-6)


def test_fid_infinity_is_scipys_line_through_pytorch_fids_distances() -> None:
    sizes = np.linspace(90, 900, 4).astype(int)
    order = FidInfinity(seed=5).generator(5).permutation(900)
    theirs = stats.linregress(1 / sizes, [pytorch_fid(FAKE[order[:n]], REAL) for n in sizes])
    found = score("fid_infinity", fake=FAKE, real=REAL, points=4, seed=5)["fid_infinity"]
    assert found.value == pytest.approx(theirs.intercept, rel=1e-6)
    assert found.details["slope"] == pytest.approx(theirs.slope, rel=1e-6)


def test_fid_infinity_is_dgm_evals_up_to_its_draws() -> None:
    """Mean and spread of 30 runs of its compute_FD_infinity, which draws anew for each size, on these features."""
    fake = (1.1 * np.random.default_rng(4).normal(size=(2000, 12)) + 0.1).astype(np.float32)
    real = np.random.default_rng(5).normal(size=(2000, 12)).astype(np.float32)
    found = [value("fid_infinity", fake=fake, real=real, seed=seed) for seed in range(30)]
    assert np.mean(found) == pytest.approx(0.2463, abs=4 * 0.016 / np.sqrt(15))
    assert np.std(found) == pytest.approx(0.0160, rel=0.4)


def test_kid_full_is_torch_fidelitys_over_one_subset_of_all() -> None:
    kid = module("torch_fidelity.metric_kid").kid_features_to_metric
    x, y = FAKE[:700], REAL
    found = kid(torch.from_numpy(x), torch.from_numpy(y), kid_subsets=1, kid_subset_size=700, rng_seed=1, verbose=False)
    assert value("kid_full", fake=x, real=y) == pytest.approx(found["kernel_inception_distance_mean"], rel=1e-4)


def test_kid_full_and_cmmd_are_torchmetrics_kernels() -> None:
    kid = module("torchmetrics.image.kid")
    x, y = torch.from_numpy(FAKE[:700]).double(), torch.from_numpy(REAL).double()
    theirs = float(kid.poly_mmd(x, y))
    assert value("kid_full", fake=FAKE[:700], real=REAL) == pytest.approx(theirs, rel=1e-9)

    units = [part / part.norm(dim=1, keepdim=True) for part in (x, y)]
    ends = ((units[0], units[0]), (units[0], units[1]), (units[1], units[1]))
    kernels = [torch.exp(-(torch.cdist(a, b) ** 2) / 200) for a, b in ends]
    unbiased = float(kid.maximum_mean_discrepancy(*kernels))
    bias = sum(1 - (float(k.sum()) - 700) / (700 * 699) for k in (kernels[0], kernels[2])) / 700
    assert value("cmmd", fake=FAKE[:700], real=REAL) == pytest.approx(1000 * (unbiased + bias), rel=1e-6)


def test_the_noise_of_kid_full_is_the_literatures() -> None:
    """Var ≈ 4 Var(mean k(x, ·) - mean k(x, y)) / m + the same for y, to 2 %: the rest is of second order.

    Gretton et al. 2012; the leading term of Sutherland et al. 2017, equation 5.
    """
    m = 700
    x, y = FAKE[:m].astype(float), REAL.astype(float)
    xx, yy, xy = ((a @ b.T / 64 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    np.fill_diagonal(xx, 0)
    np.fill_diagonal(yy, 0)
    rows = xx.sum(axis=1) / (m - 1) - xy.mean(axis=1), yy.sum(axis=1) / (m - 1) - xy.mean(axis=0)
    first = 4 * (np.var(rows[0]) + np.var(rows[1])) / m
    found = score("kid_full", fake=FAKE[:m], real=REAL)["kid_full"]
    assert found.details["two_sample_stderr"] == pytest.approx(np.sqrt(first), rel=0.02)
    assert found.stderr == pytest.approx(np.sqrt(4 * np.var(rows[0]) / m), rel=0.02)


def test_mind_is_torch_fidelitys() -> None:
    """Of a release after 0.4.0, once there is one; what its source gave is among the unit tests."""
    why = "no release of torch-fidelity up to 0.4.0 has MIND, only its source; POT stands in for it below"
    mind = pytest.importorskip("torch_fidelity.metric_mind", reason=why).mind_features_to_metric
    for x, y in ((FAKE, REAL), (FAKE[:700], REAL)):
        theirs = mind(
            torch.from_numpy(x),
            torch.from_numpy(y),
            mind_num_projections=1000,
            cuda=False,
            rng_seed=2020,
            verbose=False,
        )
        assert value("mind", fake=x, real=y) == pytest.approx(theirs["monge_inception_distance"], rel=1e-5)


@pytest.mark.parametrize("m", [900, 700])
def test_mind_is_pots_sliced_distance(m: int) -> None:
    """3 d times the square of its distance, along the same directions, of as many rows of the larger set."""
    ot = module("ot")
    x, y = FAKE[:m].astype(float), REAL.astype(float)
    generator, n = torch.Generator().manual_seed(2020), min(len(x), len(y))
    x, y = (v if len(v) == n else v[torch.randperm(len(v), generator=generator)[:n].numpy()] for v in (x, y))
    directions = torch.randn(1000, 64, generator=generator)
    directions /= directions.norm(dim=1, keepdim=True)
    theirs = ot.sliced_wasserstein_distance(x, y, projections=directions.T.double().numpy(), p=2)
    assert value("mind", fake=FAKE[:m], real=REAL) == pytest.approx(3 * 64 * theirs**2, rel=1e-9)


def test_mind_is_scipys_where_the_features_are_one_number() -> None:
    """All directions are there and back, so that it is three times the squared distance of sorted values."""
    x, y = FAKE[:700, :1].astype(float), REAL[:, :1].astype(float)
    cost = (x - y.T) ** 2
    best = cost[linear_sum_assignment(cost)].mean()
    assert value("mind", fake=x, real=y) == pytest.approx(3 * best, rel=1e-9)


@pytest.mark.parametrize("near", [0.0, 0.02])
def test_mifid_is_torchmetrics(near: float) -> None:
    """Far from the reals, where it is FID, and near to them."""
    theirs = module("torchmetrics.image.mifid")
    x = FAKE if near == 0 else (REAL + near * FAKE[:700])
    wide = [torch.from_numpy(v).double() for v in (REAL, x)]
    (mu_r, cov_r), (mu_f, cov_f) = [(v.mean(dim=0), torch.cov(v.T)) for v in wide]
    wanted = theirs._mifid_compute(mu_f, cov_f, wide[1], mu_r, cov_r, wide[0])
    found = score("mifid", fake=x, real=REAL)["mifid"]
    assert found.value == pytest.approx(float(wanted), rel=1e-6)
    assert (found.details["cosine_distance"] < 0.1) == (near > 0)


def test_sliced_distances_are_scipys_where_the_features_are_one_number() -> None:
    x, y = FAKE[:, :1], REAL[:, :1]
    levels = np.linspace(0, 1, 200_001)[1:]
    gap = [np.quantile(v, levels, method="inverted_cdf") for v in (x, y)]
    wanted = np.sqrt(np.mean((gap[0] - gap[1]) ** 2))
    assert value("sliced_wasserstein", fake=x, real=y, directions=2) == pytest.approx(wanted, rel=1e-3)
    assert value("sliced_wasserstein", fake=x, real=y) >= stats.wasserstein_distance(x[:, 0], y[:, 0])
