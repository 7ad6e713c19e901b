"""Classes that travel with images: for samples, for a reference given as images, and in the names of stored scores."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]
N, SIDE = 24, 16
ASKED = ("--protocol", "embedded", "--backend", "torch", "--quiet", "--json", "-")
REFERENCE = ("--ref", "./real", "--ref-test", "./held")
BREEDS = "filename,breed\na.png,beagle\n"


def table(classes: Sequence[int]) -> str:
    return "name,label\n" + "".join(f"{i:03}.png,{c}\n" for i, c in enumerate(classes))


GOOD, OTHER = table([i % 2 for i in range(N)]), table([i // 2 % 2 for i in range(N)])


@pytest.fixture(scope="module", autouse=True)
def folders(lasting: Path, pictures: Run, folder_of: Run) -> None:
    """Samples and reals of two classes, one half dark."""
    for seed, name in enumerate(("fake", "real", "held")):
        images = pictures(N, seed=seed, side=SIDE)
        images[::2] //= 3
        folder_of(lasting / name, images)


@pytest.fixture(autouse=True)
def tables(folders: None) -> None:
    for name in ("fake", "real", "held"):
        Path(name, "labels.csv").write_text(GOOD)


@pytest.fixture(autouse=True)
def short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What classifiers learn is no matter here."""
    monkeypatch.setattr("ganbench.metrics._training.steps_for", lambda *_, **__: 6)


@pytest.fixture
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError("a score was computed")

    monkeypatch.setattr("ganbench.evaluation.finish.compute", computed)


def result(run: Run, *more: object, samples: str = "fake", ref: Sequence[str] = REFERENCE) -> dict[str, Any]:
    done = run("eval", samples, *ref, *ASKED, *more)
    assert done.code == 0, done.err
    return dict(json.loads(done.out))


def scores(run: Run, metrics: str, *more: object, **given: Any) -> dict[str, Any]:
    return dict(result(run, "--metrics", metrics, *more, **given)["metrics"])


def values(found: dict[str, Any]) -> dict[str, float]:
    return {key: each["value"] for key, each in found.items()}


def write_labels(*names: str, text: str) -> None:
    for name in names:
        Path(name, "labels.csv").write_text(text)


def test_the_metrics_of_classes_need_no_option(run: Run) -> None:
    found = scores(run, "intra_fid,cas,gan_test")
    assert found["intra_fid"]["series"]["class"] == [0, 1]
    assert found["intra_fid"]["series"]["n_fake"] == found["intra_fid"]["series"]["n_real"] == [N / 2, N / 2]
    for key in ("cas", "gan_test"):
        assert found[key]["value"] is not None, found[key]
        assert found[key]["series"]["class"] == [0, 1]
        assert (found[key]["n_fake"], found[key]["n_real"]) == (N, N)


def test_augmentation_looks_at_such_a_reference_too(run: Run) -> None:
    assert scores(run, "augmentation")["augmentation"]["series"]["labels"] == [N]


def test_the_option_overrides_what_travels(run: Run) -> None:
    travelling = values(scores(run, "intra_fid"))
    Path("given.csv").write_text(OTHER)
    given = values(scores(run, "intra_fid", "--labels", "given.csv"))
    assert given != travelling
    write_labels("fake", text=OTHER)
    assert values(scores(run, "intra_fid")) == given


@pytest.mark.parametrize("kind", ["zip", "npz"])
def test_archives_bring_theirs(run: Run, kind: str) -> None:
    if kind == "zip":
        names = ["fake", "real"]
        for name in names:
            shutil.make_archive(name, "zip", name)
    else:
        from ganbench.images.source import open_images

        for name in ("fake", "real"):
            pixels = np.stack([image.pixels.transpose(1, 2, 0) for image in open_images(name).images()])
            np.savez(f"{name}.npz", pixels, np.arange(N) % 2)
    packed = scores(run, "intra_fid,gan_test", samples=f"fake.{kind}", ref=("--ref", f"real.{kind}", *REFERENCE[2:]))
    assert values(packed) == values(scores(run, "intra_fid,gan_test"))


