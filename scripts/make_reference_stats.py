"""Makes the statistics that are shipped with ganbench, in reference_stats/.

    python scripts/make_reference_stats.py [NAME:SPLIT ...]

Needs the images of Fashion-MNIST (see `ganbench data list`). Takes about half an hour on two cores. Run twice on one
machine it gives the same bytes; on another one features differ in their last bits, as all floats do.
"""

import sys
from dataclasses import replace
from pathlib import Path

from ganbench.evaluation.options import Options
from ganbench.evaluation.real import build_from
from ganbench.features.loading import load_extractor
from ganbench.features.reference_files import save
from ganbench.features.references import Keep
from ganbench.images.datasets._base import open_dataset
from ganbench.protocol import get_protocol

FOLDER = Path(__file__).resolve().parent.parent / "reference_stats"
PROTOCOL = "embedded"
KEPT = {
    "digits:train": Keep(),
    "fashion-mnist:train": Keep(dtype="float16"),
    "fashion-mnist:test": Keep(features=0),
}


def main(names: list[str]) -> int:
    """Makes those named, or all. Returns the exit status."""
    unknown = set(names) - set(KEPT)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(KEPT)}", file=sys.stderr)
        return 2
    # One device and one back-end, so that the same machine gives the same bytes.
    options = Options(device="cpu", backend="torch", offline=True, command="python scripts/make_reference_stats.py")
    extractor = load_extractor(get_protocol(PROTOCOL), device="cpu", backend="torch", offline=True)
    for spec in names or KEPT:
        name, _, split = spec.partition(":")
        source = open_dataset(name, split, offline=True)
        made = build_from(source, name, split, extractor, options=options, keep=KEPT[spec], progress=tell)
        path = save(replace(made, info={**made.info, "made": "dataset"}), FOLDER)
        print(f"{path.name}: {path.stat().st_size:,} bytes, {made.n:,} images")
    return 0


def tell(stage: str, done: int, total: int | None) -> None:
    """A line now and then."""
    if total and done % 1024 < 32:
        print(f"{stage} {done:,}/{total:,}", end="\r", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
