"""What we export is what pytorch-fid and clean-fid take for theirs; what they write is what we read."""

from pathlib import Path

import numpy as np
import pytest

from ganbench.features.foreign_stats import export_foreign, read_foreign
from ganbench.features.moments import Moments
from ganbench.features.reference_making import Origin, build_reference
from ganbench.features.references import Reference
from ganbench.features.stats import Features
from ganbench.protocol import get_protocol

pytestmark = pytest.mark.reference

X = np.random.default_rng(3).gamma(2.0, 1.0, (50, 16))


@pytest.fixture
def ours() -> Reference:
    origin = Origin(name="toys", split="train", source="images", source_fingerprint="0")
    return build_reference(origin, {"pool": Features(moments=Moments.of(X))}, protocol=get_protocol("pytorch"))


def test_pytorch_fid_takes_our_export(tmp_path: Path, ours: Reference) -> None:
    theirs = pytest.importorskip("pytorch_fid.fid_score", reason="pytorch-fid is not installed")
    export_foreign(ours, tmp_path / "toys.npz")
    mu, sigma = theirs.compute_statistics_of_path(str(tmp_path / "toys.npz"), None, 1, 16, "cpu")
    np.testing.assert_array_equal(mu, ours.heads["pool"].moments.mean)
    np.testing.assert_array_equal(sigma, ours.heads["pool"].moments.cov)


def test_clean_fid_takes_our_export_and_we_take_its_file(
    tmp_path: Path, ours: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = pytest.importorskip("cleanfid.features", reason="clean-fid is not installed")
    monkeypatch.setattr(theirs.cleanfid, "__file__", str(tmp_path / "__init__.py"))
    export_foreign(ours, tmp_path / "stats" / "toys_clean_custom_na.npz")
    mu, sigma = theirs.get_reference_statistics("toys", None, mode="clean", split="custom")
    np.testing.assert_array_equal(mu, ours.heads["pool"].moments.mean)
    np.testing.assert_array_equal(sigma, ours.heads["pool"].moments.cov)
    np.savez_compressed(tmp_path / "made.npz", mu=np.mean(X.astype(np.float32), axis=0), sigma=np.cov(X, rowvar=False))
    np.testing.assert_array_equal(
        read_foreign(tmp_path / "made.npz").heads["pool"].moments.cov, np.cov(X, rowvar=False)
    )
