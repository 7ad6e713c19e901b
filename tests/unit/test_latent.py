"""Interpolation, path length and smoothness against closed forms, and what a generator may not do."""

import math
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganbench
from ganbench.errors import BadInput, Unavailable, UsageError
from ganbench.features.lpips import Lpips
from ganbench.features.stats import Features
from ganbench.latent import interpolation_smoothness, lerp, perceptual_path_length, slerp
from ganbench.metrics.ppl import Ppl

SIDE = 16


def pixels(a: Tensor, b: Tensor) -> Tensor:
    """The plain squared distance of two batches."""
    return (a - b).square().flatten(1).sum(dim=1)


class Linear(nn.Module):
    """Pictures that are linear in z: 0.01 A z, in float64, so that small steps are exact."""

    def __init__(self, z_dim: int = 6, channels: int = 3, side: int = SIDE) -> None:
        super().__init__()
        draws = torch.randn(channels * side * side, z_dim, generator=torch.Generator().manual_seed(7))
        self.A = nn.Parameter(0.01 * draws.double())
        self.shape = (channels, side, side)

    def forward(self, z: Tensor) -> Tensor:
        return (z.double() @ self.A.T).view(len(z), *self.shape)


def codes(n: int, stream: torch.Generator) -> Tensor:
    return torch.randn(n, 6, generator=stream, dtype=torch.float64)


def value(found: Any) -> float:
    assert found.value is not None
    return float(found.value)


def ppl(G: Callable[[Tensor], Tensor], **given: Any) -> float:
    plain: dict[str, Any] = {"sample": codes, "distance": pixels, "resize": None, "n": 200}
    return value(perceptual_path_length(G, **plain | given)["ppl"])


def drawn(n: int, seed: int = 2020) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    return codes(n, stream), codes(n, stream)


def trimmed(steps: Any) -> float:
    """The slow twin of the metric: sort, cut at the outward percentiles, average."""
    ordered = sorted(steps)
    low = ordered[math.floor(0.01 * (len(ordered) - 1))]
    high = ordered[math.ceil(0.99 * (len(ordered) - 1))]
    return float(np.mean([x for x in ordered if low <= x <= high]))


# Interpolation


def test_lerp_and_slerp_start_at_a_and_end_at_b() -> None:
    a, b = drawn(5)
    for between in (lerp, slerp):
        torch.testing.assert_close(between(a, b, 0.0), a)
        torch.testing.assert_close(between(a, b, 1.0), b)
        with pytest.raises(AssertionError):
            torch.testing.assert_close(between(a, b, 0.3), between(b, a, 0.3))
        torch.testing.assert_close(between(a, b, 0.3), between(b, a, 0.7))


def test_lerp_by_hand() -> None:
    a, b = torch.tensor([[0.0, 4.0], [1.0, 1.0]]), torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    assert lerp(a, b, 0.25).tolist() == [[0.5, 3.0], [1.0, 1.5]]
    assert lerp(a, b, torch.tensor([0.25, 0.5])).tolist() == [[0.5, 3.0], [1.0, 2.0]]


def test_slerp_by_hand() -> None:
    """From the x axis to the y axis by a third of the right angle."""
    a, b = torch.tensor([[2.0, 0.0]]).double(), torch.tensor([[0.0, 3.0]]).double()
    found = slerp(a, b, 1 / 3)
    assert found[0].tolist() == pytest.approx([2 * math.cos(math.pi / 6), 3 * math.sin(math.pi / 6)])


def test_slerp_stays_on_the_sphere_and_moves_evenly() -> None:
    a, b = (nn.functional.normalize(x, dim=1) for x in drawn(50))
    whole = (a * b).sum(dim=1).acos()
    for t in (0.1, 0.5, 0.9):
        found = slerp(a, b, torch.full((50,), t, dtype=torch.float64))
        torch.testing.assert_close(found.norm(dim=1), torch.ones(50).double())
        torch.testing.assert_close((a * found).sum(dim=1).acos(), t * whole)


