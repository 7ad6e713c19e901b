"""What the end-to-end tests share: a house of their own, the command line in and out of process, pictures, MNIST."""

import hashlib
import os
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

U8 = NDArray[np.uint8]
_OURS = ("GANBENCH_WEIGHTS", "GANBENCH_MIRROR", "GANBENCH_DATA")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Done:
    """What a command left behind: exit status and the two streams."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The one message of a command that was refused."""
        _, *messages = re.split(r"^Error: ", self.err, flags=re.MULTILINE)
        assert len(messages) == 1, f"wanted one message on stderr, found {self.err!r}"
        assert "Traceback" not in self.err, self.err
        assert self.out == "", f"stdout of a refused command holds {self.out!r}"
        return " ".join(messages[0].split())


def settle(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Makes `folder` the place where ganbench keeps things, and hides the user's own settings and caches."""
    for name in (*_OURS, *_PROXIES):
        patch.delenv(name, raising=False)
    patch.setenv("GANBENCH_HOME", str(folder / "home"))
    patch.setenv("TORCH_HOME", str(folder / "torch"))
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder / "home"


@pytest.fixture(scope="session", autouse=True)
def _converted_once() -> Iterator[None]:
    """OpenVINO's model of the network that comes with ganbench, converted once in a process: that takes seconds."""
    from ganbench.features.backends import openvino
    from ganbench.features.extractors.efficientnet_lite0 import EfficientNetLite0

    convert, made = openvino._converted, {}

    def once(network: Any, size: int) -> Any:
        if type(network) is not EfficientNetLite0:
            return convert(network, size)
        weights = hashlib.sha256()
        for tensor in network.state_dict().values():
            weights.update(tensor.numpy().tobytes())
        key = (size, weights.digest())
        if key not in made:
            made[key] = convert(network, size)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "_converted", once)
        yield


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """GANBENCH_HOME, empty, for one test, whose current folder is tmp_path."""
    monkeypatch.chdir(tmp_path)
    return settle(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that is current, with GANBENCH_HOME in it, for all tests of a module."""
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settle(patch, folder)
        yield folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`run("eval", ...)`: a command in this process, with its exit status and both streams."""
    from ganbench.cli.main import main

    def call(*arguments: object) -> Done:
        given = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["ganbench", *given])
        capsys.readouterr()
        code = main(given)
        streams = capsys.readouterr()
        return Done(code, streams.out, streams.err)

    return call


@pytest.fixture(scope="session")
def command() -> list[str]:
    """How the installed command is called: the console script beside this Python, or what it does."""
    script = Path(sys.executable).with_name("ganbench")
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-c", "import sys; from ganbench.cli.main import main; sys.exit(main())"]


@pytest.fixture(scope="session")
def shell(command: list[str]) -> Callable[..., Done]:
    """`shell("eval", ..., GANBENCH_MIRROR=...)`: a command as a process of its own."""

    def call(*arguments: object, **environment: str) -> Done:
        done = subprocess.run(
            [*command, *map(str, arguments)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(shlex.join(["ganbench", *map(str, arguments)]), done.stderr, sep="\n")
        return Done(done.returncode, done.stdout, done.stderr)

    return call


def draw(n: int, *, seed: int, side: int = 32) -> U8:
    """n images, uint8 (n, side, side, 3), each of soft coloured blobs, no two alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    out = np.empty((n, side, side, 3), dtype=np.uint8)
    for i in range(n):
        canvas = np.full((side, side, 3), rng.uniform(0, 255, 3))
        for _ in range(3):
            cx, cy, r = rng.uniform(0, 1, 3)
            weight = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (0.02 + 0.1 * r))[..., None]
            canvas = canvas * (1 - weight) + rng.uniform(0, 255, 3) * weight
        out[i] = canvas.round()
    return out


def save(folder: Path, images: U8) -> Path:
    """Writes images as 000.png, 001.png, ... into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Pillow.fromarray(image).save(folder / f"{i:03}.png")
    return folder


@pytest.fixture(scope="session")
def pictures() -> Callable[..., U8]:
    """`pictures(n, seed=, side=)`: uint8 (n, side, side, 3)."""
    return draw


@pytest.fixture(scope="session")
def folder_of() -> Callable[[Path, U8], Path]:
    """`folder_of(path, images)` writes PNG files."""
    return save


@pytest.fixture(scope="session")
def mnist() -> Callable[..., Path]:
    """`mnist(folder, n)`: a data folder with MNIST's files in torchvision's layout, n made-up digits in each split."""

    def make(folder: Path, n: int) -> Path:
        raw = folder / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for seed, part in enumerate(("train", "t10k")):
            images = draw(n, seed=seed, side=28).mean(axis=3).astype(np.uint8)
            labels = (np.arange(n) % 10).astype(np.uint8)
            (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, n, 28, 28) + images.tobytes())
            (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, n) + labels.tobytes())
        return folder

    return make


def compare(found: Any, wanted: Any, *, where: str = "result") -> None:
    """Asserts that two results, or parts of such, hold the same; numbers to 1e-9 of their size.

    Sums in linear algebra may differ in their last bit with where in memory an array happens to begin.
    """
    if isinstance(wanted, Mapping):
        assert set(found) == set(wanted), where
        for key in wanted:
            compare(found[key], wanted[key], where=f"{where}.{key}")
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted), where
        for i, each in enumerate(wanted):
            compare(found[i], each, where=f"{where}[{i}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12), where
    else:
        assert found == wanted, where


@pytest.fixture(scope="session")
def alike() -> Callable[..., None]:
    """`alike(found, wanted)` asserts that two results, or parts of such, hold the same, numbers to 1e-9."""
    return compare
