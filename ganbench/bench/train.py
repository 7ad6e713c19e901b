"""`train`: one run in one folder, begun, gone on with, or found finished."""

from pathlib import Path

import torch

from ganbench.bench.build import build
from ganbench.bench.folder import RunFolder
from ganbench.bench.jobs import Job
from ganbench.bench.judge import Judge, judging_of_run
from ganbench.bench.lead import Lead
from ganbench.bench.spec import RunSpec
from ganbench.bench.split import check_ranks
from ganbench.bench.trainer import Training
from ganbench.bench.watch import Watch
from ganbench.records import RunRecord


def train(
    spec: RunSpec,
    path: Path,
    *,
    resume: bool = False,
    offline: bool = False,
    watch: Watch | None = None,
    command: str = "",
    lead: Lead | None = None,
) -> RunRecord:
    """Trains a variant as `spec` says, in the folder `path`.

    Args:
        spec: the run.
        path: its folder; not there yet or empty, or with `resume` one in which this run was begun.
        resume: go on with a run, begin one where none is, or return the record of a finished one.
        offline: use no network.
        watch: who is told of progress, and what ends the run early.
        command: that runs it again, for the record.
        lead: leads the other ranks of a run that several processes share.

    Returns:
        The record, which also lies in the folder as `report.json`.

    Raises:
        UsageError: the parts of `spec` do not fit, the folder holds something else, or the run is not for so many
            processes.
        GanbenchError: data cannot be had, or the disk is full.
        Stopped: `watch.stop_after` ended this part.
    """
    folder = RunFolder(path)
    watch, lead = watch or Watch(), lead or Lead()
    check_ranks(spec, lead.ranks)
    if folder.check(spec, resume=resume):
        done = folder.record()
        if done is not None:
            return done
    with threads(spec.threads):
        # What fails here leaves nothing.
        built = build(spec, offline=offline, progress=watch.progress, warn=watch.warn, ranks=lead.ranks)
        how = judging_of_run(built)
        judge = Judge(built, how, offline=offline, warn=watch.warn) if how else None
        with folder.held():
            folder.claim(spec, resume=resume)
            done = folder.record()  # of another process that was faster
            if done is not None:
                return done
            lead.begin(Job(spec, path, command, offline))
            return Training(built, folder, judge, watch=watch, command=command, lead=lead).run()


class threads:  # noqa: N801 - a context manager by the name of what it sets
    """Within it torch uses so many threads: sums in float32 depend on how many there are."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._count)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self._before)
