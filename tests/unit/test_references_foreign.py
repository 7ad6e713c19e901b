"""Statistics of other tools: each flavour is read, everything doubtful is refused, ours can be read by them."""

from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import BadInput, UsageError
from ganbench.features.foreign_stats import export_foreign, is_statistics, open_statistics, read_foreign
from ganbench.features.moments import Moments
from ganbench.features.reference_files import save
from ganbench.features.reference_making import Origin, build_reference
from ganbench.features.reference_names import auto_protocol
from ganbench.features.stats import Features
from ganbench.protocol import get_protocol

X = np.random.default_rng(1).gamma(2.0, 1.0, (60, 9))
MU, SIGMA = X.mean(axis=0), np.cov(X, rowvar=False)


def ours(x: np.ndarray = X) -> object:
    origin = Origin(name="toys", split="train", source="s", source_fingerprint="0")
    heads = {"pool": Features(x.astype(np.float32), moments=Moments.of(x))}
    return build_reference(origin, heads, protocol=get_protocol("tf"))


def flavours(folder: Path) -> dict[str, Path]:
    paths = {name: folder / f"{name}.npz" for name in ("ttur", "pytorch-fid", "clean-fid", "adm", "edm")}
    np.savez(paths["ttur"], mu=MU, sigma=SIGMA)
    np.savez_compressed(paths["pytorch-fid"], mu=MU, sigma=SIGMA)
    np.savez_compressed(paths["clean-fid"], mu=MU.astype(np.float32), sigma=SIGMA)
    images = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    np.savez(paths["adm"], arr_0=images, mu=MU, sigma=SIGMA, mu_s=np.zeros(4), sigma_s=np.eye(4))
    np.savez(paths["edm"], mu=MU, sigma=np.asfortranarray(SIGMA))
    return paths


@pytest.mark.parametrize("tool", ["ttur", "pytorch-fid", "clean-fid", "adm", "edm"])
def test_each_flavour_is_read(tmp_path: Path, tool: str) -> None:
    path = flavours(tmp_path)[tool]
    assert is_statistics(path)
    reference = read_foreign(path)
    head = reference.heads["pool"]
    np.testing.assert_allclose(head.moments.mean, MU, rtol=1e-6 if tool == "clean-fid" else 0)
    np.testing.assert_array_equal(head.moments.cov, SIGMA)
    np.testing.assert_allclose(head.factor @ head.factor.T, SIGMA, atol=1e-12)
    assert (reference.n, reference.split, reference.protocol_fingerprint) == (None, None, None)
    assert head.values is None
    assert reference.check_protocol(get_protocol("clean")) is reference


def test_single_precision_is_made_symmetric(tmp_path: Path) -> None:
    sigma = SIGMA.astype(np.float32)
    sigma[0, 1] = np.nextafter(sigma[0, 1], np.float32(9))
    np.savez(tmp_path / "x.npz", mu=MU.astype(np.float32), sigma=sigma)
    cov = read_foreign(tmp_path / "x.npz").heads["pool"].moments.cov
    assert cov.dtype == np.float64
    np.testing.assert_array_equal(cov, cov.T)
    np.testing.assert_allclose(cov, SIGMA, rtol=1e-6)


def test_the_number_of_images_may_be_known_from_elsewhere(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=MU, sigma=SIGMA)
    reference = read_foreign(tmp_path / "x.npz", n=60)
    assert (reference.n, reference.heads["pool"].n) == (60, 60)


def test_equal_numbers_have_equal_fingerprints_whatever_the_file(tmp_path: Path) -> None:
    paths = flavours(tmp_path)
    assert read_foreign(paths["ttur"]).fingerprint == read_foreign(paths["adm"]).fingerprint
    assert read_foreign(paths["ttur"]).fingerprint != read_foreign(paths["clean-fid"]).fingerprint


