"""A Ray cluster: that at RAY_ADDRESS, or one on this machine.

Where its machines share `GANBENCH_HOME`, a run whose machine is lost goes on from its checkpoint on another; elsewhere
it begins anew there. Records come back to the machine that asked.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from ganbench.bench.executors._base import Executor
from ganbench.bench.jobs import Ended, Job, run_job
from ganbench.errors import Unavailable

_RETRIES = 3  # of a job whose worker or machine is lost


def _run(text: str) -> tuple[str | None, bytes | None, str, bool, str]:
    ended = run_job(Job.read(text))
    return ended.record, ended.picture, ended.error, ended.outside, ended.losses


class Ray(Executor):
    """Runs jobs as Ray tasks that take as many CPUs as their threads; `at_once` limits how many are handed over."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        """See Executor. Raises Unavailable where ray is not installed or no cluster answers."""
        if not jobs:
            return
        ray = _ray()
        mine = not ray.is_initialized()
        if mine:
            _connect(ray)
        try:
            yield from self._all(ray, jobs)
        finally:
            if mine:
                ray.shutdown()

    def _all(self, ray: Any, jobs: Sequence[Job]) -> Iterator[Ended]:
        waiting = list(jobs)
        running: dict[Any, Job] = {}
        while waiting or running:
            while waiting and len(running) < (self.at_once or len(jobs)):
                job = waiting.pop(0)
                task = ray.remote(num_cpus=job.spec.threads, max_retries=_RETRIES)(_run)
                running[task.remote(job.text())] = job
            (done,), _ = ray.wait(list(running))
            job = running.pop(done)
            try:
                yield Ended(job, *ray.get(done))
            except ray.exceptions.RayError as error:
                yield Ended(job, error=str(error).strip().splitlines()[-1], outside=True)  # machines were lost


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise Unavailable("--executor ray needs Ray. Install it: pip install 'ganbench[ray]'") from error
    return ray


def _connect(ray: Any) -> None:
    try:
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False)
    except (ConnectionError, RuntimeError) as error:
        raise Unavailable(f"No Ray cluster answers at {os.environ.get('RAY_ADDRESS')}: {error}") from error
