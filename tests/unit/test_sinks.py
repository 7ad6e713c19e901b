"""TensorBoard and W&B: what they are shown, that a resumed run goes on in the same series, that none changes a run."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganbench.bench.budget import Budget
from ganbench.bench.plan import plan_run
from ganbench.bench.sinks._base import Part, Sink
from ganbench.bench.sinks._registry import SINKS
from ganbench.bench.sinks._shown import Sinks
from ganbench.bench.spec import Judging, RunSpec
from ganbench.bench.train import train
from ganbench.bench.watch import Stopped, Watch
from ganbench.errors import Unavailable, UsageError
from ganbench.files import sha256_file

STEPS = 24
AT = [0.25, 0.5, 1.0]
JUDGED = Judging(
    reference="ring8-pacgan", metrics=["mode_coverage"], ranked_by="modes", at=AT, points_n=50, raw_n=40, final_n=60
)


def spec() -> RunSpec:
    planned = plan_run("ns-gan", data="ring8-pacgan", budget=f"{STEPS}steps", batch_size=16, judged=0)
    return replace(planned, judging=JUDGED)


def killed_after_seven_steps(run: Path, sinks: Sinks) -> None:
    """The newest checkpoint of what is left is of step 4; steps 5 to 7 were shown already."""
    watch = Watch(sinks=sinks, stop_after=7, checkpoint_every=Budget.parse("4steps"))
    with pytest.raises(Stopped):
        train(spec(), run, watch=watch)
    for path in (run / "checkpoints").glob("step-*7.*"):
        path.unlink()


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# ---------------------------------------------------------------- any sink


class Shown(Sink):
    """Keeps what it is shown; fails in the call that a test names."""

    name = "tensorboard"
    fails_in = ""
    calls: list[tuple[Any, ...]]

    def __init__(self, part: Part) -> None:
        self._called("open", part)

    @classmethod
    def check(cls) -> None:
        pass

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._called("scalars", step, dict(values))

    def picture(self, pixels: NDArray[np.uint8], step: int) -> None:
        self._called("picture", step, pixels.shape)

    def flush(self) -> None:
        self._called("flush")

    def close(self) -> None:
        self._called("close")

    def _called(self, name: str, *given: Any) -> None:
        self.calls.append((name, *given))
        if name == self.fails_in:
            raise ConnectionError("the service is gone")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands in the place of TensorBoard."""
    monkeypatch.setattr(Shown, "calls", [], raising=False)
    monkeypatch.setattr(Shown, "fails_in", "")
    module = ModuleType(__name__)
    module.Shown = Shown  # type: ignore[attr-defined]
    with SINKS.replaced("tensorboard", module):
        yield Shown


def test_what_a_sink_is_shown(tmp_path: Path, shown: type[Shown]) -> None:
    record = train(spec(), tmp_path / "run", watch=Watch(sinks=Sinks(["tensorboard"])))
    first, *calls, last = shown.calls
    assert first == ("open", Part(folder=tmp_path / "run", spec=spec(), done=0, offline=False))
    assert last == ("close",)
    scalars = [(step, values) for name, *(step, values) in (call for call in calls if call[0] == "scalars")]
    losses = [
        {
            "step": step,
            **{key.partition("/")[2]: value for key, value in values.items()},
        }
        for step, values in scalars
        if "loss/D" in values
    ]
    assert losses == lines(tmp_path / "run")
    assert set(scalars[0][1]) == {"spent/flops", "spent/kimg", "spent/seconds", "loss/D", "loss/G"}
    scores = [(step, values) for step, values in scalars if "loss/D" not in values]
    assert [step for step, _ in scores] == [6, 12, 24]
    assert scores[-1][1]["score/modes"] == record.curve[-1].ema["modes"]
    assert scores[-1][1]["score_raw/modes"] == record.curve[-1].raw["modes"]
    pictures = [call for call in calls if call[0] == "picture"]
    assert len(pictures) == 16
    assert pictures[-1] == ("picture", STEPS, (384, 384, 3))
    assert ("flush",) in calls


def test_a_sink_changes_nothing_of_a_run(tmp_path: Path, shown: type[Shown]) -> None:
    plain = train(spec(), tmp_path / "plain")
    watched = train(spec(), tmp_path / "watched", watch=Watch(sinks=Sinks(["tensorboard"])))
    assert watched.weights_sha256 == plain.weights_sha256
    assert watched.config == plain.config
    for name in ("config.json", "samples/final.npy", "samples/training.gif"):
        assert sha256_file(tmp_path / "watched" / name) == sha256_file(tmp_path / "plain" / name)


@pytest.mark.parametrize("where", ["open", "scalars", "picture", "flush", "close"])
def test_a_run_goes_on_without_a_sink_that_fails(tmp_path: Path, shown: type[Shown], where: str) -> None:
    shown.fails_in = where
    said: list[str] = []
    record = train(spec(), tmp_path / "run", watch=Watch(sinks=Sinks(["tensorboard"]), warn=said.append))
    assert record.status == "finished"
    (message,) = said
    assert "--log tensorboard failed" in message
    assert "ConnectionError: the service is gone" in message
    assert [call[0] for call in shown.calls].count(where) == 1
    assert shown.calls[-1][0] == where, "it is left alone from then on"


