"""A board as plain frozen values: what tables, pages and checks are made of."""

from dataclasses import dataclass, field
from typing import Literal

from ganbench.hype import Unit
from ganbench.records import RunRecord, Status
from ganbench.results import Direction
from ganbench.track import Published

SCHEMA = "ganbench.board/1"


@dataclass(frozen=True)
class Named:
    """A record and the name of its file."""

    file: str
    record: RunRecord


@dataclass(frozen=True, kw_only=True)
class Column:
    """A key of a metric in the table.

    Attributes:
        key: of the metric.
        label: how it is called.
        direction: which way is better; None where no record tells.
        ranked: whether ranks are made by it.
        counts: its values are whole numbers of something.
    """

    key: str
    label: str
    direction: Direction | None
    ranked: bool
    counts: bool

    @property
    def lower(self) -> bool:
        """Whether lower is better."""
        return self.direction == "lower"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One key over the runs of a row.

    Attributes:
        values: one for each run; None where it has no score, which counts as infinitely bad. None at all where the
            variant has no such score by its nature.
        median: over all runs; None where it is infinitely bad.
        low, high: the smallest and the largest score that there is.
        ci95: 95 % bootstrap interval of the median over seeds, from low to high; an end that is infinitely bad is
            None. None where there are fewer than three runs.
    """

    values: list[float | None]
    median: float | None
    low: float | None
    high: float | None
    ci95: tuple[float | None, float | None] | None = None

    @property
    def untold(self) -> bool:
        """Whether there is no such score by nature."""
        return not self.values


UNTOLD = Spread(values=[], median=None, low=None, high=None)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Medians over a row's runs of what they used."""

    steps: float
    flops: float
    reals: float
    seconds: float
    peak_memory: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant.

    Attributes:
        name: of the variant.
        rank: None where it is not ranked; `unranked` then says why.
        rank_interval: 95 % bootstrap interval of the rank.
        seeds, statuses, files: of its runs.
        failure_rate: the share of runs that diverged or failed.
        scores: what is ranked: last checkpoint, averaged weights; by key.
        raw, best: the same of the plain weights, and of the point that is best by validation.
        raw_n, best_n: samples behind `raw` and `best`.
        curve: for each key one Spread per point of the budget.
        usage: what its runs used.
    """

    name: str
    rank: int | None = None
    rank_interval: tuple[int, int] | None = None
    unranked: str | None = None
    seeds: list[int]
    statuses: list[Status]
    files: list[str]
    failure_rate: float
    scores: dict[str, Spread]
    raw: dict[str, Spread] = field(default_factory=dict)
    best: dict[str, Spread] = field(default_factory=dict)
    raw_n: int | None = None
    best_n: int | None = None
    curve: dict[str, list[Spread]] = field(default_factory=dict)
    usage: Usage


@dataclass(frozen=True, kw_only=True)
class AnchorRow:
    """A row of the table that says what numbers mean: real data, or an untrained generator."""

    name: str
    meaning: Literal["floor", "ceiling"]
    made: str
    scores: dict[str, Spread]


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A record that is shown and not ranked: at another length, or whatever its file says."""

    file: str
    variant: str
    seed: int
    budget: str
    steps: int
    seconds: float
    status: Status
    n: int | None
    protocol: str | None
    scores: dict[str, Spread]


@dataclass(frozen=True, kw_only=True)
class EyesCell:
    """What people said of one variant: the score of a human study, its 95 % interval, and how many raters it is of."""

    file: str
    value: float | None
    ci95: tuple[float, float] | None
    unit: Unit
    raters: int


@dataclass(frozen=True, kw_only=True)
class EyesColumn:
    """The studies of one protocol, by variant. It is shown beside the metrics and never ranked."""

    key: str
    label: str
    cells: dict[str, EyesCell]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that all records of a board share."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Board:
    """One leaderboard.

    Attributes:
        track, title, summary, notes: as the track has them.
        facts: what all records share.
        columns: of the table; those by which is ranked first.
        fractions: points of the budget at which curves have values.
        rows: ranked ones by rank, then the others.
        missing: runs of the track that have no record.
        anchors: floor and ceiling.
        wins: for each ranked row the probability that its run is better than that of each ranked row; None on the
            diagonal.
        extras: records that are shown and not ranked.
        published: rows of the literature.
        eyes: what people said, where a study exists.
    """

    schema: str = SCHEMA
    track: str
    title: str
    summary: str
    notes: list[str]
    facts: list[Fact]
    columns: list[Column]
    fractions: list[float]
    rows: list[Row]
    missing: int
    anchors: list[AnchorRow]
    wins: list[list[float | None]]
    extras: list[Extra]
    published: list[Published]
    eyes: list[EyesColumn] = field(default_factory=list)

    @property
    def ranked(self) -> list[Row]:
        """The rows that have a rank."""
        return [row for row in self.rows if row.rank is not None]
