"""Classification accuracy score: a classifier trained on the fakes alone, tested on real images that it never saw.

    CAS = share of held-out reals x with classifier_fake(x) = class of x

The mean over classifiers trained with different seeds; `seed_std` is their spread, the noise of training and not
that of the fakes, so no interval is given. Beside it stands the ceiling: the same classifier, with as many steps,
trained on as many real images (all, where there are fewer). `majority` is what naming the most frequent class
always would score. The series gives accuracy and ceiling of each class. Generators of low FID can score poorly here:
what they leave out of a class shows.

The classifier and its training are those of `_training.py`: a small network for images of up to 64 pixels, to
which larger ones are reduced. Values compare only with values of this classifier, not with the ResNet-50 of the
paper. 10,000 images of 28 pixels take six times 30 s of one core.

Paper: Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative models",
https://arxiv.org/abs/1905.10887.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.features.stats import Features
from ganbench.metrics._base import Head, Need, Side, SlowMetric, held_out_of, require_at_least
from ganbench.progress import Progress, silent
from ganbench.results import Direction, Score


@dataclass(frozen=True)
class Cas(SlowMetric):
    """The classification accuracy score.

    Attributes:
        repeats: how many classifiers are trained on the fakes, and as many on reals.
        steps: of each training, with 64 images each, at most.
        epochs: how often a training goes over the fakes, at most.
        device: cpu, cuda, cuda:N, mps or auto.
        seed: of first weights and orders, and of which reals are taken for the ceiling.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"cas": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"cas": "CAS"}
    head: ClassVar[Head] = "images"
    needs_fake: ClassVar[Need] = "images"
    needs_real: ClassVar[Need] = "images"
    labels_of: ClassVar[tuple[Side, ...]] = ("fake", "real")
    needs_held_out: ClassVar[bool] = True
    costs: ClassVar[str] = "training"

    repeats: int = 3
    steps: int = 2000
    epochs: int = 30
    device: str = "cpu"
    seed: int = 2020

    def __post_init__(self) -> None:
        require_at_least(self, repeats=1, steps=1, epochs=1, seed=0)

    def compute(self, *, fake: Features, real: Features | None, progress: Progress = silent) -> Mapping[str, Score]:
        """The score, 0 to 1.

        Raises UsageError where images, classes or held-out reals are missing, BadInput where images differ in size,
        TooFewImages where a set has fewer than ten.
        """
        # Here, because torch takes seconds to import, and to be listed the metric needs none.
        from ganbench.features.devices import choose
        from ganbench.metrics._labelled import read
        from ganbench.metrics._training import Job, Recipe, by_class, hits_of_all, steps_for

        assert real is not None
        device = choose(self.device)
        sets, classes = read(fake=fake, real=real, test=held_out_of(real))
        size = min(len(sets["fake"]), len(sets["real"]))
        steps = steps_for(len(sets["fake"]), most=self.steps, epochs=self.epochs)
        rng, jobs = self.generator(self.seed), []
        for _ in range(self.repeats):
            recipe = Recipe(len(classes), steps, int(rng.integers(2**63)), device=device)
            some = sets["real"].take(rng.permutation(len(sets["real"]))[:size])
            jobs += [Job([part], recipe, [sets["test"]]) for part in (sets["fake"], some)]
        hits = [each for (each,) in hits_of_all(jobs, device=device, progress=progress)]
        of_fakes, of_reals = (np.mean(part, axis=1) for part in (hits[::2], hits[1::2]))
        value, ceiling = float(of_fakes.mean()), float(of_reals.mean())
        details = {
            "ceiling": ceiling,
            "below_ceiling": ceiling - value,
            "majority": sets["test"].most_frequent,
            "seed_std": float(of_fakes.std()),
            "ceiling_std": float(of_reals.std()),
            "ceiling_images": float(size),
            "steps": float(steps),
        }
        series = {
            "class": [float(label) for label in classes],
            "accuracy": by_class(hits[::2], sets["test"], len(classes)),
            "ceiling": by_class(hits[1::2], sets["test"], len(classes)),
        }
        return {"cas": Score(value, details=details, series=series)}
