"""What a variant is: networks, losses and one update. It knows neither data, clock, files nor metrics."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganbench.errors import UsageError
from ganbench.nets._base import Backbone, Discriminator, Norm, Shape, described
from ganbench.nets._init import Fill, initialise
from ganbench.nets._joint import joint
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.variants._classes import Classes
from ganbench.variants._draws import Draws
from ganbench.variants._schedule import Schedule

N = TypeVar("N", bound=nn.Module)
Known = Literal["none", "all"] | int  # of how many data the class is known


class RealStream(Protocol):
    """The real data of a training, in its order; what is drawn is charged to the budget."""

    def draw(self, n: int) -> Tensor:
        """The next n data, float32 (n, *shape); images in [-1, 1]."""
        ...

    def draw_labelled(self, n: int) -> tuple[Tensor, Tensor]:
        """The same with their classes, int64 (n,)."""
        ...

    def draw_few(self, n: int) -> tuple[Tensor, Tensor]:
        """The next n of the few data whose class is known, in an order of their own, and their classes."""
        ...

    def draw_pairs(self, n: int) -> tuple[Tensor, Tensor]:
        """The next n data and before them what each is to be made from: source images float32 (n, *condition)."""
        ...

    def draw_sources(self, n: int) -> Tensor:
        """The next n source images, in an order of their own."""
        ...

    def draw_captioned(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """The next n data, the vectors of their captions, float32 (n, d), and vectors of captions that are others."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """What a variant is to learn and with which networks.

    Attributes:
        shape: of one datum, (c, h, w) or (d,).
        backbone: builds G and D.
        batch_size: inputs of D in one update: as many real data, unless the variant joins several to one input. Where
            several ranks share the batch, it is the part of this one.
        steps: generator updates that the budget allows; None where only a clock ends it.
        classes: of the data; None where the variant does not ask for them.
        condition: shape of what a datum is made from: a source image (c, h, w), or the vector of a caption (d,).
        device: where everything lies; "meta" where only the cost is wanted.
        draws: the noise of the training.
        init: gives the first weights.
        ranks: that share each batch.
    """

    shape: Shape
    backbone: type[Backbone]
    batch_size: int
    steps: int | None
    device: torch.device
    draws: Draws
    init: Draws
    ranks: Ranks = ALONE
    classes: Classes | None = None
    condition: Shape | None = None

    @property
    def class_count(self) -> int:
        """Number of classes of the data; 0 where nobody asks for them."""
        return self.classes.count if self.classes else 0

    def generator(self, *, extra: int = 0) -> nn.Module:
        """The backbone's G with first weights: z, with `extra` numbers behind it, to data (n, *shape)."""
        return self.built(lambda: self.backbone.generator(self.shape, extra=extra))

    def discriminator(self, *, norm: Norm = "native", pac: int = 1, extra: int = 0, outputs: int = 1) -> Discriminator:
        """The backbone's D with first weights.

        Args:
            norm: how it is normalised.
            pac: how many data it sees at once, joined along the first axis (channels, or coordinates).
            extra: channels (or coordinates) that it sees behind them.
            outputs: numbers that it gives for each.
        """
        shape = (self.shape[0] * pac + extra, *self.shape[1:])
        return self.built(lambda: self.backbone.discriminator(shape, norm=norm, outputs=outputs))

    def built(self, make: Callable[[], N], weights: Fill | None = None) -> N:
        """The network that `make` describes, on the device, with first weights by the rules of `nets._init`.

        Args:
            make: called once, and computes nothing: its tensors have shapes alone.
            weights: the rule for layers that have none of their own; the backbone's where None.
        """
        with torch.device("meta"):
            net = joint(make(), self.ranks)
        if self.device.type != "meta":
            net.to_empty(device=self.device)
            if weights is None:
                self.backbone.initialise(net, self.init.generator)
            else:
                initialise(net, self.init.generator, weights=weights)
        return net


