"""The keys of stored features and scores: no file that decides a number is left out of them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganbench
from ganbench.evaluation.keys import FEATURE_CODE, SCORE_CODE

PACKAGE = Path(ganbench.__file__).parent
# What the makers of numbers import, and no number depends on: errors, files and their places, names, values.
PLAIN = {"download.py", "errors.py", "files.py", "places.py", "progress.py", "protocol.py", "registry.py", "results.py",
         "serialize.py"}  # fmt: skip
# Weights are in a protocol by their sha256; what is made of rows is no part of what is stored.
APART = {"features/image_set.py", "features/moments.py", "features/registries.py", "features/stats.py",
         "features/weights.py"}  # fmt: skip


def imported(path: Path) -> Iterator[Path]:
    """The files of the package that a file imports, whether at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ganbench."):
            place = PACKAGE.parent / node.module.replace(".", "/")
            places = [place.with_suffix(".py"), *(place / f"{name.name}.py" for name in node.names)]
            yield from (found for found in places if found.is_file())


def reached(*patterns: str) -> set[str]:
    """All files that the files of some patterns lead to, by their place in the package."""
    left = [path for pattern in patterns for path in PACKAGE.glob(pattern)]
    seen: set[Path] = set()
    while left:
        path = left.pop()
        if path not in seen:
            seen.add(path)
            left += imported(path)
    return {path.relative_to(PACKAGE).as_posix() for path in seen}


def named(patterns: tuple[str, ...]) -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for pattern in patterns for path in PACKAGE.glob(pattern)}


def test_what_a_metric_computes_with_is_in_the_key_of_its_score() -> None:
    assert reached("metrics/*.py") - named(SCORE_CODE) - PLAIN == set()


def test_what_makes_features_is_in_their_key() -> None:
    makers = ("features/extract.py", "features/loading.py", "features/extractors/*.py", "features/backends/*.py")
    assert reached(*makers) - named(FEATURE_CODE) - PLAIN - APART == set()


@pytest.mark.parametrize("pattern", [*FEATURE_CODE, *SCORE_CODE])
def test_each_pattern_names_files(pattern: str) -> None:
    assert any(PACKAGE.glob(pattern)), f"{pattern} names no file: was one renamed?"
