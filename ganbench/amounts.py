"""How long a training may go on, as people write it: `2e13flop`, a tier, `200kimg`, `5000steps`, `10min`."""

import math
import re
from typing import Literal

from ganbench.errors import UsageError

Unit = Literal["flop", "kimg", "steps", "seconds"]
TIERS = {"pico": 2e12, "nano": 2e13, "micro": 2e14, "small": 2e15, "medium": 2e16, "base": 2e17, "large": 2e18}
_SPEC = re.compile(
    r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(flops?|kimg|steps?|seconds?|s|minutes?|min|hours?|h)", re.IGNORECASE
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def read_amount(text: str) -> tuple[Unit, float]:
    """The unit and how much of it: training FLOPs, thousands of real images, generator updates or seconds of training.

    Raises UsageError where the text is none, or says nothing or infinity.
    """
    given = text.strip().lower()
    if given in TIERS:
        return "flop", TIERS[given]
    found = _SPEC.fullmatch(given)
    amount = float(found[1]) if found else 0.0
    if found is None or not 0 < amount < math.inf:
        raise UsageError(
            f"{text!r} is no amount of training; wanted 2e13flop, 200kimg, 5000steps, 10min or a tier: "
            f"{', '.join(TIERS)}."
        )
    if found[2].startswith("flop"):
        return "flop", amount
    if found[2] == "kimg":
        return "kimg", amount
    if found[2].startswith("step"):
        return "steps", amount
    return "seconds", amount * _SECONDS[found[2][0]]
