"""What a run's samples score: the curve over the budget, and the results in the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.checkpoint import load_checkpoint, save_checkpoint
from ganbench.bench.classification import KEY as ERROR
from ganbench.bench.classification import error_on_test
from ganbench.bench.judge import FRESH, Judge, labels_of, sample, values_of
from ganbench.bench.likelihood import KEY, bits_per_dim
from ganbench.bench.translation import translation_scores
from ganbench.metrics._registry import direction_of
from ganbench.records import CurvePoint
from ganbench.results import MetricResult, Result
from ganbench.serialize import from_json, to_json
from ganbench.track import better

_FINAL, _RAW, _BEST = "last checkpoint", "plain weights", "best point"
_AVERAGED = "averaged weights"


class Scores:
    """The scores of one run.

    Args:
        built: the run.
        judge: scores its samples; None for no scores.
        folder: where the averaged weights of each point are kept.

    Attributes:
        curve: the points so far.
        final, raw, best: the results in the end, as a record has them.
    """

    def __init__(self, built: Built, judge: Judge | None, folder: Path) -> None:
        self._built, self._judge, self._folder = built, judge, folder
        self.curve: list[CurvePoint] = []
        self.final: Result | None = None
        self.raw: Result | None = None
        self.best: Result | None = None

    @property
    def n(self) -> int:
        """Samples that are made in the end."""
        return self._judge.how.final_n if self._judge else 64

    def take(self, fraction: float, *, step: int, seconds: float) -> bool:
        """Scores the points whose time has come. Returns whether there were any."""
        at = self._judge.how.at if self._judge else []
        before = len(self.curve)
        while len(self.curve) < len(at) and fraction >= at[len(self.curve)] - 1e-12:
            self._score(at[len(self.curve)], step=step, seconds=seconds)
        return len(self.curve) > before

    def _score(self, fraction: float, *, step: int, seconds: float) -> None:
        built, judge = self._built, self._judge
        assert judge is not None
        how = judge.how
        with built.ema.applied():
            averaged = sample(built, how.points_n)
        sets = {_AVERAGED: averaged}
        if fraction == how.at[-1]:  # those of other points would be shown nowhere
            sets[_RAW] = sample(built, how.raw_n)
        labels = labels_of(built, max(how.points_n, how.raw_n))
        results = judge.scores(sets, labels=labels, keep=how.validation is not None)
        point = CurvePoint(
            fraction=fraction,
            step=step,
            flops=built.flops_after(step),
            kimg=built.meter.reals / 1000,
            seconds=seconds,
            n=how.points_n,
            ema=values_of(results[_AVERAGED]),
            raw=values_of(results[_RAW]) if _RAW in results else {},
        )
        if how.validation is not None:
            point = replace(point, validation=values_of(judge.validation(_AVERAGED, averaged, labels=labels)))
        self.raw = results.get(_RAW)
        save_checkpoint(self._weights_of(len(self.curve)), {"weights": built.ema.weights()})
        self.curve.append(point)

    def finish(self, samples: Tensor) -> None:
        """Scores the samples of the last checkpoint, and the best point on samples that nothing was chosen by."""
        if self._judge is None:
            return
        self.final = self._judge.scores({_FINAL: samples}, labels=labels_of(self._built, len(samples)))[_FINAL]
        measured = {KEY: self._likelihood(), ERROR: self._error()}
        added = {key: found for key, found in measured.items() if found is not None}
        with self._built.ema.applied():
            added |= translation_scores(self._built, samples)
        self.final = replace(self.final, metrics={**self.final.metrics, **added})
        number = best_point(self.curve, self._judge.how.ranked_by, of_points=samples.is_floating_point())
        if number is not None:
            weights = load_checkpoint(self._weights_of(number))["weights"]
            with self._built.ema.applied(weights):
                fresh = sample(self._built, self._judge.how.points_n, start=FRESH)
            labels = labels_of(self._built, len(fresh), start=FRESH)
            self.best = self._judge.scores({_BEST: fresh}, labels=labels)[_BEST]

    def _likelihood(self) -> MetricResult | None:
        """Of held-out images, by the averaged weights; None of a variant that tells none, or without such images."""
        assert self._judge is not None
        how = self._judge.how
        if how.validation is None:
            return None
        with self._built.ema.applied():
            return bits_per_dim(self._built, how.validation, how.final_n, offline=self._judge.offline)

    def _error(self) -> MetricResult | None:
        """On held-out images, by the averaged weights; None of a variant that does not classify."""
        assert self._judge is not None
        with self._built.ema.applied():
            return error_on_test(self._built, offline=self._judge.offline)

    def _weights_of(self, number: int) -> Path:
        return self._folder / f"point-{number}.safetensors"

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"curve": to_json(self.curve, indent=None), "raw": self.raw.to_json() if self.raw else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to where `state` was taken."""
        self.curve = from_json(list[CurvePoint], state["curve"], where="a checkpoint's curve")
        self.raw = Result.from_json(state["raw"], where="a checkpoint") if state["raw"] else None


def worse_than_first(curve: list[CurvePoint], final: Result | None) -> str | None:
    """Why a run counts as diverged though it came to its end: its kernel distance grew by more than noise.

    That of the first point is compared with the lower end of the final interval; with the value where there is none.
    """
    first = curve[0].ema.get("kernel_distance") if curve else None
    last = final.metrics.get("kernel_distance") if final else None
    if first is None or last is None or last.value is None or len(curve) < 2:
        return None
    if (last.ci95[0] if last.ci95 else last.value) <= first:
        return None
    return f"the kernel distance grew from {first:.4g} at the first point to {last.value:.4g} at the end"


def best_point(curve: list[CurvePoint], key: str | None, *, of_points: bool) -> int | None:
    """The number of the best point by validation; None where there is nothing to choose by.

    Points of a mixture have no second reference: there the samples that are scored afterwards are fresh.
    """
    if key is None or len(curve) < 2:
        return None
    values = [(point.ema if of_points else point.validation).get(key) for point in curve]
    known = [(value, number) for number, value in enumerate(values) if value is not None]
    if not known:
        return None
    best = known[0]
    for each in known[1:]:
        if better(direction_of(key), each[0], best[0]):
            best = each
    return best[1]
