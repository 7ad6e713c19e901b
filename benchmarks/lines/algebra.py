"""Linear algebra on features that are there."""

from collections.abc import Iterator

from benchmarks.inputs import Inputs
from benchmarks.measure import Contender, Line, task


def lines(inputs: Inputs) -> Iterator[Line]:
    """The Frechet distance, and metrics of neighbours."""
    d, n = (64, 200) if inputs.quick else (2048, 10_000)
    ours = Contender("ganbench", task("linear", "frechet-ours", n, d))
    for name, wanted in (("sqrtm", 7.0), ("eigvals", 4.0)):
        yield Line(
            title=f"Frechet distance of moments at d = {d}, the reference cached, beside {name}",
            contenders=[ours, Contender(name, task("linear", f"frechet-{name}", n, d))],
            wanted=wanted,
            rtol=1e-6,
        )
    pair = [
        Contender(who, task("linear", f"neighbours-{key}", n, d))
        for who, key in (("ganbench", "ours"), ("prdc", "prdc"))
    ]
    title = f"Precision, recall, density and coverage of {n:,} x {n:,} x {d}"
    yield Line(
        title=title, contenders=pair, wanted=5.0, rtol=1e-9, notes="k = 5 for all four. Imports are not counted."
    )
    yield Line(title=f"Peak memory of the same process: {title.lower()}", contenders=pair, memory=True, rtol=1e-9)
