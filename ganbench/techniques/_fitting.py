"""Building a variant with techniques: its networks through theirs, D's eyes and ears, and its descents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.errors import UsageError
from ganbench.nets._base import Discriminator, Norm, Shape
from ganbench.techniques._base import Player, Seen, Technique, Update, players
from ganbench.variants._base import Descent, Problem, Variant, alter


@dataclass(frozen=True, kw_only=True, eq=False)
class _Altered(Problem):
    """A problem whose networks are built as techniques want them.

    Attributes:
        techniques: in the order in which they are applied.
        built_D, built_G: what was built, for those who watch it.
        outputs: of each D.
        pacs: data that each D sees at once.
    """

    techniques: Sequence[Technique] = ()
    built_D: list[Discriminator] = field(default_factory=list)
    built_G: list[nn.Module] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    pacs: list[int] = field(default_factory=list)

    def generator(self, *, extra: int = 0) -> nn.Module:
        """See `Problem`."""

        def make() -> nn.Module:
            G = self.backbone.generator(self.shape, extra=extra)
            for technique in self.techniques:
                G = technique.changed_G(G)
            return G

        self.built_G.append(self.built(make))
        return self.built_G[-1]

    def discriminator(self, *, norm: Norm = "native", pac: int = 1, extra: int = 0, outputs: int = 1) -> Discriminator:
        """See `Problem`."""
        shape = (self.shape[0] * pac + extra, *self.shape[1:])
        for technique in self.techniques:
            norm = technique.d_norm(norm)

        def make() -> Discriminator:
            D = self.backbone.discriminator(shape, norm=norm, outputs=outputs)
            for technique in self.techniques:
                D = technique.changed_D(D)
            return D

        self.outputs.append(outputs)
        self.pacs.append(pac)
        self.built_D.append(self.built(make))
        return self.built_D[-1]


class _Watched:
    """What D saw and said since the last update.

    Args:
        D: the backbone's, through whose trunk all data come.
        whole: what the variant calls D: it may have more in front of D, or behind, and D may be called without it.
        techniques: that change what D sees.
        shape: of one datum.
        pac: data that D sees at once, in front of whatever else it sees.
    """

    def __init__(
        self, D: Discriminator, whole: nn.Module, techniques: Sequence[Technique], *, shape: Shape, pac: int
    ) -> None:
        self.seen: list[Seen] = []
        self.logits: list[Tensor] = []
        self._augmenting = [technique for technique in techniques if technique.augments]
        self._given: list[Tensor] = []
        self._shape, self._pac, self._inside = shape, pac, False
        D.trunk.register_forward_pre_hook(self._before)
        D.trunk.register_forward_hook(self._after)
        if whole is not D:
            whole.register_forward_pre_hook(self._entered)
            D.register_forward_hook(self._said_alone)
        whole.register_forward_hook(self._said)

    def _before(self, _: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (x,) = given
        self._given.append(x)
        if not self._augmenting:
            return (x,)
        count = self._pac * self._shape[0]  # channels of data; a map of the class may stand behind them
        data = x[:, :count].reshape(-1, *self._shape)
        for technique in self._augmenting:
            data = technique.into_D(data)
        return (torch.cat([data.reshape(len(x), count, *self._shape[1:]), x[:, count:]], dim=1),)

    def _after(self, _: nn.Module, __: tuple[Tensor, ...], found: Tensor) -> None:
        self.seen.append(Seen(self._given.pop(), found))

    def _entered(self, _: nn.Module, __: tuple[Any, ...]) -> None:
        self._inside = True

    def _said_alone(self, _: nn.Module, __: tuple[Tensor, ...], found: Any) -> None:
        """What D said on its own; within the whole it is the whole that speaks."""
        if not self._inside:
            self.logits.append(found)

    def _said(self, _: nn.Module, __: tuple[Tensor, ...], found: Any) -> None:
        self._inside = False
        self.logits.append(found[0] if isinstance(found, tuple) else found)

    def update(self, player: Player, optimiser: torch.optim.Optimizer) -> Update:
        """What was seen and said; then it begins anew."""
        found = Update(player, optimiser, self.seen, self.logits)
        self.seen, self.logits = [], []
        return found


@dataclass(frozen=True)
class Tool:
    """A technique with its settings."""

    name: str
    kind: type[Technique]
    config: Any


def fitted(kind: type[Variant], config: Any, problem: Problem, tools: Sequence[Tool] = ()) -> Variant:
    """The variant with techniques on it, in their order.

    Raises UsageError where one of them does not suit it.
    """
    if not tools:
        return kind(config, problem)
    for tool in tools:
        why = tool.kind.misfit(kind, tool.config)
        if tool.kind.images_only and problem.backbone.points:
            why = "is for images, and the data are points"
        if why:
            raise UsageError(f"{tool.name} does not suit {kind.__name__}: it {why}.")
    made = [tool.kind(tool.config, problem) for tool in tools]
    told = {each.name: getattr(problem, each.name) for each in fields(Problem)}
    altered = _Altered(**told, techniques=made)
    variant = kind(config, altered)
    optimisers = players(variant, tools[0].name)
    for tool in tools:
        for player, built in (("D", altered.built_D), ("G", altered.built_G)):
            if player in tool.kind.needs and len(built) != 1:
                raise UsageError(f"{tool.name} is for the backbone's own {player}; {kind.__name__} has another.")
        if tool.kind.one_logit and altered.outputs != [1]:
            raise UsageError(f"{tool.name} is for a D that says one number; that of {kind.__name__} says more.")
    _attach(variant, optimisers, made, altered)
    return variant


def _attach(
    variant: Variant,
    optimisers: Mapping[Player, torch.optim.Optimizer],
    made: Sequence[Technique],
    altered: _Altered,
) -> None:
    """Makes the techniques part of the variant's state and of its descents."""
    variant.techniques = nn.ModuleList(made)
    watched = None
    if altered.built_D:
        whole = variant.get_submodule("D")
        watched = _Watched(altered.built_D[0], whole, made, shape=altered.shape, pac=altered.pacs[0])
    for player, optimiser in optimisers.items():
        _turn(player, optimiser, made, watched)
    for technique in made:
        technique.begin(variant)


def _forget(watched: _Watched | None) -> None:
    """What D saw for techniques is no part of the variant's next update."""
    if watched:
        watched.seen, watched.logits = [], []


def _turn(
    player: Player, optimiser: torch.optim.Optimizer, made: Sequence[Technique], watched: _Watched | None
) -> None:
    def change(loss: Tensor, down: Descent) -> Tensor:
        update = watched.update(player, optimiser) if watched else Update(player, optimiser, [], [])
        own = loss
        for technique in made:
            changed = technique.loss(loss, update)
            if changed is None:
                _forget(watched)
                return own
            loss = changed
        down(optimiser, loss)
        for technique in made:
            technique.stepped(update)
        _forget(watched)
        return loss

    alter(optimiser, change)