@pytest.mark.parametrize("other", [2.0, -3.0, 0.0], ids=["parallel", "opposite", "nought"])
def test_slerp_without_an_arc_is_a_line(other: float) -> None:
    a = drawn(4)[0]
    torch.testing.assert_close(slerp(a, other * a, 0.3), lerp(a, other * a, 0.3))
    torch.testing.assert_close(slerp(other * a, a, 0.3), lerp(other * a, a, 0.3))


def test_codes_of_convolutional_generators_are_one_vector_each() -> None:
    """A code of shape (n, c, 1, 1) has no arc along its last dimension."""
    a, b = drawn(4)
    wide = slerp(a.view(4, 6, 1, 1), b.view(4, 6, 1, 1), 0.4)
    assert wide.shape == (4, 6, 1, 1)
    torch.testing.assert_close(wide.flatten(1), slerp(a, b, 0.4))
    assert slerp(a.float(), b.float(), 0.4).dtype == torch.float32


# Perceptual path length


@pytest.mark.parametrize("endpoints", ["end", "full"])
@pytest.mark.parametrize("epsilon", [1e-4, 0.1])
def test_the_path_length_of_a_linear_generator_is_that_of_its_lines(endpoints: str, epsilon: float) -> None:
    """G(a + t(b - a)) moves by t A(b - a): the step does not enter, nor where it begins."""
    G = Linear()
    a, b = drawn(200)
    with torch.no_grad():
        wanted = trimmed(G(b - a).flatten(1).square().sum(dim=1).tolist())
    assert ppl(G, endpoints=endpoints, epsilon=epsilon) == pytest.approx(wanted, rel=1e-9)


def test_on_arcs_it_is_that_of_the_arcs() -> None:
    """The velocity at a of the arc to b is ω / sin ω (b - a cos ω)."""
    G = Linear()
    a, b = drawn(200)
    cosine = (a * b).sum(dim=1, keepdim=True) / a.norm(dim=1, keepdim=True) / b.norm(dim=1, keepdim=True)
    angle = cosine.acos()
    with torch.no_grad():
        velocity = G(angle / angle.sin() * (b - a * cosine)).flatten(1)
    wanted = trimmed(velocity.square().sum(dim=1).tolist())
    assert ppl(G, interpolation="slerp") == pytest.approx(wanted, rel=1e-3)  # the chord of a step of 1e-4
    assert ppl(G, interpolation="lerp") != pytest.approx(wanted, rel=1e-2)


def test_twice_the_pace_is_four_times_the_length() -> None:
    G = Linear()
    assert ppl(lambda z: G(2 * z)) == pytest.approx(4 * ppl(G), rel=1e-9)


def test_where_a_path_begins_matters_to_a_crooked_generator() -> None:
    G = Linear()

    def crooked(z: Tensor) -> Tensor:
        return G(z**3 / 10)

    assert ppl(crooked, endpoints="end") > 1.5 * ppl(crooked, endpoints="full")


def test_ranges_and_grey_pictures_are_brought_to_the_same() -> None:
    G = Linear(channels=1)
    plain = ppl(G)
    assert ppl(lambda z: (G(z) + 1) / 2, value_range=(0, 1)) == pytest.approx(plain, rel=1e-6)
    assert ppl(lambda z: (G(z) + 1) * 127.5, value_range=(0, 255)) == pytest.approx(plain, rel=1e-6)
    assert ppl(lambda z: G(z).expand(-1, 3, -1, -1)) == pytest.approx(plain, rel=1e-12)


