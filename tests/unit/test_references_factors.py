"""The factor of a covariance is kept between runs, and only used whole."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganbench.features.factors import FactorCache
from ganbench.features.moments import Moments
from ganbench.features.references import ReferenceFeatures, root

X = np.random.default_rng(0).normal(size=(50, 8)) @ np.diag(np.arange(1.0, 9.0))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path))
    return tmp_path / "references" / "factors"


def check(factor: np.ndarray, moments: Moments) -> None:
    np.testing.assert_allclose(factor @ factor.T, moments.cov, atol=1e-10)


def test_the_root_of_a_singular_covariance_is_as_narrow_as_its_rank() -> None:
    few = Moments.of(X[:5])
    factor = root(few)
    assert factor.shape == (8, 4)
    check(factor, few)
    check(root(Moments.of(X)), Moments.of(X))
    unknown = Moments(0, np.zeros(8), Moments.of(X).cov)
    assert root(unknown).shape == (8, 8)


def test_it_is_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    first = FactorCache(warn=told.append)(Moments.of(X))
    check(first, Moments.of(X))
    monkeypatch.setattr("ganbench.features.factors.root", lambda moments: pytest.fail("made again"))
    features = ReferenceFeatures(moments=Moments.of(X), factors=FactorCache(warn=told.append))
    np.testing.assert_array_equal(features.factor, first)
    assert told == []
    assert sorted(path.suffix for path in folder.iterdir() if not path.name.startswith(".")) == [".npy", ".sha256"]


def test_another_covariance_is_another_file(folder: Path) -> None:
    cache = FactorCache(warn=pytest.fail)
    check(cache(Moments.of(X)), Moments.of(X))
    check(cache(Moments.of(X[:30])), Moments.of(X[:30]))
    assert len(list(folder.glob("*.npy"))) == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "digest"])
def test_a_corrupted_one_is_made_again_and_that_is_said(folder: Path, damage: str) -> None:
    told: list[str] = []
    cache = FactorCache(warn=told.append)
    first = cache(Moments.of(X))
    (path,) = folder.glob("*.npy")
    data = bytearray(path.read_bytes())
    if damage == "digest":
        path.with_suffix(".sha256").write_text("nonsense")
    elif damage == "cut":
        path.write_bytes(data[:100])
    else:
        data[200] ^= 1
        path.write_bytes(data)
    np.testing.assert_array_equal(cache(Moments.of(X)), first)
    assert told == [f"{path} was corrupted and is made again."]
    np.testing.assert_array_equal(cache(Moments.of(X)), first)
    assert len(told) == 1


def test_where_none_can_be_kept_the_work_goes_on(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file in the way")
    told: list[str] = []
    check(FactorCache(warn=told.append)(Moments.of(X)), Moments.of(X))
    assert "could not be kept for the next run" in told[0]


def test_two_processes_at_once_both_end_well(folder: Path, tmp_path: Path) -> None:
    code = (
        "import numpy as np; from ganbench.features.factors import FactorCache\n"
        "from ganbench.features.moments import Moments\n"
        "def no(message): raise SystemExit(message)\n"
        "for seed in range(8):\n"
        "    m = Moments.of(np.random.default_rng(seed).normal(size=(100, 60)))\n"
        "    f = FactorCache(warn=no)(m)\n"
        "    assert np.allclose(f @ f.T, m.cov)\n"
    )
    environment = {**os.environ, "GANBENCH_HOME": str(tmp_path)}
    runs = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [run.wait(300) for run in runs] == [0, 0, 0]
    assert len(list(folder.glob("*.npy"))) == 8
