"""The score of a study as one HTML file, with the pictures that deceived most."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench import formatting as fmt
from ganbench.gallery import Picture
from ganbench.html import render
from ganbench.human.database import Database
from ganbench.human.pictures import read
from ganbench.human.study import IMAGES
from ganbench.hype import Estimate, HumanScore, Kind, PictureTally

_SHOWN = 24  # pictures of a kind
_LEFT, _WIDE = 10.0, 560.0  # of the drawing of raters


@dataclass(frozen=True)
class Shown:
    """A picture and what was said of it."""

    picture: Picture
    tally: PictureTally


@dataclass(frozen=True)
class Dots:
    """The raters' numbers on one scale, drawn: a dot for each, the interval, and the ticks below."""

    places: list[float]
    low: float | None
    high: float | None
    value: float | None
    ticks: list[tuple[float, str]]


def page_of(score: HumanScore, folder: Path) -> str:
    """The whole report."""
    return render(
        "human.html",
        score=score,
        main=score.main,
        estimates=[(key, each, figure(each), between(each)) for key, each in score.scores.items()],
        figure=figure(score.main),
        between=between(score.main),
        unsure=any(each.reason for each in score.scores.values()),
        dots=_dots(score),
        fakes=_shown(score, folder, "fake"),
        reals=_shown(score, folder, "real"),
    )


def figure(estimate: Estimate) -> str:
    """The value as people read it: "27.6 %", "363 ms"; a dash where there is none."""
    if estimate.value is None:
        return "–"
    return f"{100 * estimate.value:.1f} %" if estimate.unit == "share" else f"{estimate.value:.0f} ms"


def between(estimate: Estimate) -> str:
    """The interval, "24.1 to 31.0 %"; "" where there is none."""
    if estimate.ci95 is None:
        return ""
    low, high = estimate.ci95
    if estimate.unit == "share":
        return f"{100 * low:.1f} to {100 * high:.1f} %"
    return f"{low:.0f} to {high:.0f} ms"


def _dots(score: HumanScore) -> Dots:
    share = score.protocol == "infinity"
    top = 1.0 if share else float(score.settings["highest_ms"])

    def at(value: float) -> float:
        return round(_LEFT + value / top * _WIDE, 1)

    counted = [each for each in score.by_rater if each.counted]
    values = [each.error if share else sum(each.modes_ms) / len(each.modes_ms) for each in counted]
    ends = score.main.ci95
    ticks = [top * i / 10 for i in range(0, 11, 2)]
    return Dots(
        places=[at(value) for value in values],
        low=at(ends[0]) if ends else None,
        high=at(ends[1]) if ends else None,
        value=None if score.main.value is None else at(score.main.value),
        ticks=[(at(tick), f"{tick:.0%}" if share else f"{tick:.0f} ms") for tick in ticks],
    )


def _shown(score: HumanScore, folder: Path, kind: Kind) -> list[Shown]:
    """The pictures of a kind that deceived most; those that deceived nobody are left out."""
    most: Sequence[PictureTally] = [each for each in score.pictures if each.kind == kind and each.wrong][:_SHOWN]
    with Database(folder).reading() as db:
        rows = db.execute("SELECT source_index, name FROM images WHERE role = 'trial' AND kind = ?", [kind])
        names = {row["source_index"]: row["name"] for row in rows}
    return [
        Shown(Picture(f"{kind} {fmt.count(each.index)}", read(folder / IMAGES / f"{names[each.index]}.png")), each)
        for each in most
    ]