def test_pictures_are_resized_by_areas_or_bilinearly() -> None:
    G, coarse = Linear(), Linear(side=4)
    shrunk = ppl(G, resize=4)
    assert shrunk == pytest.approx(
        ppl(lambda z: G(z).view(len(z), 3, 4, 4, 4, 4).mean(dim=(3, 5)), resize=None), rel=1e-9
    )
    grown = ppl(coarse, resize=SIDE)
    assert grown > 5 * ppl(coarse, resize=None)  # sixteen times the pixels, smoothed


class Norms(nn.Module):
    """A small float32 generator with batch normalisation: in train mode pictures would depend on their batch."""

    def __init__(self) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(3)
        self.lift, self.norm = nn.Linear(6, 3 * SIDE * SIDE), nn.BatchNorm1d(3 * SIDE * SIDE)
        with torch.no_grad():
            for part in self.lift.parameters():
                part.copy_(0.3 * torch.randn(part.shape, generator=stream))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.lift(z.float()))).view(-1, 3, SIDE, SIDE)


def test_the_batch_size_changes_nothing_beyond_rounding() -> None:
    """Rounding of float32 pixels, 1e-7, against steps of about 1e-4 each: some 1e-3 on a path, less on the mean."""
    G = Norms()
    few, many = (ppl(G, batch_size=size, n=100) for size in (7, 100))
    assert few == pytest.approx(many, rel=1e-4)
    smooth = [
        interpolation_smoothness(G, sample=codes, distance=pixels, resize=None, n=12, steps=5, batch_size=size)
        for size in (1, 60)
    ]
    for key in smooth[0]:
        assert value(smooth[0][key]) == pytest.approx(value(smooth[1][key]), rel=1e-5)


def test_the_seed_decides_and_global_state_is_left_alone() -> None:
    G = Linear()
    state, mode, grad = torch.get_rng_state(), G.training, torch.is_grad_enabled()
    first = ppl(G)
    torch.manual_seed(1)
    assert ppl(G) == first
    assert ppl(G, seed=1) != pytest.approx(first, rel=1e-3)
    torch.set_rng_state(state)
    ppl(G)
    assert torch.equal(torch.get_rng_state(), state)
    assert (G.training, torch.is_grad_enabled()) == (mode, grad)


def test_modes_come_back_module_by_module() -> None:
    G = Norms()
    G.lift.eval()
    before = G.norm.running_mean.clone()
    ppl(G, n=10)
    assert (G.training, G.lift.training, G.norm.training) == (True, False, True)
    assert torch.equal(G.norm.running_mean, before)


def test_the_default_distance_needs_no_download_and_tells_calm_from_restless() -> None:
    G = Norms()
    calm = perceptual_path_length(lambda z: G.eval()(0.5 * z), z_dim=6, n=24)["ppl"]
    restless = perceptual_path_length(lambda z: G.eval()(2 * z), z_dim=6, n=24)["ppl"]
    assert 0 < value(calm) < value(restless)
    assert calm.ci95 is not None


def test_the_embedded_distance_is_quadratic_in_small_steps() -> None:
    """So the path length does not depend on ε: float32 rounding and curvature stay below a few per cent."""
    G = Norms().eval()
    given: dict[str, Any] = {"z_dim": 6, "n": 24}
    fine, coarse = (value(perceptual_path_length(G, epsilon=e, **given)["ppl"]) for e in (1e-4, 1e-3))
    assert fine == pytest.approx(coarse, rel=0.05)


def test_without_the_weights_of_lpips_the_ways_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(**given: Any) -> Lpips:
        raise Unavailable("The weights vgg16-397923af.pth are needed and are not on this machine.")

    monkeypatch.setattr(Lpips, "load", nowhere)
    with pytest.raises(Unavailable, match=r"(?s)vgg16-397923af\.pth.*Lpips\.load\(vgg=FILE, heads=FILE\).*embedded"):
        ppl(Linear(), distance="lpips")


# What a generator may not do


def refused(G: Any, match: str, **given: Any) -> None:
    with pytest.raises(BadInput, match=match):
        ppl(G, **given)
    with pytest.raises(BadInput, match=match):
        interpolation_smoothness(G, sample=codes, distance=pixels, resize=None, n=3, **given)


