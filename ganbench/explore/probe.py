"""A linear probe: how well classes are told by what D has learnt to see, without their having been told to D.

As in DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434, section 5.1), where D's features are every
convolution's output, brought to 4 x 4 by max pooling; here also what D's last layer reads. A multinomial logistic
regression on standardised features learns from `train` and is tested on `test`, which D never saw. Beside it the same
of raw pixels and of D with first weights. D has its last weights, in eval mode.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from ganbench.bench.build import build
from ganbench.bench.data import TrainingSet, no_data
from ganbench.bench.judge import judging
from ganbench.explore.scene import Found, Scene, Skipped
from ganbench.nets._base import Discriminator
from ganbench.nets._equalised import EqualConv2d
from ganbench.variants._base import Variant

F32 = NDArray[np.float32]
_LEARNT, _TESTED = 3000, 3000
_BATCH, _SIDE = 250, 4
_ITERATIONS = 300


def probe(scene: Scene) -> Found:
    """Accuracies on held-out reals."""
    D = discriminator_of(scene.variant)
    learnt, tested = scene.reals("train"), scene.reals("test")
    train, test = _some(learnt, _LEARNT, scene.seed), _some(tested, _TESTED, scene.seed)
    first = build(scene.built.spec, data=no_data(scene.built.data.info)).variant
    sets = {
        "pixels": (_pixels(learnt, train), _pixels(tested, test)),
        **_features("D", scene.variant, D, (learnt, train), (tested, test)),
        **_features("untrained_D", first, discriminator_of(first), (learnt, train), (tested, test)),
    }
    y, truth = (_classes(data, rows) for data, rows in ((learnt, train), (tested, test)))
    accuracies = {}
    for done, (name, (a, b)) in enumerate(sets.items()):
        scene.progress("linear probes", done, len(sets))
        accuracies[name] = {"accuracy": _accuracy(a, y, b, truth), "width": a.shape[1]}
    scene.progress("linear probes", len(sets), len(sets))
    numbers = {
        "learnt_from": {"images": f"{scene.dataset}:train", "n": len(train)},
        "tested_on": {"images": f"{scene.dataset}:test", "n": len(test)},
        "most_frequent_class": float(np.bincount(truth).max() / len(truth)),
        "features": accuracies,
    }
    return Found(numbers)


def discriminator_of(variant: Variant) -> Discriminator:
    """The D of a variant, from one datum to features. Raises Skipped where it has none."""
    D = getattr(variant, "D", None)
    found = next((m for m in D.modules() if isinstance(m, Discriminator)), None) if D is not None else None
    if found is None:
        raise Skipped("it has no discriminator")
    read, given = {kernel.shape[1] for kernel in found.parameters() if kernel.dim() == 4}, variant.problem.shape[0]
    if given not in read:
        raise Skipped(f"its D reads {min(read)} channels at once, an image has {given}")
    return found


def _some(data: TrainingSet, n: int, seed: int) -> Tensor:
    """Rows of n data, or of all where there are fewer, by the seed."""
    order = np.random.default_rng(seed).permutation(len(data.values))[:n]
    return torch.from_numpy(np.sort(order)).to(data.values.device)


def _classes(data: TrainingSet, rows: Tensor) -> NDArray[np.int64]:
    assert data.labels is not None
    found: NDArray[np.int64] = data.labels[rows].cpu().numpy()
    return found


def _pixels(data: TrainingSet, rows: Tensor) -> F32:
    found: F32 = data.cut(data.batch(rows)).flatten(1).cpu().numpy()
    return found


def _features(
    name: str, variant: Variant, D: Discriminator, *sides: tuple[TrainingSet, Tensor]
) -> dict[str, tuple[F32, F32]]:
    """What the last layer reads, and the pooled outputs of all convolutions, of both sides."""
    (last, layers), (last_test, layers_test) = (_both(variant, D, data, rows) for data, rows in sides)
    return {f"{name}_last": (last, last_test), f"{name}_layers": (layers, layers_test)}


def _both(variant: Variant, D: Discriminator, data: TrainingSet, rows: Tensor) -> tuple[F32, F32]:
    last, layers = [], []
    with judging(variant), listened(D) as heard:
        for part in torch.split(rows, _BATCH):
            heard.clear()
            last.append(D.features(data.batch(part)).cpu())
            layers.append(torch.cat([adaptive_max_pool2d(each, _SIDE).flatten(1) for each in heard], dim=1).cpu())
    return torch.cat(last).numpy(), torch.cat(layers).numpy()


@contextmanager
def listened(D: nn.Module) -> Iterator[list[Tensor]]:
    """Within it the list takes in what every layer with a kernel gives, maps (n, c, h, w)."""
    heard: list[Tensor] = []

    def hear(_: nn.Module, __: Any, output: Tensor) -> None:
        heard.append(output)

    layers = [m for m in D.modules() if isinstance(m, nn.Conv2d | EqualConv2d)]
    hooks = [layer.register_forward_hook(hear) for layer in layers]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _accuracy(x: F32, y: NDArray[np.int64], x_test: F32, truth: NDArray[np.int64]) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is part of the probe
        model.fit(x, y)
    return float(model.score(x_test, truth))
