"""Training one variant under one budget: the loop, what is kept on the way, and the record in the end.

Everything that decides the weights is in a checkpoint, so a run that is killed and taken up again ends with the same
weights as one that was not.
"""

import io
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from torch import Tensor

from ganbench.bench.build import Built
from ganbench.bench.checkpoint import weights_sha256
from ganbench.bench.folder import RunFolder
from ganbench.bench.group import of_all
from ganbench.bench.judge import Judge, NotFinite, collapsed, labels_of, sample
from ganbench.bench.lead import Lead
from ganbench.bench.pictures import save_gif, save_png
from ganbench.bench.recording import record_of
from ganbench.bench.scores import Scores, worse_than_first
from ganbench.bench.shown import picture
from ganbench.bench.watch import Stopped, Watch
from ganbench.errors import BadInput
from ganbench.files import write_bytes, write_text
from ganbench.records import DataInfo, RunRecord, Status
from ganbench.serialize import from_json, to_json

_LINES = 200  # of losses over a training
_PICTURES = 16  # over a training


@dataclass
class _State:
    """What changes over a run beside the variant and its scores."""

    step: int = 0
    seconds: float = 0.0
    seconds_evaluating: float = 0.0
    resumes: int = 0
    pictures: int = 0


class _Due:
    """When the next checkpoint is due: after so many steps, or so many seconds by the clock."""

    def __init__(self, watch: Watch, built: Built) -> None:
        every = watch.checkpoint_every
        self._steps = None if every.unit == "seconds" else max(1, int(every.amount / every.price(built.cost)))
        self._seconds, self._last = every.amount, time.monotonic()

    def now(self, step: int) -> bool:
        """Whether it is; then the time to the next one begins."""
        if self._steps is not None:
            return step % self._steps == 0
        if time.monotonic() - self._last <= self._seconds:
            return False
        self._last = time.monotonic()
        return True


