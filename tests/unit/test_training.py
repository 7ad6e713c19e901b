"""One run in one folder: budget, resume, divergence, and what is kept."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from variant_cases import POINTS, trained, variant

from ganbench.bench.budget import Budget, BudgetSpent
from ganbench.bench.checkpoint import Checkpoints
from ganbench.bench.plan import plan_run
from ganbench.bench.recording import updates_of
from ganbench.bench.sampling import sample_run
from ganbench.bench.scores import best_point, worse_than_first
from ganbench.bench.spec import Judging, RunSpec
from ganbench.bench.train import train
from ganbench.bench.watch import Stopped, Watch
from ganbench.errors import BadInput, UsageError
from ganbench.records import CurvePoint, read_record
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo
from ganbench.variants import ns_gan
from ganbench.variants._base import Problem, RealStream, Variant
from ganbench.variants._registry import VARIANTS

STEPS = 24
JUDGED = Judging(
    reference="ring8-pacgan", metrics=["mode_coverage"], ranked_by="modes", at=[0.25, 0.5, 1.0], points_n=50, raw_n=40,
    final_n=60,
)  # fmt: skip


def spec(variant: str = "ns-gan", *, judged: bool = False, steps: int = STEPS, **changes: Any) -> RunSpec:
    planned = plan_run(variant, data="ring8-pacgan", budget=f"{steps}steps", batch_size=16, judged=0)
    return replace(planned, judging=JUDGED if judged else None, **changes)


def test_a_run_leaves_what_it_should(tmp_path: Path) -> None:
    told: list[Mapping[str, float]] = []
    record = train(spec(judged=True), tmp_path / "run", watch=Watch(tell=told.append), command="the command")
    assert (record.status, record.reason, record.command) == ("finished", None, "the command")
    assert (record.spent.steps, record.spent.reals, record.spent.fakes) == (STEPS, STEPS * 16, STEPS * 32)
    assert record.spent.flops == STEPS * record.budget.flops_per_step
    assert record.spent.updates == {"G": STEPS, "D": STEPS}
    assert record.budget.steps == STEPS
    assert [(point.fraction, point.step, point.n) for point in record.curve] == [
        (0.25, 6, 50),
        (0.5, 12, 50),
        (1.0, 24, 50),
    ]
    assert record.final is not None
    assert record.raw is not None
    assert record.best is not None
    assert (record.final.samples.n, record.raw.samples.n, record.best.samples.n) == (60, 40, 50)
    assert record.best.samples.fingerprint != record.final.samples.fingerprint
    assert read_record(tmp_path / "run" / "report.json") == record
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[-1]["kimg"] == STEPS * 16 / 1000
    assert told[-1]["spent"] == 1.0
    names = {path.name for path in (tmp_path / "run" / "samples").iterdir()}
    assert {"final.npy", "training.gif", "step-000000024.png"} <= names
    assert set(record.artifacts) == {"samples/final.npy", "metrics.jsonl"}
    assert record.variant_source == Path(ns_gan.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("stops", [(7,), (6, 6), (1, 1, 1), (23,)])
def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path, stops: tuple[int, ...]) -> None:
    whole = train(spec(judged=True), tmp_path / "whole")
    for after in stops:
        with pytest.raises(Stopped):
            train(spec(judged=True), tmp_path / "parts", resume=True, watch=Watch(stop_after=after))
    parts = train(spec(judged=True), tmp_path / "parts", resume=True)
    assert parts.weights_sha256 == whole.weights_sha256
    assert parts.spent.resumes == len(stops)
    assert (parts.spent.reals, parts.spent.fakes) == (whole.spent.reals, whole.spent.fakes)
    for one, two in zip(parts.curve, whole.curve, strict=True):
        assert replace(one, seconds=0) == replace(two, seconds=0)
    assert parts.final is not None
    assert whole.final is not None
    assert parts.final.metrics == whole.final.metrics
    assert parts.final.samples.fingerprint == whole.final.samples.fingerprint
    for name in ("samples/final.npy", "samples/training.gif"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    logs = [
        [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.read_text().splitlines()]
        for path in (tmp_path / "parts" / "metrics.jsonl", tmp_path / "whole" / "metrics.jsonl")
    ]
    assert logs[0] == logs[1]


def test_what_was_lost_after_the_last_checkpoint_is_done_again(tmp_path: Path) -> None:
    whole = train(spec(), tmp_path / "whole")
    with pytest.raises(Stopped):
        train(spec(), tmp_path / "parts", watch=Watch(stop_after=5))
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as log:  # as a process would that was killed later
        log.write('{"step": 6, "D": 1.0}\n{"step": 7, "D"')
    newest = max((tmp_path / "parts" / "checkpoints").glob("*.safetensors"))
    with pytest.raises(Stopped):
        train(spec(), tmp_path / "parts", resume=True, watch=Watch(stop_after=5))
    newest = max((tmp_path / "parts" / "checkpoints").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-8])  # the newest is damaged: the one before it is taken
    said: list[str] = []
    parts = train(spec(), tmp_path / "parts", resume=True, watch=Watch(warn=said.append))
    assert parts.weights_sha256 == whole.weights_sha256
    assert "damaged" in said[0]
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))


def test_a_run_goes_on_with_the_data_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stopped):
        train(spec(), tmp_path / "run", watch=Watch(stop_after=5))
    monkeypatch.setattr("ganbench.bench.data.POINTS", 5000)
    with pytest.raises(BadInput, match=r"learnt from ring8-pacgan as it was, 100,000 data .* it holds 5,000 with"):
        train(spec(), tmp_path / "run", resume=True)
    assert not (tmp_path / "run" / "report.json").exists()
    monkeypatch.undo()
    assert train(spec(), tmp_path / "run", resume=True).status == "finished"


@pytest.mark.parametrize("every", ["5steps", "0.08kimg", "1flop", "0.0001s"])
def test_how_often_is_saved_changes_nothing(tmp_path: Path, every: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    save = Checkpoints.save

    def counted(self: Checkpoints, step: int, state: Mapping[str, Any]) -> Path:
        saved.append(step)
        return save(self, step, state)

    whole = train(spec(), tmp_path / "whole").weights_sha256
    monkeypatch.setattr(Checkpoints, "save", counted)
    often = train(spec(), tmp_path / "often", watch=Watch(checkpoint_every=Budget.parse(every)))
    assert often.weights_sha256 == whole
    wanted = {"5steps": [5, 10, 15, 20, 24], "0.08kimg": [5, 10, 15, 20, 24]}.get(every, list(range(1, STEPS + 1)))
    assert sorted(set(saved)) == wanted


def test_seeds_differ_and_repeat(tmp_path: Path) -> None:
    hashes = [train(spec(seed=seed), tmp_path / f"{i}").weights_sha256 for i, seed in enumerate((0, 1, 0))]
    assert hashes[0] == hashes[2] != hashes[1]


def test_judging_changes_no_weight(tmp_path: Path) -> None:
    assert train(spec(judged=True), tmp_path / "a").weights_sha256 == train(spec(), tmp_path / "b").weights_sha256


def test_no_global_randomness(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    first = train(spec(judged=True), tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert train(spec(judged=True), tmp_path / "b").weights_sha256 == first.weights_sha256


def test_whose_folder_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = train(spec(), run)
    with pytest.raises(UsageError, match="holds a run already"):
        train(spec(), run)
    assert train(spec(), run, resume=True) == first, "a finished run is reported"
    with pytest.raises(UsageError, match="holds another run: seed is 0, asked is 5"):
        train(spec(seed=5), run, resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds other files"):
        train(spec(), tmp_path / "full", resume=True)


def test_a_time_limit_is_a_status(tmp_path: Path) -> None:
    record = train(spec(steps=100_000), tmp_path / "run", watch=Watch(max_seconds=0.2))
    assert record.status == "truncated"
    assert "longer than the 0.2 seconds" in (record.reason or "")
    assert 0 < record.spent.steps < 100_000


@pytest.mark.usefixtures("odd")
def test_a_budget_of_seconds_ends(tmp_path: Path) -> None:
    record = train(replace(odd_spec(), budget="0.3s", judging=JUDGED), tmp_path / "run")
    assert record.status == "finished"
    assert record.budget.steps is None
    assert record.spent.seconds >= 0.3
    assert len(record.curve) == 3


def test_samples_of_a_run_need_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(spec(), tmp_path / "run")
    monkeypatch.setattr("ganbench.bench.build.open_for", pytest.fail)
    eight = sample_run(tmp_path / "run", 8, seed=3)
    assert eight.shape == (8, 2)
    assert torch.equal(sample_run(tmp_path / "run", 5, seed=3), eight[:5])
    assert not torch.equal(sample_run(tmp_path / "run", 8, seed=4), eight)
    assert not torch.equal(sample_run(tmp_path / "run", 8, seed=3, raw=True), eight)
    with pytest.raises(BadInput, match="is no run"):
        sample_run(tmp_path, 1, seed=0)


# ---------------------------------------------------------------- variants that misbehave


@dataclass(frozen=True, kw_only=True)
class _Config:
    greedy: int = 0
    breaks_at: int = 0
    shrink: float = 1.0


class Odd(Variant):
    """Draws more than was counted, breaks, or makes one point alone."""

    Config = _Config

    def __init__(self, config: _Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.G = problem.generator()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device=problem.device))

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        self.latent(1)
        self.steps += 1
        meta = self.steps.device.type == "meta"
        real.draw(4 if meta or not self.config.greedy else 5)
        broken = not meta and self.config.breaks_at and int(self.steps) >= self.config.breaks_at
        return {"G": torch.tensor(math.nan if broken else 1.0)}

    def generate(self, z: Tensor) -> Tensor:
        return z * self.config.shrink


@pytest.fixture
def odd() -> Iterator[None]:
    module = ModuleType(__name__)
    module.__file__ = __file__
    module.Odd = Odd  # type: ignore[attr-defined]
    with VARIANTS.replaced("ns-gan", module):
        yield


def odd_spec(**settings: Any) -> RunSpec:
    return spec(settings={"greedy": 0, "breaks_at": 0, "shrink": 1.0, **settings})


@pytest.mark.usefixtures("odd")
def test_nobody_overspends(tmp_path: Path) -> None:
    with pytest.raises(BudgetSpent):
        train(odd_spec(greedy=1), tmp_path / "run")


@pytest.mark.parametrize(("name", "updates"), [("wgan", {"G": 2, "D": 10}), ("vae", {"vae": 2})])
def test_updates_of_each_network_are_counted(name: str, updates: dict[str, int]) -> None:
    assert sorted(updates_of(trained(variant(name, POINTS), 2)).values()) == sorted(updates.values())


@pytest.mark.usefixtures("odd")
def test_what_waits_for_the_device_is_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a step returns before it is computed, and the numbers of its losses come when it is."""

    def late(losses: Mapping[str, Tensor], _: object) -> Mapping[str, Tensor]:
        time.sleep(0.01)
        return losses

    monkeypatch.setattr("ganbench.bench.trainer.of_all", late)
    record = train(odd_spec(), tmp_path / "run")
    assert record.spent.seconds >= 0.01 * STEPS
    assert record.spent.updates == {}, "it has no optimiser"