def test_images_that_are_passed_over_take_their_classes_along(run: Run, lasting: Path) -> None:
    for name in ("real", "fake"):
        shutil.copytree(lasting / name, lasting / f"broken-{name}")
        (lasting / f"broken-{name}" / "003.png").write_bytes(b"no image")
        shutil.copytree(lasting / name, lasting / f"fewer-{name}")
        (lasting / f"fewer-{name}" / "003.png").unlink()
    skipping = scores(
        run, "intra_fid,gan_test", "--on-bad-image", "skip",
        samples="broken-fake", ref=("--ref", "./broken-real", *REFERENCE[2:]),
    )  # fmt: skip
    fewer = scores(run, "intra_fid,gan_test", samples="fewer-fake", ref=("--ref", "./fewer-real", *REFERENCE[2:]))
    assert values(skipping) == values(fewer)
    assert skipping["intra_fid"]["series"]["n_real"] == [N / 2, N / 2 - 1]


# ---------------------------------------------------------------- a labels.csv that is none


@pytest.mark.parametrize("side", ["fake", "real"])
def test_a_stray_table_is_no_matter_of_metrics_without_classes(run: Run, side: str) -> None:
    before = result(run, "--metrics", "fid,precision_recall")
    write_labels(side, text=BREEDS)
    after = result(run, "--metrics", "fid,precision_recall", "--no-cache")
    for part in ("metrics", "warnings", "samples", "reference"):
        assert after[part] == before[part]


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
@pytest.mark.parametrize("side", ["fake", "real"])
def test_a_stray_table_takes_away_the_metrics_of_classes_alone(run: Run, side: str, cache: tuple[str, ...]) -> None:
    write_labels(side, text=BREEDS)
    found = scores(run, "fid,intra_fid,gan_test", *cache)
    assert found["frechet_distance"]["value"] is not None
    for key in ("intra_fid", "gan_test"):
        assert found[key]["value"] is None
        assert f"{side}/labels.csv begins with 'filename,breed'; wanted name,label" in found[key]["reason"]
    assert ("--labels FILE" in found["intra_fid"]["reason"]) == (side == "fake")


@pytest.mark.parametrize("side", ["fake", "real"])
def test_where_nothing_else_was_asked_it_is_an_error(run: Run, side: str) -> None:
    write_labels(side, text=GOOD.replace("003", "xyz"))
    done = run("eval", "fake", *REFERENCE, *ASKED, "--metrics", "intra_fid")
    assert done.code == 2
    assert f"{side}/labels.csv does not name '003.png' (1 such images of " in done.message
    assert "rename it" in done.message


def test_with_the_option_a_stray_table_of_the_samples_is_not_read(run: Run) -> None:
    wanted = values(scores(run, "intra_fid"))
    write_labels("fake", text=BREEDS)
    Path("given.csv").write_text(GOOD)
    assert values(scores(run, "intra_fid", "--labels", "given.csv")) == wanted


def test_a_stray_table_is_not_made_up_for_by_a_classifier(run: Run) -> None:
    write_labels("fake", text=BREEDS)
    found = result(run, "--metrics", "fid,intra_fid", ref=("--ref", "digits"))
    assert found["metrics"]["intra_fid"]["value"] is None
    assert found["samples"]["notes"] == []
    Path("fake/labels.csv").unlink()
    found = result(run, "--metrics", "fid,intra_fid", ref=("--ref", "digits"))
    assert "classifier of digits" in found["samples"]["notes"][0]


def test_classes_that_nobody_says_are_asked_for(run: Run) -> None:
    Path("real/labels.csv").unlink()
    assert "'./real' has none" in scores(run, "fid,intra_fid")["intra_fid"]["reason"]


# ---------------------------------------------------------------- stored scores


def test_the_same_classes_need_no_computation(run: Run, request: pytest.FixtureRequest) -> None:
    first = scores(run, "intra_fid,gan_test")
    request.getfixturevalue("nothing_is_computed")
    assert scores(run, "intra_fid,gan_test") == first
    head, *rows = GOOD.splitlines()
    write_labels("real", "fake", "held", text="\n".join([head, *rows[::-1], "gone.png,7"]))  # says the same
    assert scores(run, "intra_fid,gan_test") == first
    with pytest.raises(AssertionError, match="a score was computed"):
        scores(run, "gan_test", "--seed", "5")


@pytest.mark.parametrize(
    ("changed", "metric"), [("real", "intra_fid"), ("fake", "intra_fid"), ("real", "gan_test"), ("held", "gan_test")]
)
def test_other_classes_are_another_score(run: Run, changed: str, metric: str) -> None:
    first = scores(run, metric)[metric]
    write_labels(changed, text=OTHER)
    other = scores(run, metric)[metric]
    assert other != first
    assert other == scores(run, metric, "--no-cache")[metric]
    write_labels(changed, text=GOOD)
    assert scores(run, metric)[metric] == first


