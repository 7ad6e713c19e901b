"""What a name `VARIANT[+TECHNIQUE...]` stands for: a variant with techniques on it, their settings and their code."""

import hashlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from ganbench.errors import UsageError
from ganbench.records import joined_sources
from ganbench.registry import unknown
from ganbench.serialize import from_json, plain, to_json
from ganbench.techniques._base import Technique
from ganbench.techniques._fitting import Tool
from ganbench.techniques._registry import TECHNIQUES
from ganbench.variants._base import Variant
from ganbench.variants._registry import VARIANTS


@dataclass(frozen=True)
class Recipe:
    """One way to train, techniques included.

    Attributes:
        name: `ns-gan`, or `ns-gan+ttur+label-smoothing`: techniques are applied in this order.
        kind: the variant.
        techniques: by name.
    """

    name: str
    kind: type[Variant]
    techniques: Mapping[str, type[Technique]]

    @staticmethod
    def of(name: str) -> "Recipe":
        """The recipe of a name. Raises UsageError for a part that there is not, or that comes twice."""
        variant, *behind = name.split("+")
        if len(set(behind)) != len(behind):
            raise UsageError(f"{name!r} names a technique twice.")
        return Recipe(name, VARIANTS.get(variant), {each: TECHNIQUES.get(each) for each in behind})

    @property
    def variant(self) -> str:
        """The name without techniques."""
        return self.name.partition("+")[0]

    @property
    def splits(self) -> bool:
        """Whether a batch can be split over ranks."""
        return self.kind.splits and all(technique.splits for technique in self.techniques.values())

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All settings as plain values: the defaults and those that are given, a technique's as `TECHNIQUE.NAME`.

        Raises UsageError for a setting that there is not, BadInput for a value of another type.
        """
        names = [f"{prefix}{each.name}" for prefix, config in self._configs() for each in fields(config)]
        for name in given:
            if name not in names:
                raise unknown(f"setting of {self.name}", name, names)
        found: dict[str, Any] = {}
        for prefix, config in self._configs():
            defaults = {each.name: each.default for each in fields(config) if each.default is not MISSING}
            mine = {**plain(defaults), **_under(prefix, given)}
            read: Any = from_json(config, to_json(mine), where=f"the settings of {self.name}")
            found |= {f"{prefix}{key}": value for key, value in plain(read).items()}
        return found

    def _configs(self) -> Iterator[tuple[str, type]]:
        yield "", self.kind.Config
        for name, technique in self.techniques.items():
            yield f"{name}.", technique.Config

    def read(self, settings: Mapping[str, Any]) -> tuple[Any, list[Tool]]:
        """The frozen settings of the variant, and the techniques with theirs."""
        where = f"the settings of {self.name}"
        read: list[Any] = [
            from_json(config, to_json(_under(prefix, settings)), where=where) for prefix, config in self._configs()
        ]
        return read[0], [Tool(*each, mine) for each, mine in zip(self.techniques.items(), read[1:], strict=True)]

    def source(self) -> str:
        """The text of the variant's file, and of the techniques' behind it."""
        return joined_sources(_text(self.kind), {name: _text(technique) for name, technique in self.techniques.items()})

    def sha256(self) -> str:
        """Of the text: the algorithm's identity."""
        return hashlib.sha256(self.source().encode()).hexdigest()


def _under(prefix: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings whose names are `prefix` and one more word, by that word."""
    cut = len(prefix)
    return {key[cut:]: value for key, value in settings.items() if key.startswith(prefix) and "." not in key[cut:]}


def _text(kind: type) -> str:
    path = inspect.getsourcefile(kind)
    assert path is not None
    return Path(path).read_text(encoding="utf-8")
