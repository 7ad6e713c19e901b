"""The records of a track, read from its folder, and whether they make a board."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ganbench.anchors import FILE as ANCHORS
from ganbench.anchors import Anchors, read_anchors
from ganbench.errors import BadInput
from ganbench.leaderboard.alike import differences
from ganbench.leaderboard.board import Named
from ganbench.leaderboard.eyes import FOLDER as EYES
from ganbench.leaderboard.eyes import Looked, eyes_faults, looked
from ganbench.leaderboard.losses import loss_faults
from ganbench.leaderboard.rules import extra_faults, faults
from ganbench.records import read_record
from ganbench.track import TrackFolder

T = TypeVar("T")
UNRANKED = "unranked"
_MOST_SHOWN = 8  # faults in one message


@dataclass(frozen=True)
class Gathered:
    """What lies in a track's folder.

    Attributes:
        place: the track.
        records: what is ranked, in the order of the track's variants and seeds.
        extras: what is shown unranked, by file name.
        anchors: floor and ceiling, where there are any.
        eyes: scores of human studies, by file name.
        faults: why these records make no board, one sentence each, with the file; none where they do.
    """

    place: TrackFolder
    records: list[Named]
    extras: list[Named]
    anchors: Anchors | None
    eyes: list[Looked]
    faults: list[str]


def gather(place: TrackFolder) -> Gathered:
    """Reads all records of a track and tells what is wrong with them."""
    found: list[str] = []
    records = _read(place.records, place, found)
    extras = _read(place.folder / UNRANKED, place, found)
    anchors = _tried(partial(read_anchors, place.folder / ANCHORS), found)
    for named in records:
        found += faults(named, place)
    for named in extras:
        found += extra_faults(named, place.name)
    found += loss_faults(place, records)
    if anchors is not None and anchors.track != place.name:
        found.append(f"{_shown(place, place.folder / ANCHORS)}: its track is {anchors.track}, wanted {place.name}.")
    found += differences(records, anchors, _shown(place, place.folder / ANCHORS))
    eyes = _looked(place, found)
    found += eyes_faults(eyes, records, place)
    order = {variant: i for i, variant in enumerate(place.track.variants)}
    records.sort(key=lambda each: (order.get(each.record.variant, len(order)), each.record.seed))
    return Gathered(place, records, extras, anchors, eyes, found)


def require(gathered: Gathered) -> None:
    """Raises BadInput, with the files and what differs, where the records make no board."""
    if gathered.faults:
        shown, more = gathered.faults[:_MOST_SHOWN], len(gathered.faults) - _MOST_SHOWN
        rest = f" (and {more} more)" if more > 0 else ""
        raise BadInput(
            f"These records make no board. {' '.join(shown)}{rest} Take the file away or run it again: "
            f"`ganbench bench run {gathered.place.name}`."
        )


def _read(folder: Path, place: TrackFolder, found: list[str]) -> list[Named]:
    records = []
    for path in sorted(folder.glob("*.json")):
        if not path.name.startswith("."):
            record = _tried(partial(read_record, path), found)
            if record is not None:
                records.append(Named(_shown(place, path), record))
    return records


def _looked(place: TrackFolder, found: list[str]) -> list[Looked]:
    paths = [path for path in sorted((place.folder / EYES).glob("*.json")) if not path.name.startswith(".")]
    return [each for path in paths if (each := _tried(partial(looked, path, place), found)) is not None]


def _shown(place: TrackFolder, path: Path) -> str:
    """A path as messages and boards name it: from the track's folder on, the same on every machine."""
    return path.relative_to(place.folder).as_posix()


def _tried(read: Callable[[], T], found: list[str]) -> T | None:
    try:
        return read()
    except BadInput as error:
        found.append(str(error))
        return None
