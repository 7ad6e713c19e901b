"""This machine: as many processes at once as its cores allow."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from ganbench.bench.executors._base import Executor
from ganbench.bench.jobs import Ended, Job, run_job


class Local(Executor):
    """Runs jobs on this machine; where `at_once` is None, one for each core that a job's threads do not take."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        """See Executor."""
        if not jobs:
            return
        at_once = self.at_once or max(1, (os.cpu_count() or 1) // jobs[0].spec.threads)
        pool = ThreadPoolExecutor(at_once)
        try:
            for done in as_completed([pool.submit(run_job, job) for job in jobs]):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