def test_classes_are_no_matter_of_other_scores(run: Run, request: pytest.FixtureRequest) -> None:
    first = scores(run, "fid")
    write_labels("real", "fake", "held", text=OTHER)
    request.getfixturevalue("nothing_is_computed")
    assert scores(run, "fid")["frechet_distance"] == first["frechet_distance"]


# ---------------------------------------------------------------- references made of images


@pytest.fixture
def made(run: Run, lasting: Path) -> Callable[..., str]:
    def make(name: str, source: str) -> str:
        done = run("ref", "make", name, "--from", source, "--protocol", "embedded", "--backend", "torch")
        assert done.code == 0, done.err
        return str(done.err)

    return make


def by_name(name: str) -> tuple[str, ...]:
    return ("--ref", name, "--ref-test", "./held")


def test_a_reference_made_of_a_source_has_its_classes_and_finds_its_images(run: Run, made: Run) -> None:
    made("mine", "real")
    assert values(scores(run, "intra_fid,gan_test", ref=by_name("mine"))) == values(scores(run, "intra_fid,gan_test"))


def test_its_images_are_found_from_any_folder(run: Run, made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made("mine", "real")
    here = Path.cwd()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    found = scores(run, "gan_test", samples="../fake", ref=("--ref", "mine", "--ref-test", "../held"))
    assert found["gan_test"]["value"] is not None


def test_made_again_with_other_classes_it_gives_other_scores(run: Run, made: Run) -> None:
    made("again", "real")
    first = scores(run, "intra_fid", ref=by_name("again"))["intra_fid"]
    write_labels("real", text=OTHER)
    made("again", "real")
    other = scores(run, "intra_fid", ref=by_name("again"))["intra_fid"]
    assert other != first
    assert other == scores(run, "intra_fid", "--no-cache", ref=by_name("again"))["intra_fid"]


def test_a_stray_table_leaves_it_without_classes(run: Run, made: Run) -> None:
    write_labels("real", text=BREEDS)
    assert "real is made without classes" in made("unlabelled", "real")
    found = scores(run, "fid,intra_fid", ref=by_name("unlabelled"))
    assert found["frechet_distance"]["value"] is not None
    assert "'unlabelled' has none" in found["intra_fid"]["reason"]


@pytest.mark.parametrize("change", ["gone", "another"])
def test_where_its_images_are_not_what_they_were_the_source_is_asked_for(
    run: Run, made: Run, lasting: Path, change: str
) -> None:
    name = f"lost-{change}"
    shutil.copytree("real", name)
    made(name, f"./{name}")
    if change == "gone":
        shutil.rmtree(name)
    else:
        shutil.copy(Path(name, "000.png"), Path(name, "001.png"))
    found = scores(run, "fid,gan_test", ref=by_name(name))
    assert found["frechet_distance"]["value"] is not None
    reason = found["gan_test"]["reason"]
    assert f"(it was made from {name})" in reason
    assert "Give the images themselves: --ref SOURCE" in reason


# ---------------------------------------------------------------- held-out images that are none

NONE = "The held-out images are the very images of the {}: "


def warnings(run: Run, metrics: str, held_out: str, ref: str = "./real") -> str:
    return "\n".join(result(run, "--metrics", metrics, ref=("--ref", ref, "--ref-test", held_out))["warnings"])


@pytest.mark.parametrize("ref", ["./real", "known"])
def test_held_out_images_that_are_the_reference_are_told(run: Run, made: Run, lasting: Path, ref: str) -> None:
    made("known", "real")
    shutil.copytree("real", "copied", dirs_exist_ok=True)
    found = warnings(run, "fid,gan_test,cas", "./copied", ref)
    assert NONE.format("reference") + "gan_test, cas need real images that the model was not trained on" in found
    assert "--ref-test NAME:SPLIT|SOURCE" in found
    assert NONE.format("reference") in warnings(run, "cas", "./copied", ref)  # out of the store


def test_held_out_images_that_are_the_samples_are_told(run: Run) -> None:
    shutil.make_archive("packed", "zip", "fake")
    assert NONE.format("samples") + "gan_test need" in warnings(run, "gan_test", "packed.zip")


def test_held_out_images_of_their_own_are_not(run: Run) -> None:
    assert "held-out" not in warnings(run, "gan_test", "./held")
    assert "held-out" not in warnings(run, "fid", "./real")  # which looks at none
