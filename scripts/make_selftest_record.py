"""Makes ganbench/selftest/record.json, what `ganbench selftest` compares with.

    python scripts/make_selftest_record.py

Run it where all tests pass, after a metric, a network or a protocol changed or came, and read the differences: each is
a number that users will find changed. Takes one or two minutes. Needs OpenVINO.

A floor's tolerance is the largest of: three times what a disturbance of the features, at a third of what the check of
the network lets pass, does to it in five draws; ten times the difference between OpenVINO and torch; a ten-thousandth
of it. Scores of which more is better and that lie in 0..1 are shares of the images, or nearly so: one comparison that
falls otherwise is let pass.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from ganbench.features.loading import load_extractor
from ganbench.metrics._registry import METRICS, build
from ganbench.progress import silent
from ganbench.protocol import get_protocol
from ganbench.provenance import machine, versions
from ganbench.selftest import network, registry
from ganbench.selftest.draws import pictures
from ganbench.selftest.floors import Floor, N, Rows, features_of_both, score_all
from ganbench.selftest.record import FILE, Measured, Record
from ganbench.serialize import to_json

_SHAKES = 5


def main() -> None:
    """Writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    extractor, other = (
        load_extractor(get_protocol(network.PROTOCOL), device="cpu", backend=backend, offline=True)
        for backend in ("openvino", "torch")
    )
    reference = network.shipped_reference(extractor)
    both = features_of_both(extractor, progress=silent)
    shaken = [(_shaken(both[0], i), _shaken(both[1], i + _SHAKES)) for i in range(_SHAKES)]
    sets = [both, features_of_both(other, progress=silent), *shaken]
    plain, *others = [score_all(each, extractor, reference, progress=silent) for each in sets]
    features = extractor(pictures())
    record = Record(
        made={
            "command": "python scripts/make_selftest_record.py",
            "protocol": extractor.protocol.fingerprint,
            "backend": extractor.backend,
            "versions": versions(),
            **{key: value for key, value in machine().items() if key in ("python", "machine")},
        },
        metrics=_metrics(),
        features={head: _rounded(network.blocks(features[head])) for head in sorted(features)},
        floors=_floors(plain, others),
    )
    given.out.write_text(to_json(record) + "\n", encoding="utf-8")
    print(f"{given.out.name}: {given.out.stat().st_size:,} bytes, {len(record.floors)} floors", file=sys.stderr)


def _metrics() -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in METRICS.names():
        metric = build(name, seed=registry.SEED)
        if registry.reads_features(metric):
            sets = {which: registry.values(metric, which) for which in registry.SETS}
            found[name] = {
                key: {which: values[key] for which, values in sets.items() if np.isfinite(values[key])}
                for key in metric.keys
            }
    return found


def _rounded(values: np.ndarray) -> list[list[float]]:
    return [[float(f"{value:.7g}") for value in row] for row in values]


def _shaken(rows: Rows, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    size = network.TOLERANCE / 3
    return {
        head: (x + size * np.sqrt(np.mean(x**2)) * rng.standard_normal(x.shape)).astype(np.float32)
        for head, x in rows.items()
    }


def _floors(plain: list[Floor], others: list[list[Floor]]) -> dict[str, dict[str, Measured]]:
    found = {}
    for i, floor in enumerate(plain):
        values = {"real": floor.real, "noise": floor.noise}
        if None in values.values():
            continue
        apart = {"real": [each[i].real for each in others], "noise": [each[i].noise for each in others]}
        share = floor.direction == "higher" and all(0 <= float(value or 0) <= 1 for value in values.values())
        least = 1.1 / N if share else 0.0
        found[floor.key] = {which: _measured(float(values[which] or 0), apart[which], least) for which in values}
    return found


def _measured(value: float, others: list[float | None], least: float) -> Measured:
    by_backend, *moved = (abs(float(each or 0) - value) for each in others)
    tolerance = max(10 * by_backend, 3 * max(moved), 1e-4 * abs(value), least)
    return Measured(value=value, tolerance=float(f"{tolerance:.2g}"))


if __name__ == "__main__":
    main()
