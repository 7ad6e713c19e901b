"""The Python face: evaluate, score, Evaluator and open_images, as the pages of the interface promise them."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import ganbench
from ganbench.errors import BadInput, GanbenchError, UsageError

Run = Callable[..., Any]
U8 = NDArray[np.uint8]
N = 24
OF_DISTANCE = ["fid", "kid", "precision_recall", "density_coverage"]
SETTINGS: dict[str, Any] = {"protocol": "embedded", "backend": "torch"}


@pytest.fixture(autouse=True)
def _in(lasting: Path) -> None:
    """All tests share a folder with `fake` and `real`, and one GANBENCH_HOME."""


@pytest.fixture(scope="module")
def images(lasting: Path, pictures: Run, folder_of: Run) -> U8:
    """Those of the folder `fake`, uint8 (n, 32, 32, 3); the folder `real` is there too."""
    made: U8 = pictures(N, seed=1)
    folder_of(lasting / "fake", made)
    folder_of(lasting / "real", pictures(N + 6, seed=2))
    return made


@pytest.fixture(scope="module")
def base(images: U8) -> ganbench.Report:
    """`fake` against `real`, the metrics that compare."""
    return ganbench.evaluate(fake="fake", real=Path("real"), metrics=OF_DISTANCE, **SETTINGS)


@pytest.fixture(scope="module")
def evaluator(images: U8) -> ganbench.Evaluator:
    """One whose network and reference are loaded once for all tests; each begins with reset()."""
    return ganbench.Evaluator(real=Path("real"), metrics=OF_DISTANCE, **SETTINGS)


def values(report: ganbench.Report) -> dict[str, float | None]:
    return {key: metric.value for key, metric in report.items()}


def nchw(images: U8) -> U8:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


# ---------------------------------------------------------------- evaluate


def test_the_report(base: ganbench.Report, lasting: Path) -> None:
    assert list(base) == ["frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage"]
    distance = base["frechet_distance"]
    assert distance.value is not None
    assert math.isfinite(distance.value)
    assert distance.label == "FD"
    assert (distance.n_fake, distance.n_real) == (N, N + 6)
    low, high = distance.ci95 or (0, 0)
    assert low < distance.value < high
    text = str(base)
    for part in ("FD", "Coverage", "fake against real", "95 % interval"):
        assert part in text
    base.to_json(lasting / "r.json")
    base.to_html(str(lasting / "r.html"))
    found = json.loads((lasting / "r.json").read_text())
    assert found["schema"] == "ganbench.result/1"
    assert {key: metric["value"] for key, metric in found["metrics"].items()} == values(base)
    assert "<html" in (lasting / "r.html").read_text()


def test_a_report_is_the_one_of_the_command(base: ganbench.Report, run: Run, alike: Run) -> None:
    done = run("eval", "fake", "--ref", "./real", "--metrics", ",".join(OF_DISTANCE), "--protocol", "embedded",
               "--backend", "torch", "--json", "-")  # fmt: skip
    found = json.loads(done.out)
    alike({key: metric["value"] for key, metric in found["metrics"].items()}, values(base))
    assert found["protocol"] == base.protocol
    assert found["samples"]["fingerprint"] == base.result.samples.fingerprint
    assert found["reference"]["fingerprint"] == base.result.reference.fingerprint


def test_a_report_asked_for_what_it_has_not(base: ganbench.Report) -> None:
    with pytest.raises(KeyError, match="Did you mean 'frechet_distance'"):
        base["fid"]
    with pytest.raises(GanbenchError, match="Unknown metric 'recal'"):
        base["recal"]


def test_evaluate_takes_opened_sources(base: ganbench.Report, alike: Run) -> None:
    fake, real = ganbench.open_images("fake"), ganbench.open_images("real")
    told: list[str] = []
    report = ganbench.evaluate(
        fake=fake,
        real=real,
        metrics="fid",
        cache=False,
        progress=lambda stage, done, total: told.append(stage),
        **SETTINGS,
    )
    alike(values(report), {"frechet_distance": base["frechet_distance"].value})
    assert {"network", "reference", "samples", "metrics"} <= set(told)


def test_evaluate_with_the_default_metrics_and_a_name(images: U8) -> None:
    report = ganbench.evaluate(fake="fake", real="digits", backend="torch", offline=True)
    assert set(report) == {
        "frechet_distance", "kernel_distance", "inception_score", "precision", "recall", "density", "coverage",
    }  # fmt: skip
    assert report.protocol["name"] == "embedded"
    again = ganbench.evaluate(fake="fake", real="digits:train", metrics="all", backend="torch", offline=True)
    assert set(report) <= set(again)
    for key, metric in again.items():
        assert metric.value is not None or metric.reason
        if key in report:
            assert metric == report[key]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fake": "nowhere"}, "There is no file or folder nowhere"),
        ({"real": "./nowhere"}, "There is no file or folder nowhere"),
        ({"real": "digts"}, "Did you mean 'digits'"),
        ({"metrics": "fdi"}, "Did you mean 'fid'"),
        ({"metrics": ["fid", "recal"]}, "Unknown metric 'recal'"),
        ({"protocol": "clena"}, "Did you mean 'clean'"),
        ({"num": 1000}, "1000 images"),
        ({"device": "tpu"}, "tpu"),
        ({"backend": "tensorrt"}, "tensorrt"),
        ({"seed": -1}, "seed"),
        ({"batch_size": 0}, "batch-size"),
        ({"value_range": (0, 2)}, "value range"),
        ({"weights": "nowhere.pth"}, "no file of weights"),
    ],
)
def test_evaluate_refuses(images: U8, given: dict[str, Any], message: str) -> None:
    arguments = {"fake": "fake", "real": Path("real"), **SETTINGS} | given
    with pytest.raises(UsageError, match=message) as caught:
        ganbench.evaluate(**arguments)
    assert caught.value.exit_code == 2


def test_what_is_not_here_is_another_error(images: U8) -> None:
    with pytest.raises(GanbenchError, match="pt_inception") as caught:
        ganbench.evaluate(fake="fake", real="cifar10", offline=True)
    assert not isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 1


def test_fake_and_real_are_keywords(images: U8) -> None:
    x = np.zeros((4, 2))
    with pytest.raises(TypeError):
        ganbench.evaluate("fake", "real")  # type: ignore[misc]
    with pytest.raises(TypeError):
        ganbench.score("fid", x, x)  # type: ignore[misc]
    with pytest.raises(TypeError):
        ganbench.Evaluator("real")  # type: ignore[misc]


# ---------------------------------------------------------------- Evaluator


def test_batches_are_the_folder(base: ganbench.Report, evaluator: ganbench.Evaluator, images: U8, alike: Run) -> None:
    evaluator.reset()
    for part in (slice(0, 5), slice(5, 6), slice(6, N)):
        evaluator.update(torch.from_numpy(nchw(images[part])))
    report = evaluator.compute()
    alike(values(report), values(base))
    assert report.result.samples.fingerprint == base.result.samples.fingerprint
    assert report.result.samples.n == N
    for key, metric in report.items():
        alike(vars(metric), vars(base[key]))


def test_compute_twice_and_go_on(base: ganbench.Report, evaluator: ganbench.Evaluator, images: U8, alike: Run) -> None:
    evaluator.reset()
    evaluator.update(nchw(images[:10]))
    first, second = evaluator.compute(), evaluator.compute()
    alike(values(second), values(first))
    assert first.result.samples.n == 10
    evaluator.update(nchw(images[10:]))
    alike(values(evaluator.compute()), values(base))


def test_reset_forgets_the_images(base: ganbench.Report, evaluator: ganbench.Evaluator, images: U8, alike: Run) -> None:
    evaluator.reset()
    evaluator.update(255 - nchw(images))
    assert values(evaluator.compute()) != values(base)
    evaluator.reset()
    with pytest.raises(UsageError, match="before any update"):
        evaluator.compute()
    evaluator.update(nchw(images))
    alike(values(evaluator.compute()), values(base))


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_floats_are_the_same_images(
    base: ganbench.Report, images: U8, alike: Run, value_range: tuple[float, float], dtype: torch.dtype
) -> None:
    low, high = value_range
    floats = torch.from_numpy(nchw(images)).to(dtype) / 255 * (high - low) + low
    floats.requires_grad_(True)  # as a generator gives them
    evaluator = ganbench.Evaluator(real=Path("real"), metrics="fid", value_range=value_range, **SETTINGS)
    evaluator.update(floats)
    report = evaluator.compute()
    alike(report["frechet_distance"].value, base["frechet_distance"].value)
    assert report.result.samples.fingerprint == base.result.samples.fingerprint


def test_gray_is_repeated(evaluator: ganbench.Evaluator, images: U8, alike: Run) -> None:
    gray = nchw(images)[:, :1]
    reports = []
    for batch in (gray, gray.repeat(3, axis=1)):
        evaluator.reset()
        evaluator.update(batch)
        reports.append(evaluator.compute())
    alike(values(reports[0]), values(reports[1]))
    assert reports[0].result.samples.fingerprint == reports[1].result.samples.fingerprint


def test_mixed_sizes(evaluator: ganbench.Evaluator, images: U8) -> None:
    evaluator.reset()
    evaluator.update(nchw(images[:3]))
    evaluator.update(nchw(images[3:6])[:, :, :20, :31])
    assert evaluator.compute().result.samples.n == 6


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.full((2, 3, 8, 8), 2.0), r"wanted 0 to 1.*--value-range|value_range"),
        (np.full((2, 3, 8, 8), -0.5), "wanted 0 to 1"),
        (np.full((2, 3, 8, 8), np.nan), "NaN or infinite"),
        (np.zeros((2, 3, 8, 8), dtype=np.int64), "int64"),
        (np.zeros((3, 8, 8), dtype=np.uint8), r"\(n, 3, h, w\)"),
        (np.zeros((2, 8, 8, 3), dtype=np.uint8), r"\(n, 3, h, w\)"),
    ],
)
def test_the_evaluator_refuses(evaluator: ganbench.Evaluator, images: U8, alike: Run, batch: Any, message: str) -> None:
    evaluator.reset()
    evaluator.update(nchw(images[:4]))
    before = values(evaluator.compute())
    with pytest.raises(BadInput, match=message):
        evaluator.update(batch)
    alike(values(evaluator.compute()), before)  # a refused batch leaves nothing behind


def test_one_image_is_too_few(evaluator: ganbench.Evaluator, images: U8) -> None:
    evaluator.reset()
    evaluator.update(nchw(images[:1]))
    with pytest.raises(BadInput, match=r"found 1 usable image.*at least 2"):
        evaluator.compute()
    evaluator.reset()


def test_mistakes_show_when_the_evaluator_is_made() -> None:
    """Not after an hour of training."""
    with pytest.raises(UsageError, match="Did you mean 'fid'"):
        ganbench.Evaluator(real="digits", metrics=["fidd"])
    with pytest.raises(UsageError, match="seed"):
        ganbench.Evaluator(real="digits", seed=-1)


# ---------------------------------------------------------------- score

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(300, 8)), RNG.normal(size=(250, 8)) + 0.3


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("fid", ["frechet_distance"]),
        ("kid", ["kernel_distance"]),
        ("precision_recall", ["precision", "recall"]),
        ("density_coverage", ["density", "coverage"]),
    ],
)
def test_score(name: str, keys: list[str]) -> None:
    found = ganbench.score(name, fake=X, real=Y)
    assert list(found) == keys
    for score in found.values():
        assert isinstance(score, ganbench.Score)
        assert math.isfinite(float(score))
        if score.ci95 is not None:
            assert score.ci95[0] <= float(score) <= score.ci95[1]
            assert score.stderr is not None
    tensors = ganbench.score(name, fake=torch.from_numpy(X).requires_grad_(True), real=torch.from_numpy(Y))
    assert {k: float(s) for k, s in tensors.items()} == {k: float(s) for k, s in found.items()}
    single = ganbench.score(name, fake=X.astype(np.float32), real=Y.astype(np.float32))
    assert [float(s) for s in single.values()] == pytest.approx([float(s) for s in found.values()], rel=1e-3, abs=1e-5)


def test_score_without_a_reference() -> None:
    logits = np.repeat(np.eye(10), 30, axis=0) * 1000
    found = ganbench.score("inception_score", fake=logits, splits=1)
    assert float(found["inception_score"]) == pytest.approx(10, rel=1e-6)
    assert float(ganbench.score("inception_score", fake=np.zeros((100, 10)))["inception_score"]) == pytest.approx(1)


def test_score_has_closed_forms() -> None:
    shifted = ganbench.score("fid", fake=X + 2.0, real=X)["frechet_distance"]
    assert float(shifted) == pytest.approx(8 * 2.0**2, rel=1e-9)
    assert abs(float(ganbench.score("fid", fake=X, real=X)["frechet_distance"])) < 1e-9
    both = ganbench.score("precision_recall", fake=X, real=X)
    assert (float(both["precision"]), float(both["recall"])) == (1, 1)
    far = ganbench.score("precision_recall", fake=X + 100, real=X)
    assert (float(far["precision"]), float(far["recall"])) == (0, 0)


def test_score_takes_parameters() -> None:
    plain = float(ganbench.score("kid", fake=X, real=Y)["kernel_distance"])
    small = float(ganbench.score("kid", fake=X, real=Y, subset_size=50)["kernel_distance"])
    assert small != plain
    assert small == float(ganbench.score("kid", fake=X, real=Y, subset_size=50)["kernel_distance"])
    assert small != float(ganbench.score("kid", fake=X, real=Y, subset_size=50, seed=1)["kernel_distance"])
    k1, k9 = (float(ganbench.score("precision_recall", fake=X, real=Y, k=k)["precision"]) for k in (1, 9))
    assert k1 < k9


def test_score_takes_moments() -> None:
    from ganbench.features.moments import Moments

    moments = [Moments(len(z), z.mean(0), np.cov(z, rowvar=False)) for z in (X, Y)]
    found = ganbench.score("fid", fake=moments[0], real=moments[1])["frechet_distance"]
    assert float(found) == pytest.approx(float(ganbench.score("fid", fake=X, real=Y)["frechet_distance"]), rel=1e-9)
    with pytest.raises(UsageError, match="needs the features"):
        ganbench.score("kid", fake=moments[0], real=Y)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("fdi", {"fake": X, "real": Y}, "Did you mean 'fid'"),
        ("kid", {"fake": X, "real": Y, "subsetsize": 3}, "no parameter 'subsetsize'.*subset_size"),
        ("fid", {"fake": X}, "real= is missing"),
        ("fid", {"fake": X, "real": Y[:, :5]}, "8.*5|5.*8"),
        ("fid", {"fake": X[0], "real": Y}, r"\(n, d\)"),
        ("fid", {"fake": X[:1], "real": Y}, "2"),
        ("fid", {"fake": X.astype(int), "real": Y}, "int64"),
        ("fid", {"fake": "samples", "real": Y}, "ganbench.evaluate"),
        ("precision_recall", {"fake": X, "real": Y, "k": 0}, "k"),
        ("kid", {"fake": X, "real": Y, "subset_size": 1}, "subset_size"),
        ("inception_score", {"fake": X, "splits": 0}, "splits"),
    ],
)
def test_score_refuses(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){message}"):
        ganbench.score(name, **given)


# ---------------------------------------------------------------- open_images, and the package


def test_open_images(images: U8, lasting: Path) -> None:
    np.savez(lasting / "x.npz", images)
    folder, array = ganbench.open_images("fake"), ganbench.open_images(lasting / "x.npz")
    assert (len(folder), len(array)) == (N, N)
    assert folder.fingerprint == array.fingerprint == ganbench.open_images("fake").fingerprint
    assert len(folder.fingerprint) == 64
    for source in (folder, array):
        for _ in range(2):  # again and again
            batches = list(source.batches(10))
            assert [len(batch) for batch in batches] == [10, 10, 4]
            assert batches[0].dtype == torch.uint8
            assert np.array_equal(torch.cat(batches).numpy(), nchw(images))
    assert folder.name == "fake"
    with pytest.raises(BadInput, match="There is no file or folder nowhere"):
        ganbench.open_images("nowhere")


def test_the_package_imports_nothing_heavy(images: U8) -> None:
    code = (
        "import sys, ganbench; ganbench.__version__; dir(ganbench)\n"
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'pandas', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert len(ganbench.open_images('fake')) == 24\n"
        "assert 'torch' not in sys.modules, 'images are read without it'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_says_what_it_has() -> None:
    assert {"evaluate", "score", "Evaluator", "open_images", "__version__"} <= set(dir(ganbench))
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        ganbench.evalute  # noqa: B018