def logged_every(built: Built) -> int:
    """Steps from one line of losses to the next."""
    return max(1, (built.steps or 50 * _LINES) // _LINES)


class Training:
    """One run.

    Args:
        built: data, variant, budget.
        folder: where it lies; claimed and held by the caller.
        judge: scores its samples; None for no scores.
        watch: who is told.
        command: that runs it again.
        lead: leads the other ranks where there are any.
    """

    def __init__(
        self,
        built: Built,
        folder: RunFolder,
        judge: Judge | None,
        *,
        watch: Watch | None = None,
        command: str = "",
        lead: Lead | None = None,
    ) -> None:
        self.built, self.folder = built, folder
        self.watch, self.command, self._lead = watch or Watch(), command, lead or Lead()
        self.state = _State()
        self.scores = Scores(built, judge, folder.checkpoints.folder)
        self._every = logged_every(built)

    def run(self) -> RunRecord:
        """Goes on from the newest checkpoint, or begins, and returns the record, which then lies in the folder."""
        self._take_up()
        self._lead.compare(self.built.variant)
        self.watch.sinks.open(self.folder.path, self.built.spec, done=self.state.step, warn=self.watch.warn)
        try:
            status, reason = self._loop()
        except NotFinite as error:
            status, reason = "diverged", str(error)
        finally:
            self.watch.sinks.close()
        record = record_of(self, status, reason)
        pngs = sorted(self.folder.samples.glob("step-*.png"))
        if pngs:
            save_gif(self.folder.samples / "training.gif", pngs)
        write_text(self.folder.report, record.to_json())
        return record

    # ---------------------------------------------------------------- the loop

    def _loop(self) -> tuple[Status, str | None]:
        state, watch = self.state, self.watch
        due, begun = _Due(watch, self.built), state.step
        while self._fraction() < 1:
            started = time.perf_counter()
            losses = self._step()
            # A GPU computes behind what it was told: reading numbers waits for it, and that is training, too.
            values = self._values(losses) if state.step % self._every == 0 else None
            state.seconds += time.perf_counter() - started
            if values is not None:
                self._log(values)
            self._milestones()
            if due.now(state.step):
                self.save()
            if watch.max_seconds is not None and state.seconds > watch.max_seconds and self._fraction() < 1:
                return "truncated", f"it took longer than the {watch.max_seconds:g} seconds that it was given"
            if watch.stop_after is not None and state.step - begun >= watch.stop_after and self._fraction() < 1:
                self.save()
                raise Stopped
        return self._ended()

    def _step(self) -> Mapping[str, Tensor]:
        with self._lead.step():
            losses = self.built.variant.step(self.built.stream)
        self.state.step += 1
        self.built.ema.update(self.state.step)
        return losses

    def _fraction(self) -> float:
        """The part of the budget that is spent."""
        if self.built.steps is not None:
            return self.built.spent_after(self.state.step)
        return self.state.seconds / self.built.budget.amount

    def _values(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        return {name: float(value) for name, value in of_all(losses, self._lead.ranks).items()}

    def _log(self, values: Mapping[str, float]) -> None:
        state = self.state
        line = {
            "step": state.step,
            "flops": self.built.flops_after(state.step),
            "kimg": self.built.meter.reals / 1000,
            "seconds": round(state.seconds, 3),
            **values,
        }
        self.folder.log(line)
        self.watch.sinks.losses(line)
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
        if fraction >= (state.pictures + 1) / _PICTURES:
            state.pictures = int(fraction * _PICTURES)
            self._picture()
        scored = self.scores.take(fraction, step=state.step, seconds=state.seconds)
        if scored:
            self.watch.sinks.scores(self.scores.curve[-1])
        state.seconds_evaluating += time.perf_counter() - started
        if scored or fraction >= 1:  # samples are made of the last checkpoint
            self.save()

    def _picture(self) -> None:
        built = self.built
        with built.ema.applied():
            pixels = picture(built)
        save_png(self.folder.samples / f"step-{self.state.step:09d}.png", pixels)
        self.watch.sinks.picture(pixels, self.state.step)

    # ---------------------------------------------------------------- the end

    def _ended(self) -> tuple[Status, str | None]:
        """The last samples and their scores."""
        started = time.perf_counter()
        with self.built.ema.applied():
            samples = sample(self.built, self.scores.n, progress=self.watch.progress)
        self._keep(samples)
        self.scores.finish(samples)
        self.state.seconds_evaluating += time.perf_counter() - started
        reason = collapsed(self.built, samples) or worse_than_first(self.scores.curve, self.scores.final)
        return ("diverged", reason) if reason else ("finished", None)

    def _keep(self, samples: Tensor) -> None:
        buffer = io.BytesIO()
        if samples.is_floating_point():
            np.save(buffer, samples.numpy())
            write_bytes(self.folder.samples / "final.npy", buffer.getvalue())
        else:
            labels = labels_of(self.built, len(samples))
            pixels = samples.permute(0, 2, 3, 1).numpy()
            if labels is None:
                np.savez_compressed(buffer, pixels)
            else:
                np.savez_compressed(buffer, pixels, labels=labels.numpy())
            write_bytes(self.folder.samples / "final.npz", buffer.getvalue())

    # ---------------------------------------------------------------- checkpoints

    def save(self) -> None:
        """Writes a checkpoint."""
        built, state = self.built, self.state
        self._lead.compare(built.variant)
        self.folder.sync()
        self.watch.sinks.flush()
        self.folder.checkpoints.save(
            state.step,
            {
                "run": built.spec.id,
                "data": to_json(built.data.info, indent=None),
                **built.training_state(),
                "state": asdict(state),
                "scores": self.scores.state(),
            },
        )

    def _take_up(self) -> None:
        found = self.folder.checkpoints.newest(self.watch.warn)
        if found is None:
            self.folder.forget_after(0)
            return
        assert found["run"] == self.built.spec.id, "the folder was claimed for this run"
        self._check_data(from_json(DataInfo, found["data"], where=f"the checkpoint of {self.folder.path}"))
        self.built.restore(found)
        self.state = _State(**found["state"])
        self.state.resumes += 1
        self.scores.restore(found["scores"])
        self.folder.forget_after(self.state.step)

    def _check_data(self, before: DataInfo) -> None:
        """Raises BadInput where the data are others than those that the run has learnt from so far."""
        now = self.built.data.info
        if now != before:
            raise BadInput(
                f"{self.folder.path} learnt from {before.name} as it was, {before.n:,} data with the fingerprint "
                f"{before.fingerprint[:12]}; it holds {now.n:,} with {now.fingerprint[:12]} now. Put them back, or "
                "begin anew: --out DIR"
            )

    def weights_sha256(self) -> str:
        """Of all networks as they are now."""
        return weights_sha256(self.built.variant.state_dict())
