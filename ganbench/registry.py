"""A package folder is a registry: each module in it is an entry, named as its file.

Names and summaries are read from the files themselves, so listing imports nothing.
"""

import ast
import difflib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from ganbench.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One entry: its name, and the first line of its docstring."""

    name: str
    summary: str


class Registry(Generic[T]):
    """The entries of one folder, and those that other packages offer under the entry point `ganbench.KIND`s.

    Args:
        kind: what an entry is, in one word, for messages: "metric".
        package: the package whose modules are the entries: "ganbench.metrics".
        base: the class whose subclass each module defines, once; as "module:Class" where importing it costs time.
        dashes: entries are spelt with dashes (`fashion-mnist` in `fashion_mnist.py`).
    """

    def __init__(self, kind: str, package: str, base: type[T] | str, *, dashes: bool = False) -> None:
        self.kind, self.package, self._base, self.dashes = kind, package, base, dashes
        self._replaced: dict[str, ModuleType] = {}

    @cached_property
    def base(self) -> type[T]:
        """The class whose subclass each module defines."""
        if not isinstance(self._base, str):
            return self._base
        module, _, name = self._base.partition(":")
        base: type[T] = getattr(import_module(module), name)
        return base

    @cached_property
    def _files(self) -> dict[str, Path]:
        spec = find_spec(self.package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        folder = Path(next(iter(spec.submodule_search_locations)))
        return {self._spelt(p.stem): p for p in sorted(folder.glob("*.py")) if not p.stem.startswith("_")}

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=f"ganbench.{self.kind}s")}

    def _spelt(self, stem: str) -> str:
        return stem.replace("_", "-") if self.dashes else stem

    def names(self) -> list[str]:
        """The names of all entries, in alphabetical order."""
        return sorted({*self._files, *self._plugins})

    def __iter__(self) -> Iterator[Entry]:
        for name in self.names():
            yield Entry(name, self.summary(name))

    def summary(self, name: str) -> str:
        """The first line of the entry's docstring; a plug-in is named by where it comes from."""
        self.check(name)
        if name in self._plugins:
            return f"plug-in: {self._plugins[name].value}"
        text = ast.get_docstring(ast.parse(self._files[name].read_text(encoding="utf-8"))) or ""
        return text.partition("\n")[0]

    def check(self, name: str) -> str:
        """Returns `name`, or raises UsageError with the nearest name and the list of all."""
        if name in self._files or name in self._plugins:
            return name
        raise unknown(self.kind, name, self.names())

    def get(self, name: str) -> type[T]:
        """Imports the entry's module and returns the one public subclass of the base that it defines."""
        if name in self._replaced:
            return self._only(self._replaced[name])
        self.check(name)
        if name in self._plugins:
            loaded: type[T] = self._plugins[name].load()
            return loaded
        return self._only(import_module(f"{self.package}.{self._files[name].stem}"))

    def _only(self, module: ModuleType) -> type[T]:
        """The one public subclass of the base that a module defines."""
        found = [
            value
            for key, value in vars(module).items()
            if inspect.isclass(value)
            and issubclass(value, self.base)
            and value.__module__ == module.__name__
            and not key.startswith("_")
            and not inspect.isabstract(value)
        ]
        assert len(found) == 1, f"{module.__name__} must define one public {self.base.__name__}, found {found}"
        return found[0]

    @contextmanager
    def replaced(self, name: str, module: ModuleType) -> Iterator[None]:
        """Within it the entry `name` is what `module` defines, whatever the folder has."""
        self._replaced[name] = module
        try:
            yield
        finally:
            del self._replaced[name]


def unknown(kind: str, name: str, names: list[str]) -> UsageError:
    """The error for a name that is not there: the nearest one, and the list."""
    spelt = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.5)
    guess = f" Did you mean {spelt[close[0]]!r}?" if close else ""
    return UsageError(f"Unknown {kind} {name!r}.{guess} There are: {', '.join(names) or 'none'}.")
