"""What installed reference packages give for the sets: one function for each metric and package.

Each returns a Case: what `ganbench.score` is given, and the values that the package gave, by key.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import parity_sets as sets
from parity_sets import Array

from ganbench.metrics._registry import build


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        given: the arguments of `ganbench.score`.
        wanted: the oracle's values by key of the result.
        found: ours, where they do not come from `ganbench.score`.
    """

    given: Mapping[str, Any]
    wanted: Mapping[str, float]
    found: Mapping[str, float] = field(default_factory=dict)


def module(name: str) -> Any:
    """A module of a reference package, whose warnings at import are its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def tensors(*arrays: Array) -> list[Any]:
    """The same as torch tensors."""
    import torch

    return [torch.from_numpy(x) for x in arrays]


def torchmetrics_fid(fake: Array, real: Array) -> float:
    """Its Fréchet distance, of moments in float64."""
    import torch

    wide = tensors(fake.astype(np.float64), real.astype(np.float64))
    moments = [part for x in wide for part in (x.mean(dim=0), torch.cov(x.T))]
    return float(module("torchmetrics.image.fid")._compute_fid(*moments))


def pytorch_fid(fake: Array, real: Array) -> float:
    """Its Fréchet distance, of moments in float64. It calls SciPy's sqrtm as SciPy before 1.18 has it."""
    wide = (x.astype(np.float64) for x in (fake, real))
    (mu, cov), (nu, other) = ((x.mean(axis=0), np.cov(x, rowvar=False)) for x in wide)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy deprecates what it asks for
        return float(module("pytorch_fid.fid_score").calculate_frechet_distance(mu, cov, nu, other))


def fid_torch_fidelity() -> Case:
    """It takes the mean in float32."""
    theirs = module("torch_fidelity.metric_fid")
    stats = [theirs.fid_features_to_statistics(x) for x in tensors(*sets.many().values())]
    found = theirs.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    return Case(sets.many(), {"frechet_distance": float(found)})


def fid_torchmetrics() -> Case:
    """Moments in float64."""
    return Case(sets.many(), {"frechet_distance": torchmetrics_fid(**sets.many())})


def fid_pytorch_fid() -> Case:
    """Moments in float64."""
    return Case(sets.many(), {"frechet_distance": pytorch_fid(**sets.many())})


def sfid_pytorch_fid() -> Case:
    """The same distance, of what is given as spatial features."""
    return Case(sets.many(), {"sfid": pytorch_fid(**sets.many())})


def intra_fid_torchmetrics() -> Case:
    """Class by class."""
    fake, real = sets.many().values()
    of_fake, of_real = sets.in_turn(len(fake)), sets.in_turn(len(real))
    each = [torchmetrics_fid(fake[of_fake == c], real[of_real == c]) for c in range(sets.CLASSES)]
    given = {"fake": fake, "real": real, "fake_labels": of_fake, "real_labels": of_real}
    return Case(given, {"intra_fid": float(np.mean(each))})


