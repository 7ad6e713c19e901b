"""Mode coverage: how many modes the samples reach, and how evenly.

    modes = |{k : some sample is of mode k}|
    KL = Σ_k p_k log(p_k / q_k),   JSD = ½ Σ_k p_k log(p_k / m_k) + ½ Σ_k q_k log(q_k / m_k),   m = (p + q) / 2

p are the shares of the modes among the samples, q those of the truth; nats. For images the modes are the classes
that a classifier of the dataset finds, q their shares among real images (equal where unknown), and a sample
is of high quality where the classifier is sure of it. For points of a named mixture each protocol says what is of
high quality, and whether p counts these alone; only they reach a mode.

The share of high quality alone says little: a generator stuck in one mode can exceed the truth. So each score has
in its details what a perfect sampler of this very n scores on average: `ceiling_` where higher is better, `floor_`
where lower is. They are exact, with the expected number of good samples where p counts these alone. For images that
sampler has a faultless classifier: the real one finds a few images of one class in others. How many reals it is sure
of is given where their logits are; of a shipped classifier it is that of the test split, out of its record.
`bias_estimate` of KL is (modes seen - 1) / 2n (Miller 1955). The share of high quality has Wilson's interval.

Paper: Srivastava et al. 2017, "VEEGAN: reducing mode collapse in GANs using implicit variational learning",
https://arxiv.org/abs/1705.07761; Lin et al. 2018, "PacGAN", https://arxiv.org/abs/1712.04086 (rings, grid, JSD);
box and all samples: Liu et al. 2020, "Diverse image generation via self-conditioned GANs",
https://arxiv.org/abs/2006.10728.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import Head, Metric, Need, values_of
from ganbench.metrics._modes import prior_of, score_of_share, scores_of_counts, sure
from ganbench.mixtures import get_mixture
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class ModeCoverage(Metric):
    """Modes, divergences from the truth, and the share of good samples.

    Attributes:
        distribution: a named mixture, `ring8-pacgan` and so on, whose samples are points (n, d); None for images,
            of which logits (n, K) are read.
        confidence: an image is of high quality where its most probable class has more than this probability.
    """

    keys: ClassVar[Mapping[str, Direction]] = {
        "modes": "higher",
        "mode_kl": "lower",
        "mode_jsd": "lower",
        "high_quality": "higher",
    }
    labels: ClassVar[Mapping[str, str]] = {
        "modes": "Modes",
        "mode_kl": "Reverse KL",
        "mode_jsd": "JSD",
        "high_quality": "High quality",
    }
    head: ClassVar[Head] = "classes"
    needs_real: ClassVar[Need] = "optional"

    distribution: str | None = None
    confidence: float = 0.9

    def compute(self, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        """The four scores; no divergence, with a reason, where no sample is of any mode.

        Raises BadInput where the samples do not have the mixture's or the reference's width.
        """
        x = values_of(fake, "fake")
        if self.distribution is not None:
            return self._of_points(x, self.distribution)
        if not 0 < self.confidence < 1:
            raise UsageError(f"ModeCoverage: confidence must lie between 0 and 1; found {self.confidence!r}.")
        prior = prior_of(real, fake)
        counts = np.bincount(x.argmax(axis=1), minlength=fake.d)
        found = scores_of_counts(counts, prior, n=fake.n, reached=counts, good=1, counting=1)
        ceiling = None if real is None else self._sure_of_reals(real)
        return found | {"high_quality": score_of_share(sure(x, self.confidence), fake.n, ceiling)}

    def _sure_of_reals(self, real: Features) -> float | None:
        if real.values is not None:
            return sure(real.values, self.confidence)
        return real.sure.get(self.confidence)

    def _of_points(self, x: NDArray[np.floating], name: str) -> Mapping[str, Score]:
        mixture = get_mixture(name)
        if x.shape[1] != mixture.d:
            raise BadInput(
                f"{name} has points of {mixture.d} coordinates; found {x.shape[1]}. Give an (n, {mixture.d}) array."
            )
        mode, good = mixture.assign(x)
        reached = np.bincount(mode[good], minlength=mixture.modes)
        prior, share = np.full(mixture.modes, 1 / mixture.modes), mixture.good_share
        counted, counting = reached, share
        if mixture.counted == "all":
            counted, counting = np.bincount(mode, minlength=mixture.modes), 1
        found = scores_of_counts(counted, prior, n=len(x), reached=reached, good=share, counting=counting)
        return found | {"high_quality": score_of_share(float(good.mean()), len(x), share)}
