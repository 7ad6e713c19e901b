"""ganbench as a metric of torchmetrics: `GenerativeMetrics`. Needs the extra: pip install 'ganbench[torchmetrics]'"""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganbench.errors import BadInput, UsageError
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.engine import Engine, Samples, open_ones
from ganbench.evaluation.finish import finish
from ganbench.evaluation.options import SEED, Options, is_all, metric_names
from ganbench.evaluation.protocols import is_own
from ganbench.evaluation.run import prepare
from ganbench.evaluation.scoring import wanted_of_fakes
from ganbench.features.extract import Extraction
from ganbench.features.stats import Features
from ganbench.images.arrays import images_of_batch
from ganbench.images.source import ImageSource, fingerprint_of
from ganbench.metrics._registry import METRICS, build
from ganbench.progress import silent, unheard
from ganbench.protocol import Protocol
from ganbench.report import Report

try:
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat
except ImportError as error:
    raise ImportError(f"{error}. Install it: pip install 'ganbench[torchmetrics]'") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ganbench.features.user_networks import CustomNetwork

_DIGEST = 32  # bytes


class GenerativeMetrics(Metric):
    """ganbench's metrics as one metric of torchmetrics: one network pass, `compute` gives a dict of tensors.

    The values are those of `ganbench.Evaluator` on the same images in the same order. The states are the float32
    features and the digests of the images, so that processes can be joined: 4 bytes times the width of the features
    for each image (400 MB for 50,000 images of Inception), in every process while it computes. Joined images stand
    in the order of the ranks, then of the updates. What draws by position (subsets of KID, splits of the Inception
    Score, parts of a jackknife) follows that order; no other value depends on it beyond rounding.

    The network runs on the metric's device (`.to("cuda")`; Lightning moves metrics by itself), in float32 also inside
    autocast. Network and reference are loaded at first use and kept over `reset`; copies load their own.

    Args:
        real: the reference, as in `ganbench.evaluate`: a name, a path or an opened source.
        metrics: names, "all" for all that need features alone, or None for the five of the field.
        value_range: what float images hold: (0, 1), also where None, or (-1, 1). uint8 images need none.
        protocol: as in `ganbench.evaluate`: a name, a file, or a CustomNetwork. Copies and pickles of the metric carry
            the module of a CustomNetwork; processes that are joined must hold the same weights.
        seed, backend, weights, allow_unverified_weights, allow_code, offline: as in `ganbench.evaluate`.
        sync_on_compute, process_group, compute_on_cpu: as in every metric of torchmetrics.

    Raises:
        UsageError: no such metric, reference or protocol, or a metric that needs more than features.

    Example:
        >>> metrics = GenerativeMetrics(real="digits", metrics=["fid", "kid"])  # doctest: +SKIP
        >>> metrics.update(images)  # doctest: +SKIP
        >>> metrics.compute()["frechet_distance"]  # doctest: +SKIP
    """

    full_state_update = False
    is_differentiable = False

    digests: list[Tensor]

    def __init__(
        self,
        *,
        real: str | Path | ImageSource,
        metrics: str | Sequence[str] | None = None,
        value_range: tuple[float, float] | None = None,
        protocol: "str | Path | Protocol | CustomNetwork" = "auto",
        seed: int = SEED,
        backend: str = "auto",
        weights: str | Path | None = None,
        allow_unverified_weights: bool = False,
        allow_code: bool = False,
        offline: bool = False,
        sync_on_compute: bool = True,
        process_group: Any = None,
        compute_on_cpu: bool = False,
    ) -> None:
        super().__init__(sync_on_compute=sync_on_compute, process_group=process_group, compute_on_cpu=compute_on_cpu)
        self._real = real
        self._options = Options(
            metrics=_of_features(metrics, seed),
            protocol=protocol,
            seed=seed,
            device="cpu",
            backend=backend,
            weights=Path(weights) if weights else None,
            allow_unverified_weights=allow_unverified_weights,
            allow_code=allow_code,
            value_range=value_range,
            offline=offline,
            command="GenerativeMetrics",
        )
        self._engine: Engine | None = None
        self._report: Report | None = None
        self._rows = _name_of_rows(self._ready().network.protocol)
        self.add_state(self._rows, default=[], dist_reduce_fx="cat")
        self.add_state("digests", default=[], dist_reduce_fx="cat")

    @property
    def report(self) -> Report:
        """The whole report of the last `compute`: intervals, warnings, reasons for what is NaN.

        Raises UsageError where nothing has been computed since the last `reset`.
        """
        if self._report is None:
            raise UsageError("There is no report yet. Call compute() first.")
        return self._report

    def update(self, images: "NDArray[Any] | Tensor") -> None:
        """Takes in a batch of generated images.

        Args:
            images: uint8 (n, 3, h, w) or (n, 1, h, w) in 0..255, or floats in `value_range`; on any device.

        Raises:
            BadInput: another dtype or shape, or floats outside the range.
        """
        array = np.asarray(images.detach().cpu() if isinstance(images, Tensor) else images)
        if array.ndim != 4 or array.shape[1] not in (1, 3):
            raise BadInput(f"update takes images of shape (n, 3, h, w) or (n, 1, h, w); found {array.shape}.")
        batch = images_of_batch(array, start=0, value_range=self._options.value_range)
        found = self._ready().network([image.pixels for image in batch])
        rows = np.concatenate([found[head] for head in self._widths()], axis=1)
        getattr(self, self._rows).append(torch.from_numpy(rows).to(self.device))
        digests = np.frombuffer(b"".join(image.digest for image in batch), dtype=np.uint8).reshape(-1, _DIGEST)
        self.digests.append(torch.from_numpy(digests.copy()).to(self.device))

    def compute(self) -> dict[str, Tensor]:
        """The values by key, float64 scalars (float32 on MPS); NaN where `report` says why there is none.

        What a reader should know before trusting the numbers is said as a warning, once, by the first process.

        Raises:
            UsageError: there was no update.
            BadInput: there were fewer than two images.
        """
        if not len(self.digests):
            raise UsageError("compute was called before any update. Give images with update(images) first.")
        engine, extraction = self._ready(), self._extraction()
        samples = Samples(
            name="memory",
            extraction=extraction,
            heads=extraction.features,
            environment=engine.network.environment(),
        )
        outcome = finish(engine, samples)
        self._report = Report(outcome.result, outcome.gallery)
        if not _is_joined() or torch.distributed.get_rank() == 0:
            for warning in self._report.warnings:
                warnings.warn(warning, stacklevel=2)
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        return {
            key: torch.tensor(float("nan") if found.value is None else found.value, dtype=dtype, device=self.device)
            for key, found in self._report.items()
        }

    def reset(self) -> None:
        """Forgets the images; network and reference stay."""
        super().reset()
        self._report = None

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Joins the states of all processes; one that has seen no image takes part with none."""
        joins = distributed_available or self.distributed_available_fn
        # torchmetrics would send a 1-D float tensor for an empty list, which fits neither the features nor the bytes.
        if should_sync and not self._is_synced and not self.digests and joins():
            getattr(self, self._rows).append(torch.empty((0, sum(self._widths().values())), device=self.device))
            self.digests.append(torch.empty((0, _DIGEST), dtype=torch.uint8, device=self.device))
        super().sync(dist_sync_fn, process_group, should_sync, joins)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the network, the reference and pictures: a copy loads them again when it needs them."""
        report = None if self._report is None else Report(self._report.result)
        return super().__getstate__() | {"_engine": None, "_report": report}

    def _ready(self) -> Engine:
        place = str(self.device) if self.device.type == "cuda" else self.device.type
        if self._engine is None or self._engine.options.device != place:
            options = replace(self._options, device=place)
            engine = prepare(self._real, options=options, progress=silent, warn=unheard, clock=Clock())
            self._require_same(engine.network.protocol)
            self._engine = engine
        return self._engine

    def _require_same(self, protocol: Protocol) -> None:
        """Raises UsageError where a network of the user's own is loaded again and is no longer what it was."""
        found = _name_of_rows(protocol)
        if found != getattr(self, "_rows", found):
            raise UsageError(
                f"The network of the protocol {protocol.name} has changed since this metric was made, and features of "
                "both do not compare. Give CustomNetwork a copy that stays as it is: copy.deepcopy(module)."
            )

    def _widths(self) -> dict[str, int]:
        """Width of each head whose features are kept, in the order of the columns."""
        engine = self._ready()
        network, seed = engine.network, engine.options.seed
        wanted = wanted_of_fakes(open_ones(engine), network.protocol, network.heads, seed=seed)
        return {head: network.heads[head] for head in sorted(wanted.values | wanted.moments)}

    def _extraction(self) -> Extraction:
        """The images so far as one pass would have left them."""
        digests = [row.tobytes() for row in dim_zero_cat(self.digests).cpu().numpy()]
        if len(digests) < 2:
            raise BadInput(
                f"The images given to update: found {len(digests)} usable image(s); at least 2 are needed, and "
                "thousands for a steady number."
            )
        rows, widths = dim_zero_cat(getattr(self, self._rows)).cpu().numpy(), self._widths()
        parts = np.split(rows, np.cumsum(list(widths.values()))[:-1], axis=1)
        return Extraction(
            features={
                head: Features(np.ascontiguousarray(part), seed=self._options.seed)
                for head, part in zip(widths, parts, strict=True)
            },
            fingerprint=fingerprint_of(iter(digests)),
            used=np.arange(len(digests), dtype=np.int64),
            skipped=[],
            notes=Counter(),
            lossy=0,
            duplicates=len(digests) - len(set(digests)),
        )