def fid_infinity_scipy() -> Case:
    """SciPy's line through torchmetrics' distances at five sizes, of the fakes in the order that the seed draws."""
    from scipy.stats import linregress

    fake, real = sets.many().values()
    order = build("fid_infinity", seed=2020).generator(2020).permutation(len(fake))
    sizes = np.linspace(len(fake) // 10, len(fake), 5).astype(int)
    line = linregress(1 / sizes, [torchmetrics_fid(fake[order[:n]], real) for n in sizes])
    return Case(sets.many() | {"points": 5}, {"fid_infinity": float(line.intercept)})


def kid_torch_fidelity() -> Case:
    """100 subsets of 1,000 in float64, drawn with its seed: one index that differed would show."""
    fake, real = tensors(*sets.doubles().values())
    found = module("torch_fidelity.metric_kid").kid_features_to_metric(
        fake, real, kid_subsets=100, kid_subset_size=1000, verbose=False
    )
    return Case(sets.doubles(), {"kernel_distance": float(found["kernel_inception_distance_mean"])})


def kid_full_torchmetrics() -> Case:
    """Its poly_mmd on all of two equally large sets."""
    given = {side: x[:1200] for side, x in sets.doubles().items()}
    return Case(given, {"kid_full": float(module("torchmetrics.image.kid").poly_mmd(*tensors(*given.values())))})


def inception_score_torch_fidelity() -> Case:
    """Shuffled with its seed, ten splits."""
    found = module("torch_fidelity.metric_isc").isc_features_to_metric(*tensors(sets.logits()), splits=10)
    return Case({"fake": sets.logits()}, {"inception_score": float(found["inception_score_mean"])})


def _torch_fidelity_pr(fake: Array, real: Array) -> tuple[float, float]:
    theirs = module("torch_fidelity.metric_prc")
    found = theirs.prc_features_to_metric(*tensors(fake, real), prc_neighborhood=3, verbose=False)
    return float(found["precision"]), float(found["recall"])


def precision_recall_torch_fidelity() -> Case:
    """Its releases up to 0.4.0 exchange the two names: a narrow set within a broad one tells."""
    narrow, broad = sets.draw(200, 8, 5, scale=0.1, shift=1.0), sets.draw(200, 8, 6, shift=1.0)
    precision, recall = _torch_fidelity_pr(narrow, broad)
    exchanged = precision < recall
    precision, recall = _torch_fidelity_pr(**sets.many())[:: -1 if exchanged else 1]
    return Case(sets.many(), {"precision": precision, "recall": recall})


def _prdc(k: int) -> dict[str, float]:
    import contextlib
    import io

    given = {"real_features": sets.many()["real"], "fake_features": sets.many()["fake"]}
    with contextlib.redirect_stdout(io.StringIO()):
        found = module("prdc").compute_prdc(**given, nearest_k=k)
    return {key: float(value) for key, value in found.items()}


def precision_recall_prdc() -> Case:
    """It compares with < where the paper does with ≤; no pair of these sets lies on a radius."""
    found = _prdc(3)
    return Case(sets.many(), {key: found[key] for key in ("precision", "recall")})


def density_coverage_prdc() -> Case:
    """k = 5."""
    found = _prdc(5)
    return Case(sets.many(), {key: found[key] for key in ("density", "coverage")})


def mifid_torchmetrics() -> Case:
    """Fakes near to the reals, so that the distance is divided. The fakes come first, as in the competition's code.

    torchmetrics' own class gives its function the reals first, and so averages over the reals.
    """
    import torch

    real = sets.doubles()["real"]
    fake = real[:900] + 0.02 * sets.doubles()["fake"][:900]
    wide = tensors(fake, real)
    fakes, reals = ((x.mean(dim=0), torch.cov(x.T), x) for x in wide)
    theirs = module("torchmetrics.image.mifid")._mifid_compute
    return Case({"fake": fake, "real": real}, {"mifid": float(theirs(*fakes, *reals))})


def sliced_wasserstein_pot() -> Case:
    """Along the same directions; sets of unequal size."""
    metric = build("sliced_wasserstein", seed=2020)
    directions = metric.generator(2020).normal(size=(1000, 64))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    fake, real = sets.doubles().values()
    found = module("ot.sliced").sliced_wasserstein_distance(fake, real, projections=directions.T, p=2)
    return Case(sets.doubles(), {"sliced_wasserstein": float(found)})


def vendi_package() -> Case:
    """By the features' own matrix."""
    fake = sets.doubles()["fake"]
    return Case({"fake": fake}, {"vendi": float(module("vendi_score.vendi").score_dual(fake, q=1))})


def ms_ssim_torchmetrics() -> Case:
    """The mean over the pairs that the seed draws; five scales."""
    theirs = module("torchmetrics.functional.image").multiscale_structural_similarity_index_measure
    images = sets.pictures(6, 180)
    rows = build("ms_ssim", seed=2020).generator(2020).permutation(6)
    wide = images.astype(np.float64)
    each = [float(theirs(*tensors(wide[a : a + 1], wide[b : b + 1]), data_range=255.0)) for a, b in rows.reshape(3, 2)]
    return Case({"fake": images}, {"ms_ssim": float(np.mean(each))})


def ppl_torchmetrics() -> Case:
    """A linear generator, the squared distance of pixels on both sides, and of 101 paths one left out at each end."""
    import torch
    from torch import nn

    import ganbench

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.A = nn.Parameter(torch.from_numpy(sets.normal(48, 6, 7).astype(np.float64)))
            self.draws = np.random.default_rng(5)

        def forward(self, z: Any) -> Any:
            return 127.5 + (z @ self.A.T).view(-1, 3, 4, 4)

        def sample(self, n: int, _: Any = None) -> Any:
            return torch.from_numpy(self.draws.normal(size=(n, 6)))

    class Pixels(nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return (a - b).square().flatten(1).sum(dim=1)

    theirs = module("torchmetrics.functional.image").perceptual_path_length
    mean = theirs(Linear(), num_samples=101, resize=None, sim_net=Pixels())[0]
    G = Linear()
    ours = ganbench.perceptual_path_length(
        G, sample=G.sample, n=101, resize=None, distance=Pixels(), value_range=(0.0, 255.0)
    )["ppl"]
    return Case({"fake": np.empty((101, 6))}, {"ppl": float(mean)}, found={"ppl": float(ours)})
