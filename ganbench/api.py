"""The Python face: `evaluate`, `score`, `Evaluator`. Each is what its command-line namesake does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput, UsageError
from ganbench.evaluation.clock import Clock
from ganbench.evaluation.engine import Engine, Samples, open_ones
from ganbench.evaluation.finish import finish
from ganbench.evaluation.options import SEED, Options, metric_names, unasked
from ganbench.evaluation.run import evaluate as _evaluate
from ganbench.evaluation.run import prepare
from ganbench.evaluation.scoring import wanted_of_fakes
from ganbench.features.extract import Pass
from ganbench.images.source import ImageSource
from ganbench.metrics._score import score
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.protocol import Protocol
from ganbench.report import Report

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.features.user_networks import CustomNetwork

__all__ = ["Evaluator", "evaluate", "score"]


def evaluate(
    *,
    fake: str | Path | ImageSource,
    real: str | Path | ImageSource,
    metrics: str | Sequence[str] | None = None,
    protocol: "str | Path | Protocol | CustomNetwork" = "auto",
    num: int | None = None,
    seed: int = SEED,
    labels: str | Path | None = None,
    ref_test: str | Path | None = None,
    device: str = "auto",
    backend: str = "auto",
    batch_size: int | None = None,
    weights: str | Path | None = None,
    allow_unverified_weights: bool = False,
    allow_code: bool = False,
    on_bad_image: Literal["error", "skip"] = "error",
    value_range: tuple[float, float] | None = None,
    offline: bool = False,
    cache: bool = True,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Report:
    """Scores samples against a reference, in one network pass.

    Args:
        fake: the samples: a folder, archive or array file, or an opened source.
        real: the reference: a name (`cifar10`, `cifar10:test`), a path to images or to statistics, or a source.
        metrics: names, "all", or None for the five of the field.
        protocol: a name, "auto" (decided by the reference alone), a file (.toml, .onnx, TorchScript), or a
            CustomNetwork.
        num: use only so many samples, drawn with `seed`.
        seed: of every random choice.
        labels: a file with the classes of the samples (.csv, .txt, .npy, .npz), for the metrics that ask for them.
            By default those that travel with the images, as in a labels.csv beside them.
        ref_test: real images that the generator was not trained on, named as `real` is; by default the test split
            of the reference's dataset.
        device: auto, cpu, cuda, cuda:N or mps.
        backend: auto, torch, compile or openvino.
        batch_size: images per network call; changes speed and memory only.
        weights: a file of weights to use instead of searching.
        allow_unverified_weights: take weights whose sha256 is not the published one; the fingerprint then says so.
        allow_code: run the code of a TorchScript file given as `protocol`.
        on_bad_image: "skip" leaves out images that cannot be read.
        value_range: what float arrays hold, (0, 1), (-1, 1) or (0, 255).
        offline: use no network.
        cache: False ignores stored features, scores and statistics, and makes them again.
        progress: called with (stage, done, total).
        warn: called with messages that change no number.

    Raises:
        ganbench.errors.UsageError: an argument or an input cannot be used.
        ganbench.errors.GanbenchError: something outside is missing.

    Example:
        >>> report = ganbench.evaluate(fake="samples/", real="cifar10")  # doctest: +SKIP
        >>> report["frechet_distance"].value  # doctest: +SKIP
    """
    options = Options(
        metrics=metric_names(metrics),
        unasked=unasked(metrics),
        protocol=protocol,
        num=num,
        seed=seed,
        labels=Path(labels) if labels else None,
        ref_test=ref_test,
        device=device,
        backend=backend,
        batch_size=batch_size,
        weights=Path(weights) if weights else None,
        allow_unverified_weights=allow_unverified_weights,
        allow_code=allow_code,
        on_bad_image=on_bad_image,
        value_range=value_range,
        offline=offline,
        cache=cache,
    )
    (outcome,) = _evaluate([fake], real, options=options, progress=progress, warn=warn)
    return Report(outcome.result, outcome.gallery)


class Evaluator:
    """Scores generated images batch by batch, for training loops.

    The network and the reference are loaded at the first `update` and kept over `reset`.

    Args:
        real: the reference, as in `evaluate`.
        metrics: names, "all", or None for the five of the field.
        value_range: what float images hold: (0, 1) or (-1, 1). uint8 images need none.
        protocol, seed, device, backend, weights, allow_unverified_weights, allow_code, offline: as in `evaluate`.

    Example:
        >>> evaluator = ganbench.Evaluator(real="digits", metrics=["fid"])  # doctest: +SKIP
        >>> evaluator.update(images)  # doctest: +SKIP
        >>> evaluator.compute()["frechet_distance"].value  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        real: str | Path | ImageSource,
        metrics: str | Sequence[str] | None = None,
        value_range: tuple[float, float] | None = None,
        protocol: "str | Path | Protocol | CustomNetwork" = "auto",
        seed: int = SEED,
        device: str = "auto",
        backend: str = "auto",
        weights: str | Path | None = None,
        allow_unverified_weights: bool = False,
        allow_code: bool = False,
        offline: bool = False,
    ) -> None:
        self._real = real
        self._options = Options(
            metrics=metric_names(metrics),
            unasked=unasked(metrics),
            protocol=protocol,
            seed=seed,
            device=device,
            backend=backend,
            weights=Path(weights) if weights else None,
            allow_unverified_weights=allow_unverified_weights,
            allow_code=allow_code,
            value_range=value_range,
            offline=offline,
            command="Evaluator",
        )
        self._engine: Engine | None = None
        self._pass: Pass | None = None

    def update(self, images: "NDArray[Any] | Tensor") -> None:
        """Takes in a batch of generated images.

        Args:
            images: uint8 (n, 3, h, w) or (n, 1, h, w) in 0..255, or floats in `value_range`; on any device.

        Raises:
            BadInput: another dtype or shape, or floats outside the range.
        """
        from ganbench.images.arrays import images_of_batch

        array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
        if array.ndim != 4 or array.shape[1] not in (1, 3):
            raise BadInput(f"update takes images of shape (n, 3, h, w) or (n, 1, h, w); found {array.shape}.")
        running = self._running()
        running.take(images_of_batch(array, start=running.n, value_range=self._options.value_range))

    def _running(self) -> Pass:
        if self._engine is None:
            self._engine = prepare(self._real, options=self._options, progress=silent, warn=unheard, clock=Clock())
        if self._pass is None:
            network, metrics = self._engine.network, open_ones(self._engine)
            wanted = wanted_of_fakes(metrics, network.protocol, network.heads, seed=self._options.seed)
            self._pass = Pass(network, wanted)
        return self._pass

    def compute(self) -> Report:
        """The report over all images since the last `reset`. May be called again after more updates.

        Raises UsageError where there was no update, BadInput after fewer than two images.
        """
        if self._engine is None or self._pass is None:
            raise UsageError("compute was called before any update. Give images with update(images) first.")
        extraction = self._pass.finish("the images given to update", final=False)
        samples = Samples(
            name="memory",
            extraction=extraction,
            heads=extraction.features,
            environment=self._engine.network.environment(),
        )
        outcome = finish(self._engine, samples)
        return Report(outcome.result, outcome.gallery)

    def reset(self) -> None:
        """Forgets the images; network and reference stay."""
        self._pass = None
