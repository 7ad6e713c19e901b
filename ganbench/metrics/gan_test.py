"""GAN-test: a classifier trained on reals, asked for the class of each fake, agrees with its label or not.

    GAN-test = share of fakes x with classifier_real(x) = class of x

The mean over classifiers trained with different seeds; `seed_std` is their spread, the noise of training, not that
of the fakes: no interval is given. `held_out` is what the same classifiers score on real images that they
never saw. A value well below it tells of fakes that do not show their class; one well above it, of fakes that are
too typical or are copies of what the classifier was trained on. It says nothing of diversity: one good image of each
class, repeated, scores 1. The series gives both of each class.

The classifier and its training are those of `_training.py`: a small network for images of up to 64 pixels, to
which larger ones are reduced. 10,000 real images of 28 pixels take three times 30 s of one core.

Paper: Shmelkov, Schmid and Alahari 2018, "How good is my GAN?", https://arxiv.org/abs/1807.09499.
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
class GanTest(SlowMetric):
    """The accuracy, on the fakes, of classifiers trained on reals.

    Attributes:
        repeats: how many classifiers are trained.
        steps: of each training, with 64 images each, at most.
        epochs: how often a training goes over the reals, at most.
        device: cpu, cuda, cuda:N, mps or auto.
        seed: of first weights and orders.
    """

    keys: ClassVar[Mapping[str, Direction]] = {"gan_test": "higher"}
    labels: ClassVar[Mapping[str, str]] = {"gan_test": "GAN-test"}
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
        """The accuracy, 0 to 1.

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
        steps = steps_for(len(sets["real"]), most=self.steps, epochs=self.epochs)
        seeds = self.generator(self.seed).integers(2**63, size=self.repeats).tolist()
        recipes = [Recipe(len(classes), steps, seed, device=device) for seed in seeds]
        tested = [sets["fake"], sets["test"]]
        jobs = [Job([sets["real"]], recipe, tested) for recipe in recipes]
        on_fakes, on_reals = zip(*hits_of_all(jobs, device=device, progress=progress), strict=True)
        each, reals = np.mean(on_fakes, axis=1), np.mean(on_reals, axis=1)
        value, held_out = float(each.mean()), float(reals.mean())
        details = {
            "held_out": held_out,
            "above_held_out": value - held_out,
            "majority": sets["fake"].most_frequent,
            "seed_std": float(each.std()),
            "held_out_std": float(reals.std()),
            "steps": float(steps),
        }
        series = {
            "class": [float(label) for label in classes],
            "accuracy": by_class(on_fakes, sets["fake"], len(classes)),
            "held_out": by_class(on_reals, sets["test"], len(classes)),
        }
        return {"gan_test": Score(value, details=details, series=series)}
