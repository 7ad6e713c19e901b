"""`GenerativeMetrics`: a metric of torchmetrics in every respect, with the numbers of the Evaluator."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganbench
from ganbench.errors import BadInput, UsageError
from ganbench.images.datasets._base import open_dataset

pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: pip install 'ganbench[torchmetrics]'")
from torchmetrics import MetricCollection

from ganbench.integrations.torchmetrics import GenerativeMetrics

Run = Callable[..., Any]
N = 40
# They say that so few images are no evaluation.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fewer than the 1280 feature dimensions:UserWarning"),
    pytest.mark.usefixtures("lasting"),
]


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Held-out digits, uint8 (N, 3, 32, 32)."""
    return torch.from_numpy(np.stack([image.pixels for image in open_dataset("digits", "test").images(range(N))]))


@pytest.fixture(scope="module")
def made(lasting: Path) -> GenerativeMetrics:
    """The five of the field against digits; its network is loaded once."""
    return GenerativeMetrics(real="digits")


@pytest.fixture
def metric(made: GenerativeMetrics) -> Iterator[GenerativeMetrics]:
    yield made
    made.reset()


def fed(metric: GenerativeMetrics, images: Tensor, size: int = 16) -> dict[str, float]:
    for start in range(0, len(images), size):
        metric.update(images[start : start + size])
    return {key: float(value) for key, value in metric.compute().items()}


@pytest.fixture(scope="module")
def wanted(images: Tensor, lasting: Path) -> dict[str, float | None]:
    """What the Evaluator says of all images."""
    evaluator = ganbench.Evaluator(real="digits", device="cpu")
    evaluator.update(images)
    return {key: found.value for key, found in evaluator.compute().items()}


def test_it_gives_the_numbers_of_the_evaluator(
    metric: GenerativeMetrics, images: Tensor, wanted: dict[str, float | None]
) -> None:
    """Exactly: the same features go through the same arithmetic."""
    assert len(wanted) == 7
    assert fed(metric, images) == wanted
    values = metric.compute()
    assert all(value.ndim == 0 and value.dtype == torch.float64 for value in values.values())
    assert metric.report["frechet_distance"].ci95 is not None
    assert any("fewer than the 1280" in warning for warning in metric.report.warnings)


def test_floats_have_a_range(images: Tensor, wanted: dict[str, float | None]) -> None:
    metric = GenerativeMetrics(real="digits", value_range=(-1, 1))
    assert fed(metric, images.float() / 127.5 - 1) == wanted
    with pytest.raises(BadInput, match=r"holds values from 0 to 255; wanted -1 to 1"):
        metric.update(images.float())


def test_more_updates_and_reset(metric: GenerativeMetrics, images: Tensor, wanted: dict[str, float | None]) -> None:
    first = fed(metric, images[:20])
    assert first != wanted
    assert fed(metric, images[20:]) == wanted
    metric.reset()
    assert fed(metric, images[:20]) == first


def test_forward_gives_the_batch_and_keeps_all(
    metric: GenerativeMetrics, images: Tensor, wanted: dict[str, float | None]
) -> None:
    first = {key: float(value) for key, value in metric(images[:20]).items()}
    second = {key: float(value) for key, value in metric(images[20:]).items()}
    assert {key: float(value) for key, value in metric.compute().items()} == wanted
    metric.reset()
    assert fed(metric, images[:20]) == first
    metric.reset()
    assert fed(metric, images[20:]) == second != first


def test_in_a_collection(images: Tensor, wanted: dict[str, float | None]) -> None:
    """Those that keep the same features share them: one network pass for both."""
    both = MetricCollection(
        {
            "distance": GenerativeMetrics(real="digits", metrics=["fid"]),
            "balls": GenerativeMetrics(real="digits", metrics=["precision_recall"]),
        }
    )
    for start in (0, 20):
        both.update(images[start : start + 20])
    assert list(both.compute_groups.values()) == [["balls", "distance"]]
    found = {key: float(value) for key, value in both.compute().items()}
    assert found == {key: wanted[key] for key in ("precision", "recall", "frechet_distance")}


