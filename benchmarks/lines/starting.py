"""Start-up."""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.measure import Contender, Line


def lines(_: Inputs) -> Iterator[Line]:
    """The help, the import, and the interpreter alone."""
    ganbench = str(Path(sys.executable).parent / "ganbench")
    yield Line(
        title="Start-up",
        contenders=[
            Contender("ganbench --help", [ganbench, "--help"]),
            Contender("import ganbench", [sys.executable, "-c", "import ganbench"]),
            Contender("the interpreter alone", [sys.executable, "-c", "pass"]),
        ],
        notes="Aimed at: under 0.3 s and 0.15 s.",
    )
