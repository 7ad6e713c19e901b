"""Makes the statistics that are shipped with ganbench, in reference_stats/.

    python scripts/make_reference_stats.py [--backend auto|torch|openvino] [--device cpu] [NAME:SPLIT ...]

Needs the images of Fashion-MNIST (see `ganbench data list`). Takes some minutes. Run twice with the
same back-end on one machine it gives the same bytes; elsewhere features differ in their last bits, as all floats do.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from ganbench.evaluation.network import Network
from ganbench.evaluation.options import Options
from ganbench.evaluation.real import build_from
from ganbench.features.reference_files import save
from ganbench.features.reference_making import Keep
from ganbench.images.datasets._base import open_dataset
from ganbench.progress import unheard
from ganbench.protocol import get_protocol

FOLDER = Path(__file__).resolve().parent.parent / "reference_stats"
PROTOCOL = "embedded"
KEPT = {
    "digits:train": Keep(),
    "digits:test": Keep(),
    "fashion-mnist:train": Keep(dtype="float16"),
    "fashion-mnist:test": Keep(dtype="float16", features=2000),
}


def main() -> None:
    """Makes those named, or all."""
    parser = argparse.ArgumentParser(description="Makes the statistics that are shipped with ganbench.")
    parser.add_argument("names", nargs="*", metavar="NAME:SPLIT", help=f"of: {', '.join(KEPT)}")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    if unknown := set(given.names) - set(KEPT):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(KEPT)}")
    options = Options(
        device=given.device, backend=given.backend, offline=True, command="python scripts/make_reference_stats.py"
    )
    for spec in given.names or KEPT:
        name, _, split = spec.partition(":")
        source = open_dataset(name, split, offline=True)
        network = Network(get_protocol(PROTOCOL), options, dataset=name, progress=tell, warn=unheard)
        made = build_from(source, name, split, network, options=options, keep=KEPT[spec], progress=tell)
        path = save(replace(made, info={**made.info, "made": "dataset", "backend": network.extractor.backend}), FOLDER)
        (FOLDER / f".{path.name}.lock").unlink(missing_ok=True)  # not to be shipped
        print(f"{path.name}: {path.stat().st_size:,} bytes, {made.n:,} images")


def tell(stage: str, done: int, total: int | None) -> None:
    """One line that counts up."""
    if total:
        print(f"\r{stage} {done:,}/{total:,}", end="" if done < total else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
