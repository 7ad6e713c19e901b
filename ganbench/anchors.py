"""The anchors of a board: what real data and an untrained generator score. Imports no torch.

`leaderboards/TRACK/anchors.json` holds them. They are rows of the table, and no ranks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganbench.errors import BadInput
from ganbench.json_files import read_stated
from ganbench.results import Result
from ganbench.serialize import to_json

FILE = "anchors.json"
SCHEMA = "ganbench.anchors/1"
_LARGEST = 64 << 20  # bytes

AnchorName = Literal["real vs real", "untrained"]


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """One anchor.

    Attributes:
        name: `real vs real`: real data in the samples' place, the floor. `untrained`: the track's generator with its
            first weights, the ceiling.
        made: how, in one sentence for readers: which data, which weights.
        seeds: of the draws or of the weights; one result for each.
        results: as a run's `final`: the same protocol, reference and number of samples.
        command: that makes them again.
    """

    name: AnchorName
    made: str
    seeds: list[int]
    results: list[Result]
    command: str


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """The anchors of one track."""

    schema: str = SCHEMA
    track: str
    anchors: list[Anchor]

    def to_json(self) -> str:
        """The JSON text."""
        return to_json(self) + "\n"


def read_anchors(path: Path) -> Anchors | None:
    """The anchors in a file; None where there is no such file. Raises BadInput where it holds something else."""
    if not path.exists():
        return None
    found = read_stated(Anchors, path, schema=SCHEMA, largest=_LARGEST, what="the anchors of a board")
    for anchor in found.anchors:
        if len(anchor.seeds) != len(anchor.results) or not anchor.results:
            raise BadInput(
                f"{path}: {anchor.name!r} has {len(anchor.seeds)} seeds and {len(anchor.results)} results; wanted one "
                "or more of each, equally many."
            )
    return found