def test_two_protocols_never_share_features(images: Tensor) -> None:
    metrics = [GenerativeMetrics(real="digits", protocol="embedded", metrics=["fid"]),
               GenerativeMetrics(real=images_source(images), protocol="clean", metrics=["fid"])]  # fmt: skip
    assert metrics[0].metric_state.keys() != metrics[1].metric_state.keys()


def images_source(images: Tensor) -> Any:
    from ganbench.images.indexed import IndexedSource

    return IndexedSource("pictures", len(images), read=lambda i: images[i].permute(1, 2, 0).numpy())


def test_it_is_pickled_and_stored_with_its_images(
    metric: GenerativeMetrics, images: Tensor, wanted: dict[str, float | None]
) -> None:
    fed(metric, images[:20])
    copies = [pickle.loads(pickle.dumps(metric)), metric.clone(), GenerativeMetrics(real="digits")]
    assert all(copy._engine is None for copy in copies[:2])  # a network that OpenVINO compiled cannot be copied
    assert not metric.state_dict()
    metric.persistent(True)
    copies[2].persistent(True)
    copies[2].load_state_dict(metric.state_dict())
    metric.persistent(False)
    assert {key: found.value for key, found in copies[0].report.items()} == fed(copies[1], images[:0])
    for copy in copies:
        assert fed(copy, images[20:]) == wanted


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_mixed_precision_does_not_reach_into_the_network(images: Tensor, backend: str) -> None:
    """Nor, beside it, into that of the Evaluator, though it is loaded there."""
    metric = GenerativeMetrics(real="digits", metrics=["fid", "mode_coverage"], backend=backend)
    evaluator = ganbench.Evaluator(real="digits", metrics=["fid"], backend=backend, device="cpu")
    plain = fed(metric, images)
    metric.reset()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert fed(metric, images) == plain
        evaluator.update(images)
    assert evaluator.compute()["frechet_distance"].value == plain["frechet_distance"]


def own_network(scale: float = 1.0, name: str = "my-net.v1") -> ganbench.CustomNetwork:
    torch.manual_seed(0)
    first = nn.Conv2d(3, 6, 5, stride=8)
    with torch.no_grad():
        first.weight.mul_(scale)
    module = nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    return ganbench.CustomNetwork(module, name=name, size=32)


@pytest.mark.filterwarnings("ignore:The network is your own:UserWarning")
@pytest.mark.filterwarnings("ignore:The samples are the very images of the reference:UserWarning")
def test_it_takes_what_the_evaluator_takes_as_protocol(images: Tensor, lasting: Path) -> None:
    np.savez(lasting / "own.npz", images.flip(0).numpy())
    given: dict[str, Any] = {"real": lasting / "own.npz", "metrics": ["fid", "kid"]}
    torch.jit.script(own_network().module).save(lasting / "own.pt")
    with pytest.raises(UsageError, match="--allow-code"):
        GenerativeMetrics(**given, protocol=lasting / "own.pt")
    for more in ({"protocol": own_network()}, {"protocol": lasting / "own.pt", "allow_code": True}):
        evaluator = ganbench.Evaluator(**given, **more, device="cpu")
        evaluator.update(images)
        report = evaluator.compute()
        metric = GenerativeMetrics(**given, **more)
        assert fed(metric, images) == {key: found.value for key, found in report.items()}
        assert metric.report.protocol["fingerprint"] == report.protocol["fingerprint"]
        for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
            assert {key: float(value) for key, value in copy.compute().items()} == fed(metric, images[:0])


@pytest.mark.filterwarnings("ignore:The network is your own:UserWarning")
def test_two_networks_of_one_name_never_share_features(images: Tensor) -> None:
    given: dict[str, Any] = {"real": images_source(images), "metrics": ["fid"]}
    one, other = (GenerativeMetrics(**given, protocol=own_network(scale)) for scale in (1.0, 2.0))
    assert one.metric_state.keys() != other.metric_state.keys()
    assert one.metric_state.keys() == GenerativeMetrics(**given, protocol=own_network()).metric_state.keys()


