"""`ganbench eval samples/ --ref cifar10` on a machine that has neither weights nor statistics.

A server on 127.0.0.1 offers both under their published names. The weights are random, and the protocol is told their
sha256; everything else is as with the published ones.
"""

import hashlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganbench import protocol
from ganbench.features.extractors.inception import Inception

Run = Callable[..., Any]
WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"
OTHER_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
STATISTICS = "cifar10_legacy_tensorflow_train_32.npz"
CARD = ("eval", "samples", "--ref", "cifar10")
QUICKLY = (*CARD, "--backend", "torch")  # compiling the Inception takes longer than running it on twelve images
D = 2048


@pytest.fixture(scope="module")
def weights() -> bytes:
    """A state-dict of the Inception with random weights that neither vanish nor explode on the way."""
    torch.manual_seed(0)
    network = Inception()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def statistics() -> bytes:
    """mu and sigma as clean-fid publishes them: a mean in float32, a covariance in float64."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, D))
    file = io.BytesIO()
    np.savez(file, mu=rng.random(D).astype(np.float32), sigma=x.T @ x / 64 + 0.01 * np.eye(D))
    return file.getvalue()


@pytest.fixture(scope="module")
def factor() -> Callable[[Any], Any]:
    """Makes the factor of a covariance once: it is the same on each empty machine, and takes seconds at this width."""
    from ganbench.features.references import root

    made: dict[tuple[int, bytes], Any] = {}

    def once(moments: Any) -> Any:
        key = (moments.n, hashlib.sha256(moments.cov.tobytes()).digest())
        if key not in made:
            made[key] = root(moments)
        return made[key].copy()

    return once


@pytest.fixture(autouse=True)
def _machine(
    home: Path, tmp_path: Path, weights: bytes, factor: Run, monkeypatch: pytest.MonkeyPatch, pictures: Run,
    folder_of: Run,
) -> None:  # fmt: skip
    """An empty machine with a folder of samples, on which the weights of `tf` have the sha256 of ours."""
    folder_of(tmp_path / "samples", pictures(12, seed=1))
    protocols = tmp_path / "protocols"
    protocols.mkdir()
    for path in protocol._FOLDER.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        (protocols / path.name).write_text(text.replace(Inception.weights.sha256, hashlib.sha256(weights).hexdigest()))
    monkeypatch.setattr(protocol, "_FOLDER", protocols)
    # What clean-fid itself has downloaded on the machine of the tester is not there either.
    monkeypatch.setattr("ganbench.features.reference_search.downloaded", lambda filename: None)
    monkeypatch.setattr("ganbench.features.factors.root", factor)


@pytest.fixture
def server(file_server: Any, weights: bytes, statistics: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Offers both files, and is the mirror of every published address."""
    file_server.files.update({WEIGHTS: weights, STATISTICS: statistics})
    monkeypatch.setenv("GANBENCH_MIRROR", file_server.address)
    return file_server


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Cuts every way to a network; whoever tries fails the test."""

    def cut() -> None:
        def refused(*_: object, **__: object) -> None:
            raise AssertionError("the network was used")

        monkeypatch.setattr("socket.socket.connect", refused)
        monkeypatch.setattr("urllib.request.urlopen", refused)
        monkeypatch.setattr("ganbench.download.urlopen", refused)

    return cut


def kept(home: Path) -> list[str]:
    """The files that stay, without locks."""
    files = (path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(str(path.relative_to(home)) for path in files)


def fid(done: Any) -> float:
    assert done.code == 0, done.err
    distance = json.loads(done.out)["metrics"]["frechet_distance"]
    assert distance["label"] == "FID"
    return float(distance["value"])


@pytest.mark.slow
def test_the_card(
    run: Run, server: Any, home: Path, gone: Callable[[], None], monkeypatch: pytest.MonkeyPatch, weights: bytes
) -> None:
    first = run(*CARD)
    assert first.code == 0, first.err
    assert "FID" in first.out
    assert "samples against cifar10:train" in first.out
    assert "50,000 images" in first.out
    assert sorted(server.asked) == sorted([f"/{WEIGHTS}", f"/{STATISTICS}"]), "each file once, from the published name"
    assert (home / "weights" / WEIGHTS).read_bytes() == weights
    assert [name for name in kept(home) if name.endswith(".part")] == []
    assert "references/cifar10-train-tf.npz" in kept(home)

    second = run(*QUICKLY, "--json", "-")
    assert len(server.asked) == 2, "the second run uses no network"

    monkeypatch.setenv("GANBENCH_MIRROR", "http://127.0.0.1:9")
    gone()
    third = run(*QUICKLY, "--json", "-", "--offline")
    assert fid(second) == pytest.approx(fid(third), rel=1e-9)
    assert fid(second) > 0
    (row,) = (line.split() for line in first.out.splitlines() if line.startswith("FID "))
    assert float(row[1].replace(",", "")) == pytest.approx(fid(second), rel=0.1), "printed as the interval deserves"
    assert (second.err, third.err) == ("", "")

    result = json.loads(third.out)
    assert result["protocol"]["name"] == "tf"
    assert result["protocol"]["resize"] == "tf1-bilinear"
    assert result["protocol"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert result["reference"] | {"fingerprint": ""} == {
        "name": "cifar10", "split": "train", "n": 50_000, "fingerprint": "",
    }  # fmt: skip
    metrics = result["metrics"]
    assert (metrics["frechet_distance"]["n_fake"], metrics["frechet_distance"]["n_real"]) == (12, 50_000)
    for key in ("kernel_distance", "precision", "recall", "density", "coverage"):
        assert metrics[key]["value"] is None, "the published statistics are moments"
        assert "moments only" in metrics[key]["reason"]
        assert "ganbench ref make" in metrics[key]["reason"]


@pytest.mark.slow
def test_the_number_is_the_distance_of_the_published_moments(run: Run, server: Any, statistics: bytes) -> None:
    """The FID printed is the one of the network's features and of the mu and sigma that the server gave."""
    from ganbench.features.loading import load_extractor
    from ganbench.images.source import open_images

    found = fid(run(*QUICKLY, "--metrics", "fid", "--json", "-"))
    extractor = load_extractor(protocol.get_protocol("tf"), backend="torch")
    x = extractor([image.pixels for image in open_images("samples").images()])["pool"].astype(np.float64)
    with np.load(io.BytesIO(statistics)) as file:
        mu, sigma = file["mu"].astype(np.float64), file["sigma"]
    r = (x - x.mean(0)) / math.sqrt(len(x) - 1)  # the covariance of the samples is rᵀ r
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(r @ sigma @ r.T), 0, None)).sum()
    wanted = ((x.mean(0) - mu) ** 2).sum() + (r**2).sum() + np.trace(sigma) - 2 * cross
    assert found == pytest.approx(wanted, rel=1e-6)


