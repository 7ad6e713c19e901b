"""The process of one job: reads it from stdin, runs it, leaves the record in its folder."""

import sys

from ganbench.bench.jobs import OUTSIDE, Job
from ganbench.bench.train import train
from ganbench.bench.watch import Watch
from ganbench.errors import GanbenchError


def _said(message: str) -> None:
    sys.stderr.write(message + "\n")


def main() -> int:
    """Runs the job that stdin tells. A run that diverges has a record like any other: 0.

    OUTSIDE where it is not the run that failed: the disk is full, the data cannot be had.
    """
    job = Job.read(sys.stdin.read())
    watch = Watch(warn=_said, max_seconds=job.max_seconds)
    try:
        train(job.spec, job.folder, resume=True, offline=job.offline, watch=watch, command=job.command)
    except GanbenchError as error:
        _said(str(error).replace("\n", " "))
        return OUTSIDE
    return 0


if __name__ == "__main__":
    sys.exit(main())
