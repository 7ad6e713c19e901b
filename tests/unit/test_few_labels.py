"""Data of which the class is known of a few alone: which these are, their order, and that nothing else is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganbench.bench import data as data_module
from ganbench.bench.budget import BudgetSpent, Meter
from ganbench.bench.build import Built, build
from ganbench.bench.data import Stream, TrainingSet, knowing_few
from ganbench.bench.few import balanced
from ganbench.bench.plan import plan_run
from ganbench.bench.sampling import sample_run
from ganbench.bench.seeds import FEW, stream_seed
from ganbench.bench.spec import RunSpec
from ganbench.bench.train import train
from ganbench.bench.watch import Stopped, Watch
from ganbench.errors import BadInput, UsageError
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.records import DataInfo
from ganbench.variants._registry import VARIANTS

K, N, SIDE = 4, 61, 8
LABELS = np.random.default_rng(3).permutation(np.repeat(np.arange(K), [24, 18, 12, 7]))


def numbered(labels: np.ndarray = LABELS) -> TrainingSet:
    """Data that are their own numbers."""
    shares = [float(share) for share in np.bincount(labels) / len(labels)]
    info = DataInfo(name="x", split=None, fingerprint="", n=N, shape=[1], padded_to=[1], classes=shares)
    return TrainingSet(info, torch.arange(float(N))[:, None], torch.from_numpy(labels))


def images(path: Path, labels: np.ndarray = LABELS) -> str:
    pixels = np.random.default_rng(0).integers(256, size=(N, SIDE, SIDE, 1), dtype=np.uint8)
    np.savez(path, np.repeat(pixels, 3, axis=3), labels)
    return str(path)


def spec(data: str, *, steps: int = 6, seed: int = 0, labels: int = 8, variant: str = "sgan") -> RunSpec:
    settings = [f"labels={labels}"] if variant == "sgan" else []
    return plan_run(
        variant, data=data, budget=f"{steps}steps", backbone="info28-nano", batch_size=5, seed=seed, settings=settings,
        judged=0,
    )  # fmt: skip


# ---------------------------------------------------------------- which they are


def chosen(n: int, seed: int = 0) -> list[int]:
    found: list[int] = balanced(LABELS, n, k=K, seed=seed, name="x").tolist()
    return found


def test_as_many_of_each_class_are_known() -> None:
    for n in (4, 8, 16):
        rows = chosen(n)
        assert len(set(rows)) == n
        assert np.bincount(LABELS[rows]).tolist() == [n // K] * K


def test_the_seed_alone_decides_which() -> None:
    assert chosen(8) == chosen(8)
    assert len({tuple(chosen(8, seed)) for seed in range(10)}) == 10
    assert set(chosen(4)) < set(chosen(8)) < set(chosen(16)), "fewer are among more"


def test_every_datum_of_a_class_may_be_among_them() -> None:
    found = {row for seed in range(200) for row in chosen(4, seed)}
    assert found == set(range(N))


@pytest.mark.parametrize(("n", "message"), [
    (10, r"10 known labels cannot be shared evenly among the 4 classes of x\. .* --set labels=8$"),
    (0, r"0 known labels cannot .* --set labels=4$"),
    (-4, "-4 known labels cannot"),
    (48, r"48 known labels are 12 of each class of x, which has \d+ of class 3\. Say --set labels=\d+ or less\."),
])  # fmt: skip
def test_what_cannot_be_is_refused(n: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen(n)


def test_variants_and_budgets_are_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = images(tmp_path / "x.npz")

    def few(asked: RunSpec) -> TrainingSet:
        found = build(asked).data.few
        assert found is not None
        return found

    plain = few(spec(path))
    monkeypatch.setattr(VARIANTS.get("lsgan"), "known", classmethod(lambda cls, config: 8))
    for other in (spec(path, variant="lsgan"), spec(path, steps=9), replace(spec(path), backbone="info28")):
        assert torch.equal(few(other).values, plain.values)
    assert not torch.equal(few(spec(path, seed=1)).values, plain.values), "the run's seed decides"


# ---------------------------------------------------------------- their order


def stream(meter: Meter | None = None, *, labels: int = 8, ranks: Ranks = ALONE, seed: int = 0) -> Stream:
    data = knowing_few(numbered(), labels, seed=5)
    return Stream(data, meter or Meter(None), seed=seed, device=torch.device("cpu"), ranks=ranks)


def rows_of(drawn: tuple[Tensor, Tensor]) -> list[int]:
    x, y = drawn
    rows = x[:, 0].long()
    assert torch.equal(y, torch.from_numpy(LABELS)[rows]), "each has its own class"
    return [int(row) for row in rows]


def test_they_go_round_in_orders_of_their_own() -> None:
    known = set(balanced(LABELS, 8, k=K, seed=5, name="x").tolist())
    source = stream()
    found = [row for size in (3, 5, 6, 10) for row in rows_of(source.draw_few(size))]
    epochs = [found[at : at + 8] for at in (0, 8, 16)]
    assert all(set(epoch) == known for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert found == rows_of(stream().draw_few(24))
    assert found != rows_of(stream(seed=1).draw_few(24))


def test_they_do_not_move_the_order_of_all_data() -> None:
    alone, beside = stream(), stream()
    for n in (7, 30, 40):
        beside.draw_few(n)
        assert torch.equal(alone.draw(n), beside.draw(n))


def test_they_are_charged_for() -> None:
    meter = Meter(20)
    source = stream(meter)
    source.draw(7)
    source.draw_few(13)
    assert meter.reals == 20
    with pytest.raises(BudgetSpent):
        source.draw_few(1)


def test_where_all_are_known_the_two_orders_are_apart() -> None:
    all_of = numbered()
    source = Stream(replace(all_of, labels=None, few=all_of), Meter(None), seed=0, device=torch.device("cpu"))
    x, known = source.draw(N)[:, 0].tolist(), rows_of(source.draw_few(N))
    assert sorted(x) == sorted(known)
    assert x != known


@pytest.mark.parametrize("few", [0, 5, 8, 21])
def test_a_place_is_in_its_state(few: int) -> None:
    first, second = stream(), stream()
    first.draw(9)
    if few:
        first.draw_few(few)
    second.restore(json.loads(json.dumps(first.state())))
    assert rows_of(first.draw_few(11)) == rows_of(second.draw_few(11))
    assert torch.equal(first.draw(60), second.draw(60))


@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_take_their_rows_of_them(rank: int) -> None:
    whole, mine = stream(), stream(ranks=Ranks(rank, 2))
    for n in (2, 5):
        assert rows_of(mine.draw_few(n)) == rows_of(whole.draw_few(2 * n))[n * rank : n * rank + n]


# ---------------------------------------------------------------- nothing else is told


def test_other_labels_are_not_there() -> None:
    data = knowing_few(numbered(), 8, seed=5)
    assert data.labels is None
    assert data.few is not None
    assert len(data.few.values) == 8
    assert data.info.classes == [0.25] * 4, "the shares among those that are known"
    assert torch.equal(data.values, numbered().values)
    with pytest.raises(AssertionError, match="is given data with labels"):
        stream().draw_labelled(1)
    moved = data.on(torch.device("meta")).few
    assert moved is not None
    assert moved.values.device.type == "meta"


def poisoned(rows: np.ndarray) -> np.ndarray:
    """Other labels for all data but these."""
    labels = (LABELS + 1) % K
    labels[rows] = LABELS[rows]
    return labels


def test_labels_outside_are_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = balanced(LABELS, 8, k=K, seed=stream_seed(0, FEW), name="x")
    true = train(spec(images(tmp_path / "true.npz")), tmp_path / "one")
    monkeypatch.setattr(data_module, "balanced", lambda *_, **__: rows)

    def weights(labels: np.ndarray, name: str) -> str | None:
        path = tmp_path / name
        path.mkdir()
        return train(spec(images(path / "x.npz", labels)), path / "run").weights_sha256

    assert weights(LABELS, "same") == true.weights_sha256
    assert weights(poisoned(rows), "poisoned") == true.weights_sha256
    assert weights(poisoned(rows[1:]), "inside") != true.weights_sha256, "a label inside is seen"


# ---------------------------------------------------------------- runs


def states(built: Built) -> dict[str, Any]:
    found: dict[str, Any] = built.training_state()["stream"]
    return found


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    asked = spec(images(tmp_path / "x.npz"))
    whole = train(asked, tmp_path / "whole")
    for after in (1, 2):
        with pytest.raises(Stopped):
            train(asked, tmp_path / "parts", resume=True, watch=Watch(stop_after=after))
    parts = train(asked, tmp_path / "parts", resume=True)
    assert parts.weights_sha256 == whole.weights_sha256
    assert parts.spent.reals == whole.spent.reals == 6 * 3 * 5


def test_a_run_without_few_keeps_the_state_that_it_had(tmp_path: Path) -> None:
    path = images(tmp_path / "x.npz")
    assert set(states(build(spec(path, variant="ns-gan")))) == {"epoch", "offset", "reals"}
    assert set(states(build(spec(path)))) == {"epoch", "offset", "reals", "few"}


@pytest.mark.parametrize(("variant", "known"), [("ns-gan", None), ("infogan", None), ("cgan", N), ("acgan", N)])
def test_others_are_told_all_classes_or_none(tmp_path: Path, variant: str, known: int | None) -> None:
    data = build(spec(images(tmp_path / "x.npz"), variant=variant)).data
    assert data.few is None
    assert (None if data.labels is None else len(data.labels)) == known
    assert bool(data.info.classes) == bool(known)


def test_samples_of_such_a_run_need_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = spec(images(tmp_path / "x.npz"))
    train(asked, tmp_path / "run")
    monkeypatch.setattr("ganbench.bench.build.open_for", pytest.fail)
    assert sample_run(tmp_path / "run", 3, seed=0).shape == (3, 1, SIDE, SIDE)
    assert np.load(tmp_path / "run" / "samples" / "final.npz").files == ["arr_0"], "its samples have no classes"


@pytest.mark.parametrize(("data", "error", "message"), [
    (lambda path: "ring8-pacgan", UsageError, "has no classes to learn from"),
    (lambda path: images(path, np.arange(N) % 3), UsageError, "8 known labels cannot be shared evenly among the 3"),
    (lambda path: images(path, LABELS * 2), BadInput, "Number the classes without gaps"),
])  # fmt: skip
def test_data_without_such_labels_are_refused(
    tmp_path: Path, data: Callable[[Path], str], error: type[Exception], message: str
) -> None:
    asked = spec(data(tmp_path / "x.npz"))
    if asked.data == "ring8-pacgan":
        asked = replace(asked, backbone="mlp2d")
    with pytest.raises(error, match=message):
        build(asked)
