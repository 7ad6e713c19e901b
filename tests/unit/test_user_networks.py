"""Networks of the user's own: files and modules, what they compute, what they are called, what is refused."""

import struct
import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganbench.errors import BadInput, UsageError
from ganbench.features import onnx_files
from ganbench.features.loading import Extractor, load_extractor
from ganbench.features.preprocess import Preprocess
from ganbench.features.user_modules import digest
from ganbench.features.user_networks import CustomNetwork, protocol_of
from ganbench.files import sha256_file
from ganbench.protocol import Protocol, get_protocol

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="pip install 'ganbench[cpu]'")


# ONNX, written by hand: the format is protocol buffers, of which a network of three operations needs little.


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def entry(number: int, value: int | bytes | str) -> bytes:
    """One field of a message: a whole number, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def about(name: str, shape: tuple[int | str, ...], kind: int = 1) -> bytes:
    dims = b"".join(entry(1, entry(1 if isinstance(d, int) else 2, d)) for d in shape)
    return entry(1, name) + entry(2, entry(1, entry(1, kind) + entry(2, dims)))


def node(operation: str, inputs: list[str], output: str) -> bytes:
    return b"".join(entry(1, name) for name in inputs) + entry(2, output) + entry(4, operation)


def tensor(name: str, value: NDArray[np.floating], elsewhere: str = "") -> bytes:
    kind = {"float32": 1, "float16": 10}[value.dtype.name]
    head = b"".join(entry(1, d) for d in value.shape) + entry(2, kind) + entry(8, name)
    if elsewhere:
        return head + entry(13, entry(1, "location") + entry(2, elsewhere)) + entry(14, 1)
    return head + entry(9, value.tobytes())


def onnx(module: "Small", shape: tuple[int | str, ...], *, elsewhere: str = "") -> bytes:
    """`Small` as an ONNX file for inputs of this shape."""
    weight, bias = (value.detach().numpy() for value in (module.conv.weight, module.conv.bias))
    kind = 10 if weight.dtype == np.float16 else 1
    graph = (
        entry(1, node("Conv", ["x", "w", "b"], "c"))
        + entry(1, node("Relu", ["c"], "r"))
        + entry(1, node("GlobalAveragePool", ["r"], "y"))
        + entry(2, "small")
        + entry(5, tensor("w", weight, elsewhere))
        + entry(5, tensor("b", bias))
        + entry(11, about("x", shape, kind))
        + entry(12, about("y", (shape[0], 4, 1, 1), kind))
    )
    return entry(1, 8) + entry(7, graph) + entry(8, entry(1, "") + entry(2, 13))


class Small(nn.Module):
    """(n, 3, h, w) to (n, 4, 1, 1)."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(channels, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)).mean(dim=(2, 3), keepdim=True)


class SeesOthers(Small):
    """Its rows depend on the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y - 1e-3 * y.mean(dim=0, keepdim=True)


class OneByOne(Small):
    """It takes one image at a time."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).view(1, 4)


def pictures(n: int = 11) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (3, 8 + i % 3, 9), dtype=np.uint8) for i in range(n)]


def loaded(protocol: Protocol, **given: Any) -> Extractor:
    return load_extractor(protocol, **{"device": "cpu", **given})


@pytest.fixture
def module() -> Small:
    return Small().eval()


@pytest.fixture
def onnx_file(module: Small, tmp_path: Path) -> Path:
    path = tmp_path / "My net (2).onnx"
    path.write_bytes(onnx(module, ("n", 3, "h", "w")))
    return path


@pytest.fixture
def program(module: Small, tmp_path: Path) -> Path:
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its jit
        torch.jit.save(torch.jit.script(module), str(path))
    return path


@pytest.fixture(autouse=True)
def jit_speaks_softly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*jit.*")
        yield


