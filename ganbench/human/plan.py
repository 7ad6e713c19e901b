"""Which pictures a rater sees, and in which order: decided by the study's seed and the rater's number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganbench.human.study import Study
from ganbench.hype import KINDS, Kind

Phase = Literal["tutorial", "qualification", "trial"]
Names = Mapping[tuple[str, Kind], Sequence[str]]


@dataclass(frozen=True)
class Planned:
    """One picture in a rater's order. Blocks count from 0; tutorial and qualification are one block each."""

    phase: Phase
    block: int
    image: str


def plan(study: Study, rater: int, images: Names) -> list[Planned]:
    """All that a rater sees, in order: tutorial, qualification, trials with checks among them.

    Of the trials' pictures a rater gets the next ones in one seeded order, so that after some raters all have been
    judged equally often, and none is seen twice by one rater. Each block has as many reals as fakes.

    Args:
        study: the study.
        rater: the rater's number, from 0.
        images: names of files by role and kind, in the order of the study.
    """
    rng = np.random.default_rng([study.seed, 2, rater])
    found = list[Planned]()
    early: tuple[Phase, Phase] = ("tutorial", "qualification")
    for phase in early:
        names = [name for kind in KINDS for name in images.get((phase, kind), ())]
        found += [Planned(phase, 0, name) for name in _shuffled(names, rng)]
    judged = {kind: _judged(study, rater, kind, images) for kind in KINDS}
    checks = _checks(study, images, rng)
    for block in range(study.settings.blocks):
        here = study.settings.judged // study.settings.blocks
        names = [name for kind in KINDS for name in judged[kind][block * here : (block + 1) * here]]
        names += checks[block :: study.settings.blocks]
        found += [Planned("trial", block, name) for name in _shuffled(names, rng)]
    return found


def _judged(study: Study, rater: int, kind: Kind, images: Names) -> list[str]:
    names, n = images["trial", kind], study.settings.judged
    order = np.random.default_rng([study.seed, 3, KINDS.index(kind)]).permutation(len(names))
    chosen = [names[order[(rater * n + i) % len(names)]] for i in range(n)]
    return _shuffled(chosen, np.random.default_rng([study.seed, 4, KINDS.index(kind), rater]))


def _checks(study: Study, images: Names, rng: np.random.Generator) -> list[str]:
    """The checks of a rater: half ask for one answer and half for the other, in any order."""
    return _shuffled([images["check", KINDS[i % 2]][0] for i in range(study.settings.checks)], rng)


def _shuffled(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [names[i] for i in rng.permutation(len(names))]


def masks_of(study: Study, rater: int, position: int) -> list[str]:
    """The masks after one picture, in order: their numbers in the study's pool."""
    rng = np.random.default_rng([study.seed, 5, rater, position])
    return [str(i) for i in rng.integers(study.settings.mask_pool, size=study.settings.masks)]
