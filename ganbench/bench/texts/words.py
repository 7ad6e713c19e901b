"""A bag of words: each word a direction of its own, 256 numbers. It needs nothing and knows no meaning.

    t = 16 s / |s|,   s = sum over the words of a caption of a vector N(0, I_256), drawn by the word's sha256

Words are runs of letters and digits in lower case, their order is lost, and words that no training image had say
nothing: a toy beside sentence embeddings.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench.bench.texts._base import Text
from ganbench.progress import Progress

_WIDTH = 256
_WORD = re.compile(r"[^\W_]+")


class Words(Text):
    """See the top of this file."""

    def vectors(self, captions: Sequence[str], progress: Progress) -> Tensor:  # noqa: ARG002 - it takes no time
        """float32 (n, 256); of a caption without a word, 0."""
        sums = np.stack([sum((_direction(word) for word in _WORD.findall(caption.lower())), np.zeros(_WIDTH))
                         for caption in captions])  # fmt: skip
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return torch.from_numpy((_WIDTH**0.5 * sums / np.maximum(lengths, 1e-12)).astype(np.float32))


@cache
def _direction(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest(), "big")
    return np.random.default_rng(seed).standard_normal(_WIDTH)