def bad(name: str) -> dict[str, np.ndarray]:
    nan, lopsided, negative, beyond = MU.copy(), SIGMA.copy(), SIGMA.copy(), SIGMA.copy()
    nan[0] = np.nan
    lopsided[0, 1] += 0.1
    negative[2, 2] = -1.0
    beyond[0, 1] = beyond[1, 0] = 2 * np.sqrt(beyond[0, 0] * beyond[1, 1])
    return {
        "nan": {"mu": nan, "sigma": SIGMA},
        "infinite": {"mu": MU, "sigma": np.where(SIGMA > 1, np.inf, SIGMA)},
        "lopsided": {"mu": MU, "sigma": lopsided},
        "negative": {"mu": MU, "sigma": negative},
        "beyond": {"mu": MU, "sigma": beyond},
        "narrow": {"mu": MU, "sigma": SIGMA[:5, :5]},
        "flat": {"mu": MU, "sigma": SIGMA.ravel()},
        "matrix": {"mu": X, "sigma": SIGMA},
        "integers": {"mu": MU.astype(int), "sigma": SIGMA},
        "half": {"mu": MU.astype(np.float16), "sigma": SIGMA},
        "wide": {"mu": np.zeros(16385, np.float32), "sigma": SIGMA},
    }[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nan", "holds NaN or infinite"),
        ("infinite", "holds NaN or infinite"),
        ("lopsided", "not symmetric"),
        ("negative", "a variance is negative"),
        ("beyond", "exceeds what its variances allow"),
        ("narrow", r"'sigma' is float64 of shape \(5, 5\); wanted float of shape \(9, 9\)"),
        ("flat", r"shape \(81,\)"),
        ("matrix", r"'mu' has shape \(60, 9\)"),
        ("integers", "'mu' is int64"),
        ("half", "less is too coarse"),
        ("wide", "at most 16384"),
    ],
)
def test_what_is_no_mean_and_covariance_is_refused(tmp_path: Path, name: str, message: str) -> None:
    np.savez(tmp_path / "x.npz", **bad(name))
    with pytest.raises(BadInput, match=message) as caught:
        read_foreign(tmp_path / "x.npz")
    assert caught.value.exit_code == 2
    assert "x.npz" in str(caught.value)


def test_pickled_statistics_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=np.array([{"a": 1}], dtype=object), sigma=SIGMA)
    assert is_statistics(tmp_path / "x.npz")
    with pytest.raises(BadInput, match="pickled Python objects, which can run code and are never read"):
        read_foreign(tmp_path / "x.npz")


def test_images_are_no_statistics(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", arr_0=np.zeros((2, 4, 4, 3), np.uint8))
    (tmp_path / "folder.npz").mkdir()
    assert not is_statistics(tmp_path / "images.npz")
    assert not is_statistics(tmp_path / "folder.npz")
    assert not is_statistics(tmp_path / "absent.npz")
    assert not is_statistics(tmp_path / "images.zip")


def test_a_file_of_our_own_knows_its_protocol(tmp_path: Path) -> None:
    path = save(ours(), tmp_path)
    assert is_statistics(path)
    assert auto_protocol(str(path)) == "tf"
    assert open_statistics(path, protocol=get_protocol("tf"), explicit=False).spec == "toys:train"
    with pytest.raises(UsageError, match="statistics of another protocol"):
        open_statistics(path, protocol=get_protocol("clean"), explicit=True)


def test_a_file_of_others_needs_its_protocol_named(tmp_path: Path) -> None:
    path = flavours(tmp_path)["ttur"]
    assert auto_protocol(str(path)) == "tf"
    with pytest.raises(UsageError, match="Name them with --protocol: tf"):
        open_statistics(path, protocol=get_protocol("tf"), explicit=False)
    assert open_statistics(path, protocol=get_protocol("clean"), explicit=True, n=60).n == 60


def test_an_export_is_what_other_tools_load(tmp_path: Path) -> None:
    reference = ours()
    export_foreign(reference, tmp_path / "toys.npz")
    with np.load(tmp_path / "toys.npz") as file:  # as pytorch-fid, clean-fid and torch-fidelity do
        mu, sigma = file["mu"][:], file["sigma"][:]
    assert (mu.dtype, sigma.dtype) == (np.float64, np.float64)
    np.testing.assert_array_equal(mu, reference.heads["pool"].moments.mean)
    np.testing.assert_array_equal(sigma, reference.heads["pool"].moments.cov)
    back = read_foreign(tmp_path / "toys.npz")
    assert back.n == 60
    np.testing.assert_array_equal(back.heads["pool"].moments.cov, reference.heads["pool"].moments.cov)


def test_an_export_is_named_so_that_others_know_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.npz"):
        export_foreign(ours(), tmp_path / "toys.pt")
    with pytest.raises(UsageError, match="has no head 'spatial'; it has: pool"):
        export_foreign(ours(), tmp_path / "toys.npz", head="spatial")
