"""What an executor is: it takes jobs and yields how they ended, in the order in which they do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from ganbench.bench.jobs import Ended, Job


class Executor(ABC):
    """A place for jobs.

    Args:
        at_once: how many run at the same time; None: as many as fit.
    """

    def __init__(self, at_once: int | None) -> None:
        self.at_once = at_once

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        """Runs all jobs, each once; of one that a signal ended, again from its checkpoint."""
