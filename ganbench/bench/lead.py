"""What the first of several ranks says to the others. They do nothing unasked, so all of them do the same.

Budgets, clocks, files, scores and what becomes of an error are for the first alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

from ganbench.bench.checkpoint import weights_sha256
from ganbench.bench.group import digests, number_from_first, text_from_first
from ganbench.bench.jobs import Job
from ganbench.errors import GanbenchError
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.variants._base import Variant


class Word(IntEnum):
    """One order."""

    END = 0
    BEGIN = 1  # a job follows
    STEP = 2
    COMPARE = 3


class Lead:
    """The first rank's part. Where it is alone, nothing is said.

    Args:
        ranks: whom it leads.
    """

    def __init__(self, ranks: Ranks = ALONE) -> None:
        self.ranks = ranks
        self._listened_to = True

    def begin(self, job: Job) -> None:
        """The others are to build this run and to take it up from its newest checkpoint."""
        if not self.ranks.alone:
            number_from_first(Word.BEGIN)
            text_from_first(job.text())

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around a step, which all make."""
        if self.ranks.alone:
            yield
            return
        number_from_first(Word.STEP)
        self._listened_to = False
        yield
        self._listened_to = True

    def compare(self, variant: Variant) -> None:
        """Raises GanbenchError where the weights or the noise of the ranks are not the same."""
        if self.ranks.alone:
            return
        number_from_first(Word.COMPARE)
        found = digests(digest(variant), self.ranks)
        others = [str(rank) for rank, theirs in enumerate(found) if theirs != found[0]]
        if others:
            raise GanbenchError(
                f"The weights of rank {', '.join(others)} are not those of rank 0. All ranks must see the run's folder "
                "and compute on devices of one kind, and networks may draw no random numbers of their own."
            )

    def end(self) -> None:
        """The others are to end. Where one of them is amid a step it hears nothing: its launcher ends it."""
        if not self.ranks.alone and self._listened_to:
            number_from_first(Word.END)


def digest(variant: Variant) -> str:
    """sha256 over weights and the place in the noise: equal on all ranks."""
    return weights_sha256({**variant.state_dict(), "noise": variant.problem.draws.state()})


@contextmanager
def leading(ranks: Ranks) -> Iterator[Lead]:
    """Within it the others follow; after it, also after an error, they end."""
    lead = Lead(ranks)
    try:
        yield lead
    except BaseException:
        with suppress(RuntimeError):  # the others may have ended already, and why this one does is what counts
            lead.end()
        raise
    lead.end()