@pytest.mark.usefixtures("odd")
def test_a_loss_that_is_no_number_is_a_record(tmp_path: Path) -> None:
    record = train(odd_spec(breaks_at=7), tmp_path / "run")
    assert record.status == "diverged"
    assert record.reason == "the loss G is no number any more at step 7"
    assert record.spent.steps == 7
    assert record.final is None
    assert read_record(tmp_path / "run" / "report.json") == record
    last = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["G"] is None


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(("shrink", "status"), [(1.0, "finished"), (0.08, "finished"), (0.02, "diverged")])
def test_samples_that_are_all_one_are_a_collapse(tmp_path: Path, shrink: float, status: str) -> None:
    record = train(odd_spec(shrink=shrink), tmp_path / "run")
    assert record.status == status
    assert ("collapsed" in (record.reason or "")) == (status == "diverged")


@pytest.mark.usefixtures("odd")
def test_samples_that_are_no_numbers_are_a_record(tmp_path: Path) -> None:
    record = train(replace(odd_spec(shrink=float("1e300")), judging=JUDGED), tmp_path / "run")
    assert record.status == "diverged"
    assert record.reason == "the generator makes NaN or infinite values"


# ---------------------------------------------------------------- the best point


def point(fraction: float, value: float | None, validation: float | None) -> CurvePoint:
    return CurvePoint(
        fraction=fraction, step=1, flops=1, kimg=1, seconds=1, n=1, ema={"frechet_distance": value}, raw={},
        validation={"frechet_distance": validation},
    )  # fmt: skip


