"""The runs of a track: which there are, which are done, and their records. Begun again, it goes on where it stopped."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench.bench.build import build
from ganbench.bench.company import check_company
from ganbench.bench.executors._base import Executor
from ganbench.bench.jobs import Ended, Job
from ganbench.bench.recipe import Recipe
from ganbench.bench.recording import environment
from ganbench.bench.spec import Judging, RunSpec
from ganbench.errors import GanbenchError, UsageError
from ganbench.files import write_bytes, write_text
from ganbench.places import home
from ganbench.records import RunRecord, Spent, read_record
from ganbench.registry import unknown
from ganbench.serialize import from_json, plain
from ganbench.track import Track, TrackFolder


@dataclass(frozen=True)
class Planned:
    """One run of a track, and whether it is done: `record` lies at `path`, and is of this very spec."""

    spec: RunSpec
    path: Path
    record: RunRecord | None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.record is not None


def spec_of(track: Track, name: str, variant: str, seed: int, *, device: str = "cpu", threads: int = 1) -> RunSpec:
    """The run of one variant and one seed under a track's rules."""
    recipe = Recipe.of(variant)
    return RunSpec(
        variant=variant,
        settings=recipe.settings(track.settings.get(variant, {})),
        variant_sha256=recipe.sha256(),
        data=track.dataset,
        backbone=track.backbone_of(variant),
        batch_size=track.batch_size_of(variant),
        budget=track.budget,
        seed=seed,
        judging=Judging(
            reference=track.reference,
            protocol=track.protocol,
            metrics=track.metrics,
            validation=track.validation,
            ranked_by=track.ranked_by[0],
            at=track.evaluate_at,
            points_n=track.points_n,
            raw_n=track.raw_n,
            final_n=track.final_n,
        ),
        track=name,
        kind=track.kind,
        device=device,
        threads=threads,
    )


def plan_sweep(
    place: TrackFolder,
    *,
    seeds: int | None = None,
    only: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
    device: str = "cpu",
    threads: int = 1,
) -> list[Planned]:
    """The runs of a track, seed by seed, so that a sweep that is stopped early has whole seeds.

    Args:
        place: the track.
        seeds: only the first so many of its seeds.
        only: only these variants.
        shard: (i, n): every n-th run, beginning with the i-th of 1..n.
        device, threads: where runs run; records of other devices count as done.

    Raises:
        UsageError: a variant that the track does not have, more seeds than it has, or no such shard.
    """
    track = place.track
    check_company(place)
    for name in only:
        if name not in track.variants:
            raise unknown(f"variant of {place.name}", name, track.variants)
    if seeds is not None and not 1 <= seeds <= len(track.seeds):
        raise UsageError(f"--seeds is {seeds}; {place.name} has {len(track.seeds)}.")
    number, of = shard
    if not 1 <= number <= of:
        raise UsageError(f"--shard is {number}/{of}; wanted I/N with I from 1 to N.")
    wanted = [
        (variant, seed) for seed in track.seeds[:seeds] for variant in track.variants if not only or variant in only
    ]
    found = []
    for variant, seed in wanted[number - 1 :: of]:
        spec = spec_of(track, place.name, variant, seed, device=device, threads=threads)
        path = place.records / f"{variant}-{seed}.json"
        found.append(Planned(spec, path, _recorded(path, spec)))
    return found


def _recorded(path: Path, spec: RunSpec) -> RunRecord | None:
    """The record at `path` where it is of this run, on whatever device; None where there is none, or of another."""
    if not path.is_file():
        return None
    record = read_record(path)
    theirs, mine = record.config.get("spec"), _decisive(spec)
    same = isinstance(theirs, dict) and all(theirs.get(key) == value for key, value in mine.items())
    return record if same else None


def _decisive(spec: RunSpec) -> dict[str, object]:
    """What makes a run that of a track, whatever it ran on."""
    return {key: value for key, value in plain(spec).items() if key not in ("device", "threads", "ranks", "schema")}


def job_of(planned: Planned, *, offline: bool, max_seconds: float | None) -> Job:
    """The job of a run that is not done. Its folder is below `GANBENCH_HOME/runs`, by the track and the run's id."""
    spec = planned.spec
    folder = home() / "runs" / str(spec.track) / f"{spec.variant}-{spec.seed}-{spec.id}"
    command = shlex.join(["ganbench", "bench", "run", str(spec.track), "--only", spec.variant])
    return Job(spec, folder, command, offline, max_seconds)


def sweep(
    place: TrackFolder,
    planned: Sequence[Planned],
    executor: Executor,
    *,
    offline: bool = False,
    max_seconds: float | None = None,
) -> Iterator[RunRecord]:
    """Runs what is not done and writes each record as its run ends. Yields the records.

    Raises GanbenchError where something around a run failed, such as a full disk: that is no record.
    """
    waiting = [each for each in planned if not each.done]
    jobs = [job_of(each, offline=offline, max_seconds=max_seconds) for each in waiting]
    places = {job.folder: each.path for job, each in zip(jobs, waiting, strict=True)}
    for ended in executor.run(jobs):
        if ended.outside:
            spec = ended.job.spec
            raise GanbenchError(
                f"{spec.variant}, seed {spec.seed} was stopped, and not by the run itself: {ended.error} Mend that and "
                "run the same command again: it goes on where it was."
            )
        record = _failed(ended) if ended.record is None else from_json(RunRecord, ended.record, where="a run's record")
        write_text(places[ended.job.folder], record.to_json())
        _keep_first(place, ended)
        yield record


def _keep_first(place: TrackFolder, ended: Ended) -> None:
    """The last picture and the losses of a variant's first seed, for the board and for the page of variants."""
    spec = ended.job.spec
    if spec.seed != place.track.seeds[0]:
        return
    if ended.picture is not None:
        write_bytes(place.folder / "samples" / f"{spec.variant}.png", ended.picture)
    if ended.losses:
        write_text(place.folder / "losses" / f"{spec.variant}.jsonl", ended.losses)


def _failed(ended: Ended) -> RunRecord:
    """The record of a run that an error ended: a run is never left out."""
    spec = ended.job.spec
    recipe = Recipe.of(spec.variant)
    built = build(spec, offline=ended.job.offline)
    return RunRecord(
        track=spec.track,
        variant=spec.variant,
        seed=spec.seed,
        kind=spec.kind,
        status="failed",
        reason=ended.error,
        budget=built.budget_info,
        spent=Spent(steps=0, flops=0, reals=0, fakes=0, seconds=0, seconds_evaluating=0, peak_memory=0),
        data=built.data.info,
        config={"run": spec.id, "spec": plain(spec)},
        curve=[],
        final=None,
        environment=environment(spec.threads, spec.device),
        variant_sha256=recipe.sha256(),
        variant_source=recipe.source(),
        weights_sha256=None,
        command=ended.job.command,
    )
