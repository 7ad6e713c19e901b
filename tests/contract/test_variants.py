"""What every variant must keep, the ones to come included."""

import ast
import dataclasses
import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from variant_cases import (
    BATCH,
    CLASSES,
    COLOUR,
    GRAY,
    POINTS,
    SMALL,
    Reals,
    condition_of,
    generated,
    trained,
    variant,
)

from ganbench.bench.cost import Cost, cost_of
from ganbench.errors import UsageError
from ganbench.nets._base import Shape
from ganbench.nets._registry import BACKBONES
from ganbench.techniques._fitting import Tool
from ganbench.variants._base import LabelledVariant, LikelihoodVariant, Variant
from ganbench.variants._given import CaptionedVariant, PairedVariant, UnpairedVariant
from ganbench.variants._registry import VARIANTS

Case = tuple[str, Shape]
KINDS = (Variant, LabelledVariant, LikelihoodVariant, PairedVariant, UnpairedVariant, CaptionedVariant)
NAMES = VARIANTS.names()
ALLOWED = (
    "ganbench.nets",
    "ganbench.variants._base",
    "ganbench.variants._given",
    "ganbench.variants._draws",
    "ganbench.variants._schedule",
    "ganbench.errors",
)


def cases_of(name: str) -> list[Case]:
    kind = VARIANTS.get(name)
    return [SMALL] if kind.images_only else [POINTS] if kind.points_only else [POINTS, GRAY]


@pytest.fixture(
    params=[(name, case) for name in NAMES for case in cases_of(name)],
    ids=lambda param: f"{param[0]}-{param[1][0]}",
)
def both(request: pytest.FixtureRequest) -> tuple[str, Case]:
    found: tuple[str, Case] = request.param
    return found


def source(name: str) -> Path:
    file = sys.modules[VARIANTS.get(name).__module__].__file__
    assert file is not None
    return Path(file)


def counted(name: str, case: Case) -> Cost:
    return counted_as(VARIANTS.get(name), case, ())


def counted_as(kind: type[Variant], case: Case, tools: Sequence[Tool]) -> Cost:
    backbone, shape = case
    condition = condition_of(kind, shape)
    return cost_of(
        kind,
        kind.Config(),
        shape=shape,
        backbone=BACKBONES.get(backbone),
        batch_size=BATCH,
        classes=CLASSES,
        condition=condition,
        tools=tools,
    )


def tensors(state: Any) -> list[Tensor]:
    """All tensors and numbers of a training state, in order."""
    if isinstance(state, Tensor):
        return [state.detach().clone()]
    if isinstance(state, dict):
        return [t for key in state for t in tensors(state[key])]
    if isinstance(state, list | tuple):
        return [t for each in state for t in tensors(each)]
    return [torch.tensor(float(state))] if isinstance(state, int | float) else []


def same(a: Variant, b: Variant) -> bool:
    pairs = zip(tensors(a.training_state()), tensors(b.training_state()), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_it_trains_on_what_suits_it(both: tuple[str, Case]) -> None:
    name, case = both
    made = variant(name, case)
    reals = Reals(case[1])
    before = {module: tensors(getattr(made, module).state_dict()) for module in made.judged}
    for _ in range(3):
        losses = made.step(reals)
        assert losses
        assert all(loss.dim() == 0 and not loss.requires_grad for loss in losses.values())
        assert all(math.isfinite(float(loss)) for loss in losses.values())
    for module, values in before.items():
        after = tensors(getattr(made, module).state_dict())
        assert not all(torch.equal(x, y) for x, y in zip(values, after, strict=True))
    assert all(parameter.requires_grad for parameter in made.parameters())


@pytest.mark.parametrize("name", [n for n in NAMES if not VARIANTS.get(n).points_only])
def test_it_trains_in_three_channels(name: str) -> None:
    made = trained(variant(name, COLOUR), 2)
    assert all(value.isfinite().all() for value in made.state_dict().values())


@pytest.mark.parametrize("name", [n for n in NAMES if VARIANTS.get(n).points_only])
def test_what_is_for_points_alone_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="for points alone; found images of 28 x 28 pixels in 1 channel"):
        variant(name, GRAY)


