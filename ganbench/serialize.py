"""Dataclasses to JSON and back, strictly: an unknown key or a wrong type is an error that names its place."""

import dataclasses
import hashlib
import json
import math
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from ganbench.errors import BadInput

T = TypeVar("T")


def plain(value: Any) -> Any:
    """A value made of dict, list, str, int, float, bool and None. Numbers that JSON lacks (NaN, infinities) raise."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no place in JSON; store null with a reason")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "item"):  # a numpy scalar
        return plain(value.item())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def to_json(value: Any, *, indent: int | None = 1) -> str:
    """The JSON text of a dataclass or plain value, keys in their own order."""
    return json.dumps(plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def canonical_sha256(value: Any) -> str:
    """The sha256 of a value's JSON with sorted keys and no spaces: equal values, equal digest."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(kind: type[T], text: str | bytes, *, where: str) -> T:
    """Reads a dataclass from JSON text; `where` names the text in errors.

    Raises BadInput with the path of the first thing that is wrong.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    if dataclasses.is_dataclass(kind):
        kind.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadInput(f"{where} is not a valid {kind.__name__}: {place}: {first['msg']}.") from error


def from_toml(kind: type[T], path: Path) -> T:
    """Reads a dataclass from a TOML file, as strictly as from JSON."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}.") from error
    return from_json(kind, json.dumps(data), where=str(path))
