"""Training one variant under one budget: the loop, what is kept on the way, and the record in the end.

Everything that decides the weights is in a checkpoint, so a run that is killed and taken up again ends with the same
weights as one that was not.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from ganbench.bench.folder import RunFolder
from ganbench.bench.judge import FRESH, Judge, NotFinite, collapsed, sample, values_of
from ganbench.bench.pictures import grid, plane, save_gif, save_png
from ganbench.bench.recording import record_of
from ganbench.metrics._registry import direction_of
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.records import CurvePoint, RunRecord, Status
from ganbench.results import Result
from ganbench.serialize import from_json, to_json
from ganbench.track import better

Tell = Callable[[Mapping[str, float]], None]
_LINES = 200  # of losses over a training
_PICTURES = 16  # over a training
_SHOWN = 2500  # points in a picture


def untold(losses: Mapping[str, float]) -> None:
    """The losses of someone who does not want to know."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who is told of what while a run goes on, and what ends it early.

    Attributes:
        progress: of steps and stages.
        tell: of the losses.
        warn: of what changes no number.
        checkpoint_seconds: between two checkpoints.
        max_seconds: of training; a run that takes longer is `truncated`.
        stop_after: ends the process's part after so many steps, with a checkpoint, as if it had been killed then.
    """

    progress: Progress = silent
    tell: Tell = untold
    warn: Warn = unheard
    checkpoint_seconds: float = 60.0
    max_seconds: float | None = None
    stop_after: int | None = None


@dataclass
class _State:
    """What changes over a run beside the variant."""

    step: int = 0
    seconds: float = 0.0
    seconds_evaluating: float = 0.0
    resumes: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    pictures: int = 0


class Stopped(Exception):
    """The part of a run that `stop_after` asked for is done."""


class Training:
    """One run.

    Args:
        built: data, variant, budget.
        folder: where it lies; claimed and held by the caller.
        judge: scores its samples; None for no scores.
        watch: who is told.
        command: that runs it again.
    """

    def __init__(
        self, built: Built, folder: RunFolder, judge: Judge | None, *, watch: Watch | None = None, command: str = ""
    ) -> None:
        self.built, self.folder, self.judge = built, folder, judge
        self.watch, self.command = watch or Watch(), command
        self.state = _State()
        self._results: dict[str, Result] = {}
        self._every = max(1, (built.steps or 50 * _LINES) // _LINES)

    def run(self) -> RunRecord:
        """Goes on from the newest checkpoint, or begins, and returns the record, which then lies in the folder."""
        self._take_up()
        try:
            status, reason = self._loop()
        except NotFinite as error:
            status, reason = "diverged", str(error)
        record = record_of(self, status, reason)
        self.folder.samples.mkdir(parents=True, exist_ok=True)
        pngs = sorted(self.folder.samples.glob("step-*.png"))
        if pngs:
            save_gif(self.folder.samples / "training.gif", pngs)
        from ganbench.files import write_text

        write_text(self.folder.report, record.to_json())
        return record

    # ---------------------------------------------------------------- the loop

    def _loop(self) -> tuple[Status, str | None]:
        state, watch = self.state, self.watch
        saved, begun = time.monotonic(), state.step
        while self._fraction() < 1:
            started = time.perf_counter()
            losses = self._step()
            state.seconds += time.perf_counter() - started
            if state.step % self._every == 0:
                self._log(losses)
            self._milestones()
            if time.monotonic() - saved > watch.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
            if watch.max_seconds is not None and state.seconds > watch.max_seconds and self._fraction() < 1:
                return "truncated", f"it took longer than the {watch.max_seconds:g} seconds that it was given"
            if watch.stop_after is not None and state.step - begun >= watch.stop_after and self._fraction() < 1:
                self.save()
                raise Stopped
        return self._ended()

    def _step(self) -> Mapping[str, Tensor]:
        losses = self.built.variant.step(self.built.stream)
        self.state.step += 1
        self.built.ema.update(self.state.step)
        return losses

    def _fraction(self) -> float:
        """The part of the budget that is spent."""
        if self.built.steps is not None:
            return self.state.step / self.built.steps
        return self.state.seconds / self.built.budget.amount

    def _log(self, losses: Mapping[str, Tensor]) -> None:
        values = {name: float(value) for name, value in losses.items()}
        state = self.state
        self.folder.log({
            "step": state.step,
            "flops": state.step * self.built.cost.flops,
            "kimg": self.built.meter.reals / 1000,
            "seconds": round(state.seconds, 3),
            **values,
        })  # fmt: skip
        self.watch.progress("training", state.step, self.built.steps)
        self.watch.tell({"spent": self._fraction(), "seconds": state.seconds, **values})
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise NotFinite(f"the loss {broken[0]} is no number any more at step {state.step}")

    # ---------------------------------------------------------------- what is kept on the way

    def _milestones(self) -> None:
        """Pictures and scores whose time has come, then a checkpoint, so that none is made twice."""
        fraction, state = self._fraction(), self.state
        started = time.perf_counter()
        kept = False
        if fraction >= (state.pictures + 1) / _PICTURES:
            state.pictures = int(fraction * _PICTURES)
            self._picture()
        at = self.judge.how.at if self.judge else []
        while len(state.curve) < len(at) and fraction >= at[len(state.curve)] - 1e-12:
            self._score_point(at[len(state.curve)])
            kept = True
        state.seconds_evaluating += time.perf_counter() - started
        if kept or fraction >= 1:  # samples are made of the last checkpoint
            self.save()

    def _picture(self) -> None:
        built = self.built
        with built.ema.applied():
            if built.data.values.is_floating_point():
                count = min(len(built.data.values), 10_000)
                pixels = plane(sample(built, _SHOWN), built.data.values[:count].cpu())
            else:
                pixels = grid(sample(built, 64))
        save_png(self.folder.samples / f"step-{self.state.step:09d}.png", pixels)

    def _score_point(self, fraction: float) -> None:
        built, state = self.built, self.state
        assert self.judge is not None
        how = self.judge.how
        self.watch.progress("scoring", len(state.curve), len(how.at))
        with built.ema.applied():
            averaged = sample(built, how.points_n)
        sets = {"averaged weights": averaged, "plain weights": sample(built, how.raw_n)}
        results = self.judge.scores(sets, keep=how.validation is not None)
        validation: dict[str, float | None] = {}
        if how.validation is not None:
            again = self.judge.scores({"averaged weights": averaged}, reference=how.validation, keep=True)
            validation = values_of(again["averaged weights"])
        self._results["raw"] = results["plain weights"]
        save_checkpoint(self._point(len(state.curve)), {"weights": built.ema.weights()})
        state.curve.append(
            CurvePoint(
                fraction=fraction,
                step=state.step,
                flops=state.step * built.cost.flops,
                kimg=built.meter.reals / 1000,
                seconds=state.seconds,
                n=how.points_n,
                ema=values_of(results["averaged weights"]),
                raw=values_of(results["plain weights"]),
                validation=validation,
            )
        )

    def _point(self, number: int) -> Any:
        return self.folder.path / "checkpoints" / f"point-{number}.safetensors"

    # ---------------------------------------------------------------- the end

    def _ended(self) -> tuple[Status, str | None]:
        """The last samples and their scores."""
        built, judge = self.built, self.judge
        started = time.perf_counter()
        n = judge.how.final_n if judge else 64
        with built.ema.applied():
            samples = sample(built, n, progress=self.watch.progress)
        self._keep_samples(samples)
        reason = collapsed(built, samples)
        if judge is not None:
            self.watch.progress("scoring", len(judge.how.at), len(judge.how.at))
            self._results["final"] = judge.scores({"last checkpoint": samples})["last checkpoint"]
            self._rescore_best(judge)
            if "raw" not in self._results:  # the last point was scored before the run was taken up again
                plainly = {"plain weights": sample(built, judge.how.raw_n)}
                self._results["raw"] = judge.scores(plainly)["plain weights"]
        self.state.seconds_evaluating += time.perf_counter() - started
        reason = reason or self._worse_than_first()
        return ("diverged", reason) if reason else ("finished", None)

    def _keep_samples(self, samples: Tensor) -> None:
        import io

        import numpy as np

        from ganbench.files import write_bytes

        buffer = io.BytesIO()
        if samples.is_floating_point():
            np.save(buffer, samples.numpy())
            write_bytes(self.folder.samples / "final.npy", buffer.getvalue())
        else:
            np.savez_compressed(buffer, samples.permute(0, 2, 3, 1).numpy())
            write_bytes(self.folder.samples / "final.npz", buffer.getvalue())

    def _rescore_best(self, judge: Judge) -> None:
        """The best point of the curve by validation, on samples that nothing was chosen by."""
        number = best_point(self.state.curve, judge.how.ranked_by, of_points=self.built.data.values.is_floating_point())
        if number is None:
            return
        weights = load_checkpoint(self._point(number))["weights"]
        with self.built.ema.applied(weights):
            fresh = sample(self.built, judge.how.points_n, start=FRESH)
        self._results["best"] = judge.scores({"best point": fresh})["best point"]

    def _worse_than_first(self) -> str | None:
        """Whether the kernel distance grew over the run: it came to its end and is worse than near its beginning."""
        values = [point.ema.get("kernel_distance") for point in self.state.curve]
        if len(values) < 2 or values[0] is None or values[-1] is None or values[-1] <= values[0]:
            return None
        return f"the kernel distance grew from {values[0]:.4g} at the first point to {values[-1]:.4g} at the end"

    @property
    def results(self) -> Mapping[str, Result]:
        """`final`, `raw` and `best`, as far as there are."""
        return self._results

    # ---------------------------------------------------------------- checkpoints

    def save(self) -> None:
        """Writes a checkpoint."""
        built, state = self.built, self.state
        self.folder.sync()
        self.folder.checkpoints.save(
            state.step,
            {
                "run": built.spec.id,
                "data": to_json(built.data.info, indent=None),
                "variant": built.variant.training_state(),
                "ema": built.ema.shadow,
                "stream": {"epoch": built.stream.epoch, "offset": built.stream.offset, "reals": built.meter.reals},
                "state": {
                    "step": state.step,
                    "seconds": state.seconds,
                    "seconds_evaluating": state.seconds_evaluating,
                    "resumes": state.resumes,
                    "pictures": state.pictures,
                },
                "curve": to_json(state.curve, indent=None),
                "results": {name: result.to_json() for name, result in self._results.items()},
            },
        )

    def _take_up(self) -> None:
        found = self.folder.checkpoints.newest(self.watch.warn)
        if found is None:
            self.folder.forget_after(0)
            return
        assert found["run"] == self.built.spec.id, "the folder was claimed for this run"
        built = self.built
        built.variant.restore(found["variant"])
        built.ema.restore(found["ema"])
        built.stream.seek(int(found["stream"]["epoch"]), int(found["stream"]["offset"]))
        built.meter.reals = int(found["stream"]["reals"])
        self.state = _State(**found["state"])
        self.state.resumes += 1
        self.state.curve = from_json(list[CurvePoint], found["curve"], where="a checkpoint's curve")
        self._results = {name: Result.from_json(text, where="a checkpoint") for name, text in found["results"].items()}
        self.folder.forget_after(self.state.step)

    def weights_sha256(self) -> str:
        """Of all networks as they are now."""
        return weights_sha256(self.built.variant.state_dict())


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