def test_what_ends_a_run_closes_its_sinks(tmp_path: Path, shown: type[Shown]) -> None:
    with pytest.raises(Stopped):
        train(spec(), tmp_path / "run", watch=Watch(sinks=Sinks(["tensorboard"]), stop_after=3))
    assert shown.calls[-1] == ("close",)
    assert train(spec(), tmp_path / "run", resume=True, watch=Watch(sinks=Sinks(["tensorboard"]))).status == "finished"
    assert [call[1].done for call in shown.calls if call[0] == "open"] == [0, 3]
    steps = [call[1] for call in shown.calls if call[0] == "scalars" and "loss/D" in call[2]]
    assert steps == list(range(1, STEPS + 1))


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(Unavailable, match=rf"pip install 'ganbench\[{name}\]'"):
        Sinks([name])


def test_unknown_sinks_get_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="Did you mean 'tensorboard'"):
        Sinks(["tensorbord"])


def test_nothing_of_a_sink_is_imported_unasked() -> None:
    program = (
        "import sys; import ganbench.bench.train; from ganbench.bench.watch import Watch; Watch(); "
        "print([name for name in ('tensorboard', 'torch.utils.tensorboard', 'wandb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---------------------------------------------------------------- TensorBoard


def read_back(run: Path) -> Any:
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'ganbench[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    return found.Reload()


def test_tensorboard_has_it_all(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'ganbench[tensorboard]'")
    said: list[str] = []
    run = tmp_path / "run"
    record = train(spec(), run, watch=Watch(sinks=Sinks(["tensorboard"]), warn=said.append))
    assert said == []
    found = read_back(run)
    assert {"loss/D", "loss/G", "spent/flops", "score/modes", "score_raw/modes"} <= set(found.Tags()["scalars"])
    events = found.Scalars("loss/D")
    assert [event.step for event in events] == [line["step"] for line in lines(run)]
    assert [event.value for event in events] == pytest.approx([line["D"] for line in lines(run)], rel=1e-6)
    scores = found.Scalars("score/modes")
    assert [(event.step, event.value) for event in scores] == [(p.step, p.ema["modes"]) for p in record.curve]
    images = found.Images("samples")
    assert len(images) == 16
    assert (images[-1].step, images[-1].width, images[-1].height) == (STEPS, 384, 384)


def test_tensorboard_shows_no_step_twice(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'ganbench[tensorboard]'")
    run = tmp_path / "run"
    killed_after_seven_steps(run, Sinks(["tensorboard"]))
    assert [event.step for event in read_back(run).Scalars("loss/D")] == list(range(1, 8))
    train(spec(), run, resume=True, watch=Watch(sinks=Sinks(["tensorboard"])))
    found = read_back(run)
    assert [event.step for event in found.Scalars("loss/D")] == list(range(1, STEPS + 1))
    assert [event.step for event in found.Scalars("score/modes")] == [6, 12, 24]
    assert len(found.Images("samples")) == 16


# ---------------------------------------------------------------- W&B


class Fake:
    """As much of W&B as is used. `step` is what it says of a run that it knows."""

    def __init__(self, step: int = 0) -> None:
        self.step = step
        self.asked: dict[str, Any] = {}
        self.logged: list[tuple[int, dict[str, Any]]] = []
        self.finished = 0

    def module(self) -> ModuleType:
        module = ModuleType("wandb")
        module.init, module.Image = self._init, lambda pixels: ("picture", pixels.shape)  # type: ignore[attr-defined]
        return module

    def _init(self, **asked: Any) -> Any:
        self.asked = asked
        return SimpleNamespace(step=self.step, log=self._log, finish=self._finish)

    def _log(self, values: dict[str, Any], *, step: int) -> None:
        self.logged.append((step, values))

    def _finish(self) -> None:
        self.finished += 1


def test_what_wandb_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    monkeypatch.setitem(sys.modules, "wandb", fake.module())
    train(spec(), tmp_path / "run", watch=Watch(sinks=Sinks(["wandb"])))
    asked = fake.asked
    assert (asked["project"], asked["id"], asked["resume"], asked["mode"]) == ("ganbench", spec().id, "allow", None)
    assert asked["dir"] == str(tmp_path / "run")
    assert asked["config"]["settings"] == spec().settings
    assert [step for step, values in fake.logged if "loss/D" in values] == list(range(1, STEPS + 1))
    assert [step for step, values in fake.logged if "score/modes" in values] == [6, 12, 24]
    assert (STEPS, {"samples": ("picture", (384, 384, 3))}) in fake.logged
    assert [step for step, _ in fake.logged] == sorted(step for step, _ in fake.logged), "as W&B wants them"
    assert fake.finished == 1


def test_wandb_is_shown_no_step_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, then = Fake(), Fake(step=8)
    monkeypatch.setitem(sys.modules, "wandb", first.module())
    killed_after_seven_steps(tmp_path / "run", Sinks(["wandb"]))
    monkeypatch.setitem(sys.modules, "wandb", then.module())
    train(spec(), tmp_path / "run", resume=True, watch=Watch(sinks=Sinks(["wandb"])))
    assert first.asked["id"] == then.asked["id"]
    steps = [step for step, values in first.logged + then.logged if "loss/D" in values]
    assert steps == list(range(1, STEPS + 1))


def test_offline_is_offline_for_wandb_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    monkeypatch.setitem(sys.modules, "wandb", fake.module())
    train(spec(), tmp_path / "run", watch=Watch(sinks=Sinks(["wandb"], offline=True)))
    assert fake.asked["mode"] == "offline"


def test_the_real_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs W&B: pip install 'ganbench[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    said: list[str] = []
    watched = train(spec(), tmp_path / "run", watch=Watch(sinks=Sinks(["wandb"]), warn=said.append))
    assert said == []
    assert watched.weights_sha256 == train(spec(), tmp_path / "plain").weights_sha256
    (kept,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    assert spec().id in kept.name
    assert b"score/modes" in kept.read_bytes()