class Variant(nn.Module, ABC):
    """One way to train a generative model.

    Its state is its modules, its buffers, its optimisers (found among its attributes) and its stream of noise: a
    number that changes in training, such as a schedule's, is a buffer.

    Class attributes:
        Config: a frozen dataclass of its settings; the defaults are those of the paper.
        judged: names of the modules that make samples or are of use themselves; the average of their weights over
            training is judged.
        period: steps after which the costs of a step repeat (for terms that are not computed at each), where settings
            do not change it.
        points_only: it is for points (d,) alone; images would take too long.
        images_only: it is for images (c, h, w) alone; its networks are convolutions.
        own_networks: it brings networks of its own: it is on no board that gives all variants the same.
        splits: a batch can be split over ranks: beside batch norm, whatever is computed of more than one row is a mean
            over the rows of a loss that an optimiser of its own descends.
    """

    Config: ClassVar[type]
    judged: ClassVar[tuple[str, ...]] = ("G",)
    period: ClassVar[int] = 1
    points_only: ClassVar[bool] = False
    images_only: ClassVar[bool] = False
    own_networks: ClassVar[bool] = False
    splits: ClassVar[bool] = True
    G: nn.Module

    def __init__(self, config: Any, problem: Problem) -> None:
        super().__init__()
        if self.images_only if problem.backbone.points else self.points_only:
            wanted = "images" if self.images_only else "points"
            raise UsageError(
                f"{type(self).__name__} is for {wanted} alone; found {described(problem.shape)}. Name another variant."
            )
        self.config, self.problem = config, problem
        self.fakes = 0  # data generated in training, as told by `latent`, on all ranks

    @classmethod
    def known(cls, _config: Any) -> Known:
        """Of how many of the data training knows the class; of a number of them, `draw_few` gives the data."""
        return "none"

    @classmethod
    def schedule(cls, _config: Any, _shape: Shape) -> Schedule:
        """How the cost of its steps changes over a training on data of this shape."""
        return Schedule(period=cls.period)

    def seek(self, step: int) -> None:
        """Brings what follows a schedule to where it is before a step (from 0); nothing is trained.

        For the count of costs, which looks at a few steps of each stage.
        """

    @abstractmethod
    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """Exactly one update of the generator, with the updates of other networks that belong to it.

        Returns the losses by name, detached scalars.
        """

    def generate(self, z: Tensor) -> Tensor:
        """Data (n, *shape) for codes z (n, z_dim); called in eval mode, without gradients."""
        found: Tensor = self.G(z)
        return found

    def latent(self, n: int) -> Tensor:
        """n codes out of the prior, (n, z_dim)."""
        self.fakes += n * self.problem.ranks.world
        return self.problem.draws.normal(n, self.z_dim)

    @property
    def z_dim(self) -> int:
        """Numbers in a code of `generate`; the backbone's, where a variant does not have its own."""
        return self.problem.backbone.z_dim

    @property
    def walked(self) -> int:
        """How many of the first numbers of a code make what is shown; behind them lies noise of single pixels.

        A walk between two codes leaves that noise as it is.
        """
        return self.z_dim

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimisers by the name of the attribute."""
        return {name: value for name, value in vars(self).items() if isinstance(value, torch.optim.Optimizer)}

    def training_state(self) -> dict[str, Any]:
        """Everything that decides how training goes on."""
        return {
            "modules": self.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers().items()},
            "noise": self.problem.draws.state(),
            "fakes": self.fakes,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes back to where `training_state` was taken."""
        self.load_state_dict(state["modules"])
        for name, optimiser in self.optimisers().items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.problem.draws.restore(state["noise"])
        self.fakes = int(state["fakes"])


class LikelihoodVariant(Variant):
    """A variant that tells how likely images are."""

    @abstractmethod
    def bits_per_dim(self, x: Tensor, u: Tensor) -> Tensor:
        """-log2 P(x) for each 8-bit image, divided by the numbers in it, or a bound above it: (n,).

        Args:
            x: float32 (n, c, h, w) in [-1, 1], of the 256 values k / 127.5 - 1.
            u: U[0, 1) of the same shape, for densities, which see (k + u) / 256; called as `generate` is.
        """


class ConditionalVariant(Variant):
    """A variant whose samples are made from something beside codes: y, a row for each."""

    @abstractmethod
    def generate_as(self, z: Tensor, y: Tensor) -> Tensor:
        """Data (n, *shape) for codes (n, z_dim) and y; called as `generate` is."""


class LabelledVariant(ConditionalVariant):
    """A variant that learns from the classes of the data and makes samples of a class: y, int64 (n,)."""

    @classmethod
    def known(cls, _config: Any) -> Known:
        """All classes."""
        return "all"

    @property
    def classes(self) -> Classes:
        """Of the data."""
        assert self.problem.classes is not None, "what learns from classes is built with them"
        return self.problem.classes

    def one_hot(self, y: Tensor) -> Tensor:
        """Classes int64 (n,) as floating-point (n, k)."""
        return one_hot(y, self.classes.count).to(torch.get_default_dtype())  # as that of `draws`

    def labels(self, n: int) -> Tensor:
        """n classes as often as the reals have them, int64 (n,)."""
        return self.classes.of(self.problem.draws.uniform(n))


def made(variant: Variant, z: Tensor, y: Tensor | None) -> Tensor:
    """What a variant makes of codes, and of what else it makes samples from."""
    if isinstance(variant, ConditionalVariant):
        assert y is not None
        return variant.generate_as(z, y)
    return variant.generate(z)


def adam(net: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015) with eps 1e-8, in one kernel where the device has it."""
    parameters = list(net.parameters())
    fused = parameters[0].device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=1e-8, fused=fused)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """One step down the gradient of a scalar loss, as `alter` has it. Returns the loss, detached."""
    change = _ALTERED.get(optimiser, _down)
    return change(optimiser, loss).detach()


Descent = Callable[[torch.optim.Optimizer, Tensor], Tensor]
_ALTERED: WeakKeyDictionary[torch.optim.Optimizer, Descent] = WeakKeyDictionary()


def alter(optimiser: torch.optim.Optimizer, change: Callable[[Tensor, Descent], Tensor]) -> None:
    """From now on `change(loss, down)` is what `descend` does with the optimiser's losses; it returns its own.

    `down(optimiser, loss)` is the plain step. So a technique changes how any variant learns, in whose file nothing
    speaks of it.
    """
    _ALTERED[optimiser] = lambda _, loss: change(loss, _down)


def _down(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimiser.step()
    return loss


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Within it the parameters of `net` take no gradients; what flows through them to others does."""
    net.requires_grad_(False)
    try:
        yield
    finally:
        net.requires_grad_(True)
