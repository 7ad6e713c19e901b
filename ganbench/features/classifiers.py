"""The classifiers of datasets: which class an image looks like, for mode coverage and scores by class."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.errors import BadInput
from ganbench.features._classifier_net import SIDE, ClassifierNet
from ganbench.features.classifier_files import STACKED, classifier_file
from ganbench.features.devices import exact
from ganbench.features.moments import Moments
from ganbench.features.preprocess import Preprocess
from ganbench.features.state_dict import load_into
from ganbench.files import sha256_file
from ganbench.images.datasets._stacked import BORDER, N
from ganbench.protocol import Protocol

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_PIECE = 32  # images per call of the network: always so many, since kernels are chosen by the shape of the batch


def classifier_for(dataset: str) -> "Classifier | None":
    """The classifier of a dataset, shipped or trained into `$GANBENCH_HOME/classifiers`; None where there is none.

    Raises BadInput where its files are damaged.
    """
    path = classifier_file(dataset)
    if path is None:
        return None
    found = load_classifier(path.stem, path.parent)
    return Stacked(dataset, found) if dataset in STACKED else found


def input_protocol(name: str, sha256: str, size: int) -> Protocol:
    """How images become the input of a classifier: resized with antialiasing, then x / 127.5 - 1."""
    return Protocol(
        name=name,
        summary="",
        extractor=f"classifier of {name}",
        weights_sha256=sha256,
        head="classes",
        logits_head="classes",
        resize="bilinear-antialias",
        size=size,
        clamp=False,
        shift=127.5,
        scale=127.5,
    )


class Classifier:
    """Which of its dataset's classes an image looks like; on the CPU.

    Args:
        name: the dataset.
        network: in eval mode.
        record: what its file says of it: prior, n_real, and how it was trained and tested.
        sha256: of the file of weights.

    Attributes:
        name: the dataset.
        heads: {"classes": K}.
        prior: the share of each class in the train split, float64 (K,).
        n_real: images in the train split.
        protocol: preprocessing and weights.
        record: as given.
    """

    def __init__(self, name: str, network: ClassifierNet, record: Mapping[str, Any], sha256: str) -> None:
        self.name, self.network, self.record = name, network, record
        self.prior: F64 = np.array(record["prior"], dtype=np.float64)
        self.n_real = int(record["n_real"])
        self.protocol = input_protocol(name, sha256, SIDE)
        self._preprocess = Preprocess(self.protocol)

    @property
    def heads(self) -> Mapping[str, int]:
        """The width of its only head."""
        return {"classes": len(self.prior)}

    @property
    def fingerprint(self) -> str:
        """sha256 over weights and preprocessing: equal fingerprints, equal answers."""
        return self.protocol.fingerprint

    @property
    def sure(self) -> dict[float, float]:
        """By probability, the share of held-out real images whose class is found more probable than that."""
        return self._shares("share_surer_than_")

    def _shares(self, begin: str) -> dict[float, float]:
        tested = self.record.get("test", {})
        return {float(key.removeprefix(begin)): float(tested[key]) for key in tested if key.startswith(begin)}

    @property
    def moments(self) -> Moments:
        """Moments of the one-hot classes of the train split: the mean is the prior."""
        p, n = self.prior, self.n_real
        return Moments(n, p, (np.diag(p) - np.outer(p, p)) * (n / (n - 1)))

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> dict[str, F32]:
        """uint8 RGB images (3, h, w), sizes mixed, to {"classes": logits, float32 (n, K)}; colours are averaged.

        An image's logits do not depend on what comes with it. Raises BadInput where an image is something else.
        """
        if not images:
            return {"classes": np.empty((0, self.heads["classes"]), dtype=np.float32)}
        with exact():
            return {"classes": self._logits(self._preprocess(images, "cpu")).numpy()}

    def _logits(self, x: Tensor) -> Tensor:
        """Normalised float32 (n, 3, size, size) to (n, K)."""
        return in_pieces(self.network, x.mean(dim=1, keepdim=True))


class Stacked(Classifier):
    """Which of 1,000 classes a stacked image looks like: the same classifier on red, green and blue.

    Its logits are log-probabilities: log p(a | red) + log p(b | green) + log p(c | blue) for class 100 a + 10 b + c.
    Images are brought to 32 x 32 and lose the border of two pixels that stacking gave them.

    Args:
        name: the stacked dataset.
        base: the classifier of its channels.
    """

    def __init__(self, name: str, base: Classifier) -> None:
        p = base.prior
        prior = np.einsum("a,b,c->abc", p, p, p).ravel()  # each channel is drawn by itself
        record = {**base.record, "prior": prior.tolist(), "n_real": N}
        super().__init__(name, base.network, record, base.protocol.weights_sha256)
        self.protocol = input_protocol(name, base.protocol.weights_sha256, SIDE + 2 * BORDER)
        self._preprocess = Preprocess(self.protocol)

    @property
    def sure(self) -> dict[float, float]:
        """Of triples of held-out real images."""
        return self._shares("share_of_triples_surer_than_")

    def _logits(self, x: Tensor) -> Tensor:
        inner = x[:, :, BORDER:-BORDER, BORDER:-BORDER].reshape(-1, 1, SIDE, SIDE)
        parts = torch.log_softmax(in_pieces(self.network, inner).double(), dim=1).reshape(len(x), 3, -1)
        red, green, blue = parts[:, 0, :, None, None], parts[:, 1, None, :, None], parts[:, 2, None, None, :]
        return (red + green + blue).reshape(len(x), -1).float()


def in_pieces(network: ClassifierNet, x: Tensor) -> Tensor:
    """The logits of inputs (n, 1, 28, 28), run in pieces of one fixed shape, the last filled up with zeros."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(x), _PIECE):
            part = x[start : start + _PIECE]
            filled = torch.cat([part, part.new_zeros((_PIECE - len(part), *part.shape[1:]))])
            parts.append(network(filled.contiguous())[: len(part)].clone())
        return torch.cat(parts)


@lru_cache(maxsize=8)
def load_classifier(name: str, folder: Path) -> Classifier:
    """The classifier NAME.safetensors with its record NAME.json. Raises BadInput where they are damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / f"{name}.safetensors"
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        sha256, classes = record["sha256"], len(record["prior"])
        state = load_file(path)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadInput(
            f"{path}, or the record beside it, cannot be read ({type(error).__name__}: {error}). Install ganbench "
            "again, or train the classifier again with scripts/train_classifiers.py."
        ) from error
    if sha256_file(path) != sha256:
        raise BadInput(f"{path} does not have the sha256 {sha256} that its record names. Install or train it again.")
    return Classifier(name, load_into(ClassifierNet(classes), state, path), record, sha256)
