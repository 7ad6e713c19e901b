"""What a run is asked to do: `config.json` in its folder. Two runs with equal specs are the same run."""

from dataclasses import dataclass, field
from typing import Any

from ganbench.records import Kind
from ganbench.serialize import canonical_sha256, plain

SCHEMA = "ganbench.run/1"


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How a run's samples are scored; the fields are those of a track.

    Attributes:
        reference: as `--ref`; a mixture's name for points.
        protocol, metrics: as in `ganbench eval`.
        validation: the reference by which the best point is chosen; None chooses none.
        ranked_by: the key by which it is chosen.
        at: fractions of the budget at which samples are scored; the last is 1.
        points_n, raw_n, final_n: samples that are scored at a point, of the raw weights, and in the end.
    """

    reference: str
    protocol: str = "auto"
    metrics: list[str]
    validation: str | None = None
    ranked_by: str | None = None
    at: list[float] = field(default_factory=lambda: [1.0])
    points_n: int = 2000
    raw_n: int = 2000
    final_n: int = 10_000


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything that decides a run.

    Attributes:
        variant: by name; `settings` are all of its settings, defaults included.
        variant_sha256: of its file.
        data: as `--data`.
        backbone, batch_size, seed: as on the command line.
        budget: as `--budget`.
        judging: how it is scored; None for not at all.
        track, kind: the board that it is for.
        device: where it runs: a run goes on on the same kind of device.
        threads: of the CPU, in each process; sums depend on how many there are.
        ranks: processes that share each batch; sums depend on how many there are.
    """

    schema: str = SCHEMA
    variant: str
    settings: dict[str, Any]
    variant_sha256: str
    data: str
    backbone: str
    batch_size: int
    budget: str
    seed: int
    judging: Judging | None
    track: str | None = None
    kind: Kind = "open"
    device: str = "cpu"
    threads: int = 1
    ranks: int = 1

    @property
    def id(self) -> str:
        """sha256 over all of it, 16 digits: the run's name where names are needed."""
        told = plain(self)
        if self.ranks == 1:
            del told["ranks"]  # runs had this name before there could be several
        return canonical_sha256(told)[:16]