def test_the_best_point_is_chosen_by_validation_alone() -> None:
    curve = [point(0.25, 1.0, 9.0), point(0.5, 5.0, 2.0), point(1.0, 3.0, 4.0)]
    assert best_point(curve, "frechet_distance", of_points=False) == 1
    assert best_point(curve, "frechet_distance", of_points=True) == 0
    assert best_point(curve, None, of_points=False) is None
    assert best_point(curve[:1], "frechet_distance", of_points=False) is None
    assert best_point([point(0.5, 1.0, None)] * 2, "frechet_distance", of_points=False) is None


def ended_at(value: float | None, ci95: tuple[float, float] | None) -> Result:
    """A final result with this kernel distance."""
    found = MetricResult(value=value, label="KD", direction="lower", params={}, n_fake=10, n_real=10, ci95=ci95)
    return Result(
        protocol={},
        samples=SampleInfo(source="made up", fingerprint="", n=10),
        reference=ReferenceInfo(name="made up", split=None, fingerprint="", n=10),
        metrics={"kernel_distance": found},
    )


@pytest.mark.parametrize(
    ("value", "ci95", "diverged"),
    [
        (0.04, (0.03, 0.05), False),
        (0.06, (0.04, 0.08), False),  # within the noise of the samples
        (0.06, (0.055, 0.065), True),
        (0.06, None, True),
        (None, None, False),
    ],
)
def test_a_run_that_ends_worse_than_it_began_has_diverged(
    value: float | None, ci95: tuple[float, float] | None, diverged: bool
) -> None:
    curve = [replace(point(at, 1.0, None), ema={"kernel_distance": kd}) for at, kd in ((0.5, 0.05), (1.0, 0.01))]
    assert (worse_than_first(curve, ended_at(value, ci95)) is not None) is diverged
    assert worse_than_first(curve[:1], ended_at(1.0, None)) is None
    assert worse_than_first(curve, None) is None