def test_equal_seeds_give_equal_weights(both: tuple[str, Case]) -> None:
    name, case = both
    one, two, other = (trained(variant(name, case, seed=seed), 2) for seed in (0, 0, 7))
    assert same(one, two)
    assert not same(one, other)


def test_a_resumed_training_ends_as_one_that_was_not_broken(both: tuple[str, Case]) -> None:
    name, case = both
    whole = trained(variant(name, case), 4)
    reals = Reals(case[1])
    half = trained(variant(name, case), 2, reals)
    file = io.BytesIO()
    torch.save(half.training_state(), file)
    file.seek(0)
    fresh = variant(name, case, seed=11)
    fresh.restore(torch.load(file, weights_only=True))
    assert same(fresh, half)
    resumed = trained(fresh, 2, Reals(case[1], reals.position))
    assert same(resumed, whole)
    assert resumed.fakes == whole.fakes


def test_global_streams_of_random_numbers_stay_where_they_are(both: tuple[str, Case]) -> None:
    name, case = both
    reals = Reals(case[1])
    before, legacy = torch.get_rng_state(), np.random.get_state()[1]
    made = trained(variant(name, case), 2, reals)
    made.eval()
    with torch.no_grad():
        generated(made, torch.zeros(2, made.z_dim))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)


def test_samples_are_data_and_making_them_changes_nothing(both: tuple[str, Case]) -> None:
    name, case = both
    made = trained(variant(name, case), 2)
    made.eval()
    before = tensors(made.training_state())
    with torch.no_grad():
        z = torch.randn(5, made.z_dim, generator=torch.Generator().manual_seed(3))
        found, part = generated(made, z), generated(made, z[:2])
    assert found.shape == (5, *case[1])
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    if not made.problem.backbone.points:
        assert found.abs().max() <= 1
    torch.testing.assert_close(found[:2], part, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(x, y) for x, y in zip(before, tensors(made.training_state()), strict=True))


def test_samples_come_from_the_judged_modules_alone(both: tuple[str, Case]) -> None:
    name, case = both
    made = variant(name, case).eval()
    z = torch.ones(2, made.z_dim)
    with torch.no_grad():
        before = generated(made, z)
        for module, child in made.named_children():
            if module not in made.judged:
                for parameter in child.parameters():
                    parameter.fill_(math.nan)
        assert torch.equal(generated(made, z), before)


def test_the_count_of_costs_is_positive_and_steady(both: tuple[str, Case]) -> None:
    name, case = both
    cost = counted(name, case)
    assert cost == counted(name, case)
    assert cost.flops > 0
    assert cost.sampling_flops > 0
    assert cost.reals >= BATCH
    assert set(VARIANTS.get(name).judged) <= set(cost.parameters)


def test_what_is_drawn_and_generated_is_what_was_counted(both: tuple[str, Case]) -> None:
    name, case = both
    cost, reals = counted(name, case), Reals(case[1])
    made = variant(name, case)
    steps = 2 * cost.schedule.period
    trained(made, steps, reals)
    assert reals.position == cost.reals * steps
    assert made.fakes == cost.fakes * steps


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_frozen_and_have_defaults(name: str) -> None:
    settings = VARIANTS.get(name).Config()
    assert dataclasses.fields(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings, dataclasses.fields(settings)[0].name, 1)
    with pytest.raises(TypeError):
        VARIANTS.get(name).Config(1)
    hash(settings)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_what_it_is(name: str) -> None:
    text = source(name).read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert len(text.splitlines()) <= 200
    assert "L = " in docstring or ("L_D = " in docstring and "L_G = " in docstring)
    assert "https://arxiv.org/abs/" in docstring
    assert "Departures from the paper:" in docstring


@pytest.mark.parametrize("name", NAMES)
def test_it_knows_nothing_of_what_judges_it(name: str) -> None:
    tree = ast.parse(source(name).read_text(encoding="utf-8"))
    found = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    found += [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    assert [m for m in found if m.startswith("ganbench") and not m.startswith(ALLOWED)] == []
    assert VARIANTS.get(name).__bases__ in [(kind,) for kind in KINDS]