def test_rounded_pictures_are_refused() -> None:
    G = Linear()
    refused(lambda z: ((G(z) + 1) * 127.5).to(torch.uint8), r"torch\.uint8.*1146\.89.*31\.04.*as floats")
    refused(lambda z: ((G(z) + 1) * 127.5).round() / 127.5 - 1, "rounded to 8 bits")


def test_other_output_is_refused() -> None:
    G = Linear()
    refused(lambda z: G(z).flatten(1), r"must give pictures \(n, 3, h, w\)")
    refused(lambda z: G(z)[:1], "for 3 codes|for 4 codes")
    refused(lambda z: G(z) * torch.nan, "NaN or infinite")
    refused(lambda z: (G(z) + 1) * 127.5, r"most of them outside -1\.\.1.*value_range=")
    refused(lambda z: 40 * G(z), r"many of them outside -1\.\.1.*value_range=")
    refused(lambda z: torch.tanh(40 * G(z)), r"outside 0\.\.1.*value_range=", value_range=(0, 1))
    refused(lambda z: torch.sigmoid(G(z)), r"next to nothing of 0\.\.255.*value_range=", value_range=(0, 255))
    refused(lambda z: G(z) + 1e-4 * torch.randn(len(z), 3, SIDE, SIDE), "Fix its noise")


def test_pictures_a_little_beyond_their_range_are_taken() -> None:
    """As generators without a last tanh give them."""
    G = Linear()
    scale = 0.9 / float(G(drawn(200)[0]).detach().abs().quantile(0.99))
    assert ppl(lambda z: scale * G(z)) > 0


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16], ids=["half", "bfloat16"])
def test_small_steps_in_half_precision_are_refused(kind: torch.dtype) -> None:
    """They would measure the rounding: here several times the path length."""
    G = Linear()
    scale = 0.9 / float(G(drawn(200)[0]).detach().abs().max())

    def coarse(z: Tensor) -> Tensor:
        return (scale * G(z)).to(kind)

    with pytest.raises(BadInput, match=r"do not follow small steps.*half precision.*f32.*larger epsilon"):
        ppl(coarse)
    with pytest.raises(BadInput, match="do not follow small steps"):
        ppl(coarse, endpoints="full")
    assert ppl(coarse, epsilon=0.5) == pytest.approx(ppl(lambda z: scale * G(z), epsilon=0.5), rel=0.01)


def test_a_crooked_generator_follows_small_steps() -> None:
    G = Linear()
    for crooked in (lambda z: G(torch.relu(z)), lambda z: G(torch.sin(20 * z)), lambda z: torch.tanh(30 * G(z**3))):
        assert ppl(crooked) > 0
    assert ppl(lambda z: torch.full((len(z), 3, 4, 4), 0.1234)) == 0


@pytest.mark.parametrize("z_dim", [7, (6, 1, 1), 5])
def test_codes_that_the_generator_does_not_take_are_named(z_dim: Any) -> None:
    shape = (z_dim,) if isinstance(z_dim, int) else z_dim
    G = Linear()

    def narrow(z: Tensor) -> Tensor:
        return G(z.flatten(1) if z.dim() == 2 else z)

    wanted = rf"G fails on torch\.float32 codes of shape {re.escape(str((4, *shape)))} on cpu.*Give z_dim="
    with pytest.raises(UsageError, match=wanted):
        perceptual_path_length(narrow, z_dim=z_dim, distance=pixels, n=20)
    with pytest.raises(UsageError, match=wanted):
        interpolation_smoothness(narrow, z_dim=z_dim, distance=pixels, n=20)