def test_wrong_bytes_are_not_kept(run: Run, server: Any, home: Path) -> None:
    for name in (WEIGHTS, OTHER_WEIGHTS):
        server.files[name] = b"an error page of a proxy" * 1000
    done = run(*CARD)
    assert done.code == 1
    for part in (WEIGHTS, "sha256", "it was not kept", "ganbench weights add", "--protocol embedded"):
        assert part in done.message
    assert kept(home) == []


def test_a_transfer_that_breaks_off(run: Run, server: Any, home: Path) -> None:
    server.cut.add(WEIGHTS)
    done = run(*CARD)
    assert done.code == 1
    assert WEIGHTS in done.message
    assert "broke off" in done.message or "bytes" in done.message
    assert kept(home) == []


def test_the_other_address_is_tried(run: Run, server: Any, home: Path, weights: bytes) -> None:
    server.files[OTHER_WEIGHTS] = server.files.pop(WEIGHTS)
    done = run(*CARD, "--metrics", "inception_score", "--dry-run")
    assert done.code == 0
    assert server.asked == [], "a dry run fetches nothing"
    got = run(*QUICKLY, "--metrics", "fid", "--json", "-")
    assert fid(got) > 0
    assert server.asked[:2] == [f"/{WEIGHTS}", f"/{OTHER_WEIGHTS}"]
    assert (home / "weights" / WEIGHTS).read_bytes() == weights


@pytest.mark.parametrize("given", [b"<html>not found</html>", b"", b"PK\x03\x04 and no more"])
def test_statistics_that_are_none(run: Run, server: Any, home: Path, given: bytes) -> None:
    server.files[STATISTICS] = given
    done = run(*QUICKLY)
    assert done.code == 1
    for part in ("cifar10:train", STATISTICS, "ganbench ref make cifar10 --from", "ganbench ref import"):
        assert part in done.message
    assert kept(home) == [f"weights/{WEIGHTS}"]


def test_offline_the_first_time(run: Run, server: Any, home: Path) -> None:
    done = run(*CARD, "--offline")
    assert done.code == 1
    for part in ("--offline", WEIGHTS, "ganbench weights add", "--weights", "TORCH_HOME", "--protocol embedded"):
        assert part in done.message
    assert server.asked == []
    assert kept(home) == []


def test_offline_with_weights_alone(run: Run, server: Any, home: Path, tmp_path: Path, weights: bytes) -> None:
    """The weights lie where torch keeps its downloads; the statistics are what is missing."""
    place = tmp_path / "torch" / "hub" / "checkpoints"
    place.mkdir(parents=True)
    (place / WEIGHTS).write_bytes(weights)
    done = run(*QUICKLY, "--offline")
    assert done.code == 1
    for part in ("cifar10:train", "protocol tf", STATISTICS, "--offline", "ref make cifar10", "ref import"):
        assert part in done.message
    assert server.asked == []


def test_damaged_weights_are_fetched_again(run: Run, server: Any, home: Path, weights: bytes) -> None:
    (home / "weights").mkdir(parents=True)
    (home / "weights" / WEIGHTS).write_bytes(weights[:-1] + b"?")
    done = run(*QUICKLY, "--metrics", "fid", "--json", "-")
    assert fid(done) > 0
    assert f"{WEIGHTS} is damaged" in done.err
    assert (home / "weights" / WEIGHTS).read_bytes() == weights
