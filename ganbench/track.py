"""A track: the rules of one leaderboard, as `leaderboards/TRACK/track.toml` holds them. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganbench.amounts import read_amount
from ganbench.errors import UsageError
from ganbench.records import Kind
from ganbench.registry import unknown
from ganbench.results import Direction
from ganbench.serialize import from_toml

FILE = "track.toml"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of the literature, shown beside a board and never ranked with it.

    Attributes:
        method: as the source names it.
        source: paper and table.
        protocol: what differs from the track's.
        values: by key of a metric, as text as printed ("17.3 ± 0.8").
    """

    method: str
    source: str
    protocol: str
    values: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Track:
    """The rules of one leaderboard. Two records compare where their tracks are equal.

    Attributes:
        title, summary: for readers.
        kind: `controlled`: backbone, data and batch are the same and the variant brings loss and regulariser;
            `native`: each brings the networks of its paper; `open`: anyone's.
        dataset: what is learnt.
        backbone: the networks.
        batch_size: real data in one update of D.
        backbones, batch_sizes: of single variants that bring their own, where the kind is not `controlled`.
        budget: as `--budget`.
        seeds: of the runs; a row with fewer than three finished or diverged is shown unranked.
        variants: whose rows there are.
        settings: settings of single variants that differ from their defaults, fixed before the runs.
        metrics: as `--metrics`.
        protocol: as `--protocol`.
        reference: as `--ref`.
        validation: a second reference, by which the best point of a run is chosen; None: the same one.
        ranked_by: keys of metrics, the first decides, the others break ties.
        columns: keys of metrics in the table.
        of_some: those of the columns that only some variants have, such as a likelihood.
        evaluate_at: fractions of the budget.
        points_n, raw_n, final_n: samples that are scored at a point, of the raw weights, and in the end.
        published: rows of the literature.
        notes: paragraphs under the table: diagnoses, hardware, what is missing.
    """

    title: str
    summary: str
    kind: Kind
    dataset: str
    backbone: str
    batch_size: int
    backbones: dict[str, str] = field(default_factory=dict)
    batch_sizes: dict[str, int] = field(default_factory=dict)
    budget: str
    seeds: list[int]
    variants: list[str]
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: list[str]
    protocol: str
    reference: str
    validation: str | None = None
    ranked_by: list[str]
    columns: list[str]
    of_some: list[str] = field(default_factory=list)
    evaluate_at: list[float] = field(default_factory=lambda: [0.125, 0.25, 0.5, 1.0])
    points_n: int = 2000
    raw_n: int = 2000
    final_n: int = 10_000
    published: list[Published] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def backbone_of(self, variant: str) -> str:
        """The networks of a variant."""
        return self.backbones.get(variant, self.backbone)

    def batch_size_of(self, variant: str) -> int:
        """The batch size of a variant."""
        return self.batch_sizes.get(variant, self.batch_size)


@dataclass(frozen=True)
class TrackFolder:
    """A track and where it lies."""

    name: str
    folder: Path
    track: Track

    @property
    def records(self) -> Path:
        """The folder of its records."""
        return self.folder / "records"


def track_folders() -> dict[str, Path]:
    """The tracks by name: those in `./leaderboards`, then those that travel with the package."""
    package = Path(__file__).parent
    shipped = package / "leaderboards"
    places = [Path("leaderboards"), shipped if shipped.is_dir() else package.parent / "leaderboards"]
    found: dict[str, Path] = {}
    for place in places:
        for file in sorted(place.glob(f"*/{FILE}")):
            found.setdefault(file.parent.name, file.parent)
    return found


def open_track(spec: str) -> TrackFolder:
    """The track of that name, or in that folder. Raises UsageError where there is none, BadInput where damaged."""
    path = Path(spec)
    if (path / FILE).is_file():
        folder = path
    else:
        known = track_folders()
        if spec not in known:
            raise unknown("track", spec, sorted(known))
        folder = known[spec]
    track = from_toml(Track, folder / FILE)
    _check(track, folder / FILE)
    return TrackFolder(folder.resolve().name, folder, track)


def _check(track: Track, path: Path) -> None:
    try:
        read_amount(track.budget)
    except UsageError as error:
        raise UsageError(f"{path}: budget: {error}") from error
    fractions = track.evaluate_at
    if not fractions or fractions != sorted(set(fractions)) or fractions[-1] != 1.0 or fractions[0] <= 0:
        raise UsageError(f"{path}: evaluate_at is {fractions}; wanted fractions of the budget, ascending, the last 1.")
    if len(set(track.seeds)) != len(track.seeds) or not track.seeds:
        raise UsageError(f"{path}: seeds are {track.seeds}; wanted one or more, each once.")
    own: dict[str, Mapping[str, object]] = {
        "settings": track.settings,
        "backbones": track.backbones,
        "batch_sizes": track.batch_sizes,
    }
    for key, of in own.items():
        stray = sorted(set(of) - set(track.variants))
        if stray:
            raise UsageError(f"{path}: {key} name {', '.join(stray)}, which the track does not run.")
    if track.kind == "controlled" and (track.backbones or track.batch_sizes):
        raise UsageError(
            f"{path}: in a controlled track all variants have the same networks and batch, and it has backbones or "
            'batch_sizes of its own for some. Take them out, or say kind = "native".'
        )
    if not track.ranked_by or not set(track.ranked_by) <= set(track.columns):
        raise UsageError(f"{path}: ranked_by must name some of the columns; found {track.ranked_by}.")
    if not set(track.of_some) <= set(track.columns) - set(track.ranked_by):
        raise UsageError(f"{path}: of_some must name columns that do not rank; found {track.of_some}.")


def better(direction: Direction, a: float, b: float) -> bool:
    """Whether a is better than b."""
    return a < b if direction == "lower" else a > b
