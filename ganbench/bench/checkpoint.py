"""Checkpoints: one safetensors file that holds tensors and, as JSON, everything else; it appears whole or not at all.

No pickle: nested dictionaries, lists and numbers are kept as they are, and a tensor in them by the name under which
the file has it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganbench.errors import CorruptFile
from ganbench.files import sha256_file, write_bytes

SCHEMA = "ganbench.checkpoint/1"
_TENSOR, _PAIRS = "$tensor", "$pairs"


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes nested dictionaries, lists, numbers, texts and tensors. Raises GanbenchError where the disk is full."""
    tensors: dict[str, Tensor] = {}
    skeleton = _taken(state, "", tensors)
    write_bytes(path, save(tensors, {"schema": SCHEMA, "state": json.dumps(skeleton)}))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads what `save_checkpoint` wrote, tensors on the CPU. Raises CorruptFile where it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.get("schema") != SCHEMA:
            raise CorruptFile(f"{path} is no checkpoint of a run: its schema is {metadata.get('schema')!r}.")
        found: dict[str, Any] = _put(json.loads(metadata["state"]), tensors)
        return found
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise CorruptFile(f"{path} cannot be read as a checkpoint: {error}.") from error


def _taken(value: Any, at: str, tensors: dict[str, Tensor]) -> Any:
    """The value with each tensor replaced by its name; the tensors go into `tensors`."""
    if isinstance(value, Tensor):
        tensors[at] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: at}
    if isinstance(value, Mapping):  # pairs: keys may be numbers, and a key of a user's may look like a name of ours
        return {_PAIRS: [[key, _taken(item, f"{at}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_taken(item, f"{at}/{i}", tensors) for i, item in enumerate(value)]
    assert value is None or isinstance(value, str | bool | int | float), f"{at} is a {type(value).__name__}"
    return value


def _put(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {key: _put(item, tensors) for key, item in value[_PAIRS]}
    if isinstance(value, list):
        return [_put(item, tensors) for item in value]
    return value


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of weights, in the order of their names."""
    total = hashlib.sha256(b"ganbench.weights/1\n")
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous()
        total.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        total.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


class Checkpoints:
    """The checkpoints of a run: the two newest, each with its sha256 beside it.

    Args:
        folder: `checkpoints/` of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Writes one and takes out all but the two newest."""
        path = self.folder / f"step-{step:09d}.safetensors"
        save_checkpoint(path, state)
        write_bytes(path.with_suffix(".sha256"), sha256_file(path).encode())
        for old in self._all()[2:]:
            old.with_suffix(".sha256").unlink(missing_ok=True)
            old.unlink(missing_ok=True)
        return path

    def newest(self, warn: Any) -> dict[str, Any] | None:
        """The state in the newest that is whole; None where there is none. A damaged one is said and passed over."""
        for path in self._all():
            try:
                written = path.with_suffix(".sha256").read_text(encoding="utf-8").strip()
                if sha256_file(path) != written:
                    raise CorruptFile(f"{path} is corrupted: another sha256 was written.")
                return load_checkpoint(path)
            except FileNotFoundError:
                continue  # the sha256 comes last: that write was not finished
            except CorruptFile as error:
                warn(f"A checkpoint is damaged and the one before it is taken: {error}")
        return None

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)
