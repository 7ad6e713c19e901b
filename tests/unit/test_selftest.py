"""The checks of `ganbench selftest`: each passes here, and each notices what it is there to notice."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ganbench.features.loading import Extractor, load_extractor
from ganbench.features.registries import BACKENDS
from ganbench.features.stats import Features
from ganbench.metrics._registry import METRICS
from ganbench.progress import silent
from ganbench.protocol import get_protocol
from ganbench.results import Score
from ganbench.selftest import check, draws, floors, known, network, registry
from ganbench.selftest.record import Measured, Record, read_record

Rows = dict[str, np.ndarray]


def failed(checks: list[check.Check]) -> list[str]:
    return [each.name for each in checks if not each.passed]


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return load_extractor(get_protocol("embedded"), device="cpu", backend="torch", offline=True)


@pytest.fixture(scope="module")
def record() -> Record:
    return read_record()


# ---------------------------------------------------------------- one check


@pytest.mark.parametrize(
    ("found", "passes"), [(1.0, True), (1.1, True), (1.11, False), (0.89, False), (np.nan, False), (None, False)]
)
def test_a_check_passes_within_its_tolerance(found: float | None, passes: bool) -> None:
    made = check.Maker(group="network", cure="Mend it.").near("x", found, 1.0, 0.1000001)
    assert made.passed is passes
    assert made.found is None or np.isfinite(made.found)  # JSON has no NaN


def test_what_raises_has_failed() -> None:
    def breaks() -> Any:
        raise MemoryError("none\nleft")

    make = check.Maker(group="network", cure="Mend it.")
    (guarded,) = make.guarded("x", breaks)
    for found in (make.tried("x", 0.0, 1.0, breaks), guarded):
        assert not found.passed
        assert found.error == "MemoryError: none left"


# ---------------------------------------------------------------- arithmetic


def test_the_answers_are_known() -> None:
    checks = known.known_answers()
    assert failed(checks) == []
    assert len({each.name for each in checks}) == len(checks) == 9


def test_a_library_that_computes_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = np.linalg.eigvalsh

    def wrong(a: Any, *rest: Any, **more: Any) -> Any:
        return right(a, *rest, **more) * (1 + 1e-6)

    monkeypatch.setattr(np.linalg, "eigvalsh", wrong)
    names = failed(known.known_answers())
    assert any("do not commute" in name for name in names)
    assert not any("line" in name or name.startswith(("KD", "IS")) for name in names)


@pytest.mark.slow
def test_every_metric_that_reads_features_is_tried(record: Record) -> None:
    checks = registry.every_metric(record)
    assert failed(checks) == []
    tried = {each.name.partition(":")[0] for each in checks if "notice" in each.name}
    assert {"fid", "kid", "inception_score", "precision_recall", "density_coverage"} <= tried
    assert "ms_ssim" not in tried


Change = Callable[[Mapping[str, Score]], Mapping[str, Score]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda scores: {key: Score(-float(each)) for key, each in scores.items()}, "notice worse features"),
        (lambda scores: {key: Score(float(each) * (1 + 1e-5)) for key, each in scores.items()}, "from the record"),
        (lambda scores: {key: Score(float("nan")) for key in scores}, "from the record"),
        (lambda scores: {}, "can be run"),
    ],
)
def test_a_metric_that_goes_wrong_is_noticed(
    change: Change, words: str, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = METRICS.get("fid")
    right = kind.compute

    def wrong(self: Any, *, fake: Features, real: Features | None) -> Mapping[str, Score]:
        return change(right(self, fake=fake, real=real))

    monkeypatch.setattr(METRICS, "names", lambda: ["fid", "kid_full"])
    assert failed(registry.every_metric(record)) == []
    monkeypatch.setattr(kind, "compute", wrong)
    names = failed(registry.every_metric(record))
    assert any(words in name for name in names), names
    assert all(name.startswith(("fid", "frechet")) for name in names)


def test_draws_are_those_of_the_record() -> None:
    """NumPy promises this stream for ever; another stream would make every recorded number wrong."""
    assert draws.normal(1, 2, 2).ravel().tolist() == pytest.approx([1.6243454, -0.6117564, -0.5281718, -1.0729686])
    images = draws.pictures()
    assert [image.shape for image in images[4:]] == [(3, 224, 224), (3, 299, 299), (3, 301, 173), (3, 96, 500)]
    assert len({image.tobytes() for image in images}) == 8
    assert all(image.dtype == np.uint8 and image.std() > 30 for image in images)


# ---------------------------------------------------------------- the network


def of(extractor: Any, record: Record) -> list[check.Check]:
    return network.check_network([network.Loaded("torch", extractor)], record, progress=silent)


class Changed:
    """An extractor whose features go through `change`."""

    def __init__(self, inner: Extractor, change: Callable[[Rows], Rows]) -> None:
        self.inner, self.change = inner, change
        self.protocol, self.heads = inner.protocol, inner.heads

    def __call__(self, images: Any) -> Rows:
        return self.change(dict(self.inner(images)))


def test_the_network_is_the_recorded_one(extractor: Extractor, record: Record) -> None:
    assert set(record.features) == set(extractor.heads)
    checks = of(extractor, record)
    assert failed(checks) == []
    assert len(checks) == len(extractor.heads) + 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: {**x, "pool": x["pool"] * np.float32(1.001)}, ["pool of 8 pictures", "shipped reference"]),
        (lambda x: {**x, "logits": x["logits"] + np.float32(0.01)}, ["logits of 8 pictures"]),
        (lambda x: {**x, "pool": x["pool"] + np.float32(1e-6 * len(x["pool"]))}, ["the same batch again"]),
        (lambda x: {**x, "pool": x["pool"] * np.float32(np.nan)}, ["pool of 8 pictures", "the same batch"]),
        (lambda x: {head: rows for head, rows in x.items() if head != "pool"}, ["torch: runs"]),
    ],
)
def test_a_network_that_goes_wrong_is_noticed(
    extractor: Extractor, record: Record, change: Callable[[Rows], Rows], words: list[str]
) -> None:
    names = failed(of(Changed(extractor, change), record))
    for each in words:
        assert any(each in name for name in names), names
    assert len(names) <= len(words) + 1


def test_back_ends_that_disagree_are_named(extractor: Extractor, record: Record) -> None:
    other = Changed(extractor, lambda x: {**x, "spatial": x["spatial"] * np.float32(1.01)})
    pair = [network.Loaded("torch", extractor), network.Loaded("other", other)]  # type: ignore[arg-type]
    names = failed(network.check_network(pair, record, progress=silent))
    assert names == [
        "other: spatial of 8 pictures, difference from the record",
        "torch and other: difference on 8 pictures",
    ]


def test_a_back_end_that_cannot_be_loaded_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(BACKENDS.get("torch"), "prepare", broken)
    loaded, checks = network.load_all("cpu", skip=("compile", "openvino"), progress=silent)
    assert loaded == []
    assert failed(checks) == ["torch: can be loaded"]
    assert "libgomp" in checks[0].error


# ---------------------------------------------------------------- floors


def test_floors_have_tolerances(record: Record) -> None:
    assert {"frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage"} <= set(record.floors)
    for key, both in record.floors.items():
        assert set(both) == {"real", "noise"}
        gap = abs(both["noise"].value - both["real"].value)
        assert all(each.tolerance < 0.05 * gap for each in both.values()), key  # else they would let anything pass


def test_a_floor_that_moved_is_named(monkeypatch: pytest.MonkeyPatch, extractor: Extractor) -> None:
    found = [
        floors.Floor("frechet_distance", "FD", "lower", 2.7, 268.0),
        floors.Floor("new", "New", "higher", 1.0, None),
    ]
    monkeypatch.setattr(floors, "floors", lambda *_, **__: found)
    right = Record(floors={"frechet_distance": {"real": Measured(value=2.7, tolerance=0.01),
                                                "noise": Measured(value=268.1, tolerance=0.2)}})  # fmt: skip
    loaded = network.Loaded("torch", extractor)
    checks, shown = floors.measure_floors(loaded, right, progress=silent)
    assert failed(checks) == []
    assert shown == found  # what the record does not know is shown, too
    found[0] = replace(found[0], real=2.8, noise=2.9)
    checks, _ = floors.measure_floors(loaded, right, progress=silent)
    assert failed(checks) == [
        "FD of real digits",
        "FD of uniform noise",
        "FD: how far noise is from real digits, of the recorded gap",
    ]
    found[0] = replace(found[0], real=2.7, noise=None)
    assert failed(floors.measure_floors(loaded, right, progress=silent)[0]) == ["FD of uniform noise"]


def test_noise_that_reads_no_worse_is_known() -> None:
    def noise_is_worse(direction: Any, real: float | None, noise: float | None) -> bool:
        return floors.Floor("x", "X", direction, real, noise).noise_is_worse

    assert noise_is_worse("lower", 1.0, 2.0)
    assert not noise_is_worse("lower", 2.0, 1.0)
    assert noise_is_worse("higher", 2.0, 1.0)
    assert not noise_is_worse("higher", 1.0, 1.0)
    assert noise_is_worse("higher", 1.0, None)
    assert not noise_is_worse("higher", None, 1.0)
