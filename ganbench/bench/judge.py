"""Samples of a run, each of its own seed, and their scores by the metric engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.seeds import judged_codes, judged_labels
from ganbench.bench.spec import Judging
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.engine import Engine
from ganbench.evaluation.options import Options, metric_names
from ganbench.evaluation.points import evaluate_points, is_distribution
from ganbench.evaluation.run import prepare, score_opened
from ganbench.evaluation.samples import open_samples
from ganbench.images.indexed import IndexedSource
from ganbench.metrics._registry import METRICS
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.results import Result
from ganbench.variants._base import LabelledVariant, Variant, made
from ganbench.variants._given import TranslatingVariant

FRESH = 1 << 40  # the first code of samples that nothing was chosen by
_BATCH = 500
_COLLAPSED = 0.1  # of the data's standard deviation


@contextmanager
def judging(variant: Variant) -> Iterator[None]:
    """Within it the variant is in eval mode and takes no gradients."""
    modes = [(module, module.training) for module in variant.modules()]
    variant.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def sample(built: Built, n: int, *, seed: int | None = None, start: int = 0, progress: Progress = silent) -> Tensor:
    """Samples start..start+n-1 with the weights that the variant has now, as they are judged, on the CPU.

    Args:
        built: the run.
        n: how many.
        seed: of the codes; that of the run where None.
        start: the number of the first.
        progress: told of it.

    Returns:
        uint8 (n, c, h, w), or float32 points (n, d). Numbers that are none in a network's output stay none in points
        and are found by `finite`.
    """
    variant, device = built.variant, built.variant.problem.device
    chosen = built.spec.seed if seed is None else seed
    parts = []
    with judging(variant):
        for at in range(0, n, _BATCH):
            stop = min(at + _BATCH, n)
            z = judged_codes(chosen, start + at, start + stop, variant.z_dim).to(device)
            new = made(variant, z, conditions_of(built, stop - at, seed=chosen, start=start + at))
            if not bool(torch.isfinite(new).all()):
                raise NotFinite("the generator makes NaN or infinite values")
            parts.append(built.data.judged(new).cpu())
            progress("sampling", stop, n)
    return torch.cat(parts)


def labels_of(built: Built, n: int, *, seed: int | None = None, start: int = 0) -> Tensor | None:
    """The classes of samples start..start+n-1, int64 (n,); None of a variant that does not learn from classes."""
    if not isinstance(built.variant, LabelledVariant):
        return None
    return judged_labels(built.spec.seed if seed is None else seed, start, start + n, built.variant.classes)


def conditions_of(built: Built, n: int, *, seed: int, start: int = 0) -> Tensor | None:
    """What samples start..start+n-1 are made from beside codes, on the device.

    Classes where the variant learns from them; else source images or captions that are held out, where sample i has
    number i modulo how many there are; None where samples are made from codes alone.
    """
    device, held_out = built.variant.problem.device, built.data.held_out
    if held_out is None or held_out.given is None:
        labels = labels_of(built, n, seed=seed, start=start)
        return None if labels is None else labels.to(device)
    return held_out.given.of((torch.arange(start, start + n) % len(held_out.given)).to(device))


class NotFinite(Exception):
    """A network or a loss gives no numbers any more."""


def collapsed(built: Built, samples: Tensor) -> str | None:
    """Why the samples count as collapsed: their spread is under a tenth of the data's; None where they do not.

    Spread: the standard deviation over the set of each pixel or coordinate, its mean over all of them.
    """
    reals = built.data.judged(built.data.batch(torch.arange(min(len(built.data.values), 10_000)))).float().cpu()
    mine, theirs = (float(x.float().std(dim=0).mean()) for x in (samples, reals))
    if mine >= _COLLAPSED * theirs:
        return None
    return f"collapsed: the samples' standard deviation is {mine:.3g}, that of the data {theirs:.3g}"


def judging_of_run(built: Built) -> Judging | None:
    """How a run's samples are scored: as its spec says, but no more translations than there are images to translate."""
    how, held_out = built.spec.judging, built.data.held_out
    if how is None or held_out is None or not isinstance(built.variant, TranslatingVariant):
        return how
    assert held_out.given is not None
    most = len(held_out.given)
    return replace(how, points_n=min(how.points_n, most), raw_n=min(how.raw_n, most), final_n=min(how.final_n, most))


@dataclass(frozen=True)
class Judge:
    """Scores samples of a run. Networks and references stay loaded from one call to the next.

    Args:
        built: the run.
        how: reference, protocol, metrics.
        offline: use no network.
        warn: told of what changes no number.
    """

    built: Built
    how: Judging
    offline: bool = False
    warn: Warn = unheard
    _engines: dict[tuple[str, bool], Engine] = field(default_factory=dict, init=False)

    def scores(self, sets: dict[str, Tensor], *, labels: Tensor | None = None, keep: bool = False) -> dict[str, Result]:
        """The results of named sets of samples.

        Args:
            sets: samples by a name that says which.
            labels: the class of each sample, for the first of each set alike; None where they have none.
            keep: keep their features, for `validation`.
        """
        return self._scores(self.how.reference, metric_names(self.how.metrics), sets, labels=labels, keep=keep)

    def validation(self, name: str, samples: Tensor, *, labels: Tensor | None = None) -> Result:
        """The scores of samples against held-out images, as far as they decide which point is best."""
        assert self.how.validation is not None
        names = metric_names(self.how.metrics)
        deciding = tuple(each for each in names if self.how.ranked_by in METRICS.get(each).keys)
        sets = {name: samples}
        return self._scores(self.how.validation, deciding or names, sets, labels=labels, keep=True)[name]

    def _scores(
        self, real: str, metrics: tuple[str, ...], sets: dict[str, Tensor], *, labels: Tensor | None, keep: bool
    ) -> dict[str, Result]:
        options = Options(
            metrics=metrics,
            protocol=self.how.protocol,
            device=self.built.spec.device,
            offline=self.offline,
            cache=keep,
            command=f"{self.built.spec.variant} {self.built.spec.id}",
        )
        if is_distribution(real):
            return {name: evaluate_points(each.numpy(), real, options=options) for name, each in sets.items()}
        if (real, keep) not in self._engines:
            self._engines[real, keep] = prepare(real, options=options, progress=silent, warn=self.warn, clock=Clock())
        sources = [image_source(each, f"{self.built.spec.variant}, {name}", labels) for name, each in sets.items()]
        outcomes = score_opened(self._engines[real, keep], [open_samples(source, options) for source in sources])
        return {name: outcome.result for name, outcome in zip(sets, outcomes, strict=True)}


def image_source(samples: Tensor, name: str, labels: Tensor | None = None) -> IndexedSource:
    """uint8 samples (n, c, h, w) as a source of images; the first n of `labels` are their classes."""
    pixels: NDArray[np.uint8] = samples.permute(0, 2, 3, 1).numpy()
    known = None if labels is None else labels[: len(pixels)].numpy()
    return IndexedSource(name, len(pixels), read=lambda i: pixels[i], labels=None if known is None else lambda: known)


def values_of(result: Result) -> dict[str, float | None]:
    """The value of each key."""
    return {key: metric.value for key, metric in result.metrics.items()}
