"""Whole evaluations of two folders of PNG, from the command to the number."""

import sys
from collections.abc import Iterator

from benchmarks.inputs import Inputs
from benchmarks.measure import Contender, Line, task

_ALL = "fid,kid,inception_score,precision_recall,density_coverage"


def lines(inputs: Inputs) -> Iterator[Line]:
    """FID beside the peers, all metrics beside FID, and the same command again."""
    given = (inputs.images("fake"), inputs.images("real"), inputs.weights)
    ours = Contender("ganbench", task("ours", "fid", *given))
    peers = [Contender(name, task("peers", name, *given)) for name in ("pytorch-fid", "torch-fidelity", "torchmetrics")]
    sizes = f"{inputs.n:,} + {inputs.n:,} PNG of 32 pixels, random Inception weights, CPU"
    yield Line(
        title=f"FID of {sizes}",
        contenders=[ours, *peers],
        wanted=2.3,
        rtol=0.02,
        notes="Whole processes, imports and conversion of the network included; nothing is cached. pytorch-fid resizes "
        "otherwise than the others, so its value is another, and is not compared. With fewer images than features "
        "torchmetrics takes roots of eigenvalues that are rounding noise: it may be off by 2 %.",
    )
    yield Line(
        title=f"FID, KID, IS, precision, recall, density and coverage together, over FID alone: {sizes}",
        contenders=[
            Contender("all of them", task("ours", _ALL, *given)),
            Contender("FID alone", task("ours", "fid", *given)),
        ],
        wanted=1.15,
        most=True,
    )
    yield Line(
        title="The identical command again, the store warm",
        contenders=[
            Contender("again", task("ours", "fid", *given), fresh=False),
            Contender("other metrics from stored features", task("ours", _ALL, *given), fresh=False),
            Contender("the interpreter alone", [sys.executable, "-c", "pass"]),
        ],
        notes="The first round fills the store, the second finds it; aimed at: under 4 s, start-up included.",
    )
