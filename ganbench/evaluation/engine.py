"""What evaluations share, and what one has after its pass over the samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ganbench.evaluation.clock import Clock
from ganbench.evaluation.network import Network
from ganbench.evaluation.options import Options
from ganbench.evaluation.passes import Passes
from ganbench.evaluation.real_side import RealSide
from ganbench.evaluation.sides import Labels, unlabelled
from ganbench.features.extract import Extraction
from ganbench.features.store_entry import Stored
from ganbench.images.source import ImageSource
from ganbench.metrics._base import Metric
from ganbench.progress import Progress, Warn


@dataclass(frozen=True)
class Engine:
    """What evaluations share: the options, the network, the reference, the metrics."""

    options: Options
    passes: Passes
    metrics: dict[str, Metric]
    real: RealSide
    progress: Progress
    warn: Warn

    @property
    def clock(self) -> Clock:
        """Seconds by stage."""
        return self.passes.clock

    @property
    def network(self) -> Network:
        """The network."""
        return self.passes.network


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of one evaluation after their pass.

    Attributes:
        name: as the user named them.
        extraction: what the pass tells.
        heads: their features.
        environment: what ran the network over them.
        images: where they can be read again.
        classes: gives the class of each image used, where the user or the source says them. Raises Missing.
        stored: what the store has of them.
    """

    name: str
    extraction: Extraction
    heads: Mapping[str, Any]
    environment: Mapping[str, Any]
    images: ImageSource | None = None
    classes: Callable[[], Labels | None] = unlabelled
    stored: Stored | None = None


def open_ones(engine: Engine) -> dict[str, Metric]:
    """The metrics that are to be computed: under "all", those without costs."""
    return {n: m for n, m in engine.metrics.items() if not (m.costs and n in engine.options.unasked)}
