"""TorchScript archives: their tensors are read, their code is not; damaged and hostile ones are refused."""

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganbench.errors import BadInput
from ganbench.features.torchscript_tensors import is_torchscript, read_torchscript


class Tower(nn.Module):
    """Nested modules, half precision, a shared tensor, a view, a list, whole numbers, nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3).half()
        self.blocks = nn.Sequential(nn.LayerNorm(3), nn.Sequential(nn.Linear(3, 1)))
        self.register_buffer("resolution", torch.tensor(224))
        self.register_buffer("turned", torch.arange(6.0).reshape(2, 3).T[1:])
        self.register_buffer("empty", torch.zeros(0, 4))
        self.register_buffer("precise", torch.tensor(1.5, dtype=torch.float64))
        self.same = self.blocks[0].weight
        self.sizes = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.first(x).float())


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.visual, self.text = Tower(), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.visual(x) + self.text(x).sum()


@pytest.fixture(scope="module")
def module() -> Both:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Both()


@pytest.fixture(scope="module")
def archive(module: Both, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "both.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its jit
        torch.jit.save(torch.jit.script(module), str(path))
    return path


@pytest.fixture
def no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **given: object) -> None:
        raise AssertionError("code of the file was on its way to run")

    loaders = [(torch.jit, "load"), (torch, "load"), (pickle, "loads"), (pickle, "load"), (pickle, "Unpickler")]
    for place, name in loaders:
        monkeypatch.setattr(place, name, never)


@pytest.mark.usefixtures("no_code")
def test_all_floating_tensors_come_back(module: Both, archive: Path) -> None:
    assert is_torchscript(archive)
    for prefix in ("", "visual."):
        wanted = {
            name.removeprefix(prefix): value
            for name, value in module.state_dict().items()
            if name.startswith(prefix) and value.is_floating_point()
        }
        found = read_torchscript(archive, prefix=prefix)
        assert found.keys() == wanted.keys()
        assert len(found) == (12 if not prefix else 10)
        for name, value in wanted.items():
            assert found[name].dtype == value.dtype, name
            assert torch.equal(found[name], value), name


def rewritten(archive: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with other contents of its files; None leaves one out."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            content = change(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
    return target


def index(content: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, old: content if name == "both/data.pkl" else old


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.path,)


def test_no_code_is_run(archive: Path, tmp_path: Path) -> None:
    """Neither a pickle's own, nor by a name that the pickle gives."""
    trap = tmp_path / "trap"
    hostile = [pickle.dumps({"w": Trap(trap)}, protocol=2), b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00trueQ."]
    for content in hostile:
        file = rewritten(archive, tmp_path / "x.pt", index(content))
        try:
            found = read_torchscript(file, prefix="")
        except BadInput:
            continue
        assert found == {}
    assert not trap.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, old: None if name == "both/data/0" else old, "both/data/0 is missing"),
        (lambda name, old: old[:-2] if name == "both/data/0" else old, "which is more than its"),
        (lambda name, old: None if name == "both/data.pkl" else old, "it has no data.pkl, or several"),
        (index(b""), "data.pkl"),
        (index(b"\x80\x02"), "data.pkl"),
        (index(b"\x80\x02."), "is not what torch.jit.save writes"),
        (index(b"\x80\x02h\x05."), "is not what torch.jit.save writes"),
        (index(pickle.dumps({1, 2}, protocol=4)), "is not what torch.jit.save writes"),
        (index(b"\x80\x02c__torch__\nM\nq\x00)\x81q\x01}(X\x01\x00\x00\x00ah\x01ub."), "nested without end"),
    ],
)
def test_damaged_archives(
    archive: Path, tmp_path: Path, change: Callable[[str, bytes], bytes | None], message: str
) -> None:
    file = rewritten(archive, tmp_path / "x.pt", change)
    with pytest.raises(BadInput, match=f"x.pt cannot be read as a TorchScript archive.*{message}"):
        read_torchscript(file, prefix="")


def one_tensor(shape: tuple[int, ...], strides: tuple[int, ...], *, offset: int = 0, bytes_there: int = 24) -> bytes:
    """An archive with a single tensor of float32 that claims to be of some shape."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x08" + value.to_bytes(8, "little", signed=True) for value in values) + b"t"

    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x06\x00\x00\x00cuda:0K\x06tQ"
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers((offset,))[1:-1] + numbers(shape)
    rebuilt += numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    pickled = b"\x80\x02c__torch__\nM\n)\x81}(X\x01\x00\x00\x00w" + rebuilt + b"ub."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("a/data.pkl", pickled)
        out.writestr("a/constants.pkl", b"\x80\x02).")
        out.writestr("a/data/0", bytes(range(bytes_there)))
    return file.getvalue()


def test_a_tensor_by_hand(tmp_path: Path) -> None:
    """Also one that lay on a GPU when it was saved."""
    path = tmp_path / "x.pt"
    path.write_bytes(one_tensor((2, 2), (1, 3), offset=1))
    expected = torch.frombuffer(bytearray(range(24)), dtype=torch.float32).as_strided((2, 2), (1, 3), 1)
    assert torch.equal(read_torchscript(path, prefix="")["w"], expected)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((7,), (1,), 0),
        ((2, 2), (3, 4), 0),
        ((3,), (1,), 4),
        ((1 << 40,), (0,), 0),
        ((-2,), (1,), 0),
        ((2,), (-1,), 0),
        ((2, 2), (1,), 0),
    ],
)
def test_tensors_that_do_not_lie_in_their_bytes(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(one_tensor(shape, strides, offset=offset))
    with pytest.raises(BadInput, match=r"which is more than its 24 bytes|w has no valid shape"):
        read_torchscript(path, prefix="")


def test_compressed_tensors_are_refused(archive: Path, tmp_path: Path) -> None:
    """A small file could otherwise grow without bounds."""
    target = tmp_path / "x.pt"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    with pytest.raises(BadInput, match="is compressed or too large"):
        read_torchscript(target, prefix="")


def test_what_is_no_archive(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "plain.pt")
    (tmp_path / "text.pt").write_text("PK no zip")
    for name in ("plain.pt", "text.pt"):
        assert not is_torchscript(tmp_path / name)
    with pytest.raises(BadInput, match=r"text\.pt cannot be read"):
        read_torchscript(tmp_path / "text.pt", prefix="")
    assert not is_torchscript(tmp_path / "gone.pt")
