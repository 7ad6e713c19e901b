"""What a record must be to stand on a board: whole, true to its own text, and run under the track's rules."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from ganbench import formatting as fmt
from ganbench.amounts import read_amount
from ganbench.leaderboard.board import Named
from ganbench.records import RunRecord, split_sources
from ganbench.serialize import plain
from ganbench.track import Track, TrackFolder

_JUDGING = {  # fields of a run's judging by the track's that they repeat
    "reference": "reference",
    "protocol": "protocol",
    "metrics": "metrics",
    "validation": "validation",
    "at": "evaluate_at",
    "points_n": "points_n",
    "raw_n": "raw_n",
    "final_n": "final_n",
}


_ROUNDING = 1e-9  # relative
# Where steps differ in their cost, the last ones may not fit though the mean one does.
_UNSPENT_STEPS, _UNSPENT = 2, 0.01
_MOST = 1e30  # of anything that a run spends: more FLOPs than all computers have done


def faults(named: Named, place: TrackFolder) -> list[str]:
    """What is wrong with a record of a track, one sentence each, beginning with the file; none where it may stand."""
    record = named.record
    found = [*_identity(named, place), *source_faults(record), *_counts(record), *_rules(record, place.track)]
    found += _completeness(record, place.track)
    return [f"{named.file}: {text}" for text in found]


def extra_faults(named: Named, track: str) -> list[str]:
    """The same of a record that is shown unranked, whose rules may be others."""
    record, stem = named.record, named.file.rpartition("/")[2].removesuffix(".json")
    found = [*source_faults(record), *_counts(record)]
    if stem != f"{record.variant}-{record.seed}" and not stem.startswith(f"{record.variant}-{record.seed}-"):
        found.append(f"it is of {_p(record.variant)}, seed {record.seed}; its name must begin with these.")
    if record.track not in (None, track):
        found.append(f"its track is {_p(record.track)}, wanted {track} or none.")
    return [f"{named.file}: {text}" for text in found]


def source_faults(record: RunRecord) -> Iterator[str]:
    """Whether the code in a record is what its sha256 says."""
    found = hashlib.sha256(record.variant_source.encode()).hexdigest()
    if found != record.variant_sha256:
        yield (
            f"variant_sha256 is {fmt.short(record.variant_sha256)} and the sha256 of variant_source is "
            f"{fmt.short(found)}: the record was changed. Run it again."
        )


def _counts(record: RunRecord) -> Iterator[str]:
    """Numbers of what was spent that no run can have spent."""
    told = plain(record.spent)
    told |= {f"updates.{name}": value for name, value in told.pop("updates").items()}
    for name, value in told.items():
        if not 0 <= value <= _MOST:
            yield f"spent.{name} is {_p(value)}; wanted a number from 0 to {_MOST:.0e}."


def _identity(named: Named, place: TrackFolder) -> Iterator[str]:
    record, track = named.record, place.track
    wanted = f"{record.variant}-{record.seed}.json"
    if named.file.rpartition("/")[2] != wanted:
        yield f"it is of {_p(record.variant)}, seed {record.seed}, so its name must be {_p(wanted)}."
    if record.track != place.name:
        yield f"its track is {_p(record.track)}, wanted {place.name}."
    if record.kind != track.kind:
        yield f"its kind is {record.kind}, that of the track is {track.kind}; kinds are never ranked together."
    if record.variant not in track.variants:
        yield f"{_p(record.variant)} is no variant of the track, which has {', '.join(track.variants)}."
    if record.seed not in track.seeds:
        yield f"seed {record.seed} is none of the track's, {track.seeds}."


def _rules(record: RunRecord, track: Track) -> Iterator[str]:
    """Where the run was asked for something else than the track asks."""
    spec = record.config.get("spec")
    if not isinstance(spec, dict):
        yield "config.spec is absent, so it does not say how it was run. Make it with `ganbench bench run`."
        return
    if record.budget.spec != track.budget:
        yield _differs("budget.spec", record.budget.spec, track.budget)
    asked: dict[str, tuple[Any, Any]] = {
        "variant": (spec.get("variant"), record.variant),
        "seed": (spec.get("seed"), record.seed),
        "variant_sha256": (spec.get("variant_sha256"), record.variant_sha256),
        "kind": (spec.get("kind"), record.kind),
        "data": (spec.get("data"), track.dataset),
        "backbone": (spec.get("backbone"), track.backbone_of(record.variant)),
        "batch_size": (spec.get("batch_size"), track.batch_size_of(record.variant)),
        "budget": (spec.get("budget"), track.budget),
    }
    judging = spec.get("judging")
    for theirs, ours in _JUDGING.items():
        value = judging.get(theirs) if isinstance(judging, dict) else None
        asked[f"judging.{theirs}"] = (value, getattr(track, ours))
    yield from _settings(spec.get("settings"), record, track)
    for key, (value, wanted) in asked.items():
        if value != plain(wanted):
            yield _differs(f"config.spec.{key}", value, wanted)


def _settings(settings: object, record: RunRecord, track: Track) -> Iterator[str]:
    """Where settings are neither the track's nor, for the rest, the defaults in the record's own code."""
    defaults = default_settings(record.variant_source)
    if defaults is None or not isinstance(settings, dict):
        yield "its code shows no defaults of a Config, or config.spec no settings, so they cannot be held to the track."
        return
    wanted = {**defaults, **plain(track.settings.get(record.variant, {}))}
    for key in dict.fromkeys([*wanted, *settings]):
        if key not in wanted:
            yield f"config.spec.settings has {_p(key)}, which its variant does not have."
        elif settings.get(key) != wanted[key]:
            yield _differs(f"config.spec.settings.{key}", settings.get(key), wanted[key])


def default_settings(source: str) -> dict[str, Any] | None:
    """The defaults of the classes `Config` in a record's code, which is read and never run; None where there is none.

    Those of a technique are named `TECHNIQUE.NAME`.
    """
    variant, techniques = split_sources(source)
    found: dict[str, Any] = {}
    for prefix, text in {"": variant, **{f"{name}.": text for name, text in techniques.items()}}.items():
        mine = _defaults(text)
        if mine is None:
            return None
        found |= {f"{prefix}{name}": value for name, value in mine.items()}
    return found


def _defaults(source: str) -> dict[str, Any] | None:
    """Those of the one class `Config` in a file's text."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Config"]
    if len(classes) != 1:
        return None
    fields_ = [node for node in classes[0].body if isinstance(node, ast.AnnAssign) and node.value is not None]
    try:
        return {ast.unparse(node.target): plain(ast.literal_eval(node.value)) for node in fields_ if node.value}
    except ValueError:  # a default that is computed
        return None


