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


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `ganbench eval`, under the names they have there."""

    metrics: tuple[str, ...] = DEFAULT_METRICS
    everything: bool = False  # --metrics all: without those that take training or the like
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


def is_all(asked: str | Sequence[str] | None) -> bool:
    """Whether every metric is asked for: "all"."""
    return asked == "all" or (not isinstance(asked, str) and list(asked or ()) == ["all"])


def metric_names(asked: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of metrics from "all", a list with commas, or a sequence; None gives the default five.

    "all" begins with these five.

    Raises UsageError for a name that is not there, with the nearest one.
    """
    if asked is None:
        return DEFAULT_METRICS
    names = asked.split(",") if isinstance(asked, str) else list(asked)
    names = [name.strip() for name in names if name.strip()]
    if names == ["all"]:
        return tuple(dict.fromkeys([*DEFAULT_METRICS, *METRICS.names()]))
    if "all" in names:
        raise UsageError("--metrics all stands alone: it is every metric. Leave the others away.")
    if not names:
        raise UsageError(f"No metric was named. There are: all, {', '.join(METRICS.names())}.")
    return tuple(dict.fromkeys(METRICS.check(name) for name in names))
