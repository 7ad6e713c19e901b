"""What tests of variants build them with."""

from typing import Any

import torch
from torch import Tensor, nn

from ganbench.nets._base import Backbone, Discriminator, Norm, Shape
from ganbench.nets._registry import BACKBONES
from ganbench.techniques._fitting import Tool, fitted
from ganbench.techniques._registry import TECHNIQUES
from ganbench.variants._base import Problem, Variant
from ganbench.variants._base import made as samples_of
from ganbench.variants._classes import Classes
from ganbench.variants._draws import Draws
from ganbench.variants._given import CaptionedVariant, TranslatingVariant
from ganbench.variants._registry import VARIANTS

POINTS: tuple[str, Shape] = ("mlp2d", (2,))
GRAY: tuple[str, Shape] = ("info28-nano", (1, 28, 28))
SMALL: tuple[str, Shape] = ("info28-nano", (1, 8, 8))  # for networks that make an image number by number
COLOUR: tuple[str, Shape] = ("info28-nano", (3, 8, 8))
BATCH = 6
CLASSES = Classes((0.4, 0.4, 0.2))
FEW = 9
TEXTS = 7  # captions of the data, and numbers in the vector of one


class Reals:
    """A stream of data that goes on from any position."""

    def __init__(self, shape: Shape, position: int = 0) -> None:
        self.pool = torch.rand(97, *shape, generator=torch.Generator().manual_seed(5)) * 2 - 1
        self.classes = torch.arange(97) % CLASSES.count
        self.sources = torch.rand(97, *shape, generator=torch.Generator().manual_seed(6)) * 2 - 1
        self.texts = torch.randn(TEXTS, TEXTS, generator=torch.Generator().manual_seed(7))
        self.position = position

    def draw(self, n: int) -> Tensor:
        return self.draw_labelled(n)[0]

    def draw_labelled(self, n: int) -> tuple[Tensor, Tensor]:
        rows = (torch.arange(n) + self.position) % len(self.pool)
        self.position += n
        return self.pool[rows], self.classes[rows]

    def draw_few(self, n: int) -> tuple[Tensor, Tensor]:
        rows = (torch.arange(n) + self.position) % FEW
        self.position += n
        return self.pool[rows], self.classes[rows]

    def draw_pairs(self, n: int) -> tuple[Tensor, Tensor]:
        rows = (torch.arange(n) + self.position) % len(self.pool)
        return self.sources[rows], self.draw(n)

    def draw_sources(self, n: int) -> Tensor:
        rows = (3 * torch.arange(n) + self.position) % len(self.pool)
        self.position += n
        return self.sources[rows]

    def draw_captioned(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        rows = (torch.arange(n) + self.position) % len(self.pool)
        return self.draw(n), self.texts[rows % TEXTS], self.texts[(rows + 1) % TEXTS]


def condition_of(kind: type[Variant], shape: Shape) -> Shape | None:
    """Shape of what its data are made from: source images are like the data."""
    if issubclass(kind, CaptionedVariant):
        return (TEXTS,)
    return shape if issubclass(kind, TranslatingVariant) else None


def problem(
    case: tuple[str, Shape], *, seed: int = 0, batch_size: int = BATCH, condition: Shape | None = None
) -> Problem:
    name, shape = case
    return Problem(
        shape=shape,
        backbone=BACKBONES.get(name),
        batch_size=batch_size,
        steps=10,
        device=torch.device("cpu"),
        draws=Draws(seed + 1, "cpu"),
        init=Draws(seed + 2, "cpu"),
        classes=CLASSES,
        condition=condition,
    )


def variant(name: str, case: tuple[str, Shape], *, seed: int = 0, **settings: Any) -> Variant:
    kind = VARIANTS.get(name)
    return kind(kind.Config(**settings), problem(case, seed=seed, condition=condition_of(kind, case[1])))


def with_techniques(
    name: str, *techniques: str, case: tuple[str, Shape] = SMALL, seed: int = 0, **settings: Any
) -> Variant:
    kind = VARIANTS.get(name)
    asked = problem(case, seed=seed, condition=condition_of(kind, case[1]))
    return fitted(kind, kind.Config(**settings), asked, tools(*techniques))


def tools(*techniques: str) -> list[Tool]:
    kinds = [TECHNIQUES.get(each) for each in techniques]
    return [Tool(name, kind, kind.Config()) for name, kind in zip(techniques, kinds, strict=True)]


def generated(made: Variant, z: Tensor) -> Tensor:
    """What it makes of codes, of classes, source images or captions one after the other where it asks for them."""
    reals, rows = Reals(made.problem.shape), torch.arange(len(z))
    if isinstance(made, TranslatingVariant):
        return samples_of(made, z, reals.sources[rows])
    if isinstance(made, CaptionedVariant):
        return samples_of(made, z, reals.texts[rows % TEXTS])
    return samples_of(made, z, rows % CLASSES.count)


def trained(made: Variant, steps: int, reals: Reals | None = None) -> Variant:
    reals = reals or Reals(made.problem.shape)
    for _ in range(steps):
        made.step(reals)
    return made


class LinearD(Discriminator):
    """D(x) = <w, x> + b."""

    def __init__(self, w: Tensor, b: float = 0.0) -> None:
        super().__init__(nn.Flatten(), nn.Identity())
        self.w, self.b = nn.Parameter(w), b

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x) @ self.w.flatten()[:, None] + self.b


def discriminator(name: str, shape: Shape, *, norm: Norm = "native", seed: int = 0) -> Discriminator:
    return problem((name, shape), seed=seed).discriminator(norm=norm)


def backbone(name: str) -> type[Backbone]:
    return BACKBONES.get(name)
