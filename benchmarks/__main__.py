"""`python -m benchmarks [--only TEXT] [--rounds N] [--quick]`: measures, and writes RESULTS.md and results.json."""

import argparse
import pkgutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from benchmarks import lines as folder
from benchmarks import report
from benchmarks.inputs import make
from benchmarks.measure import measure
from ganbench.provenance import machine


def main() -> None:
    """All lines, in the order of their files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="lines whose file or title holds this")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--quick", action="store_true", help="tiny inputs, to see that all of it runs; writes nothing here"
    )
    parser.add_argument("--out", type=Path, default=report.FOLDER, help="the folder of the two files")
    given = parser.parse_args()
    if given.quick and given.out == report.FOLDER:
        parser.error("--quick measures nothing worth keeping: say --out FOLDER")
    with tempfile.TemporaryDirectory(prefix="ganbench-benchmark-") as temporary:
        inputs = make(Path(temporary), quick=given.quick)
        found = []
        for name in sorted(each.name for each in pkgutil.iter_modules(folder.__path__)):
            for line in import_module(f"benchmarks.lines.{name}").lines(inputs):
                if given.only in f"{name} {line.title}":
                    print(line.title, file=sys.stderr)
                    found.append((line, measure(line, given.rounds, lambda text: print(text, file=sys.stderr))))
    report.write(found, machine(), folder=given.out)


if __name__ == "__main__":
    main()
