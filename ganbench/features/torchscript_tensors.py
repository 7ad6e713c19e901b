"""The tensors of a TorchScript archive, read without running any of its code.

Such a file is a zip: programs, raw tensors, and a pickle that says which tensor belongs where. The few instructions
that TorchScript writes into that pickle are followed here one by one; a name in it is text and is never looked up.
"""

import math
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench.errors import BadInput

_DTYPES = {"HalfStorage": torch.float16, "FloatStorage": torch.float32, "DoubleStorage": torch.float64}
_REBUILD = "torch._utils _rebuild_tensor_v2"
_LARGEST_INDEX = 1 << 26  # bytes of the pickle; that of a network of hundreds of layers has some hundred thousand
_DEEPEST = 64  # modules inside modules


class _Unreadable(Exception):
    """What is wrong with the archive."""


@dataclass
class _Object:
    """A module, or whatever else the pickle makes: by which name, from what, and its attributes."""

    made_by: str
    arguments: tuple[Any, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Storage:
    """The raw numbers of a tensor: their type, and the name of their file in the archive."""

    kind: str
    key: str


def read_torchscript(path: Path, *, prefix: str) -> dict[str, Tensor]:
    """The floating-point tensors of a TorchScript archive by name, on the CPU, in the type that they have there.

    Args:
        path: a file that `torch.jit.save` wrote.
        prefix: only names that begin so are read; it is cut off.

    Raises:
        BadInput: it is no such file, is damaged, or its tensors do not lie inside it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _tensors(archive, prefix)
    except (_Unreadable, zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{path} cannot be read as a TorchScript archive: {error}.") from error


def is_torchscript(path: Path) -> bool:
    """Whether a file is a zip that carries programs as TorchScript's do."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _tensors(archive: zipfile.ZipFile, prefix: str) -> dict[str, Tensor]:
    found = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(found) != 1:
        raise _Unreadable("it has no data.pkl, or several")
    index = _bytes(archive, found[0], largest=_LARGEST_INDEX)
    root = found[0].removesuffix("data.pkl")
    return {
        name.removeprefix(prefix): _tensor(archive, f"{root}data/", arguments, name)
        for name, arguments in _named(_Reader().run(index), "", 0)
        if name.startswith(prefix)
    }


def _bytes(archive: zipfile.ZipFile, name: str, *, largest: int | None = None) -> bytearray:
    """One file of the archive. They are stored as they are, so none is larger than the archive itself."""
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise _Unreadable(f"{name} is missing") from error
    if info.compress_type != zipfile.ZIP_STORED or (largest is not None and info.file_size > largest):
        raise _Unreadable(f"{name} is compressed or too large, as torch.jit.save does not write it")
    return bytearray(archive.read(info))


def _named(value: Any, name: str, depth: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every floating-point tensor below a module, by its dotted name, with the arguments that rebuild it."""
    if depth > _DEEPEST:
        raise _Unreadable("its modules are nested without end")
    for key, part in value.attributes.items() if isinstance(value, _Object) else ():
        full = f"{name}.{key}" if name else str(key)
        if not isinstance(part, _Object):
            continue
        if part.made_by != _REBUILD:
            yield from _named(part, full, depth + 1)
        elif part.arguments and isinstance(part.arguments[0], _Storage) and part.arguments[0].kind in _DTYPES:
            yield full, part.arguments


def _tensor(archive: zipfile.ZipFile, folder: str, arguments: tuple[Any, ...], name: str) -> Tensor:
    storage, offset, shape, strides = arguments[:4] if len(arguments) >= 4 else (None,) * 4
    numbers = [offset, *shape, *strides] if isinstance(shape, tuple) and isinstance(strides, tuple) else [None]
    if not all(type(number) is int and number >= 0 for number in numbers) or len(shape) != len(strides):
        raise _Unreadable(f"{name} has no valid shape")
    assert isinstance(storage, _Storage)
    raw, dtype = _bytes(archive, folder + storage.key), _DTYPES[storage.kind]
    needed = 0
    if 0 not in shape:
        needed = offset + 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if len(raw) % dtype.itemsize or max(needed, math.prod(shape)) * dtype.itemsize > len(raw):
        raise _Unreadable(f"{name} has the shape {shape}, which is more than its {len(raw):,} bytes")
    if not needed:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(raw, dtype=dtype).as_strided(shape, strides, offset).clone()


class _Reader:
    """Follows the instructions of a pickle as TorchScript writes it. What they name stays a name."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.steps: dict[str, Callable[[Any], None]] = {
            "MARK": lambda _: self.marks.append(len(self.stack)),
            "BINPERSID": lambda _: self._storage(),
            "NEWOBJ": lambda _: self._make(),
            "REDUCE": lambda _: self._make(),
            "BUILD": lambda _: self._build(),
            "SETITEMS": lambda _: self._fill(self._since_mark()),
            "SETITEM": lambda _: self._fill([self._pop(), self._pop()][::-1]),
            "APPENDS": lambda _: self._extend(self._since_mark()),
            "APPEND": lambda _: self._extend([self._pop()]),
            "TUPLE": lambda _: self.stack.append(tuple(self._since_mark())),
        }
        constants: dict[str, Callable[[], Any]] = {
            "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "NONE": lambda: None,
            "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
        }  # fmt: skip
        self.steps |= {name: self._constant(make) for name, make in constants.items()}
        values = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "GLOBAL")
        self.steps |= dict.fromkeys(values, self.stack.append)
        self.steps |= dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._remember)
        self.steps |= dict.fromkeys(("BINGET", "LONG_BINGET"), lambda number: self.stack.append(self.memo[number]))
        self.steps |= {f"TUPLE{n}": self._tuple(n) for n in (1, 2, 3)}

    def run(self, index: bytes | bytearray) -> Any:
        """The object that the pickle describes. Raises _Unreadable."""
        try:
            for opcode, argument, _ in pickletools.genops(bytes(index)):
                if opcode.name == "STOP":
                    return self._pop()
                if opcode.name != "PROTO":
                    self.steps[opcode.name](argument)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise _Unreadable(f"its data.pkl is not what torch.jit.save writes ({error!r:.80})") from error
        raise _Unreadable("its data.pkl has no end")

    def _pop(self) -> Any:
        return self.stack.pop()

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _constant(self, make: Callable[[], Any]) -> Callable[[Any], None]:
        return lambda _: self.stack.append(make())

    def _tuple(self, n: int) -> Callable[[Any], None]:
        return lambda _: self.stack.append(tuple([self._pop() for _ in range(n)][::-1]))

    def _remember(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    def _storage(self) -> None:
        _, kind, key, _, _ = self._pop()
        self.stack.append(_Storage(str(kind).rpartition(" ")[2], str(key)))

    def _make(self) -> None:
        arguments, made_by = self._pop(), self._pop()
        self.stack.append(_Object(str(made_by), tuple(arguments)))

    def _build(self) -> None:
        attributes = self._pop()
        self.stack[-1].attributes.update(attributes)

    def _fill(self, pairs: list[Any]) -> None:
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def _extend(self, items: list[Any]) -> None:
        self.stack[-1].extend(items)
