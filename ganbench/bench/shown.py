"""A run's samples as a picture: points, images, or images beside what they were made from and what was wanted."""

import torch

from ganbench.bench.build import Built
from ganbench.bench.judge import sample
from ganbench.bench.pictures import U8, captioned, grid, plane, rows_of_three

_POINTS = 2500
_SHOWN = 64
_FROM = 32  # images beside what they were made from


def picture(built: Built) -> U8:
    """Samples with the weights that the variant has now, uint8 (h, w, 3)."""
    held_out = built.data.held_out
    if built.data.values.is_floating_point():
        count = min(len(built.data.values), 10_000)
        return plane(sample(built, _POINTS), built.data.values[:count].cpu())
    if held_out is None or held_out.given is None:
        return grid(sample(built, _SHOWN))
    count = min(_FROM, len(held_out.given))
    made, first = sample(built, count), torch.arange(count)
    truth = None if held_out.given.rows is None else held_out.judged(held_out.batch(first)).cpu()
    if held_out.given.captions:
        assert truth is not None
        return captioned(made, truth, held_out.given.captions[:count])
    return rows_of_three(built.data.judged(held_out.given.of(first)).cpu(), made, truth)