def _completeness(record: RunRecord, track: Track) -> Iterator[str]:
    budget, spent, (unit, amount) = record.budget, record.spent, read_amount(track.budget)
    if (budget.unit, budget.amount) != (unit, amount):
        yield f"its budget is {budget.amount:g} {budget.unit}, that of the track is {amount:g} {unit}."
    if unit == "flop" and spent.flops > amount * (1 + _ROUNDING):
        yield f"it spent {spent.flops:.6g} FLOPs of {amount:.6g}: no run may overspend."
    if record.status == "finished":
        yield from _finished(record, track)


def _finished(record: RunRecord, track: Track) -> Iterator[str]:
    if record.weights_sha256 is None:
        yield "it is finished and has no weights_sha256."
    if record.budget.steps is not None and record.spent.steps != record.budget.steps:
        yield f"it is finished after {record.spent.steps} steps; its budget allows {record.budget.steps}."
    elif record.budget.unit == "flop":
        yield from _whole(record)
    found = [point.fraction for point in record.curve]
    if found != track.evaluate_at:
        yield _differs("the fractions of its curve", found, track.evaluate_at)
    final = record.final
    if final is None:
        yield "it is finished and has no final result."
        return
    if final.samples.n != track.final_n:
        yield _differs("final.samples.n", final.samples.n, track.final_n)
    absent = [key for key in track.columns if key not in final.metrics and key not in track.of_some]
    if absent:
        yield f"its final result lacks {', '.join(absent)}, which the track's columns name."


def _whole(record: RunRecord) -> Iterator[str]:
    """Where a budget of FLOPs is not spent to the last step that it allows, at the price that was counted."""
    spent, price = record.spent, record.budget.flops_per_step
    if abs(spent.flops - spent.steps * price) > _ROUNDING * spent.flops:
        yield f"it spent {spent.flops:.6g} FLOPs in {spent.steps} steps, which were counted to take {price:.6g} each."
    left = record.budget.amount - spent.flops
    if left > max(_UNSPENT_STEPS * price, _UNSPENT * record.budget.amount):
        yield f"it left {left:.6g} FLOPs of its budget, in which there are more steps of {price:.6g}."


def _differs(what: str, found: object, wanted: object) -> str:
    return f"{what} is {_p(plain(found))}, that of the track is {_p(plain(wanted))}."


def _p(value: object) -> str:
    return fmt.printable(value)[:200]


assert set(_JUDGING.values()) <= {field.name for field in fields(Track)}
