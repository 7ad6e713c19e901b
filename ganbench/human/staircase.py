"""The adaptive staircase of HYPE time: how long the next picture is shown, and what a block of it measures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Staircase:
    """The steps, all in milliseconds.

    Attributes:
        start_ms: of the first picture of a block.
        lowest_ms, highest_ms: between which exposures stay.
        wrong_ms: what a wrong answer adds.
        right_ms: what right answers take away.
        rights: how many right answers in a row take it away.
    """

    start_ms: int
    lowest_ms: int
    highest_ms: int
    wrong_ms: int
    right_ms: int
    rights: int

    def next_ms(self, right: Sequence[bool]) -> int:
        """The exposure after these answers of a block, in their order."""
        return self.exposures(right)[-1]

    def exposures(self, right: Sequence[bool]) -> list[int]:
        """The exposures of a block: the one of each answer, and the one that comes next."""
        found, run = [self.start_ms], 0
        for each in right:
            run = run + 1 if each else 0
            step = self.wrong_ms if not each else -self.right_ms if run == self.rights else 0
            run = 0 if run == self.rights else run
            found.append(min(max(found[-1] + step, self.lowest_ms), self.highest_ms))
        return found


def modal(exposures: Sequence[int]) -> int:
    """The exposure that a block had most often. Of several the one shown last: the staircase then had most time.

    Raises ValueError where there is none.
    """
    counts = Counter(exposures)
    most = max(counts.values())
    return next(each for each in reversed(exposures) if counts[each] == most)