def expected(module: nn.Module, protocol: Protocol) -> NDArray[np.float32]:
    """What the module gives for the pictures one by one."""
    steps = Preprocess(protocol)
    with torch.no_grad():
        return np.concatenate([module(steps([image], "cpu")).flatten(1).numpy() for image in pictures()])


def check_own(extractor: Extractor, module: nn.Module) -> None:
    """The features are the module's, and each image's own bit for bit."""
    images = pictures()
    rows = extractor(images)["features"]
    assert extractor.heads == {"features": 4}
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected(module, extractor.protocol), atol=1e-5)  # sums in another order
    assert rows.std(axis=0).max() > 1e-3
    np.testing.assert_array_equal(extractor(images[::-1])["features"][::-1], rows)
    np.testing.assert_array_equal(extractor(images[3:4])["features"][0], rows[3])


@needs_openvino
@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), (1, 3, 32, 32), ("n", 3, 32, 32)])
def test_onnx(module: Small, tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx(module, shape))
    protocol = protocol_of(str(path))
    assert (protocol.name, protocol.extractor, protocol.head, protocol.logits_head) == (
        "net", "own-onnx", "features", "",
    )  # fmt: skip
    assert protocol.size == (224 if shape[2] == "h" else 32)
    assert protocol.weights_sha256 == sha256_file(path)
    assert not protocol.weights_verified  # nobody published it
    extractor = loaded(replace(protocol, size=32))
    assert extractor.backend == "openvino"
    check_own(extractor, module)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_torchscript(module: Small, program: Path, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino", reason="pip install 'ganbench[cpu]'")
    protocol = replace(protocol_of(program, allow_code=True), size=32)
    assert (protocol.name, protocol.extractor, protocol.weights_sha256) == (
        "net", "own-torchscript", sha256_file(program),
    )  # fmt: skip
    check_own(loaded(protocol, backend=backend), module)


def test_torchscript_runs_only_when_allowed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.jit, "load", lambda *args, **given: pytest.fail("it was loaded"))
    with pytest.raises(UsageError, match=r"runs code that is in the file\. Add --allow-code if you trust"):
        protocol_of(program)
    (program.parent / "mine.toml").write_text(f'extractor = "{program.name}"\n')
    with pytest.raises(UsageError, match="--allow-code"):
        protocol_of(program.parent / "mine.toml")
    protocol_of(program, allow_code=True)  # naming it does not run it yet


@pytest.mark.parametrize("kind", [Small, SeesOthers, OneByOne])
def test_modules(kind: type[Small]) -> None:
    """Also one that mixes its batch, and one that takes a single image: both are given images one by one."""
    module = kind().train()
    protocol = protocol_of(CustomNetwork(module, size=32))
    assert (protocol.name, protocol.extractor) == (kind.__name__, "own-module")
    check_own(loaded(protocol), kind().eval())
    assert module.training
    assert all(p.requires_grad for p in module.parameters())


def test_many_images_go_at_once_where_that_is_sound() -> None:
    sizes: list[int] = []

    class Counted(Small):
        def forward(self, x: Tensor) -> Tensor:
            sizes.append(len(x))
            return super().forward(x)

    extractor = loaded(protocol_of(CustomNetwork(Counted(), size=16)))
    sizes.clear()
    extractor(pictures(11))
    assert sizes == [8, 8]


