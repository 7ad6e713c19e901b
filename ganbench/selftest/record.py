"""What the checks found where ganbench was made: `record.json`, written by `scripts/make_selftest_record.py`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganbench.serialize import from_json

SCHEMA = "ganbench.selftest/1"
FILE = Path(__file__).with_name("record.json")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The value of one key, and how far a machine that computes right may be from it."""

    value: float
    tolerance: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record.

    Attributes:
        made: by what: the command, versions, machine, back-end.
        metrics: by metric and key, the values on the generated features: "good" and "worse".
        features: by head, for each generated picture the means over blocks of its features.
        floors: by key, the values of real digits and of noise.
    """

    schema: str = SCHEMA
    made: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    features: dict[str, list[list[float]]] = field(default_factory=dict)
    floors: dict[str, dict[str, Measured]] = field(default_factory=dict)


def read_record(path: Path = FILE) -> Record:
    """Reads a record. Raises BadInput where it is none."""
    return from_json(Record, path.read_bytes(), where=str(path))
