"""How likely held-out images are to a variant that tells: bits per dimension, beside the scores of its samples."""

import math
from dataclasses import replace
from statistics import NormalDist

import torch

from ganbench.bench.build import Built
from ganbench.bench.data import open_data
from ganbench.bench.judge import judging
from ganbench.bench.seeds import LIKELIHOOD, stream_seed
from ganbench.results import MetricResult
from ganbench.variants._base import LikelihoodVariant

KEY = "bits_per_dim"
_BATCH = 100


def bits_per_dim(built: Built, spec: str, n: int, *, offline: bool = False) -> MetricResult | None:
    """The mean of -log2 P over held-out images, for each number in one, with the weights that the variant has now.

    Args:
        built: the run.
        spec: the images, as `--data`; the first n of them, or all where there are fewer.
        n: how many.
        offline: use no network.

    Returns:
        The score with its 95 % interval over images; None of a variant that tells no likelihood. Without a value where
        the networks see padded images, whose black frame would count as known.
    """
    variant = built.variant
    if not isinstance(variant, LikelihoodVariant):
        return None
    data = open_data(spec, variant.problem.backbone.fitted, offline=offline).on(variant.problem.device)
    n = min(n, len(data.values))
    blank = MetricResult(
        value=None, label="Bits per dim", direction="lower", params={"images": spec}, n_fake=0, n_real=n
    )
    if data.info.shape != data.info.padded_to:
        reason = "the networks see padded images; name a backbone that takes them as they are"
        return replace(blank, reason=reason)
    noise = torch.Generator().manual_seed(stream_seed(built.spec.seed, LIKELIHOOD))
    parts = []
    with judging(variant):
        for at in range(0, n, _BATCH):
            x = data.batch(torch.arange(at, min(at + _BATCH, n)))
            u = torch.rand(x.shape, generator=noise).to(x.device)
            parts.append(variant.bits_per_dim(x, u).double().cpu())
    found = torch.cat(parts)
    mean, stderr = float(found.mean()), float(found.std()) / math.sqrt(n)
    half = NormalDist().inv_cdf(0.975) * stderr
    return replace(blank, value=mean, stderr=stderr, ci95=(mean - half, mean + half))
