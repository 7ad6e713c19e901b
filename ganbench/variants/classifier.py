"""A classifier of the few data whose class is known, without a generator: what `sgan` is held against.

D gives k logits l(x). With (x_l, y) of the data whose class is known and CE the cross entropy of softmax(l):

    L = E CE(l(x_l), y)

The network, the known data, their order and the optimiser's defaults are those of `sgan` (Salimans et al. 2016,
https://arxiv.org/abs/1606.03498), whose tables have such a row; data without a class, and fakes, have no part in it.
`classify` gives l(x), with averaged weights as there. It makes no data: its samples are the data of known class that it
was given, each as likely, so scores of samples say what copies of these few are worth. Its fakes are 0.

Departures from the paper: the backbones' D without normalisation (weight norm and dropout or noise there); a constant
learning rate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from ganbench.variants._base import Known, Problem, RealStream, Variant, adam, descend


def class_loss(*, class_logits: Tensor, y: Tensor) -> Tensor:
    """E CE(l(x_l), y)."""
    return cross_entropy(class_logits, y)


class Shelf(nn.Module):
    """The last data (count, *shape) that were put on it, the oldest of which make room."""

    values: Tensor
    put: Tensor

    def __init__(self, count: int, problem: Problem) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(count, *problem.shape, device=problem.device))
        self.register_buffer("put", torch.zeros((), dtype=torch.int64, device=problem.device))

    def take_in(self, x: Tensor) -> None:
        """Puts data (n, *shape) on it."""
        places = (self.put + torch.arange(len(x), device=x.device)) % len(self.values)
        self.values[places] = x
        self.put.add_(len(x))

    def forward(self, u: Tensor) -> Tensor:
        """The datum at the share u in [0, 1) of the shelf, for each of (n,): (n, *shape)."""
        count = len(self.values)
        chosen = one_hot((u * count).long().clamp(0, count - 1), count).to(self.values.dtype)
        return (chosen @ self.values.flatten(1)).view(-1, *self.values.shape[1:])


class Supervised(Variant):
    """See the top of this file."""

    judged = ("D", "shelf")
    splits: ClassVar[bool] = False  # the shelf holds the rows of all

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `labels` are the data whose class is known, of all classes together."""

        lr: float = 3e-4
        betas: tuple[float, float] = (0.5, 0.999)
        labels: int = 100
        d_norm: Literal["native", "none", "spectral"] = "none"

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        self.D = problem.discriminator(norm=config.d_norm, outputs=problem.class_count)
        self.shelf = Shelf(config.labels, problem)
        self.opt = adam(self.D, config.lr, config.betas)

    @classmethod
    def known(cls, config: Any) -> Known:
        """Of `labels` data."""
        return int(config.labels)

    @property
    def z_dim(self) -> int:
        """One number, which says where on the shelf."""
        return 1

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of D."""
        x, y = real.draw_few(self.problem.batch_size)
        self.shelf.take_in(x)
        return {"class": descend(self.opt, class_loss(class_logits=self.D(x), y=y))}

    def generate(self, z: Tensor) -> Tensor:
        """Data of known class: at the share Phi(z) of them, Phi being the normal's distribution function."""
        found: Tensor = self.shelf(0.5 * (1 + torch.erf(z[:, 0] / math.sqrt(2))))
        return found

    def classify(self, x: Tensor) -> Tensor:
        """l(x), (n, k)."""
        found: Tensor = self.D(x)
        return found
