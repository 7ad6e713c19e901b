"""MS-SSIM diversity: how alike pairs of fakes are, scale by scale.

    MS-SSIM(a, b) = SSIM_S(a, b)^w_S x Π_{s<S} CS_s(a, b)^w_s,   diversity = mean over random pairs of fakes

SSIM = luminance x CS, CS = (2σ_ab + c₂)/(σ_a² + σ_b² + c₂), under a Gaussian window of 11 x 11 pixels and σ = 1.5,
with c₁ = (0.01·255)² and c₂ = (0.03·255)², averaged over pixels and the three channels, negative means taken as 0; from
scale to scale the images are halved by averaging 2 x 2 pixels. Borders are treated as torchmetrics does: reflected
for the SSIM of the last scale, left out of CS. float64.

Wang's five weights belong to images of 176 pixels and more. Of smaller ones as many scales are taken as the window
fits into, their weights scaled to the same sum; `details` has the number of `scales`. Images under 11 pixels have none.
Lower is more diverse; values are comparable only at one size of image, and real images of that kind say what is low
enough. The pairs share no image, so the mean over them has a normal interval.

Paper: Odena et al. 2017, "Conditional image synthesis with auxiliary classifier GANs", section 4.2,
https://arxiv.org/abs/1610.09585, there within classes; Wang et al. 2003, https://doi.org/10.1109/ACSSC.2003.1292216.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ganbench.features.image_set import Pixels
from ganbench.features.stats import Features
from ganbench.metrics._base import Head, Metric, Need, TooFewImages, images_of, require_at_least
from ganbench.metrics._ssim import SCALES, ms_ssim, scales_of
from ganbench.results import Direction, Score

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class MsSsim(Metric):
    """The mean MS-SSIM of random pairs.

    Attributes:
        pairs: how many pairs are drawn; half the number of images where that is less.
        seed: of the draw.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"ms_ssim": "lower"}
    labels: ClassVar[Mapping[str, str]] = {"ms_ssim": "MS-SSIM"}
    head: ClassVar[Head] = "images"
    needs_fake: ClassVar[Need] = "images"
    needs_real: ClassVar[Need] = "nothing"

    pairs: int = 500
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, pairs=1, seed=0)

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:  # noqa: ARG002
        """The mean, 0..1; None where images are smaller than the window or of several sizes.

        Raises UsageError where the images are not at hand, TooFewImages where there are fewer than two.
        """
        images = images_of(fake, "fake")
        if len(images) < 2:
            raise TooFewImages(f"Found {len(images)} image(s); at least 2 are needed. Give more images.")
        drawn = self.generator(self.seed).permutation(len(images))[: 2 * min(self.pairs, len(images) // 2)]
        each, fewest = [], SCALES
        for a, b in _in_twos(images.take(drawn.tolist())):
            scales = scales_of(min(a.shape[1:]))
            if a.shape != b.shape or not scales:
                return {"ms_ssim": Score(None, reason=_unfit(a, b))}
            fewest = min(fewest, scales)
            each.append(ms_ssim(a, b))
        value, details = float(np.mean(each)), {"scales": float(fewest), "pairs": float(len(each))}
        if len(each) == 1:
            return {"ms_ssim": Score(value, details=details)}
        stderr = float(np.std(each, ddof=1)) / sqrt(len(each))
        interval = (max(value - _Z * stderr, 0.0), min(value + _Z * stderr, 1.0))
        return {"ms_ssim": Score(value, stderr=stderr, ci95=interval, details=details)}


def _in_twos(images: Iterator[Pixels]) -> Iterator[tuple[Pixels, Pixels]]:
    return zip(images, images, strict=True)


def _unfit(a: Pixels, b: Pixels) -> str:
    sizes = " and ".join(f"{each.shape[2]} x {each.shape[1]}" for each in (a, b))
    return f"found images of {sizes} pixels; a pair must be of one size and at least 11 x 11"
