"""A small classifier trained on images at hand, for the metrics that ask what samples are good for.

The network has three 3x3 convolutions (32, 64, 128 channels; the first of stride 2, the others behind a maximum pool of
2) with batch normalisation and ReLU, the mean over the picture and a linear layer. It is trained by SGD with
Nesterov momentum 0.9, weight decay 5e-4 and a rate that rises to 0.1 over the first quarter of the steps and falls
back to 0 on a cosine, on cross-entropy, in float32. On 10,000 images of Fashion-MNIST 2,000 steps of 64 images take
about 30 s of one core and reach 88 %.

A training is a function of the images, whatever their order, and of its seed: images are first brought into an order
of their own, no global random state is read or written, and each training on a CPU runs on one thread, so that the
number of threads changes only how many run at a time. Other processors and other releases of torch round otherwise, and
training magnifies that: expect differences of the size of the spread over seeds.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganbench.features.devices import CPU, exact
from ganbench.metrics._labelled import Labelled
from ganbench.progress import Progress

BATCH = 64  # images in each step
_RATE, _MOMENTUM, _DECAY, _RISE = 0.1, 0.9, 5e-4, 0.25
_TESTED = 500  # images tested at once
_TOLD = 0.2  # seconds between two reports of progress
T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    Attributes:
        classes: how many there are.
        steps: of the optimiser.
        seed: of the first weights, of the order of images and of shifts.
        shift: whether the images of the first set are moved by up to an eighth of their side, edges repeated.
        mirror: whether half of these are mirrored, left to right.
        device: as torch spells it.
    """

    classes: int
    steps: int
    seed: int
    shift: bool = False
    mirror: bool = False
    device: str = CPU


@dataclass(frozen=True)
class Job:
    """A classifier to be trained on `sets` by `recipe`, and what it is then tested on."""

    sets: Sequence[Labelled]
    recipe: Recipe
    tested: Sequence[Labelled]


@dataclass
class _Count:
    """Steps made so far by all trainings together; each has a thread of its own."""

    done: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self) -> None:
        with self._lock:
            self.done += 1


class _Classifier(nn.Module):
    """The network of this module's first lines. uint8 (n, 3, h, w) to logits (n, classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (3, 32, 64, 128)
        self.convs = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 3, padding=1, stride=2 if n_in == 3 else 1, bias=False)
            for n_in, n_out in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.head = nn.Linear(widths[-1], classes)

    @staticmethod
    def fresh(classes: int, generator: torch.Generator, device: str) -> "_Classifier":
        """With weights drawn from `generator`: the constructors' own draws are from the global state, so not made."""
        with torch.device("meta"):
            network = _Classifier(classes).float()
        network.to_empty(device=device).to(memory_format=torch.channels_last)  # the faster layout for convolutions
        with torch.no_grad():
            for norm in network.norms:
                assert isinstance(norm, nn.BatchNorm2d)
                norm.reset_parameters()  # constants
            for weight in (*(conv.weight for conv in network.convs), network.head.weight):
                assert isinstance(weight, Tensor)
                draws = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
                weight.copy_(draws * math.sqrt(2 / weight[0].numel()))
            network.head.bias.zero_()
        return network

    def forward(self, images: Tensor) -> Tensor:
        x = images.to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = functional.max_pool2d(x, 2, ceil_mode=True) if i else x
            x = functional.relu(norm(conv(x)))
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits


def train(sets: Sequence[Labelled], recipe: Recipe, *, stepped: Callable[[], None] = lambda: None) -> nn.Module:
    """A classifier trained on one set, or on several that share each batch equally. In eval mode.

    `stepped` is called after each step.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    network = _Classifier.fresh(recipe.classes, generator, recipe.device)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=_RATE, momentum=_MOMENTUM, nesterov=True, weight_decay=_DECAY, foreach=True
    )
    parts = [part.to(recipe.device) for part in sets]
    rows = [_order(len(part), recipe.steps, BATCH // len(parts), generator) for part in parts]
    network.train()
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * _schedule((step + 0.5) / recipe.steps)
        batch = [part.images[index[step].to(recipe.device)] for part, index in zip(parts, rows, strict=True)]
        labels = [part.labels[index[step].to(recipe.device)] for part, index in zip(parts, rows, strict=True)]
        if recipe.shift or recipe.mirror:
            batch[0] = _moved(batch[0], recipe, generator)
        loss = functional.cross_entropy(network(torch.cat(batch)), torch.cat(labels))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        stepped()
    return network.eval()


def steps_for(n: int, *, most: int, epochs: int) -> int:
    """How many steps go over n images `epochs` times, at most `most`."""
    return min(most, epochs * -(-n // BATCH))


def _order(n: int, steps: int, size: int, generator: torch.Generator) -> Tensor:
    """Which of n images each step takes, (steps, size): all once, then all once again in another order."""
    rounds = [torch.randperm(n, generator=generator) for _ in range(-(-steps * size // n))]
    return torch.cat(rounds)[: steps * size].view(steps, size)


def _schedule(part: float) -> float:
    """The learning rate, as a share of the highest, when `part` of the steps is done."""
    return part / _RISE if part < _RISE else (1 + math.cos(math.pi * (part - _RISE) / (1 - _RISE))) / 2


def _moved(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Each image moved, and perhaps mirrored, by itself."""
    n, channels, height, width = images.shape
    rows, columns = (_places(n, side, generator, shift=recipe.shift) for side in (height, width))
    if recipe.mirror:
        flipped = torch.rand(n, 1, generator=generator, dtype=torch.float32) < 0.5
        columns = torch.where(flipped, columns.flip(1), columns)
    image, channel = torch.arange(n).view(n, 1, 1, 1), torch.arange(channels).view(1, channels, 1, 1)
    index = (image, channel, rows.view(n, 1, height, 1), columns.view(n, 1, 1, width))
    return images[tuple(part.to(images.device) for part in index)]


