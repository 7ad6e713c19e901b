"""Data-augmentation score: what fakes add to few labelled reals, against moving the reals about.

    gain = mean over sizes m, seeds of accuracy(m reals + fakes) - accuracy(m reals, shifted)

Classifiers are trained on m labelled reals, for each size m and at last all, in four ways: the reals alone
(`none`), the reals moved by up to an eighth of their side, mirrored if asked (`classical`), the reals and all fakes,
half of each batch from either (`generated`), and both (`both`: the fakes stay as they are). All are tested on
held-out reals. At one size all four make equally many steps, start from equal weights and see the same reals, which are
drawn as evenly over the classes as they allow. The series is the table: `labels`, the mean accuracy of each way and its
spread over seeds. A gain below 0 says that fakes help less than shifts do, the usual case.

The gain's spread over seeds is `seed_std`: the noise of training and of which reals were drawn, not of the fakes,
so no interval is given. The classifier is that of `_training.py`, for images of up to 64 pixels, to which larger ones
are reduced. With 10,000 fakes of 28 pixels the 80 trainings take a quarter of an hour of one core.

Paper: Bowles et al. 2018, "GAN augmentation: augmenting training data using generative adversarial networks",
https://arxiv.org/abs/1810.10863; also the naive augmentation score of Ravuri and Vinyals 2019, arXiv 1905.10887.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import Head, Need, Side, SlowMetric, held_out_of, require_at_least
from ganbench.progress import Progress, silent
from ganbench.results import Direction, Score

_ARMS = ("none", "classical", "generated", "both")


@dataclass(frozen=True)
class Augmentation(SlowMetric):
    """The gain in accuracy of fakes over classical augmentation.

    Attributes:
        sizes: how many labelled reals there are; sizes that reach the number of reals are left out, for all of them
            come last.
        repeats: how many times each classifier is trained, each time with other reals and another seed.
        steps: of each training, with 64 images each, at most.
        epochs: how often a training goes over reals and fakes, at most.
        mirror: whether classical augmentation mirrors as well: right for photographs, wrong for digits.
        device: cpu, cuda, cuda:N, mps or auto.
        seed: of first weights, orders and shifts, and of which reals are drawn.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"augmentation": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"augmentation": "Augmentation gain"}
    head: ClassVar[Head] = "images"
    needs_fake: ClassVar[Need] = "images"
    needs_real: ClassVar[Need] = "images"
    labels_of: ClassVar[tuple[Side, ...]] = ("fake", "real")
    needs_held_out: ClassVar[bool] = True
    costs: ClassVar[str] = "training"

    sizes: tuple[int, ...] = (100, 500, 1000)
    repeats: int = 5
    steps: int = 600
    epochs: int = 10
    mirror: bool = False
    device: str = "cpu"
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, repeats=1, steps=1, epochs=1, seed=0)
        if any(not isinstance(size, int) or size < 2 for size in self.sizes):
            raise UsageError(f"Augmentation: sizes must be whole numbers of at least 2; found {self.sizes!r}.")

    def compute(self, *, fake: Features, real: Features | None, progress: Progress = silent) -> Mapping[str, Score]:
        """The gain, -1 to 1.

        Raises UsageError where images, classes or held-out reals are missing, BadInput where images differ in size,
        TooFewImages where a set has fewer than ten.
        """
        # Here, because torch takes seconds to import, and to be listed the metric needs none.
        from ganbench.features.devices import choose
        from ganbench.metrics._labelled import read
        from ganbench.metrics._training import Job, Recipe, evenly, hits_of_all, steps_for

        assert real is not None
        device = choose(self.device)
        sets, classes = read(fake=fake, real=real, test=held_out_of(real))
        sizes = [*sorted(size for size in set(self.sizes) if size < len(sets["real"])), len(sets["real"])]
        rng, jobs = self.generator(self.seed), []
        for _ in range(self.repeats):
            seed, order = int(rng.integers(2**63)), evenly(sets["real"], rng)
            for size in sizes:
                steps = steps_for(size + len(sets["fake"]), most=self.steps, epochs=self.epochs)
                some = sets["real"].take(order[:size])
                for arm in _ARMS:
                    moved, parts = arm in ("classical", "both"), [some, sets["fake"]][: 1 + (arm in _ARMS[2:])]
                    recipe = Recipe(len(classes), steps, seed, moved, moved and self.mirror, device)
                    jobs.append(Job(parts, recipe, [sets["test"]]))
        each = [float(hits.mean()) for (hits,) in hits_of_all(jobs, device=device, progress=progress)]
        return {"augmentation": _score(np.array(each).reshape(self.repeats, len(sizes), len(_ARMS)), sizes)}


def _score(accuracy: NDArray[np.float64], sizes: list[int]) -> Score:
    """From the accuracies (repeats, sizes, arms)."""
    none, classical, generated, both = np.moveaxis(accuracy, -1, 0)
    gain = (generated - classical).mean(axis=1)
    details = {
        "seed_std": float(gain.std()),
        "over_none": float((generated - none).mean()),
        "both_over_classical": float((both - classical).mean()),
    }
    series: dict[str, list[float]] = {"labels": [float(size) for size in sizes]}
    for i, arm in enumerate(_ARMS):
        series[arm] = accuracy[:, :, i].mean(axis=0).tolist()
        series[f"{arm}_std"] = accuracy[:, :, i].std(axis=0).tolist()
    return Score(float(gain.mean()), details=details, series=series)
