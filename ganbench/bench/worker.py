"""The process of one job: reads it from stdin, runs it, leaves the record in its folder."""

import sys

from ganbench.bench.jobs import Job
from ganbench.bench.train import train
from ganbench.bench.trainer import Watch


def _said(message: str) -> None:
    sys.stderr.write(message + "\n")


def main() -> int:
    """Runs the job that stdin tells. A run that diverges has a record like any other: 0."""
    job = Job.read(sys.stdin.read())
    watch = Watch(warn=_said, max_seconds=job.max_seconds)
    train(job.spec, job.folder, resume=True, offline=job.offline, watch=watch, command=job.command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