class Batched(nn.Module):
    """In training its batch norm would see the batch, its dropout would draw."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), nn.AdaptiveAvgPool2d(2))

    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"a": (self.net(x), x), "b": x}


def test_the_first_output_in_eval_mode_is_taken() -> None:
    extractor = loaded(protocol_of(CustomNetwork(Batched().train(), size=16)))
    rows = extractor(pictures())["features"]
    assert rows.shape == (11, 12)
    np.testing.assert_array_equal(extractor(pictures()[5:6])["features"][0], rows[5])


def test_mean_and_deviation_are_those_of_0_to_1() -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    protocol = protocol_of(CustomNetwork(nn.Flatten(), size=8, mean=mean, std=std))
    (image,) = [picture[:, :8, :8] for picture in pictures(1)]
    wanted = (image / 255.0 - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    np.testing.assert_allclose(loaded(protocol)([image])["features"][0], wanted.ravel(), atol=1e-5)
    assert protocol_of(CustomNetwork(nn.Flatten(), mean=0.5, std=0.5)).shift == 127.5


def test_the_fingerprint_is_that_of_content_and_preprocessing(program: Path, tmp_path: Path) -> None:
    one = protocol_of(program, allow_code=True)
    other = tmp_path / "other.ts"
    other.write_bytes(program.read_bytes())
    assert protocol_of(other, allow_code=True).fingerprint == one.fingerprint
    assert protocol_of(other, allow_code=True).name == "other"
    seen = {one.fingerprint}
    (tmp_path / "p.toml").write_text('extractor = "net.pt"\n')
    assert protocol_of(tmp_path / "p.toml", allow_code=True).fingerprint in seen
    for line in ("size = 64", 'crop = "after"', 'rounding = "pillow-uint8"', "shift = 3.0", "scale = [1.0, 2.0, 3.0]"):
        (tmp_path / "p.toml").write_text(f'extractor = "net.pt"\n{line}\n')
        seen.add(protocol_of(tmp_path / "p.toml", allow_code=True).fingerprint)
    assert len(seen) == 6


def test_a_modules_fingerprint() -> None:
    first, second = Small(), Small()
    assert digest(first) == digest(second)
    assert protocol_of(CustomNetwork(first)).fingerprint == protocol_of(CustomNetwork(second, name="x")).fingerprint
    with torch.no_grad():
        second.conv.bias[0] += 1e-7
    assert digest(first) != digest(second)
    assert digest(SeesOthers()) != digest(first)
    assert digest(first.half()) != digest(Small())
    assert len(digest(nn.Flatten())) == 64
    counted = nn.BatchNorm2d(2)  # with a number of no dimensions, and one of bfloat16
    assert digest(counted) != digest(counted.to(torch.bfloat16))


def test_a_record_tells_nothing_of_this_machine(program: Path) -> None:
    record = protocol_of(program, allow_code=True).record()
    assert str(program.parent) not in str(record)
    assert "prepare" not in record
    assert record["fingerprint"] == protocol_of(program, allow_code=True).fingerprint


def test_a_protocol_file(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    file = folder / "mine.toml"
    file.write_text(
        'extractor = "../net.pt"\nname = "faces"\nsummary = "Of faces"\nsize = 48\nresize = "bilinear"\nclamp = false\n'
        'shift = [1.0, 2.0, 3.0]\nscale = 4.0\nlogits_head = "features"\n[labels]\nfrechet_distance = "FD-faces"\n'
        'kernel_distance = "KD-faces"\n'
    )
    protocol = protocol_of(str(file), allow_code=True)
    assert (protocol.name, protocol.size, protocol.resize, protocol.shift, protocol.scale, protocol.logits_head) == (
        "faces", 48, "bilinear", (1.0, 2.0, 3.0), 4.0, "features",
    )  # fmt: skip
    assert protocol.labels["frechet_distance"] == "FD-faces"
    assert loaded(protocol)(pictures(2))["features"].shape == (2, 4)


def test_a_bundled_network_behind_other_steps(tmp_path: Path) -> None:
    file = tmp_path / "small-embedded.toml"
    file.write_text('extractor = "efficientnet_lite0"\nsize = 224\nresize = "bilinear"\nshift = 127.0\nscale = 128.0\n')
    protocol = protocol_of(file)
    embedded = get_protocol("embedded")
    assert type(protocol) is Protocol
    assert (protocol.name, protocol.head, protocol.weights_verified) == ("small-embedded", "pool", True)
    assert protocol.weights_sha256 == embedded.weights_sha256
    same = replace(protocol, resize=embedded.resize, logits_head=embedded.logits_head)
    assert same.fingerprint == embedded.fingerprint


def test_names_and_protocols_pass() -> None:
    assert protocol_of("tf") == get_protocol("tf")
    tf = get_protocol("tf")
    assert protocol_of(tf) is tf
    with pytest.raises(UsageError, match="Did you mean 'clean'"):
        protocol_of("claen")


TOML_ERRORS = [
    ('extractor = "net.pt"\nsizes = 3', BadInput, "sizes"),
    ('extractor = "net.pt"\nsize = "big"', BadInput, "size"),
    ('extractor = "gone.onnx"', BadInput, "names the network gone.onnx; there is no such"),
    ('extractor = "mine.toml"', BadInput, "names the network mine.toml"),
    ('extractor = "inceptoin"\nsize = 3', UsageError, "Did you mean 'inception'"),
    ('extractor = "inception"', BadInput, "Add: size = PIXELS"),
    ('extractor = "net.pt"\nname = "tf"', UsageError, "'tf' is the name of a bundled protocol"),
    ('extractor = "net.pt"\nname = "../x"', UsageError, "is no name for a protocol"),
    ('extractor = "net.pt"\nweights_sha256 = "00"', UsageError, "its protocol file wants 00"),
    ('extractor = "net.pt"\nhead = "pool"', UsageError, "asks for the heads 'pool' and ''; its network has features"),
    ('extractor = "net.pt"\nlogits_head = "logits"', UsageError, "its network has features"),
    ('extractor = "net.pt"\nresize = "lanczos"', UsageError, "Unknown resize filter"),
    ('extractor = "net.pt"\ncrop = "left"', UsageError, "Unknown crop 'left'. There are: none, after, before"),
    ('extractor = "net.pt"\nrounding = "up"', UsageError, "Unknown rounding 'up'"),
    ('extractor = "net.pt"\nrounding = "pillow-uint8"\nresize = "bilinear"', UsageError, "is Pillow's; it goes with"),
    ('extractor = "net.pt"\nsize = 0', UsageError, "has the size 0"),
    ('extractor = "net.pt"\nscale = [1.0, 0.0, 1.0]', UsageError, "by which nothing can be divided"),
    ('extractor = "net.pt"\nshift = nan', (BadInput, UsageError), "shift"),
    ("extractor", BadInput, "not valid TOML"),
]


@pytest.mark.parametrize(("text", "error", "message"), TOML_ERRORS)
def test_wrong_protocol_files(program: Path, text: str, error: Any, message: str) -> None:
    file = program.parent / "mine.toml"
    file.write_text(text)
    with pytest.raises(error, match=message):
        protocol_of(file, allow_code=True)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no file .*gone\.onnx. A protocol is a name \(clean, "):
        protocol_of(str(tmp_path / "gone.onnx"))
    (tmp_path / "net.h5").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"no network that can be run. There are: \.toml, \.onnx"):
        protocol_of(tmp_path / "net.h5")
    (tmp_path / "net.pt").write_bytes(b"no zip")
    with pytest.raises(BadInput, match="is no TorchScript program"):
        loaded(protocol_of(tmp_path / "net.pt", allow_code=True))


@needs_openvino
@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (Small(1), (1, 1, 8, 8), r"takes f32 \[1, 1, 8, 8\]; wanted float32 \(n, 3, side, side\) with n free or 1"),
        (Small(), (4, 3, 8, 8), "n free or 1"),
        (Small(), ("n", 3, 8, 9), "wanted float32"),
        (Small().half(), ("n", 3, 8, 8), "takes f16"),
    ],
)
def test_onnx_of_another_kind(module: Small, tmp_path: Path, shape: tuple[int | str, ...], message: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx(module, shape))
    with pytest.raises(BadInput, match=message):
        protocol_of(path)


@needs_openvino
def test_wrong_onnx(module: Small, onnx_file: Path, tmp_path: Path) -> None:
    assert protocol_of(onnx_file).name == "My_net_2_"
    for content in (b"", b"text", onnx_file.read_bytes()[:-40]):
        bad = tmp_path / "bad.onnx"
        bad.write_bytes(content)
        with pytest.raises(BadInput, match=r"bad\.onnx"):
            protocol_of(bad)
    fixed = tmp_path / "fixed.onnx"
    fixed.write_bytes(onnx(module, ("n", 3, 32, 32)))
    (tmp_path / "mine.toml").write_text('extractor = "fixed.onnx"\nsize = 64\n')
    with pytest.raises(UsageError, match="takes images of 32 px; its protocol file says 64"):
        protocol_of(tmp_path / "mine.toml")
    with pytest.raises(UsageError, match="--backend torch runs no ONNX file"):
        loaded(protocol_of(onnx_file), backend="torch")
    with pytest.raises(UsageError, match="ONNX files run on the CPU here"):
        load_extractor(protocol_of(onnx_file), device="cuda")
    with pytest.raises(BadInput, match="does not run on images of 2 px"):
        loaded(replace(protocol_of(onnx_file), size=2))
    with pytest.raises(UsageError, match="carries its weights itself"):
        loaded(protocol_of(onnx_file), weights=onnx_file)


@needs_openvino
def test_tensors_beside_an_onnx_file(module: Small, tmp_path: Path) -> None:
    """Their bytes belong to the network, and to its sha256."""
    path, beside = tmp_path / "net.onnx", tmp_path / "net.onnx.data"
    path.write_bytes(onnx(module, ("n", 3, "h", "w"), elsewhere=beside.name))
    with pytest.raises(BadInput, match=r"keeps tensors in net\.onnx\.data, which is not beside it"):
        protocol_of(path)
    weight = module.conv.weight.detach().numpy()
    beside.write_bytes(weight.tobytes())
    first = replace(protocol_of(path), size=32)
    check_own(loaded(first), module)
    beside.write_bytes((2 * weight).tobytes())
    assert protocol_of(path).weights_sha256 != first.weights_sha256


def test_nothing_that_reads_onnx(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'ganbench\[cpu\]' for openvino, or pip install onnxruntime"):
        protocol_of(onnx_file)


def test_onnxruntime_gives_the_same(module: Small, onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
    extractor = loaded(replace(protocol_of(onnx_file), size=32), backend="onnxruntime")
    check_own(extractor, module)
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: True if name == "onnxruntime" else None)
    assert loaded(replace(protocol_of(onnx_file), size=32)).backend == "onnxruntime"


class Scalar(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean()


class Wordy(nn.Module):
    def forward(self, x: Tensor) -> str:
        return "features"


class Empty(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :0, 0, 0]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(7, 3), r"Linear cannot run on float32 \(1, 3, 16, 16\): RuntimeError.* Is 16 the side"),
        (Scalar(), r"gives \(\) for 1 images; wanted \(n, d\)"),
        (Wordy(), "The network gives str; wanted a tensor"),
        (Empty(), r"Empty gives \(1, 0\) for one image; wanted \(1, d\)"),
    ],
)
def test_modules_that_do_not_do(module: nn.Module, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        loaded(protocol_of(CustomNetwork(module, size=16)))


def test_what_is_no_custom_network() -> None:
    with pytest.raises(UsageError, match=r"takes a torch\.nn\.Module; found function"):
        protocol_of(CustomNetwork(lambda x: x))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="runs no network of one's own"):
        loaded(protocol_of(CustomNetwork(Small(), size=16)), backend="compile")
    sparse = nn.Linear(2, 2)
    sparse.weight = nn.Parameter(torch.eye(2).to_sparse())
    with pytest.raises(UsageError, match="is no plain tensor"):
        protocol_of(CustomNetwork(sparse))


def test_little_endian_floats() -> None:
    """The hand-written files hold what ONNX asks for on any machine that these tests run on."""
    assert np.float32(1).tobytes() == struct.pack("<f", 1.0)
