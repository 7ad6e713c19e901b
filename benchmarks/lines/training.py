"""Images a second of training."""

from collections.abc import Iterator

from benchmarks.inputs import Inputs
from benchmarks.measure import Contender, Line, task


def lines(inputs: Inputs) -> Iterator[Line]:
    """DCGAN and WGAN-GP on DCGAN's networks at 32 pixels, beside the loop that most repositories have."""
    for name, steps in (("dcgan", 30), ("wgan-gp", 6)):
        steps = 1 if inputs.quick else steps
        yield Line(
            title=f"Training {name} at 32 pixels in colour, batches of 64, beside a plain eager loop",
            contenders=[
                Contender("ganbench", task("training", "ours", name, steps)),
                Contender("plain loop", task("training", "plain", name, steps)),
            ],
            wanted=1.3,
            notes="The same networks and first weights. The plain loop is in benchmarks/tasks/training.py.",
        )
