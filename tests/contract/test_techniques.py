"""What every technique must keep, on each variant that it suits, the ones to come included."""

import ast
import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from test_variants import ALLOWED, counted_as, same, tensors
from variant_cases import COLOUR, GRAY, POINTS, SMALL, Reals, generated, tools, trained, with_techniques

from ganbench.errors import UsageError
from ganbench.nets._base import Shape
from ganbench.techniques._base import Technique
from ganbench.techniques._registry import TECHNIQUES
from ganbench.variants._registry import VARIANTS

Case = tuple[str, Shape]
NAMES = TECHNIQUES.names()


def pairs() -> list[tuple[str, str]]:
    """(variant, technique) where they fit; the others say why they do not."""
    found = []
    for name in VARIANTS.names():
        for technique in NAMES:
            try:
                with_techniques(name, technique, case=POINTS if VARIANTS.get(name).points_only else SMALL)
            except UsageError:
                continue
            found.append((name, technique))
    return found


PAIRS = pairs()


@pytest.fixture(params=NAMES)
def technique(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_each_suits_the_plain_gan_and_some_others() -> None:
    for technique in NAMES:
        suited = [name for name, other in PAIRS if other == technique]
        assert "ns-gan" in suited
        assert len(suited) >= 5


@pytest.mark.parametrize(("name", "technique"), PAIRS, ids=lambda each: each)
def test_it_trains_on_what_it_suits(name: str, technique: str) -> None:
    case = POINTS if VARIANTS.get(name).points_only else SMALL
    made, reals = with_techniques(name, technique, case=case), Reals(case[1])
    trained(made, 2, reals)
    assert all(value.isfinite().all() for value in made.state_dict().values())
    assert all(parameter.requires_grad for parameter in made.parameters())


@pytest.mark.parametrize("case", [POINTS, GRAY, COLOUR], ids=lambda case: "x".join(map(str, case[1])))
def test_it_trains_on_all_kinds_of_data_or_says_that_it_does_not(technique: str, case: Case) -> None:
    if TECHNIQUES.get(technique).images_only and case == POINTS:
        with pytest.raises(UsageError, match=f"{technique} does not suit NsGan: it is for images"):
            with_techniques("ns-gan", technique, case=case)
        return
    trained(with_techniques("ns-gan", technique, case=case), 3)


@pytest.mark.parametrize("backbone", ["dcgan", "sndcgan", "resnet"])
def test_it_fits_the_larger_networks(technique: str, backbone: str) -> None:
    """On the meta device, where a step has shapes alone."""
    assert counted_as(VARIANTS.get("ns-gan"), (backbone, (3, 32, 32)), tools(technique)).flops > 0


def test_it_changes_what_is_learnt(technique: str) -> None:
    plain, changed = (trained(with_techniques("ns-gan", *with_), 3).eval() for with_ in ((), (technique,)))
    z = torch.ones(2, plain.z_dim)
    with torch.no_grad():
        assert not torch.equal(generated(plain, z), generated(changed, z))


def test_a_resumed_training_ends_as_one_that_was_not_broken(technique: str) -> None:
    whole = trained(with_techniques("ns-gan", technique), 6)
    reals = Reals(SMALL[1])
    half = trained(with_techniques("ns-gan", technique), 3, reals)
    file = io.BytesIO()
    torch.save(half.training_state(), file)
    file.seek(0)
    fresh = with_techniques("ns-gan", technique, seed=11)
    fresh.restore(torch.load(file, weights_only=True))
    assert same(fresh, half)
    assert same(trained(fresh, 3, Reals(SMALL[1], reals.position)), whole)


def test_equal_seeds_give_equal_weights_and_global_streams_stay(technique: str) -> None:
    before = torch.get_rng_state()
    one, two, other = (trained(with_techniques("ns-gan", technique, seed=seed), 2) for seed in (0, 0, 7))
    assert same(one, two)
    assert not same(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_do_not_depend_on_their_batch(technique: str) -> None:
    made = trained(with_techniques("ns-gan", technique), 2).eval()
    before = tensors(made.training_state())
    with torch.no_grad():
        z = torch.randn(5, made.z_dim, generator=torch.Generator().manual_seed(3))
        found, part = generated(made, z), generated(made, z[:2])
    torch.testing.assert_close(found[:2], part, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(x, y) for x, y in zip(before, tensors(made.training_state()), strict=True))


def test_what_is_drawn_and_generated_is_what_was_counted(technique: str) -> None:
    kind, reals = VARIANTS.get("ns-gan"), Reals(SMALL[1])
    cost = counted_as(kind, SMALL, tools(technique))
    made = trained(with_techniques("ns-gan", technique), 3, reals)
    assert cost.flops >= counted_as(kind, SMALL, []).flops
    assert (reals.position, made.fakes) == (3 * cost.reals, 3 * cost.fakes)


def test_all_that_fit_together_are_used_together() -> None:
    made = trained(with_techniques("ns-gan", *NAMES), 3)
    assert all(value.isfinite().all() for value in made.state_dict().values())


@pytest.mark.parametrize("name", ["glow", "ddpm", "pixelcnn", "vae"])
@pytest.mark.parametrize("wanted", ["ttur", "historical-averaging", "spectral-norm"])
def test_what_is_no_game_is_refused(name: str, wanted: str) -> None:
    with pytest.raises(UsageError, match="for a G and a D that learn by turns"):
        with_techniques(name, wanted)


@pytest.mark.parametrize(
    ("name", "technique", "why"),
    [
        ("lsgan", "label-smoothing", "here is none"),
        ("wgan-gp", "label-smoothing", "here is none"),
        ("sngan", "label-smoothing", "here is none"),
        ("acgan", "feature-matching", "here says more"),
        ("infogan", "virtual-batch-norm", "sees classes or codes"),
        ("began", "minibatch-discrimination", "is for the backbone's own D"),
        ("selu-gan", "label-smoothing", "is for the backbone's own D"),
        ("acgan", "label-smoothing", "for a D that says one number"),
        ("sgan", "ada", "for a D that says one number"),
    ],
)
def test_a_misfit_is_refused_in_words(name: str, technique: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        with_techniques(name, technique)


class _Marked(Reals):
    """Reals that are told from fakes: no fake lies outside [-1, 1]."""

    def draw_labelled(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = super().draw_labelled(n)
        return x + 8, y


@pytest.mark.parametrize("name", sorted({name for name, technique in PAIRS if technique == "label-smoothing"}))
def test_the_first_batch_that_D_sees_in_its_update_is_real(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What smoothing and ADA rest on, of every variant that they suit."""
    seen: dict[str, list[list[bool]]] = {"G": [], "D": []}

    def stepped(self: Technique, update: Any) -> None:
        assert [len(each) for each in update.logits] == [len(each.x) for each in update.seen]
        seen[update.player].append([bool((each.x.flatten(1) > 4).any(1).all()) for each in update.seen])

    monkeypatch.setattr(TECHNIQUES.get("ttur"), "stepped", stepped)
    case = POINTS if VARIANTS.get(name).points_only else SMALL
    trained(with_techniques(name, "ttur", case=case), 2, _Marked(case[1]))
    assert all(update[0] and not update[1] for update in seen["D"])
    assert all(not update[-1] for update in seen["G"])


def source(name: str) -> Path:
    file = sys.modules[TECHNIQUES.get(name).__module__].__file__
    assert file is not None
    return Path(file)


def test_the_file_says_what_it_is_and_knows_nothing_of_what_judges_it(technique: str) -> None:
    tree = ast.parse(source(technique).read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""
    assert "https://arxiv.org/abs/" in docstring
    assert "Departures from the paper:" in docstring
    found = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    allowed = (*ALLOWED, "ganbench.techniques._base", "ganbench.techniques._augment")
    assert [m for m in found if m.startswith("ganbench") and not m.startswith(allowed)] == []


def test_settings_are_frozen_and_have_defaults(technique: str) -> None:
    config = TECHNIQUES.get(technique).Config
    hash(config())
    assert all(each.default is not dataclasses.MISSING for each in dataclasses.fields(config))
