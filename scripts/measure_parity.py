"""Compares every metric with its oracles, and records the differences in docs/records/parity.json.

    python scripts/measure_parity.py

The table of docs/metrics.md is made from that record. Needs the extra `reference`; a package that is not there, a
metric without an oracle and a difference beyond its tolerance are errors. The oracles are in parity_oracles.py.
"""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from parity_oracles import ORACLES, Oracle

from ganbench.metrics._registry import METRICS
from ganbench.metrics._score import score

RECORD = Path(__file__).resolve().parent.parent / "docs" / "records" / "parity.json"


class NoParity(Exception):
    """A metric has no oracle, or does not agree with it."""


def compare(metric: str, oracle: Oracle) -> list[dict[str, Any]]:
    """A line of the record for each value that the oracle has. Raises NoParity where one is too far from ours."""
    case = oracle.case()
    found = dict(case.found) or {key: each.value for key, each in score(metric, **case.given).items()}
    lines = []
    for key, theirs in case.wanted.items():
        ours = found[key]
        apart = abs(ours - theirs)
        if theirs == 0 or apart > oracle.tolerance * abs(theirs):
            raise NoParity(f"{metric}: {key} is {ours!r}, {theirs!r} by {oracle.name}; allowed: {oracle.tolerance}.")
        lines.append({
            "metric": metric,
            "key": key,
            "oracle": oracle.name,
            "version": version(oracle.package) if oracle.package else None,
            "compared": oracle.compared,
            **sizes(case.given),
            "params": {k: v for k, v in case.given.items() if not isinstance(v, np.ndarray)},
            "value": ours,
            "oracle_value": theirs,
            "absolute": float(f"{apart:.1e}"),
            "relative": float(f"{apart / abs(theirs):.1e}"),
            "tolerance": oracle.tolerance,
            "why": oracle.why,
        })  # fmt: skip
    return lines


def sizes(given: Mapping[str, Any]) -> dict[str, int | None]:
    """How many fakes and reals there are, and how many numbers each of them is."""
    fake, real = given["fake"], given.get("real")
    return {"n_fake": len(fake), "n_real": None if real is None else len(real), "d": int(np.prod(fake.shape[1:]))}


def measure(names: Iterable[str], oracles: Mapping[str, Sequence[Oracle]]) -> list[dict[str, Any]]:
    """The lines of all metrics. Raises NoParity where a key of one is compared with nothing."""
    lines = []
    for name in names:
        if name not in oracles:
            raise NoParity(f"{name} has no oracle: name one in parity_oracles.py.")
        mine = [line for oracle in oracles[name] for line in compare(name, oracle)]
        missing = set(METRICS.get(name).keys) - {line["key"] for line in mine}
        if missing:
            raise NoParity(f"{name}: no oracle has a value for {', '.join(sorted(missing))}.")
        lines += mine
    return lines


def main() -> None:
    """Measures this environment and writes the record."""
    record = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")},
        "comparisons": measure(METRICS.names(), ORACLES),
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for line in record["comparisons"]:
        print(f"{line['key']:20} {line['oracle']:42} {line['value']:<22} {line['relative']:.1e}")


if __name__ == "__main__":
    main()
