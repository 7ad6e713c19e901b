"""`ganbench explore`: what it draws, what it measures, and that nothing is written over."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import kstest, truncnorm
from torch import Tensor

from ganbench.bench.plan import plan_run
from ganbench.bench.sampling import open_trained
from ganbench.bench.train import train
from ganbench.cli.main import cli
from ganbench.errors import UsageError
from ganbench.explore import probe as probes
from ganbench.explore import run as runs
from ganbench.explore import walks
from ganbench.explore.arithmetic import arithmetic, shifted
from ganbench.explore.run import explore
from ganbench.explore.scene import Scene, Skipped, scene_of, to_pixels
from ganbench.explore.sheets import sheet
from ganbench.explore.sweeps import sorted_by
from ganbench.explore.truncation import cut
from ganbench.features.interpolation import slerp
from ganbench.results import Score
from ganbench.variants._base import Variant

SETTINGS = {"stylegan": ("width=4", "z_dim=8", "r1_every=2"), "infogan": (), "cgan": (), "pacgan": (), "vae": ()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of a few steps on digits."""
    top, found = tmp_path_factory.mktemp("runs"), {}
    for variant, settings in SETTINGS.items():
        spec = plan_run(variant, data="digits", budget="4steps", backbone="info28-nano", batch_size=8, judged=0,
                        settings=settings)  # fmt: skip
        found[variant] = top / variant
        train(spec, found[variant])
    spec = plan_run("ns-gan", data="ring8-pacgan", budget="2steps", batch_size=8, judged=0)
    train(spec, top / "points")
    return {**found, "points": top / "points"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few paths and few reals."""
    monkeypatch.setattr(walks, "_PATHS", 2)
    monkeypatch.setattr(probes, "_LEARNT", 100)
    monkeypatch.setattr(probes, "_TESTED", 100)


def scene(folder: Path, num: int = 50) -> Scene:
    return scene_of(open_trained(folder), seed=5, num=num, offline=True)


# ---------------------------------------------------------------- the whole of it


def test_a_run_with_codes_from_end_to_end(folders: dict[str, Path], quick: None, tmp_path: Path) -> None:
    out = tmp_path / "seen"
    done = CliRunner().invoke(cli, ["explore", str(folders["infogan"]), "--out", str(out), "-n", "60", "--offline"])
    assert done.exit_code == 0, done.output
    told = json.loads((out / "explore.json").read_text())
    assert told["schema"] == "ganbench.explore/1"
    assert (told["variant"], told["data"], told["weights"], told["seed"]) == ("infogan", "digits", "averaged", 2020)
    assert told["classifier"]["name"] == "digits"
    assert told["classifier"]["accuracy"] > 0.9
    assert list(told["parts"]) == ["interpolation", "arithmetic", "truncation", "codes", "classes", "probe"]
    assert told["parts"]["classes"] == {"skipped": "it is told no classes"}
    named = {name for part in told["parts"].values() for name in part.get("pictures", [])}
    assert named == {path.name for path in out.iterdir()} - {"explore.json"}
    assert {"interpolation-z.png", "truncation-z.png", "codes-category.png", "codes-continuous-1.png"} <= named
    for name in named:
        with Image.open(out / name) as picture:
            assert np.asarray(picture).std() > 1
    codes = told["parts"]["codes"]
    assert (codes["categories"], codes["continuous"]) == (10, 2)
    assert codes["nmi"]["real"]["images"] == "digits:test"
    assert codes["nmi"]["real"]["n"] == 898
    assert 0 <= codes["nmi"]["fake"]["value"] <= 1
    features = told["parts"]["probe"]["features"]
    assert list(features) == ["pixels", "D_last", "D_layers", "untrained_D_last", "untrained_D_layers"]
    assert features["pixels"]["width"] == 1024
    assert features["D_last"]["width"] == 256
    assert features["D_layers"]["width"] == (32 + 64) * 16
    assert features["pixels"]["accuracy"] > 0.6
    assert features["D_last"] != features["untrained_D_last"]
    assert "NMI of the category" in done.output
    assert str(out) in done.output


def test_equal_seeds_give_equal_pictures_and_others_do_not(
    folders: dict[str, Path], quick: None, tmp_path: Path
) -> None:
    parts = ["interpolation", "truncation", "codes"]
    first, again, other = (
        explore(folders["infogan"], tmp_path / name, parts=parts, seed=seed, num=30, offline=True)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    for path in sorted((tmp_path / "a").glob("*.png")):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        assert path.read_bytes() != (tmp_path / "c" / path.name).read_bytes()
    assert first["parts"]["interpolation"] != other["parts"]["interpolation"]
    alone = explore(folders["infogan"], tmp_path / "d", parts=["truncation"], seed=1, num=30, offline=True)
    assert alone["parts"]["truncation"] == first["parts"]["truncation"], "whatever else was looked at"


def test_a_run_with_styles_has_walks_and_truncation_in_w(folders: dict[str, Path], quick: None, tmp_path: Path) -> None:
    out = tmp_path / "seen"
    told = explore(folders["stylegan"], out, parts=["interpolation", "truncation", "probe"], num=30, offline=True)
    walked, truncated = told["parts"]["interpolation"], told["parts"]["truncation"]
    assert (walked["z"]["kind"], walked["w"]["kind"]) == ("slerp", "lerp")
    assert walked["w"]["path_length"]["value"] > 0
    assert [each["at"] for each in truncated["w"]] == ["0", "0.25", "0.5", "0.75", "1"]
    spreads = [each["spread"] for each in truncated["w"]]
    assert spreads == sorted(spreads)
    assert {path.name for path in out.glob("*.png")} == {
        "interpolation-z.png", "interpolation-w.png", "truncation-z.png", "truncation-w.png",
    }  # fmt: skip
    assert set(told["parts"]["probe"]["features"]) >= {"D_last", "D_layers"}


def test_a_run_that_is_told_classes_has_rows_of_them(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "seen"
    told = explore(folders["cgan"], out, parts=["classes", "arithmetic", "codes", "probe"], num=100, offline=True)
    assert told["parts"]["classes"]["of_each"] == 10
    assert len(told["parts"]["classes"]["by_class"]) == 10
    assert "told beside the code" in told["parts"]["arithmetic"]["skipped"]
    assert "codes say nothing" in told["parts"]["codes"]["skipped"]
    assert "reads 2 channels at once, an image has 1" in told["parts"]["probe"]["skipped"]
    seen = scene(folders["cgan"])
    z = seen.codes(3)
    one, other = (seen.floats(z, torch.full((3,), label)) for label in (1, 2))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("variant", "reason"), [("pacgan", "reads 2 channels"), ("vae", "no discriminator")])
def test_what_has_no_d_for_one_image_has_no_probe(folders: dict[str, Path], variant: str, reason: str) -> None:
    with pytest.raises(Skipped, match=reason):
        probes.discriminator_of(scene(folders[variant]).variant)


# ---------------------------------------------------------------- what is refused


def test_nothing_is_written_over(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files already, and nothing is written over them"):
        explore(folders["vae"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_points_and_unknown_parts_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="This run learnt points, ring8-pacgan"):
        explore(folders["points"], tmp_path / "x")
    with pytest.raises(UsageError, match="Did you mean 'truncation'"):
        explore(folders["vae"], tmp_path / "x", parts=["truncaton"])
    assert not (tmp_path / "x").exists()


# ---------------------------------------------------------------- walks


def test_walks_begin_and_end_at_their_codes_and_keep_the_noise(folders: dict[str, Path]) -> None:
    seen = scene(folders["stylegan"])
    codes = seen.codes(6)
    a, b = codes[:3], codes[3:]
    behind = torch.cat([b[:, :8], a[:, 8:]], dim=1)
    middle = torch.cat([slerp(a[:, :8], b[:, :8], 0.5), a[:, 8:]], dim=1)
    for walk in (walks.in_z(seen), walks.in_w(seen)):
        close = {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(walk(a, b, torch.zeros(3)), seen.floats(a), **close)
        torch.testing.assert_close(walk(a, b, torch.ones(3)), seen.floats(behind), **close)
    torch.testing.assert_close(walks.in_z(seen)(a, b, torch.full((3,), 0.5)), seen.floats(middle))
    assert not torch.allclose(walks.in_w(seen)(a, b, torch.full((3,), 0.5)), seen.floats(middle), atol=1e-5)


def test_a_score_without_a_value_says_why() -> None:
    assert walks.told(Score(2.0, ci95=(1.0, 3.0))) == {"value": 2.0, "ci95": [1.0, 3.0]}
    assert walks.told(Score(None, reason="nothing moves")) == {"value": None, "reason": "nothing moves"}


# ---------------------------------------------------------------- truncation


def test_numbers_are_cut_to_the_normal_distribution_within_t() -> None:
    z = torch.randn(4000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for t in (0.25, 1.0, 2.0):
        found = cut(z, t)
        assert float(found.abs().max()) <= t
        assert torch.equal(found.argsort(), z.argsort()), "order is kept"
        assert kstest(found.numpy(), truncnorm(-t, t).cdf).pvalue > 0.01
    torch.testing.assert_close(cut(z, 8.0), z, rtol=1e-5, atol=1e-5)
    assert torch.equal(cut(z, math.inf), z)


# ---------------------------------------------------------------- arithmetic


@dataclass(frozen=True, eq=False)
class Signs(Scene):
    """A world of three classes whose pictures tell the largest of the first three numbers of a code."""

    built: Any = None
    seed: int = 3
    num: int = 400
    classifier: Any = None

    @property
    def variant(self) -> Any:
        return SimpleNamespace(walked=6, z_dim=8)

    @property
    def judge(self) -> Any:
        return SimpleNamespace(name="signs", prior=np.ones(3) / 3)

    def afforded(self, wanted: int, *, times: int = 1) -> int:
        return wanted

    def codes(self, n: int, *, start: int = 0) -> Tensor:
        return torch.randn(n, 8, generator=torch.Generator().manual_seed(4))

    def floats(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return z[:, :6].reshape(-1, 1, 2, 3).clamp(-1, 1) + 10 * z[:, :6].reshape(-1, 1, 2, 3)

    def scores(self, pictures: Tensor) -> NDArray[np.float64]:
        return pictures.flatten(1)[:, :3].softmax(1).double().numpy()


def test_arithmetic_moves_codes_to_the_class_that_was_asked_for() -> None:
    found = arithmetic(Signs())
    shares = found.numbers["share_judged_as_wanted"]
    assert shares["times_1"] > 0.6
    assert shares["times_4"] > 0.97
    assert shares["control"] < 0.5
    assert [(pair["from"], pair["to"]) for pair in found.numbers["pairs"]] == [(0, 1), (1, 2), (2, 0)]
    assert sum(found.numbers["counts"]) == 400
    assert found.sheets["arithmetic"].ndim == 3


def test_moved_codes_keep_their_length() -> None:
    z, direction = torch.randn(5, 7, generator=torch.Generator().manual_seed(1)), torch.arange(7.0)
    found = shifted(z, direction, 2.0)
    torch.testing.assert_close(found.norm(dim=1), z.norm(dim=1))
    wanted = z + 2 * direction
    torch.testing.assert_close(found / found.norm(dim=1, keepdim=True), wanted / wanted.norm(dim=1, keepdim=True))


# ---------------------------------------------------------------- sorting


def test_nmi_and_accuracy_of_known_sortings() -> None:
    label = np.repeat(np.arange(4), 50)
    assert sorted_by(np.array([2, 0, 3, 1])[label], label) == {"value": pytest.approx(1.0), "accuracy": 1.0}
    mixed = sorted_by(np.tile(np.arange(2), 100), label)
    assert mixed["value"] == pytest.approx(0.0, abs=1e-9)
    assert mixed["accuracy"] == 0.5 / 2 * 1
    halves = sorted_by(label // 2, label)  # ln 2 known, of entropies ln 2 and ln 4
    assert halves["value"] == pytest.approx(math.log(2) / (0.5 * (math.log(2) + math.log(4))))
    assert halves["accuracy"] == 0.5


# ---------------------------------------------------------------- the scene, the sheets, the probe


def test_slow_samplers_make_fewer(folders: dict[str, Path]) -> None:
    seen = scene(folders["vae"], num=700)
    assert seen.afforded(700) == 700
    assert seen.afforded(20, times=5) == 20
    slow = SimpleNamespace(cost=SimpleNamespace(sampling_flops=1e11))
    assert Scene(slow, 0, 700, None).afforded(700) == 40  # type: ignore[arg-type]
    assert Scene(slow, 0, 700, None).afforded(700, times=4) == 10  # type: ignore[arg-type]
    assert Scene(slow, 0, 700, None).afforded(700, times=100) == 8  # type: ignore[arg-type]


def test_codes_are_each_its_own(folders: dict[str, Path]) -> None:
    seen = scene(folders["vae"])
    assert torch.equal(seen.codes(5), seen.codes(9)[:5])
    assert torch.equal(seen.codes(9)[4:], seen.codes(5, start=4))


def test_data_without_a_classifier_say_so(folders: dict[str, Path]) -> None:
    seen = scene(folders["vae"])
    without = Scene(seen.built, 5, 50, None)
    with pytest.raises(Skipped, match="There is no classifier for digits"):
        _ = without.judge
    assert set(runs.truncation(without).numbers["z"][0]) == {"at", "n", "spread"}


def test_a_sheet_holds_its_pictures_row_by_row() -> None:
    pictures = torch.linspace(-1, 1, 6).view(6, 1, 1, 1).expand(6, 1, 48, 48)
    found = sheet(pictures, rows=["a", "bb"], columns=["1", "2", "3"], title="all")
    height, width, _ = found.shape
    assert height == 36 + 2 * 50
    for number, value in enumerate(to_pixels(pictures)[:, 0, 0, 0]):
        i, j = divmod(number, 3)
        inside = found[36 + i * 50 : 36 + i * 50 + 48, width - 150 + j * 50 : width - 150 + j * 50 + 48]
        assert (inside == value).all()


def test_a_probe_reads_what_is_there_and_no_more() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 600)
    told = np.eye(4, dtype=np.float32)[y] + rng.normal(0, 0.1, (600, 4)).astype(np.float32)
    noise = rng.normal(0, 1, (600, 4)).astype(np.float32)
    assert probes._accuracy(told[:400], y[:400], told[400:], y[400:]) == 1.0
    assert probes._accuracy(noise[:400], y[:400], noise[400:], y[400:]) < 0.4


def test_features_do_not_depend_on_the_batch(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scene(folders["stylegan"])
    data, rows = seen.reals("test"), torch.arange(23)
    D = probes.discriminator_of(seen.variant)
    whole = probes._both(seen.variant, D, data, rows)
    monkeypatch.setattr(probes, "_BATCH", 7)
    for one, other in zip(whole, probes._both(seen.variant, D, data, rows), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert isinstance(seen.variant, Variant)


def test_what_makes_images_of_images_is_refused(folders: dict[str, Path]) -> None:
    built = open_trained(folders["vae"])
    told = replace(built.variant.problem, condition=(1, 32, 32))
    built.variant.problem = told
    with pytest.raises(UsageError, match="vae makes images of images or captions"):
        scene_of(built, seed=0, num=10, offline=True)
