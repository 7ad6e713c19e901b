"""The networks: which files of weights they take, which they refuse and why, and what they compute."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganbench.errors import BadInput
from ganbench.features.extractors.efficientnet_lite0 import EfficientNetLite0
from ganbench.features.extractors.inception import Inception
from ganbench.features.state_dict import load_into, read_state_dict
from ganbench.features.weights import search


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """The tensors of an Inception, initialised at random."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Inception().state_dict()


def saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def test_inception_has_the_published_tensors(state: dict[str, Tensor]) -> None:
    """566 entries: 94 convolutions with 6 each (the counter included), and the classifier's 2."""
    assert len(state) == 566
    assert state["Conv2d_1a_3x3.conv.weight"].shape == (32, 3, 3, 3)
    assert state["Mixed_6b.branch7x7dbl_5.conv.weight"].shape == (192, 128, 1, 7)
    assert state["Mixed_7c.branch_pool.bn.running_var"].shape == (192,)
    assert state["fc.weight"].shape == (1008, 2048)
    assert {module.eps for module in Inception().modules() if isinstance(module, nn.BatchNorm2d)} == {0.001}


def test_inception_loads_what_others_save(state: dict[str, Tensor], tmp_path: Path) -> None:
    bare = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    double = {name: value.double() for name, value in bare.items()}
    files = [state, bare, {"state_dict": bare, "epoch": 3}, double]
    for number, content in enumerate(files):
        network = Inception.load(saved(tmp_path / f"{number}.pth", content))
        assert not network.training
        assert not any(p.requires_grad or p.device.type != "cpu" for p in network.parameters())
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
        assert network.fc.weight.dtype == torch.float32


def test_inception_heads(state: dict[str, Tensor], tmp_path: Path) -> None:
    network = Inception.load(saved(tmp_path / "net.pth", state))
    with torch.no_grad():
        found = network(torch.randn((2, 3, 299, 299), generator=torch.Generator().manual_seed(1)))
    assert {head: value.shape for head, value in found.items()} == {
        head: (2, width) for head, width in Inception.heads.items()
    }
    torch.testing.assert_close(found["logits"], found["logits_unbiased"] + state["fc.bias"])
    torch.testing.assert_close(
        found["logits"], nn.functional.linear(found["pool"], state["fc.weight"], state["fc.bias"])
    )


def _without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda state: {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("fc.bias"), "is no state-dict of Inception: it lacks fc.bias"),
        (lambda state: state | {"AuxLogits.fc.weight": torch.zeros(1)}, "it has the foreign AuxLogits.fc.weight"),
        (lambda state: {"a": torch.zeros(1), "b": torch.zeros(1)}, "it lacks .* and it has the foreign a and 1 more"),
        (lambda state: state | {"fc.bias": torch.zeros(1000)}, r"fc.bias is torch.float32 \(1000,\), wanted dense"),
        (lambda state: state | {"fc.bias": torch.zeros(1008).long()}, "fc.bias is torch.int64"),
        (lambda state: state | {"fc.bias": torch.zeros(1008).to_sparse()}, "wanted dense floats"),
        (lambda state: state | {"fc.bias": "text"}, "holds OrderedDict; wanted a state-dict"),
        (lambda state: torch.zeros(3), "holds Tensor; wanted a state-dict"),
    ],
)  # fmt: skip
def test_what_is_no_inception(
    state: dict[str, Tensor], tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        Inception.load(saved(tmp_path / "net.pth", change(state)))


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.path,)


def test_no_code_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for number, write in enumerate((torch.save, lambda value, path: path.write_bytes(pickle.dumps(value)))):
        file = tmp_path / f"{number}.pth"
        write({"fc.bias": Evil(trap)}, file)
        with pytest.raises(BadInput, match="cannot be read as a state-dict"):
            read_state_dict(file)
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x80\x02.", b"plain text\n" * 100])
def test_files_that_are_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(BadInput, match=r"net\.pth"):
        read_state_dict(tmp_path / "net.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch deprecates its jit
def test_torchscript_is_not_read(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "net.pt")
    with pytest.raises(BadInput, match="files that carry code"):
        read_state_dict(tmp_path / "net.pt")


def test_efficientnet_matches_by_order(tmp_path: Path) -> None:
    path = search(EfficientNetLite0.weights)
    assert path is not None
    found = read_state_dict(path)
    assert len(found) == 247
    network = EfficientNetLite0.load(path)
    for theirs, ours in zip(found.values(), network.state_dict(keep_vars=True).items(), strict=False):
        if "num_batches_tracked" in ours[0]:
            break
        assert torch.equal(theirs, ours[1])
    last = list(found)[-1]
    with pytest.raises(BadInput, match="holds 246 tensors; EfficientNet-Lite0 has 247"):
        EfficientNetLite0.load(saved(tmp_path / "short.pth", {k: v for k, v in found.items() if k != last}))
    with pytest.raises(BadInput, match=r"net.classifier.bias is torch.float32 \(7,\)"):
        EfficientNetLite0.load(saved(tmp_path / "other.pth", found | {last: torch.zeros(7)}))


def test_load_into_takes_a_network_on_meta() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    state = {f"0.{name}": torch.ones((1, 1, 1, 1) if name == "weight" else 1) for name in ("weight", "bias")}
    state |= {f"1.{name}": torch.ones(1) for name in ("weight", "bias", "running_mean", "running_var")}
    ready = load_into(network, state, Path("file"))
    assert ready(torch.full((1, 1, 1, 1), 4.0)).item() == pytest.approx(5.0, abs=1e-4)
    assert np.all([value.device.type == "cpu" for value in ready.state_dict().values()])
