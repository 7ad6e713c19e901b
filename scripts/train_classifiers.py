"""Trains the classifiers that are shipped with ganbench, in ganbench/classifiers/.

    python scripts/train_classifiers.py [--out FOLDER] [NAME ...]

Trains on the train split alone, for a number of epochs fixed beforehand; the test split is looked at once, at the end.
One thread of a CPU, seeded: run twice on one machine it gives the same bytes. digits takes a minute, fashion-mnist and
mnist some fifteen. `mnist`, which `stacked-mnist` needs, is not shipped: where its images can be had, train it into the
folder `classifiers` of GANBENCH_HOME with --out.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from ganbench import __version__
from ganbench.features._classifier_net import SIDE, ClassifierNet
from ganbench.features.classifier_files import FOLDER
from ganbench.features.classifiers import Classifier, input_protocol, load_classifier
from ganbench.features.preprocess import Preprocess
from ganbench.files import sha256_file, write_bytes, write_text
from ganbench.images.datasets._base import open_dataset
from ganbench.progress import Progress

SEED = 2020
BATCH = 128
WEIGHT_DECAY = 5e-4
MOMENTUM = 0.9
SHIFT = 2  # pixels
ZOOMED_OUT = 0.25  # share of images made smaller, so that images padded to 32 x 32 are known too


@dataclass(frozen=True)
class Recipe:
    """What differs between the datasets.

    Attributes:
        epochs: passes over the train split.
        lr: the largest learning rate, reached after a fifth of the steps.
        flip: whether a mirrored image is an image of the same class.
    """

    epochs: int
    lr: float
    flip: bool


RECIPES = {
    "digits": Recipe(epochs=60, lr=0.05, flip=False),
    "fashion-mnist": Recipe(epochs=12, lr=0.1, flip=True),
    "mnist": Recipe(epochs=8, lr=0.1, flip=False),
}


def main() -> None:
    """Trains those named, or all that are shipped."""
    parser = argparse.ArgumentParser(description="Trains the classifiers that are shipped with ganbench.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    if unknown := set(given.names) - set(RECIPES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or ("digits", "fashion-mnist"):
        make(name, given.out)


def make(name: str, folder: Path) -> None:
    """Trains one classifier and writes it with its record."""
    recipe, start = RECIPES[name], time.perf_counter()
    x, labels = _split(name, "train")
    network = train(x, labels, recipe, tell)
    seconds = time.perf_counter() - start
    state = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    path = folder / f"{name}.safetensors"
    write_bytes(path, save({key: value.contiguous() for key, value in state.items()}))
    record = {
        "dataset": name,
        "sha256": sha256_file(path),
        "prior": (np.bincount(labels) / len(labels)).tolist(),
        "n_real": len(labels),
        "training": {
            "split": "train",
            "epochs": recipe.epochs,
            "batch": BATCH,
            "optimizer": f"SGD, Nesterov momentum {MOMENTUM}, weight decay {WEIGHT_DECAY}, one cycle to {recipe.lr}",
            "augmentation": f"shift by up to {SHIFT} pixels, {ZOOMED_OUT:.0%} zoomed out by up to 1/8"
            + (", mirrored" if recipe.flip else ""),
            "seed": SEED,
            "seconds": round(seconds, 1),
            "threads": 1,
            "versions": {"ganbench": __version__, "torch": torch.__version__, "numpy": np.__version__},
        },
    }
    write_text(folder / f"{name}.json", json.dumps(record, indent=2) + "\n")
    record["test"] = judged(load_classifier(name, folder), name)
    write_text(folder / f"{name}.json", json.dumps(record, indent=2) + "\n")
    print(f"{name}: {record['test']['accuracy']:.4f} on the test split, trained in {seconds:.0f} s")


def _split(name: str, split: str) -> tuple[Tensor, NDArray[np.int64]]:
    """The inputs of the network, (n, 1, 28, 28), and the classes."""
    source = open_dataset(name, split, offline=True)
    preprocess = Preprocess(input_protocol(name, "", SIDE))
    x = torch.cat([preprocess([image.pixels], "cpu").mean(dim=1, keepdim=True) for image in source.images()])
    assert source.labels is not None
    return x, source.labels


def train(x: Tensor, labels: NDArray[np.int64], recipe: Recipe, progress: Progress) -> ClassifierNet:
    """The network after the last epoch, in eval mode."""
    torch.manual_seed(SEED)  # the first weights, and dropout
    rng = torch.Generator().manual_seed(SEED)
    network = ClassifierNet(int(labels.max()) + 1).to(memory_format=torch.channels_last).train()
    y, steps = torch.from_numpy(labels), (len(x) + BATCH - 1) // BATCH
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total_steps=recipe.epochs * steps, pct_start=0.2
    )
    for epoch in range(recipe.epochs):
        total = 0.0
        for step, rows in enumerate(torch.randperm(len(x), generator=rng).split(BATCH)):
            loss = nn.functional.cross_entropy(network(augmented(x[rows], recipe.flip, rng)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
            progress(f"epoch {epoch + 1}/{recipe.epochs}", step + 1, steps)
        print(f"epoch {epoch + 1}: loss {total / len(x):.4f}", file=sys.stderr, flush=True)
    return network.eval()


def augmented(x: Tensor, flip: bool, rng: torch.Generator) -> Tensor:
    """Images mirrored, shifted and zoomed out at random, black coming in from the borders."""
    n = len(x)
    scale = torch.ones(n)
    zoomed = torch.rand(n, generator=rng) < ZOOMED_OUT
    scale[zoomed] += torch.rand(int(zoomed.sum()), generator=rng) / 7
    sign = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0) if flip else torch.ones(n)
    shift = torch.randint(-SHIFT, SHIFT + 1, (n, 2), generator=rng) * (2 / SIDE)
    matrix = torch.zeros((n, 2, 3))
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :, 2] = sign * scale, scale, shift
    grid = nn.functional.affine_grid(matrix, list(x.shape), align_corners=False)
    moved = nn.functional.grid_sample(x + 1, grid, align_corners=False) - 1
    return moved.contiguous(memory_format=torch.channels_last)


def judged(classifier: Classifier, name: str) -> dict[str, Any]:
    """Accuracy on the test split, as the classifier is used: whole, by class, and how its answers are spread."""
    source = open_dataset(name, "test", offline=True)
    pixels = [image.pixels for image in source.images()]
    labels = source.labels
    assert labels is not None
    logits = classifier(pixels)["classes"]
    found = logits.argmax(axis=1)
    padded = classifier([np.pad(image, ((0, 0), (2, 2), (2, 2))) for image in pixels])["classes"].argmax(axis=1)
    classes = range(len(classifier.prior))
    sure = torch.softmax(torch.from_numpy(logits), dim=1).amax(dim=1).numpy()
    triples = np.random.default_rng(SEED).choice(sure, size=(100_000, 3))  # as in stacked images
    return {
        "n": len(labels),
        "accuracy": float((found == labels).mean()),
        "accuracy_padded_by_2": float((padded == labels).mean()),
        "accuracy_by_class": [float((found == labels)[labels == k].mean()) for k in classes],
        "share_of_answers": [float((found == k).mean()) for k in classes],
        "share_surer_than_0.9": float((sure > 0.9).mean()),
        "share_of_triples_surer_than_0.9": float((triples.prod(axis=1) > 0.9).mean()),
    }


def tell(stage: str, done: int, total: int | None) -> None:
    """One line that counts up."""
    if sys.stderr.isatty() and total:
        print(f"\r{stage} {done:,}/{total:,}", end="" if done < total else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
