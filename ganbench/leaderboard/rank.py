"""Ranks: rows out of records, medians over seeds, intervals by the bootstrap over seeds.

A row is a variant; its score is the median over its seeds of the track's first ranking key, ties broken by the next. A
run that diverged or failed, and one whose score could not be computed, is infinitely bad. A row is ranked where it has
three finished or diverged runs and none was truncated by a clock.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganbench import formatting as fmt
from ganbench.anchors import Anchor
from ganbench.leaderboard import resampling as rs
from ganbench.leaderboard.board import UNTOLD, AnchorRow, Board, Column, Extra, Fact, Named, Row, Spread, Usage
from ganbench.leaderboard.eyes import eyes_columns
from ganbench.leaderboard.gather import Gathered, require
from ganbench.records import RunRecord
from ganbench.results import MetricResult, Result
from ganbench.track import Track

FEWEST = 3  # runs of a ranked row
Values = list[float | None]


def board_of(gathered: Gathered) -> Board:
    """The board that a track's records give. Raises BadInput where they make none."""
    require(gathered)
    place, records = gathered.place, gathered.records
    track = place.track
    anchors = gathered.anchors.anchors if gathered.anchors else []
    finals = [each.record.final for each in records if each.record.final]
    columns = _columns(track, [*finals, *(result for anchor in anchors for result in anchor.results)])
    rows = [_row(place.name, [e for e in records if e.record.variant == v], columns, track) for v in _present(gathered)]
    rows, wins = _ranked(place.name, rows, columns)
    return Board(
        track=place.name,
        title=track.title,
        summary=track.summary,
        notes=track.notes,
        facts=_facts(gathered),
        columns=columns,
        fractions=track.evaluate_at,
        rows=rows,
        missing=len(track.variants) * len(track.seeds) - len(records),
        anchors=[_anchor(anchor, columns, track) for anchor in anchors],
        wins=wins,
        extras=[_extra(named, columns, track) for named in gathered.extras],
        published=track.published,
        eyes=eyes_columns(gathered.eyes),
    )


def _present(gathered: Gathered) -> list[str]:
    return list(dict.fromkeys(each.record.variant for each in gathered.records))


def _columns(track: Track, results: Sequence[Result]) -> list[Column]:
    order = [*track.ranked_by, *(key for key in track.columns if key not in track.ranked_by)]
    found = []
    for key in order:
        metrics = [result.metrics[key] for result in results if key in result.metrics]
        found.append(
            Column(
                key=key,
                label=metrics[0].label if metrics else key.replace("_", " "),
                direction=metrics[0].direction if metrics else None,
                ranked=key in track.ranked_by,
                counts=bool(metrics) and all(_counts(metric) for metric in metrics),
            )
        )
    return found


def _counts(metric: MetricResult) -> bool:
    """Whether a metric counts things: whole numbers of which a perfect sampler reaches more than one."""
    several = any(name.startswith("ceiling_") and most > 1 for name, most in metric.details.items())
    return several and (metric.value is None or float(metric.value).is_integer())


def _row(track_name: str, mine: Sequence[Named], columns: Sequence[Column], track: Track) -> Row:
    records = [each.record for each in mine]
    name, statuses = records[0].variant, [record.status for record in records]
    indices = rs.draws(len(records), f"{track_name}/{name}")
    raws = [record.raw for record in records if record.raw]
    bests = [record.best for record in records if record.best]
    return Row(
        name=name,
        unranked=_unranked(records),
        seeds=[record.seed for record in records],
        statuses=statuses,
        files=[each.file for each in mine],
        failure_rate=sum(status in ("diverged", "failed") for status in statuses) / len(statuses),
        scores=_scores([(r, r.final) for r in records], columns, track, indices),
        raw=_scores([(r, r.raw) for r in records], columns, track) if raws else {},
        best=_scores([(r, r.best) for r in records], columns, track) if bests else {},
        raw_n=raws[0].samples.n if raws else None,
        best_n=bests[0].samples.n if bests else None,
        curve={c.key: [_spread(_at(records, c.key, at), c) for at in track.evaluate_at] for c in columns},
        usage=_usage(records),
    )


def _scores(
    runs: Sequence[tuple[RunRecord, Result | None]], columns: Sequence[Column], track: Track, indices: Any = None
) -> dict[str, Spread]:
    """For each key its scores over runs, (record, result) each."""
    found = {}
    for column in columns:
        told = column.key not in track.of_some or any(result and column.key in result.metrics for _, result in runs)
        values = [_value(record, result, column.key) for record, result in runs]
        found[column.key] = _spread(values, column, indices) if told else UNTOLD
    return found


def _unranked(records: Sequence[RunRecord]) -> str | None:
    """Why a row gets no rank."""
    truncated = sum(record.status == "truncated" for record in records)
    judged = sum(record.status in ("finished", "diverged") for record in records)
    if truncated:
        return f"{truncated} run{'s' if truncated > 1 else ''} truncated by a limit of time"
    return f"{judged} of {FEWEST} runs needed" if judged < FEWEST else None


def _value(record: RunRecord, result: Result | None, key: str) -> float | None:
    """The score of a run; None where it diverged or failed, whatever it scored before."""
    if record.status not in ("finished", "truncated") or result is None or key not in result.metrics:
        return None
    return result.metrics[key].value


def _at(records: Sequence[RunRecord], key: str, fraction: float) -> Values:
    points = [{point.fraction: point for point in record.curve}.get(fraction) for record in records]
    return [point.ema.get(key) if point else None for point in points]