def _name_of_rows(protocol: Protocol) -> str:
    """A name for the state by its protocol, so that a MetricCollection never shares states between two protocols.

    Two networks of the user's own may bear one name; their fingerprints differ.
    """
    name = re.sub(r"\W", "_", f"features_{protocol.name}")
    return f"{name}_{protocol.fingerprint[:12]}" if is_own(protocol) else name


def _is_joined() -> bool:
    """Whether this process is one of a process group."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _of_features(asked: str | Sequence[str] | None, seed: int) -> tuple[str, ...]:
    """The names of the metrics asked for. Raises UsageError for one that needs more than features."""
    names = metric_names(asked)
    beyond = {name: need for name in names if (need := _need_beyond_features(name, seed))}
    if is_all(asked):
        return tuple(name for name in names if name not in beyond)
    for name, need in beyond.items():
        able = [other for other in METRICS.names() if not _need_beyond_features(other, seed)]
        raise UsageError(
            f"{name} needs {need}, and GenerativeMetrics keeps features alone. Save the images and use `ganbench eval` "
            f"for it. Metrics that can be had here: {', '.join(able)}."
        )
    return names


def _need_beyond_features(name: str, seed: int) -> str:
    metric = build(name, seed=seed)
    if metric.head == "images" or metric.needs_fake == "images":
        return "the images themselves"
    if metric.head == "steps":
        return "a generator to walk through"
    if metric.costs:
        return metric.costs
    return "the classes of the images" if "fake" in metric.labels_of and not metric.predicts_labels else ""
