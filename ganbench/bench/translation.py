"""How near translations of held-out images are to the truth, and how near the way there and back ends to its beginning.

Over images, each as 8-bit numbers, with x the truth, x~ what was made of its source, s of a mean the standard error:

    L1 = mean |x - x~| / 255,   PSNR = 10 log10(255^2 / max(mean (x - x~)^2, 1/12)),   SSIM as of Wang et al. 2004

1/12 is the error of rounding alone, so a copy has 58.9 dB. The cycle's L1 is mean |F(G(y)) - y| / 2 for numbers in
[-1, 1] and needs no truth. These stand beside the scores of samples as sets; a single one of them rewards blur.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.judge import conditions_of, judging
from ganbench.metrics._ssim import scales_of, ssim
from ganbench.results import Direction, MetricResult
from ganbench.variants._given import TranslatingVariant, UnpairedVariant

KEYS = ("l1", "psnr", "ssim", "cycle_l1")
_BATCH = 100
_ROUNDING = 1 / 12
Pixels = NDArray[np.uint8]


def translation_scores(built: Built, samples: Tensor) -> dict[str, MetricResult]:
    """The scores of translations by key, with the weights that the variant has now; none of other variants.

    Args:
        built: the run.
        samples: its samples from the first on, uint8 (n, c, h, w): sample i is of held-out source i modulo how many
            there are, and each source counts once.

    Returns:
        `l1`, `psnr` and `ssim` where the truth is known; `cycle_l1` of a variant that goes both ways.
    """
    held_out = built.data.held_out
    if not isinstance(built.variant, TranslatingVariant) or held_out is None or held_out.given is None:
        return {}
    found: dict[str, MetricResult] = {}
    n = min(len(samples), len(held_out.given))
    if held_out.given.rows is not None:
        truth = held_out.judged(held_out.batch(torch.arange(n, device=held_out.values.device))).cpu().numpy()
        made = samples[:n].numpy()
        found["l1"] = _score(_each(_l1, truth, made), "L1", "lower")
        found["psnr"] = _score(_each(_psnr, truth, made), "PSNR", "higher")
        found["ssim"] = _similarity(truth, made)
    if isinstance(built.variant, UnpairedVariant):
        found["cycle_l1"] = _score(_cycles(built, built.variant, n), "Cycle L1", "lower")
    return found


def _each(score: Callable[[Pixels, Pixels], float], truth: Pixels, made: Pixels) -> NDArray[np.float64]:
    return np.array([score(x, y) for x, y in zip(truth, made, strict=True)])


def _l1(x: Pixels, y: Pixels) -> float:
    return float(np.abs(x.astype(np.float64) - y).mean() / 255)


def _psnr(x: Pixels, y: Pixels) -> float:
    error = float(np.square(x.astype(np.float64) - y).mean())
    return 10 * math.log10(255**2 / max(error, _ROUNDING))


def _similarity(truth: Pixels, made: Pixels) -> MetricResult:
    h, w = truth.shape[2:]
    if scales_of(min(h, w)):
        return _score(_each(ssim, truth, made), "SSIM", "higher")
    reason = f"found images of {w} x {h} pixels; wanted at least 11 x 11"
    return MetricResult(
        value=None, label="SSIM", direction="higher", params={}, n_fake=len(made), n_real=len(truth), reason=reason
    )


def _cycles(built: Built, variant: UnpairedVariant, n: int) -> NDArray[np.float64]:
    """The distance of each of the first n held-out sources from where the way there and back ends."""
    device, parts = variant.problem.device, []
    with judging(variant):
        for at in range(0, n, _BATCH):
            count = min(_BATCH, n - at)
            y = conditions_of(built, count, seed=built.spec.seed, start=at)
            assert y is not None
            z = torch.zeros(count, variant.z_dim, device=device)
            there = variant.generate_as(z, y)
            parts.append((variant.back(there) - y).abs().flatten(1).double().mean(1).cpu() / 2)
    return torch.cat(parts).numpy()


def _score(each: NDArray[np.float64], label: str, direction: Direction) -> MetricResult:
    """The mean over images with its 95 % interval over them."""
    n, mean = len(each), float(each.mean())
    stderr = float(each.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    half = None if stderr is None else NormalDist().inv_cdf(0.975) * stderr
    return MetricResult(
        value=mean,
        label=label,
        direction=direction,
        params={},
        n_fake=n,
        n_real=n,
        stderr=stderr,
        ci95=None if half is None else (mean - half, mean + half),
    )