@pytest.mark.parametrize(
    ("drawn_codes", "found"),
    [
        (lambda n, stream: torch.zeros(n + 1, 6), r"torch\.float32 of shape \(201, 6\)"),
        (lambda n, stream: torch.zeros(n), r"torch\.float32 of shape \(200,\)"),
        (lambda n, stream: torch.zeros(n, 6, dtype=torch.int64), r"torch\.int64"),
        (lambda n, stream: np.zeros((n, 6)), "ndarray"),
    ],
)
def test_what_sample_draws_are_codes(drawn_codes: Any, found: str) -> None:
    with pytest.raises(UsageError, match=rf"sample= must give a float tensor \(200, \.\.\.\).*found {found}"):
        ppl(Linear(), sample=drawn_codes)


def compiled(G: nn.Module, **options: str) -> Any:
    """G as OpenVINO compiles it for the CPU."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'ganbench[cpu]'")
    from ganbench.features.backends.openvino import openvino_package

    package = openvino_package()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's advice
        model = package.convert_model(G, example_input=torch.zeros(4, 6))
    return package.Core().compile_model(model, "CPU", options)


def test_a_generator_that_openvino_compiled_gives_what_torch_gives() -> None:
    G = Norms().eval()
    model = compiled(G, INFERENCE_PRECISION_HINT="f32")
    given: dict[str, Any] = {"z_dim": 6, "sample": None, "epsilon": 1e-3}
    wrapped = ppl(lambda z: torch.from_numpy(model(z.numpy())[0]), **given)
    assert wrapped == pytest.approx(ppl(G, **given), rel=1e-3)


def test_what_openvino_gives_must_be_wrapped() -> None:
    model = compiled(Norms().eval())
    with pytest.raises(BadInput, match=r"as a model compiled by OpenVINO does.*torch\.from_numpy.*f32"):
        ppl(model, z_dim=6, sample=None)
    with pytest.raises(UsageError, match=r"Unknown device 'openvino'\. There are: auto, cpu"):
        ppl(Norms(), device="openvino")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"sample": None}, "Give either z_dim="),
        ({"z_dim": 6}, "Give either z_dim="),
        ({"sample": None, "z_dim": 0}, "z_dim must be"),
        ({"sample": None, "z_dim": "6"}, "z_dim must be"),
        ({"sample": None, "z_dim": 6.0}, "z_dim must be"),
        ({"sample": None, "z_dim": True}, "z_dim must be"),
        ({"sample": None, "z_dim": ()}, "z_dim must be"),
        ({"n": 1}, "n must be a whole number of at least 2"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"epsilon": 0.0}, "epsilon must be above 0"),
        ({"interpolation": "cubic"}, "Unknown interpolation 'cubic'. There are: lerp, slerp"),
        ({"endpoints": "both"}, "Unknown endpoints 'both'"),
        ({"distance": "vgg"}, "Unknown distance 'vgg'. There are: embedded, lpips"),
        ({"value_range": (-2, 2)}, "value_range must be"),
        ({"resize": 0}, "resize must be"),
        ({"distance": lambda a, b: pixels(a, b).mean()}, r"A distance must give \(n,\)"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        ppl(Linear(), **given)


# The metric alone


def test_the_metric_is_its_slow_twin() -> None:
    for n in (2, 50, 333):
        parts = np.random.default_rng(n).lognormal(size=(n, 3))
        found = Ppl().compute(fake=Features(parts), real=None)["ppl"]
        assert found.value == pytest.approx(trimmed(parts.sum(axis=1)), rel=1e-12)
        assert found.details["untrimmed"] == pytest.approx(parts.sum() / n)
        assert (found.ci95 is None) == (n < 20)


def test_outliers_are_left_out() -> None:
    steps = np.ones((1000, 1))
    steps[:5], steps[5:9] = 1e6, 0.0
    assert value(Ppl().compute(fake=Features(steps), real=None)["ppl"]) == 1.0


def test_its_interval_holds_the_truth() -> None:
    """95 % of intervals, on skewed steps; the truth is the trimmed mean of very many."""
    rng = np.random.default_rng(0)
    truth = value(Ppl().compute(fake=Features(rng.gamma(2.0, size=(400_000, 1))), real=None)["ppl"])
    held = 0
    for _ in range(400):
        interval = Ppl().compute(fake=Features(rng.gamma(2.0, size=(300, 1))), real=None)["ppl"].ci95
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert 0.92 <= held / 400 <= 0.98  # 0.95 with a standard error of 0.011


def test_negative_distances_and_percentiles_are_refused() -> None:
    with pytest.raises(BadInput, match="squared distance of -1"):
        Ppl().compute(fake=Features(np.array([[1.0], [-1.0]])), real=None)
    with pytest.raises(UsageError, match="lower must be a percentage"):
        Ppl(lower=60.0)


# Smoothness


def smoothness(G: Any, **given: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"sample": codes, "distance": pixels, "resize": None, "n": 20, "steps": 8}
    return interpolation_smoothness(G, **plain | given)


def test_lines_of_a_linear_generator_are_even_and_straight() -> None:
    G = Linear()
    found = smoothness(G, interpolation="lerp")
    a, b = drawn(20)
    with torch.no_grad():
        wanted = G(b - a).flatten(1).norm(dim=1).mean() / 8
    assert value(found["step_length"]) == pytest.approx(float(wanted), rel=1e-9)
    assert value(found["unevenness"]) == pytest.approx(1, rel=1e-9)
    assert value(found["detour"]) == pytest.approx(1, rel=1e-9)
    assert found["step_length"].series["step"] == pytest.approx([float(wanted)] * 8)


def test_arcs_are_longer_than_their_chords() -> None:
    """A quarter circle in k chords: k 2 sin(π / 4k) against √2."""
    axes = iter([torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 1.0]]).double()])

    def shown(z: Tensor) -> Tensor:
        return 0.1 + 0.01 * z.repeat(1, 6).view(len(z), 3, 2, 2)

    found = smoothness(shown, sample=lambda n, stream: next(axes).repeat(n, 1), interpolation="slerp", steps=5)
    assert value(found["detour"]) == pytest.approx(5 * 2 * math.sin(math.pi / 20) / math.sqrt(2), rel=1e-9)
    assert value(found["unevenness"]) == pytest.approx(1, rel=1e-9)


def test_a_leap_is_uneven_and_what_stands_still_has_no_evenness() -> None:
    """All the change in one step of eight: the largest is eight times the mean."""
    G = Linear(z_dim=1)

    def leaping(z: Tensor) -> Tensor:
        return G((z[:, :1] > 0.52).double()) + 0.01

    starts = iter([torch.zeros(20, 1).double(), torch.ones(20, 1).double()])
    found = smoothness(leaping, sample=lambda n, stream: next(starts), interpolation="lerp")
    assert value(found["unevenness"]) == pytest.approx(8)
    assert value(found["detour"]) == pytest.approx(1)
    still = smoothness(lambda z: torch.full((len(z), 3, 4, 4), 0.1234))
    assert value(still["step_length"]) == 0
    for key, why in (("unevenness", "no path changes anything"), ("detour", "every path ends on the picture")):
        assert still[key].value is None
        assert why in still[key].reason


def test_a_crooked_generator_goes_a_longer_way() -> None:
    G = Linear()
    found = smoothness(lambda z: G(torch.sin(3 * z)))
    assert value(found["detour"]) > 1.5
    assert value(found["unevenness"]) > 1.2
    assert found["detour"].ci95[0] >= 1


# The package


def test_they_are_reached_from_the_package_without_loading_torch_for_it() -> None:
    assert ganbench.perceptual_path_length is perceptual_path_length
    assert ganbench.interpolation_smoothness is interpolation_smoothness
    text = "import sys, ganbench; assert 'perceptual_path_length' in dir(ganbench); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", text], check=True)
