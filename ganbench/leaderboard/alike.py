"""Whether records may be set against each other: one protocol, one reference, one dataset, one of everything."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench import formatting as fmt
from ganbench.anchors import Anchors
from ganbench.leaderboard.board import Named
from ganbench.results import Result
from ganbench.serialize import canonical_sha256


@dataclass(frozen=True)
class _Judged:
    """A result that takes part: where it stands, and whether all of its samples are those of the ranking."""

    place: str
    result: Result
    final: bool


def differences(records: Sequence[Named], anchors: Anchors | None, anchors_file: str) -> list[str]:
    """Where a record or an anchor differs from what most of the others have, one sentence each, with its file."""
    judged = list(_judged(records, anchors, anchors_file))
    finals = [each for each in judged if each.final]
    found = [
        *_odd("protocol", [(each.place, _protocol(each.result)) for each in judged], "Protocols never mix"),
        *_odd("reference", [(each.place, _reference(each.result)) for each in judged], "References never mix"),
        *_odd("number of scored samples", [(each.place, str(each.result.samples.n)) for each in finals]),
        *_odd("dataset", [(each.file, fmt.short(each.record.data.fingerprint)) for each in records]),
        *_odd("budget", [(each.file, f"{each.record.budget.amount:g}{each.record.budget.unit}") for each in records]),
    ]
    for key in dict.fromkeys(key for each in finals for key in each.result.metrics):
        found += _odd(f"way {key} is computed", [(each.place, _way(each.result, key)) for each in finals])
    found += _within_variants(records)
    return found


def _judged(records: Sequence[Named], anchors: Anchors | None, anchors_file: str) -> Iterator[_Judged]:
    for named in records:
        for part in ("final", "raw", "best"):
            result = getattr(named.record, part)
            if result is not None:
                yield _Judged(named.file if part == "final" else f"{named.file} ({part})", result, part == "final")
    scored = max((named.record.final.samples.n for named in records if named.record.final), default=0)
    for anchor in anchors.anchors if anchors else ():
        for seed, result in zip(anchor.seeds, anchor.results, strict=True):
            # Real images that no reference holds may be fewer than a run's samples; the row says how many they are.
            fewer = anchor.name == "real vs real" and result.samples.n < scored
            yield _Judged(f"{anchors_file} ({anchor.name}, {seed})", result, not fewer)


def _within_variants(records: Sequence[Named]) -> Iterator[str]:
    """The runs of one row are of one code, one set of settings and one length."""
    parts: dict[str, Callable[[Named], str]] = {
        "code of the variant": lambda each: fmt.short(each.record.variant_sha256),
        "settings of the variant": lambda each: _settings(each.record.config),
        "number of steps": lambda each: str(each.record.budget.steps),
        "cost of a step": lambda each: f"{each.record.budget.flops_per_step!r} FLOPs",
    }
    for variant in dict.fromkeys(each.record.variant for each in records):
        mine = [each for each in records if each.record.variant == variant]
        for what, part in parts.items():
            yield from _odd(what, [(each.file, part(each)) for each in mine], "A row is of one variant")


def _settings(config: dict[str, Any]) -> str:
    spec = config.get("spec")
    settings = spec.get("settings") if isinstance(spec, dict) else None
    if not isinstance(settings, dict) or not settings:
        return "none"
    return ", ".join(f"{key} {value}" for key, value in sorted(settings.items()))


def _odd(what: str, values: Sequence[tuple[str, str | None]], why: str = "") -> Iterator[str]:
    """The places whose value is not that of most, or where there is no most, of the first."""
    there = [(place, value) for place, value in values if value is not None]
    if not there:
        return
    most, _ = Counter(value for _, value in there).most_common(1)[0]
    example = next(place for place, value in there if value == most)
    for place, value in there:
        if value != most:
            reason = f" {why}." if why else ""
            yield f"{place}: its {what} is {fmt.printable(value)}, that of {example} is {fmt.printable(most)}.{reason}"


def _protocol(result: Result) -> str:
    name, fingerprint = result.protocol.get("name", "?"), result.protocol.get("fingerprint", "none")
    return f"{name} ({str(fingerprint)[:16]})" if len(str(fingerprint)) > 8 else f"{name} ({fingerprint})"


def _reference(result: Result) -> str:
    return f"{fmt.reference_name(result.reference)} ({result.reference.fingerprint[:16]})"


def _way(result: Result, key: str) -> str | None:
    """Label, direction, parameters and numbers of data behind one metric, in words and with a digest."""
    metric = result.metrics.get(key)
    if metric is None:
        return None
    told = {"label": metric.label, "direction": metric.direction, "n_fake": metric.n_fake, "n_real": metric.n_real}
    told |= metric.params
    return f"{', '.join(f'{k} {v}' for k, v in told.items())} ({canonical_sha256(told)[:8]})"