def _spread(values: Values, column: Column, indices: Any = None) -> Spread:
    lower = column.lower
    mine = [rs.turned(value, lower_is_better=lower) for value in values]
    there = [value for value in values if value is not None]
    ci95 = None
    if indices is not None and len(values) >= FEWEST:
        ends = rs.interval(rs.resampled_medians(mine, indices))
        low, high = (rs.turned_back(end, lower_is_better=lower) for end in ends)
        ci95 = (low, high) if lower else (high, low)
    return Spread(
        values=values,
        median=rs.turned_back(rs.median(mine), lower_is_better=lower),
        low=min(there, default=None),
        high=max(there, default=None),
        ci95=ci95,
    )


def _usage(records: Sequence[RunRecord]) -> Usage:
    spent = [record.spent for record in records]
    return Usage(
        steps=rs.median([each.steps for each in spent]),
        flops=rs.median([each.flops for each in spent]),
        reals=rs.median([each.reals for each in spent]),
        seconds=rs.median([each.seconds for each in spent]),
        peak_memory=rs.median([each.peak_memory for each in spent]),
    )


def _ranked(track: str, rows: Sequence[Row], columns: Sequence[Column]) -> tuple[list[Row], list[list[float | None]]]:
    """The rows with their ranks and in their order, and the probabilities to win of those that have a rank."""
    keys = [column for column in columns if column.ranked]
    there = [row for row in rows if row.unranked is None]
    runs = {row.name: _turned_runs(row, keys) for row in there}
    medians = [[rs.median(column) for column in zip(*runs[row.name], strict=True)] for row in there]
    resampled = [_resampled(track, row.name, runs[row.name]) for row in there]
    intervals = [rs.interval(found) for found in rs.resampled_ranks(resampled)]
    found = [
        replace(row, rank=rank, rank_interval=(int(low), int(high)))
        for row, rank, (low, high) in zip(there, rs.ranks(medians), intervals, strict=True)
    ]
    found.sort(key=lambda row: row.rank or math.inf)
    wins = [[None if a is b else rs.win_probability(runs[a.name], runs[b.name]) for b in found] for a in found]
    return [*found, *(row for row in rows if row.unranked is not None)], wins


def _turned_runs(row: Row, keys: Sequence[Column]) -> list[list[float]]:
    """For each run its values by key, in order, lower being better."""
    columns = [
        [rs.turned(value, lower_is_better=column.lower) for value in row.scores[column.key].values] for column in keys
    ]
    return [list(run) for run in zip(*columns, strict=True)]


def _resampled(track: str, name: str, runs: Sequence[Sequence[float]]) -> list[rs.F64]:
    """The medians of each resample, one array for each key; the resamples are those of the row's own interval."""
    indices = rs.draws(len(runs), f"{track}/{name}")
    return [rs.resampled_medians(column, indices) for column in zip(*runs, strict=True)]


def _anchor(anchor: Anchor, columns: Sequence[Column], track: Track) -> AnchorRow:
    def spread(column: Column) -> Spread:
        metrics = [result.metrics.get(column.key) for result in anchor.results]
        if column.key in track.of_some and not any(metrics):
            return UNTOLD
        return _spread([metric.value if metric else None for metric in metrics], column)

    return AnchorRow(
        name=anchor.name,
        meaning="floor" if anchor.name == "real vs real" else "ceiling",
        made=anchor.made,
        scores={column.key: spread(column) for column in columns},
    )


def _extra(named: Named, columns: Sequence[Column], track: Track) -> Extra:
    record, final = named.record, named.record.final
    return Extra(
        file=named.file,
        variant=record.variant,
        seed=record.seed,
        budget=record.budget.spec,
        steps=record.spent.steps,
        seconds=record.spent.seconds,
        status=record.status,
        n=final.samples.n if final else None,
        protocol=_protocol(final) if final else None,
        scores=_scores([(record, final)], columns, track),
    )


def _protocol(result: Result) -> str:
    return f"{result.protocol.get('name', '?')} ({fmt.short(result.protocol.get('fingerprint', '?'))})"


def _facts(gathered: Gathered) -> list[Fact]:
    """What all records share: the track's rules, and the fingerprints that the records have."""
    track = gathered.place.track
    final = next((each.record.final for each in gathered.records if each.record.final), None)
    data = next((each.record.data for each in gathered.records), None)
    found: Mapping[str, str] = {
        "kind": track.kind,
        "dataset": track.dataset + (f" ({fmt.count(data.n)}, {fmt.short(data.fingerprint)})" if data else ""),
        "backbone": _own(track.backbone, track.backbones),
        "batch": _own(str(track.batch_size), {name: str(size) for name, size in track.batch_sizes.items()}),
        "budget of a run": track.budget,
        "seeds": ", ".join(map(str, track.seeds)),
        "protocol": _protocol(final) if final else track.protocol,
        "reference": f"{track.reference}" + (f" ({fmt.short(final.reference.fingerprint)})" if final else ""),
        "scored samples": f"{fmt.count(track.final_n)} at the end, {fmt.count(track.points_n)} on the way",
        "ranked by": ", then ".join(track.ranked_by),
    }
    return [Fact(name=name, value=value) for name, value in found.items()]


def _own(usual: str, others: Mapping[str, str]) -> str:
    """What most variants have, and what single ones have instead."""
    told = ", ".join(f"{name}: {value}" for name, value in others.items())
    return f"{usual} ({told})" if told else usual