def test_a_network_that_changed_is_not_loaded_again(images: Tensor) -> None:
    own = own_network()
    metric = GenerativeMetrics(real=images_source(images), metrics=["fid"], protocol=own)
    metric.update(images[:20])
    with torch.no_grad():
        next(own.module.parameters()).mul_(2)
    metric.update(images[20:])  # the network itself was copied
    with pytest.raises(UsageError, match=r"my-net.v1 has changed since this metric was made.*deepcopy"):
        metric.clone().update(images)


def test_what_has_no_value_is_nan(metric: GenerativeMetrics, images: Tensor) -> None:
    found = fed(metric, images[:12])
    assert np.isnan(found["inception_score"])
    assert "10 splits" in (metric.report["inception_score"].reason or "")
    assert np.isfinite(found["frechet_distance"])


@pytest.mark.filterwarnings("ignore:The ``compute`` method.*was called before the ``update``:UserWarning")
def test_too_few_images_are_named(metric: GenerativeMetrics, images: Tensor) -> None:
    with pytest.raises(UsageError, match="before any update"):
        metric.compute()
    with pytest.raises(UsageError, match=r"no report yet. Call compute\(\)"):
        _ = metric.report
    metric.update(images[:1])
    with pytest.raises(BadInput, match=r"found 1 usable image.*at least 2"):
        metric.compute()
    with pytest.raises(BadInput, match=r"\(n, 3, h, w\)"):
        metric.update(images[0])


def test_what_needs_more_than_features_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fid'"):
        GenerativeMetrics(real="digits", metrics=["fidd"])
    with pytest.raises(UsageError, match="Did you mean 'digits'"):
        GenerativeMetrics(real="digitz")
    with pytest.raises(UsageError, match=r"ms_ssim needs the images themselves.*Metrics that can be had here: .*fid"):
        GenerativeMetrics(real="digits", metrics=["fid", "ms_ssim"])
    assert "ms_ssim" not in GenerativeMetrics(real="digits", metrics="all")._options.metrics


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_runs_where_it_is_put(images: Tensor, wanted: dict[str, float | None]) -> None:
    metric = GenerativeMetrics(real="digits").to("cuda")
    found = fed(metric, images.cuda())
    assert metric.report.result.environment["device"] == "cuda:0"
    assert metric.digests[0].is_cuda
    assert found["frechet_distance"] == pytest.approx(wanted["frechet_distance"], rel=1e-3)  # float32 features


@pytest.fixture(scope="module")
def together(images: Tensor, lasting: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes of a process group finds."""
    folder = tmp_path_factory.mktemp("together")
    np.save(folder / "images.npy", images.numpy())
    worker = Path(__file__).with_name("torchmetrics_worker.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    with ExitStack() as stack:
        running = [
            stack.enter_context(subprocess.Popen([sys.executable, worker, str(rank), folder], env=environment))
            for rank in range(2)
        ]
        try:
            assert [process.wait(timeout=900) for process in running] == [0, 0]
        finally:
            for process in running:
                process.kill()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "n"), [("apart", N), ("all in one", N)])
def test_two_processes_find_what_one_finds(
    together: list[dict[str, Any]], images: Tensor, case: str, n: int, alike: Run
) -> None:
    """The images of the first process come first, as in one process that sees all; also where one sees none."""
    alone = GenerativeMetrics(real="digits", metrics=["fid", "kid", "inception_score", "precision_recall"])
    values = fed(alone, images)
    for found in together:
        alike(found[case]["values"], values)
        assert found[case]["n"] == n
        assert found[case]["fingerprint"] == alone.report.result.samples.fingerprint
    kept = [found[case]["kept here"] for found in together]
    assert kept == ([17, 23] if case == "apart" else [0, 40])  # each has its own again


@pytest.mark.slow
def test_processes_that_draw_the_same_images_are_told(together: list[dict[str, Any]]) -> None:
    """The first says it, once: generators seeded alike in every process give every image twice."""
    first, second = (found["the same"] for found in together)
    assert first["n"] == second["n"] == 24
    assert any("12 of 24 samples have exactly the pixels of an earlier one" in warning for warning in first["warned"])
    assert second["warned"] == []
