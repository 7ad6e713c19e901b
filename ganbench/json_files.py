"""Files of JSON that name their schema: read strictly, with a limit on their size."""

import json
from pathlib import Path
from typing import TypeVar

from ganbench.errors import BadInput
from ganbench.files import read_limited
from ganbench.serialize import from_json, plain

T = TypeVar("T")


def read_stated(kind: type[T], path: Path, *, schema: str, largest: int, what: str) -> T:
    """Reads a dataclass from a JSON file that names its `schema`.

    Raises BadInput where the file cannot be read, is larger than `largest` bytes, or is not `what`; numbers that JSON
    lacks are refused too.
    """
    text = read_limited(path, largest, what=what)
    try:
        found = json.loads(text).get("schema")
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path} is not {what}: {error}.") from error
    if found != schema:
        raise BadInput(f"{path} is not {what}: its schema is {found!r}, wanted {schema!r}.")
    read = from_json(kind, text, where=str(path))
    try:
        plain(read)
    except ValueError as error:  # readers of JSON take NaN, and 1e999 for infinity
        raise BadInput(f"{path} is not {what}: {error}.") from error
    return read
