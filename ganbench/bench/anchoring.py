"""The anchors of a board, made: what real data and an untrained generator score in the place of a run's samples."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ganbench.anchors import Anchor, AnchorName, Anchors
from ganbench.bench.build import Built, build
from ganbench.bench.data import open_data
from ganbench.bench.judge import Judge, sample
from ganbench.bench.seeds import REAL, stream_seed
from ganbench.bench.sweep import spec_of
from ganbench.errors import UsageError
from ganbench.evaluation.points import is_distribution
from ganbench.mixtures import get_mixture
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.track import Track, TrackFolder

Draw = tuple[int, Tensor]  # a seed and its samples


def make_anchors(
    place: TrackFolder,
    *,
    device: str = "cpu",
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Anchors:
    """Scores real data and an untrained generator as a track scores the samples of a run in the end.

    `real vs real`: of a mixture, fresh draws, one for each seed of the track; of images, those of its validation set,
    which the reference does not hold: as many as a run's samples, drawn once for each seed, or all of them once where
    there are no more. `untrained`: samples of the generator with the weights that a run of that seed begins with.

    Args:
        place: the track.
        device: where networks run.
        offline: use no network.
        progress, warn: told of it.

    Raises:
        UsageError: a track of images without a validation set.
        Unavailable: data or weights cannot be had.
    """
    track = place.track
    spec = spec_of(track, place.name, track.variants[0], track.seeds[0], device=device)
    built = build(spec, offline=offline, progress=progress, warn=warn)
    assert spec.judging is not None, "a track tells how its runs are judged"
    judge = Judge(built, spec.judging, offline=offline, warn=warn)
    made, reals = _reals(track, built, offline=offline, progress=progress)
    weights = f"the {track.backbone} generator as a run begins with it"

    def anchor(name: AnchorName, made: str, draws: Iterator[Draw], total: int) -> Anchor:
        seeds: list[int] = []
        results = []
        for seed, samples in draws:
            progress(name, len(seeds), total)
            results.append(judge.scores({name: samples})[name])
            seeds.append(seed)
        command = f"ganbench bench anchors {place.name}"
        return Anchor(name=name, made=made, seeds=seeds, results=results, command=command)

    count = len(track.seeds)
    return Anchors(
        track=place.name,
        anchors=[
            anchor("real vs real", made, reals, count),
            anchor("untrained", weights, _untrained(track, built), count),
        ],
    )


def _untrained(track: Track, first: Built) -> Iterator[Draw]:
    for seed in track.seeds:
        built = build(replace(first.spec, seed=seed), data=first.data)
        yield seed, sample(built, track.final_n)


def _reals(track: Track, built: Built, *, offline: bool, progress: Progress) -> tuple[str, Iterator[Draw]]:
    """Which real data, in words, and their draws."""
    if is_distribution(track.reference):
        mixture, n = get_mixture(track.reference), track.final_n
        draws = ((seed, mixture.sample(n, _rng(seed)).astype(np.float32)) for seed in track.seeds)
        return f"{n:,} fresh points of the mixture", ((seed, torch.from_numpy(points)) for seed, points in draws)
    if track.validation is None:
        raise UsageError(
            "The track has no validation set, so no images stand for real ones that its reference does not hold. Name "
            'one in its track.toml, such as validation = "cifar10:test".'
        )
    held_out = open_data(track.validation, built.variant.problem.backbone.fitted, offline=offline, progress=progress)
    there, n = len(held_out.values), min(track.final_n, len(held_out.values))
    seeds = track.seeds if n < there else track.seeds[:1]  # all of them are the same for every seed
    orders = ((seed, torch.from_numpy(_rng(seed).permutation(there)[:n])) for seed in seeds)
    return f"{n:,} images of {track.validation}", (
        (seed, held_out.judged(held_out.batch(order))) for seed, order in orders
    )


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(stream_seed(seed, REAL))
