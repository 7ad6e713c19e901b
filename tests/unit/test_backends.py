"""Devices, back-ends, folding, fixed pieces, and putting an extractor together."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganbench.errors import GanbenchError, Unavailable, UsageError
from ganbench.features import devices
from ganbench.features.backends._folding import folded
from ganbench.features.backends._pieces import in_pieces
from ganbench.features.extractor import Network, Weights
from ganbench.features.loading import choose_backend, load_extractor
from ganbench.features.registries import BACKENDS
from ganbench.protocol import get_protocol


class Tiny(Network):
    """Convolutions with batch normalisation, one of them used twice where `fork` is set."""

    heads: ClassVar = {"pool": 6, "logits": 2}
    weights: ClassVar = Weights(filename="tiny.pth", sha256="0" * 64, size=1, licence="none")

    def __init__(self, *, fork: bool = False) -> None:
        super().__init__()
        self.fork = fork
        self.one, self.norm_one = nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.BatchNorm2d(4, eps=0.001)
        self.two, self.norm_two = nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 2)
        generator = torch.Generator().manual_seed(0)
        for norm in (self.norm_one, self.norm_two):
            norm.running_mean = torch.randn(norm.num_features, generator=generator)
            norm.running_var = torch.rand(norm.num_features, generator=generator) + 0.5
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        self.eval()

    @classmethod
    def load(cls, path: Path) -> "Tiny":
        return cls()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first = self.one(x)
        x = torch.relu(self.norm_one(first))
        if self.fork:
            x = x + first
        pool = torch.relu(self.norm_two(self.two(x))).mean((2, 3))
        return {"pool": pool, "logits": self.fc(pool)}


def batch(n: int, seed: int = 0) -> Tensor:
    return torch.randn((n, 3, 16, 16), generator=torch.Generator().manual_seed(seed))


def close(ours: dict[str, Tensor], plain: dict[str, Tensor]) -> None:
    for head, value in plain.items():
        torch.testing.assert_close(ours[head], value, rtol=1e-4, atol=1e-5)


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_folding_takes_the_norms_away_and_changes_nothing() -> None:
    network = Tiny()
    copy = folded(network, batch(1))
    assert (norms(network), norms(copy)) == (2, 0)
    with torch.no_grad():
        close(copy(batch(5, 1)), network(batch(5, 1)))


def test_folding_stands_back_where_it_is_not_equal() -> None:
    network = Tiny(fork=True)
    copy = folded(network, batch(1))
    assert norms(copy) == 2
    assert copy is not network
    with torch.no_grad():
        close(copy(batch(5, 1)), network(batch(5, 1)))


def test_pieces_are_of_one_size() -> None:
    seen: list[int] = []
    network = Tiny()
    network.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    run = in_pieces(network, 4)
    together = run(batch(10))
    assert seen == [4, 4, 4]
    assert together["pool"].shape == (10, 6)
    for place in range(10):
        assert torch.equal(run(batch(10)[place : place + 1])["pool"][0], together["pool"][place])


@pytest.mark.parametrize("name", ["torch", "openvino", pytest.param("compile", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile imports much that deprecates itself
def test_every_backend_gives_the_plain_features(name: str) -> None:
    kind = BACKENDS.get(name)
    if reason := kind.available("cpu"):
        pytest.skip(reason)
    network = Tiny()
    run = kind.prepare(network, "cpu", size=16)
    with torch.no_grad():
        plain = network(batch(11))
    together = dict(run(batch(11)))
    close(together, plain)
    alone = [run(batch(11)[place : place + 1]) for place in range(11)]
    for head, value in together.items():
        assert torch.equal(torch.cat([one[head] for one in alone]), value)


def test_openvino_says_what_it_cannot_convert(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = BACKENDS.get("openvino")
    if reason := kind.available("cpu"):
        pytest.skip(reason)

    class Odd(Tiny):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            raise ValueError("it needs a teapot")

    with pytest.raises(GanbenchError, match=r"(?s)OpenVINO cannot convert Odd \(.*teapot.*\). Use --backend torch"):
        kind.prepare(Odd(), "cpu", size=16)


def test_openvino_sends_no_telemetry(tmp_path: Path) -> None:
    """Its package announces every import over the network and leaves an identity in the home folder."""
    if reason := BACKENDS.get("openvino").available("cpu"):
        pytest.skip(reason)
    code = (
        "import sys; from ganbench.features.registries import BACKENDS\n"
        "assert BACKENDS.get('openvino').available('cpu') is None\n"
        "import openvino; print(sorted(n for n, m in sys.modules.items() if 'openvino_telemetry' in n and m))"
    )
    environment = {"HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_backends_that_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UsageError, match="--backend openvino cannot be used: OpenVINO runs on the CPU here, not on cuda:0"
    ):
        choose_backend("openvino", "cuda:0")
    with pytest.raises(UsageError, match=r"torch\.compile is not used on mps"):
        choose_backend("compile", "mps")
    with pytest.raises(UsageError, match=r"Unknown backend 'openvinno'\. Did you mean 'openvino'"):
        choose_backend("openvinno", "cpu")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler on the CPU"):
        choose_backend("compile", "cpu")
    assert choose_backend("auto", "cuda:0") == "torch"


def test_auto_takes_openvino_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = BACKENDS.get("openvino")
    monkeypatch.setattr(kind, "available", classmethod(lambda cls, device: None))
    assert choose_backend("auto", "cpu") == "openvino"
    monkeypatch.setattr(kind, "available", classmethod(lambda cls, device: "not here"))
    assert choose_backend("auto", "cpu") == "torch"


def test_an_absent_openvino_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match=r"OpenVINO is not installed .* pip install 'ganbench\[cpu\]'"):
        choose_backend("openvino", "cpu")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "Unknown device 'gpu'. There are: auto, cpu, cuda, cuda:N, mps"),
        ("cuda:x", "Unknown device 'cuda:x'"),
        ("cuda:-1", "Unknown device"),
        ("cuda:3", "there are 2 CUDA devices"),
        ("mps", "needs a Mac"),
    ],
)
def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch, device: str, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match=message):
        devices.choose(device)
    assert devices.choose("auto") == devices.choose("cuda") == "cuda:0"
    assert devices.choose("cuda:1") == "cuda:1"


def test_devices_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose("auto") == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.choose("auto") == devices.choose("cpu") == "cpu"
    with pytest.raises(UsageError, match=r"--device cuda: torch .* Use --device cpu"):
        devices.choose("cuda")
    (cpu,) = devices.describe()
    assert cpu["device"] == "cpu"
    assert cpu["threads"] == torch.get_num_threads()


@pytest.fixture
def tf32() -> Iterator[None]:
    """A user who has allowed reduced precision, in torch's older way."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