def _places(n: int, side: int, generator: torch.Generator, *, shift: bool) -> Tensor:
    """From where each of `side` pixels is taken, (n, side)."""
    reach = side // 8 if shift else 0
    offset = torch.randint(-reach, reach + 1, (n, 1), generator=generator)
    return (torch.arange(side) + offset).clamp_(0, side - 1)


def hits_of_all(jobs: Sequence[Job], *, device: str, progress: Progress) -> list[list[NDArray[np.bool_]]]:
    """Trains the classifier of each job; for each set that it is tested on, which images it names rightly, (n,)."""
    count, total = _Count(), sum(job.recipe.steps for job in jobs)
    trainings = [partial(hits_of, job.sets, job.recipe, job.tested, stepped=count.add) for job in jobs]
    return at_once(trainings, device=device, meanwhile=lambda: progress("training", count.done, total))


def hits_of(
    sets: Sequence[Labelled], recipe: Recipe, tested: Sequence[Labelled], *, stepped: Callable[[], None] = lambda: None
) -> list[NDArray[np.bool_]]:
    """Trains a classifier on `sets`; for each of `tested`, which of its images it names rightly, (n,)."""
    network = train(sets, recipe, stepped=stepped)
    return [_hits(network, part, recipe.device) for part in tested]


def _hits(network: nn.Module, tested: Labelled, device: str) -> NDArray[np.bool_]:
    hits = []
    with torch.inference_mode():
        for start in range(0, len(tested), _TESTED):
            part = Labelled(tested.images[start : start + _TESTED], tested.labels[start : start + _TESTED]).to(device)
            hits.append((network(part.images).argmax(dim=1) == part.labels).cpu())
    found: NDArray[np.bool_] = torch.cat(hits).numpy()
    return found


def at_once(jobs: Sequence[Callable[[], T]], *, device: str, meanwhile: Callable[[], None] = lambda: None) -> list[T]:
    """What the jobs give, in their order: on a CPU each on one thread, as many at a time as torch may use threads.

    `meanwhile` is called now and then while they run, and once at their end, from the thread of the caller. After the
    first error no further job begins.
    """
    threads = torch.get_num_threads()
    workers = min(threads, os.cpu_count() or 1, len(jobs)) if device == CPU else 1

    def alone(job: Callable[[], T]) -> T:
        torch.set_num_threads(1)
        return job()

    try:
        with exact(), ThreadPoolExecutor(max(workers, 1)) as pool:
            running = [pool.submit(alone, job) for job in jobs]
            try:
                meanwhile()
                while (state := wait(running, timeout=_TOLD, return_when=FIRST_EXCEPTION)).not_done:
                    _ = [each.result() for each in state.done]  # raises what one of them raised
                    meanwhile()
                found = [each.result() for each in running]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            meanwhile()
            return found
    finally:
        torch.set_num_threads(threads)


def by_class(hits: Sequence[NDArray[np.bool_]], tested: Labelled, classes: int) -> list[float]:
    """The mean over classifiers of the share of each class that they name rightly; 0 for a class without images."""
    labels = tested.labels.numpy()
    right = np.bincount(labels, weights=np.mean(hits, axis=0), minlength=classes)
    share: list[float] = (right / np.maximum(np.bincount(labels, minlength=classes), 1)).tolist()
    return share


def evenly(labelled: Labelled, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order of the images, (n,), whose first ones are spread over the classes as evenly as can be."""
    order = rng.permutation(len(labelled))
    labels = labelled.labels.numpy()[order]
    rank = np.empty(len(order), dtype=np.int64)  # how many of the same class came before
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.count_nonzero(labels == label))
    found: NDArray[np.int64] = order[np.argsort(rank, kind="stable")]
    return found
