"""Images with their classes as tensors, for classifiers: of one size, in an order of their own."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ganbench.errors import BadInput, UsageError
from ganbench.features.stats import Features
from ganbench.metrics._base import TooFewImages, images_of, labels_of

SIDE = 64  # larger images are reduced to this many pixels on the longer side, by the mean over areas
_LEAST = 10  # images that a classifier is trained or tested on


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images with their classes.

    Attributes:
        images: uint8 (n, 3, h, w).
        labels: int64 (n,), positions in the list of classes that was read with them.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def most_frequent(self) -> float:
        """The share of the most frequent class."""
        return float(torch.bincount(self.labels).max()) / len(self)

    def take(self, rows: NDArray[np.int64]) -> "Labelled":
        """Those at `rows`."""
        index = torch.from_numpy(rows)
        return Labelled(self.images[index], self.labels[index])

    def to(self, device: str) -> "Labelled":
        """The same on a device."""
        return Labelled(self.images.to(device), self.labels.to(device))


def read(**given: Features) -> tuple[dict[str, Labelled], list[int]]:
    """The images and classes of each side, in an order that does not depend on the one they came in, and all classes.

    Images larger than SIDE are reduced. The order is that of a hash of pixels and class.

    Raises:
        UsageError: images or classes of a side are not known, or all are of one class.
        TooFewImages: a side has fewer than ten.
        BadInput: the images are not all of one size.
    """
    named = {side: labels_of(features, side) for side, features in given.items()}
    for side, labels in named.items():
        if len(labels) < _LEAST:
            raise TooFewImages(
                f"Found {len(labels)} images of {side}; a classifier needs at least {_LEAST}. Give more images."
            )
    classes = np.unique(np.concatenate(list(named.values())))
    if len(classes) < 2:
        raise UsageError(f"Found one class alone, {classes[0]}; a classifier needs at least two.")
    pixels = {side: _pixels(features, side) for side, features in given.items()}
    _refuse_other_sizes({side: shape for side, (_, shape) in pixels.items()})
    found = {side: _ordered(pixels[side][0], np.searchsorted(classes, labels)) for side, labels in named.items()}
    return found, classes.tolist()


def _pixels(features: Features, side: str) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """All images, reduced where they are large, and the size that they had."""
    images = images_of(features, side)
    out: NDArray[np.uint8] | None = None
    shape = (0, 0)
    for i, image in enumerate(images.take(range(len(images)))):
        if out is None:
            shape = (image.shape[1], image.shape[2])
            out = np.empty((len(images), 3, *_reduced_size(shape)), dtype=np.uint8)
        if image.shape[1:] != shape:
            raise BadInput(
                f"Image {i} of {side} is {_size(image.shape[1:])} pixels, the first {_size(shape)}; a classifier needs "
                "images of one size. Resize them first."
            )
        out[i] = image if out.shape[2:] == shape else _reduced(image, _reduced_size(shape))
    assert out is not None
    return out, shape


def _reduced_size(shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(SIDE / max(shape), 1.0)
    return max(round(shape[0] * scale), 1), max(round(shape[1] * scale), 1)


def _reduced(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    x = functional.adaptive_avg_pool2d(torch.tensor(image, dtype=torch.float32), shape)
    found: NDArray[np.uint8] = x.add_(0.5).to(torch.uint8).numpy()
    return found


def _refuse_other_sizes(shapes: dict[str, tuple[int, int]]) -> None:
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{side}: {_size(shape)}" for side, shape in shapes.items())
        raise BadInput(f"The images of all sides must be of one size in pixels; found {found}. Resize them first.")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _ordered(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Labelled:
    keys = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in pixels]
    order = sorted(range(len(keys)), key=lambda i: (keys[i], labels[i]))
    return Labelled(torch.from_numpy(pixels[order]), torch.from_numpy(labels[order]))
