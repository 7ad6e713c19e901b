"""What one evaluation is asked to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganbench.errors import UsageError
from ganbench.metrics._registry import METRICS
from ganbench.protocol import Protocol

if TYPE_CHECKING:
    from ganbench.features.user_networks import CustomNetwork

DEFAULT_METRICS = ("fid", "kid", "inception_score", "precision_recall", "density_coverage")
SEED = 2020
_ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `ganbench eval`, under the names they have there."""

    metrics: tuple[str, ...] = DEFAULT_METRICS
    unasked: tuple[str, ...] = ()  # those that came with "all" alone: what takes training or the like is left out then
    labels: Path | None = None
    ref_test: str | Path | None = None
    protocol: "str | Path | Protocol | CustomNetwork" = "auto"
    allow_code: bool = False
    num: int | None = None
    seed: int = SEED
    device: str = "auto"
    backend: str = "auto"
    batch_size: int | None = None
    weights: Path | None = None
    allow_unverified_weights: bool = False
    on_bad_image: Literal["error", "skip"] = "error"
    value_range: tuple[float, float] | None = None
    offline: bool = False
    cache: bool = True
    command: str = ""

    def __post_init__(self) -> None:
        _whole("--num", self.num, 2, "at least 2 images are needed")
        _whole("--batch-size", self.batch_size, 1, "it must be 1 or more")
        _whole("--seed", self.seed, 0, "it must be 0 or more")
        if self.on_bad_image not in ("error", "skip"):
            raise UsageError(f"on_bad_image is {self.on_bad_image!r}; it must be 'error' or 'skip'.")


def _whole(name: str, value: int | None, least: int, wanted: str) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} is {value!r}; it must be a whole number.")
    if value < least:
        raise UsageError(f"{name} is {value}; {wanted}.")


def _split(asked: str | Sequence[str]) -> list[str]:
    names = asked.split(",") if isinstance(asked, str) else list(asked)
    return [name.strip() for name in names if name.strip()]


def is_all(asked: str | Sequence[str] | None) -> bool:
    """Whether every metric is asked for: "all" is among the names."""
    return asked is not None and _ALL in _split(asked)


def unasked(asked: str | Sequence[str] | None) -> tuple[str, ...]:
    """The metrics that "all" brings and that are not named beside it; none without "all"."""
    if asked is None or not is_all(asked):
        return ()
    named = _split(asked)
    return tuple(name for name in METRICS.names() if name not in named)


def metric_names(asked: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of metrics from "all", a list with commas, or a sequence; None gives the default five.

    "all" begins with these five. A metric that takes training is computed where it is named, beside "all" too.

    Raises UsageError for a name that is not there, with the nearest one.
    """
    if asked is None:
        return DEFAULT_METRICS
    names = _split(asked)
    for name in names:
        if name != _ALL:
            METRICS.check(name)
    if _ALL in names:
        return tuple(dict.fromkeys([*DEFAULT_METRICS, *METRICS.names()]))
    if not names:
        raise UsageError(f"No metric was named. There are: all, {', '.join(METRICS.names())}.")
    return tuple(dict.fromkeys(names))
