"""From names on a command line to what a run is: defaults that depend on the data, settings as text, judging."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganbench.bench.recipe import Recipe
from ganbench.bench.spec import Judging, RunSpec
from ganbench.errors import UsageError
from ganbench.evaluation.options import DEFAULT_METRICS
from ganbench.features.reference_names import SHIPPED_UNDER
from ganbench.images.pairs import TARGETS, is_pairs
from ganbench.mixtures import mixture_names
from ganbench.variants._base import Variant
from ganbench.variants._given import CaptionedVariant, TranslatingVariant

_POINTS = ("mlp2d", 100)
_IMAGES = ("info28", 64)
_TARGETS = {"edges2fashion": "fashion-mnist"}  # whose statistics travel with the package


def defaults_of(data: str) -> tuple[str, int]:
    """Backbone and batch size where none are named."""
    return _POINTS if data in mixture_names() else _IMAGES


def read_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings out of `KEY=VALUE` texts: numbers, true and false, lists `[0.5, 0.9]`, or else words.

    Raises UsageError where a text has no `=`, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {pair!r} is no setting; wanted KEY=VALUE, such as lambda_gp=1.")
        if key in found:
            raise UsageError(f"--set names {key} twice.")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def judging_of(data: str, n: int, kind: type[Variant] = Variant) -> Judging | None:
    """How the samples of `ganbench train` are scored at its end; None where that would take a pass over all reals.

    What translates images or makes them from captions is scored all the same: its sets are small as a rule.
    """
    if n == 0:
        return None
    if issubclass(kind, TranslatingVariant | CaptionedVariant) and data not in mixture_names():
        reference, metrics = _targets(data), list(DEFAULT_METRICS)
        return Judging(reference=reference, protocol="embedded", metrics=metrics, final_n=n, points_n=n, raw_n=n)
    if data in mixture_names():
        return Judging(reference=data, metrics=["mode_coverage"], ranked_by="modes", final_n=n, points_n=n, raw_n=n)
    protocol = SHIPPED_UNDER.get(data.partition(":")[0])
    if protocol is None:
        return None
    return Judging(
        reference=data, protocol=protocol, metrics=list(DEFAULT_METRICS), final_n=n, points_n=n, raw_n=min(n, 2000)
    )


def _targets(data: str) -> str:
    """The reference of images that are like those to be made."""
    name, _, split = data.partition(":")
    if name in _TARGETS:
        return f"{_TARGETS[name]}:{split}" if split else _TARGETS[name]
    path = Path(data).expanduser()
    return str(path / TARGETS) if is_pairs(path) else data


def plan_run(
    variant: str,
    *,
    data: str,
    budget: str,
    backbone: str | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    settings: Sequence[str] = (),
    device: str = "cpu",
    threads: int = 1,
    ranks: int = 1,
    judged: int = 2000,
) -> RunSpec:
    """The run of `ganbench train`.

    Args:
        variant, data, budget, backbone, batch_size, seed: as there.
        settings: `KEY=VALUE` texts that differ from the variant's defaults.
        device, threads, ranks: where it runs.
        judged: samples that are scored in the end; 0 for none.

    Raises:
        UsageError: one of them is not known.
    """
    usual_backbone, usual_batch = defaults_of(data)
    recipe = Recipe.of(variant)
    return RunSpec(
        variant=variant,
        settings=recipe.settings(read_settings(settings)),
        variant_sha256=recipe.sha256(),
        data=data,
        backbone=backbone or usual_backbone,
        batch_size=batch_size or usual_batch,
        budget=budget,
        seed=seed,
        judging=judging_of(data, judged, recipe.kind),
        device=device,
        threads=threads,
        ranks=ranks,
    )