def _switches() -> list[object]:
    cudnn: Any = torch.backends.cudnn
    precise = [getattr(torch.backends.cuda.matmul, "fp32_precision", None), cudnn.deterministic, cudnn.benchmark]
    return [*precise, torch.get_float32_matmul_precision()]


def test_exact_turns_reduced_precision_off_and_back(tf32: None) -> None:
    before = _switches()

    def fails_inside() -> None:
        with devices.exact():
            assert torch.backends.cudnn.deterministic
            if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
                assert torch.backends.cuda.matmul.fp32_precision == "ieee"
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fails_inside()
    assert _switches() == before


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Puts Tiny in the place of Inception; returns a file for it."""
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("ganbench.features.registries.EXTRACTORS.get", lambda name: Tiny)
    (tmp_path / "tiny.pth").write_bytes(b"tiny")
    return tmp_path / "tiny.pth"


def test_an_extractor_from_a_protocol(tiny: Path) -> None:
    protocol = replace(get_protocol("tf"), size=16)
    with pytest.raises(UsageError, match="--allow-unverified-weights"):
        load_extractor(protocol, device="cpu", weights=tiny)
    extractor = load_extractor(protocol, device="cpu", backend="torch", weights=tiny, allow_unverified=True)
    assert (extractor.device, extractor.backend, extractor.heads) == ("cpu", "torch", Tiny.heads)
    assert not extractor.protocol.weights_verified
    assert extractor.protocol.fingerprint != protocol.fingerprint
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (3, h, 20), dtype=np.uint8) for h in range(8, 90)]  # more than one portion
    found = extractor(images)
    assert {head: (rows.shape, rows.dtype) for head, rows in found.items()} == {
        "pool": ((82, 6), np.dtype(np.float32)),
        "logits": ((82, 2), np.dtype(np.float32)),
    }
    np.testing.assert_array_equal(extractor(images[70:73])["pool"], found["pool"][70:73])


def test_verified_weights_keep_the_fingerprint(tiny: Path) -> None:
    from ganbench.files import sha256_file

    protocol = replace(get_protocol("tf"), size=16, weights_sha256=sha256_file(tiny))
    extractor = load_extractor(protocol, device="cpu", backend="torch", weights=tiny, allow_unverified=True)
    assert extractor.protocol == protocol


def test_cheap_mistakes_come_before_the_search_for_weights(tiny: Path) -> None:
    with pytest.raises(UsageError, match="Unknown device"):
        load_extractor(get_protocol("tf"), device="teapot", offline=True)
    with pytest.raises(UsageError, match="Unknown backend"):
        load_extractor(get_protocol("tf"), backend="teapot", offline=True)
    with pytest.raises(Unavailable, match=r"tiny\.pth are needed"):
        load_extractor(get_protocol("tf"), device="cpu", offline=True)
