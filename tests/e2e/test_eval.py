"""`ganbench eval` and what stands around it, from files to numbers, as the pages of the interface promise it."""

import json
import math
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

Run = Callable[..., Any]
U8 = NDArray[np.uint8]
N = 24
EMBEDDED = ("--protocol", "embedded", "--backend", "torch")

# metric -> keys of the result, with direction and label under `embedded`
KEYS = {
    "fid": {"frechet_distance": ("lower", "FD")},
    "kid": {"kernel_distance": ("lower", "KD")},
    "inception_score": {"inception_score": ("higher", None)},
    "precision_recall": {"precision": ("higher", None), "recall": ("higher", None)},
    "density_coverage": {"density": ("higher", None), "coverage": ("higher", None)},
}


@pytest.fixture(autouse=True)
def _in(lasting: Path) -> None:
    """All tests share a folder with `fake` and `real`, and one GANBENCH_HOME."""


@pytest.fixture(scope="module")
def images(pictures: Run) -> U8:
    made: U8 = pictures(N, seed=1)
    return made


@pytest.fixture(scope="module")
def fake(lasting: Path, images: U8, folder_of: Run) -> Path:
    folder_of(lasting / "fake", images)
    return Path("fake")


@pytest.fixture(scope="module")
def real(lasting: Path, pictures: Run, folder_of: Run) -> Path:
    folder_of(lasting / "real", pictures(N + 4, seed=2))
    return Path("real")


@pytest.fixture
def score(run: Run, lasting: Path) -> Callable[..., Any]:
    """`score(samples, ref, ...)`: the result of an evaluation under `embedded`, read back from a file."""

    def call(*arguments: object, backend: str = "torch") -> Any:
        done = run("eval", *arguments, "--protocol", "embedded", "--backend", backend, "--json", "score.json")
        assert done.code == 0, done.err
        return json.loads((lasting / "score.json").read_text())

    return call


@pytest.fixture(scope="module")
def base(lasting: Path, fake: Path, real: Path) -> Any:
    """The result of `fake` against `real` with the default metrics."""
    from ganbench.cli.main import main

    assert main(["eval", str(fake), "--ref", f"./{real}", *EMBEDDED, "--json", "base.json"]) == 0
    return json.loads((lasting / "base.json").read_text())


def values(result: Any) -> dict[str, Any]:
    return {name: metric["value"] for name, metric in result["metrics"].items()}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} in JSON")


def numbers(value: Any) -> Iterator[float]:
    """Every number anywhere in a result."""
    if isinstance(value, dict):
        for each in value.values():
            yield from numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, float):
        yield value


# ---------------------------------------------------------------- the result


def test_the_schema(base: Any) -> None:
    assert set(base) == {
        "schema", "protocol", "samples", "reference", "metrics", "warnings", "timings", "environment", "command",
    }  # fmt: skip
    assert base["schema"] == "ganbench.result/1"
    protocol = base["protocol"]
    assert {"name", "fingerprint", "extractor", "weights_sha256", "head", "resize", "quantiser", "dtype"} <= set(
        protocol
    )
    assert protocol["name"] == "embedded"
    assert len(protocol["fingerprint"]) == len(protocol["weights_sha256"]) == 64
    assert set(base["samples"]) == {"source", "fingerprint", "n", "skipped", "notes"}
    assert (base["samples"]["source"], base["samples"]["n"], base["samples"]["skipped"]) == ("fake", N, 0)
    assert base["samples"]["notes"] == []
    assert set(base["reference"]) == {"name", "split", "fingerprint", "n"}
    assert (base["reference"]["name"], base["reference"]["n"]) == ("real", N + 4)
    assert isinstance(base["warnings"], list)
    assert all(isinstance(seconds, float | int) and seconds >= 0 for seconds in base["timings"].values())
    assert base["timings"]
    assert base["environment"]["device"] == "cpu"
    assert base["environment"]["seed"] == 2020
    assert base["environment"]["versions"]["ganbench"]
    assert isinstance(base["command"], str)
    assert all(map(math.isfinite, numbers(base)))


def test_every_metric_of_the_default_five(base: Any) -> None:
    expected = {key: about for keys in KEYS.values() for key, about in keys.items()}
    assert set(base["metrics"]) == set(expected)
    for key, (direction, label) in expected.items():
        metric = base["metrics"][key]
        assert {"value", "label", "ci95", "direction", "params", "n_fake", "n_real"} <= set(metric), key
        assert metric["direction"] == direction
        assert label in (None, metric["label"])
        assert "FID" not in metric["label"], "the name of Inception's distance only"
        assert metric["n_fake"] == N
        assert metric["n_real"] == (None if key == "inception_score" else N + 4)
        assert isinstance(metric["value"], float)
        assert isinstance(metric["params"], dict)
        if metric["ci95"] is not None:
            low, high = metric["ci95"]
            assert low <= metric["value"] <= high
    assert base["metrics"]["frechet_distance"]["ci95"] is not None
    assert base["metrics"]["frechet_distance"]["bias_estimate"] > 0, "few samples make the distance larger"
    assert 0 <= base["metrics"]["precision"]["value"] <= 1
    assert 0 <= base["metrics"]["recall"]["value"] <= 1
    assert 0 <= base["metrics"]["coverage"]["value"] <= 1
    assert base["metrics"]["inception_score"]["value"] >= 1


def test_the_defaults_of_the_parameters(base: Any) -> None:
    metrics = base["metrics"]
    assert (
        metrics["kernel_distance"]["params"] | {"subsets": 100, "degree": 3, "seed": 2020}
        == (metrics["kernel_distance"]["params"])
    )
    assert metrics["inception_score"]["params"] == {"splits": 10, "seed": 2020}
    assert metrics["precision"]["params"] == metrics["recall"]["params"] == {"k": 3}
    assert metrics["density"]["params"] == metrics["coverage"]["params"] == {"k": 5}


def test_few_samples_are_warned_of(base: Any) -> None:
    assert any(f"{N} samples are fewer than the 1280 feature dimensions" in text for text in base["warnings"])


def test_json_on_stdout_is_nothing_but_json(run: Run, fake: Path, real: Path, base: Any, alike: Run) -> None:
    done = run("eval", fake, "--ref", f"./{real}", *EMBEDDED, "--metrics", "fid,kid", "--json", "-")
    assert done.code == 0
    found = json.loads(done.out, parse_constant=refuse)
    assert found["schema"] == "ganbench.result/1"
    alike(values(found), {key: value for key, value in values(base).items() if key.endswith("_distance")})
    assert found["command"].startswith("ganbench eval fake --ref ./real --protocol embedded")


def test_the_table_is_on_stdout_and_talk_on_stderr(run: Run, fake: Path, real: Path, lasting: Path, base: Any) -> None:
    asked = ("eval", fake, "--ref", f"./{real}", *EMBEDDED, "--html", "r.html")
    done = run(*asked)
    assert done.code == 0
    for label in ("FD", "KD", "IS", "Precision", "Recall", "Density", "Coverage"):
        assert label in done.out
    for part in ("95 % interval", "lower", "higher", "fake against real", base["protocol"]["fingerprint"][:12]):
        assert part in done.out
    assert "fewer than the 1280" in done.out
    assert "r.html" in done.err
    assert "r.html" not in done.out
    quiet = run(*asked[:-2], "--quiet")
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out == done.out


@pytest.mark.parametrize("metric", KEYS)
def test_only_what_was_asked_for(score: Run, fake: Path, real: Path, base: Any, alike: Run, metric: str) -> None:
    """And its value is the one it has among the others."""
    found = score(fake, "--ref", f"./{real}", "--metrics", metric)
    assert set(found["metrics"]) == set(KEYS[metric])
    for key in KEYS[metric]:
        alike(found["metrics"][key], base["metrics"][key])


def test_all_metrics(score: Run, fake: Path, real: Path, base: Any, alike: Run) -> None:
    found = score(fake, "--ref", f"./{real}", "--metrics", "all")
    assert set(base["metrics"]) <= set(found["metrics"])
    for key, metric in found["metrics"].items():
        assert metric["value"] is not None or metric["reason"], key
        if key in base["metrics"]:
            alike(metric, base["metrics"][key])


def test_dry_run(run: Run, fake: Path, real: Path, lasting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def network(*_: object, **__: object) -> None:
        raise AssertionError("a dry run loads no network")

    monkeypatch.setattr("ganbench.features.loading.load_extractor", network)
    before = sorted(lasting.rglob("*"))
    done = run("eval", fake, "--ref", f"./{real}", *EMBEDDED, "--num", 7, "--html", "never.html", "--dry-run")
    assert done.code == 0
    for part in ("fake", "real", "embedded", "fid", "precision_recall", "7"):
        assert part in done.out
    assert sorted(lasting.rglob("*")) == before
    assert run("eval", "nowhere", "--ref", f"./{real}", "--dry-run").code == 2
    assert run("eval", fake, "--ref", "nosuch", "--dry-run").code == 2
    assert run("eval", fake, "--ref", f"./{real}", "--dry-run", "--protocol", "nosuch").code == 2


# ---------------------------------------------------------------- the same images in other clothes


def _zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.write(file, file.name)


def _tar(path: Path, folder: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.add(file, file.name)


def _upper_case(path: Path, folder: Path) -> None:
    for i, file in enumerate(sorted(folder.iterdir())):
        place = path / ("a" if i < N // 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{file.stem}.PNG").write_bytes(file.read_bytes())


def _bmp(path: Path, folder: Path) -> None:
    path.mkdir()
    for file in folder.iterdir():
        with Pillow.open(file) as image:
            image.save(path / f"{file.stem}.bmp")


def _array(images: U8, path: Path) -> None:
    import torch
    from safetensors.numpy import save_file

    match path.name:
        case "x.npz":
            np.savez(path, images)
        case "packed.npz":
            np.savez_compressed(path, images.transpose(0, 3, 1, 2))
        case "float.npz":
            np.savez(path, images.astype(np.float32) / 255)
        case "x.npy":
            np.save(path, images)
        case "x.pt":
            torch.save(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), path)
        case "x.safetensors":
            save_file({"images": images}, path)


@pytest.mark.parametrize(
    "name",
    ["x.zip", "x.tar", "deep", "bmp", "x.npz", "packed.npz", "float.npz", "x.npy", "x.pt", "x.safetensors"],
)
def test_the_same_images_give_the_same_numbers(
    score: Run, lasting: Path, fake: Path, real: Path, images: U8, base: Any, alike: Run, name: str
) -> None:
    """Folder, archives and arrays differ in nothing that reaches the network."""
    path = lasting / name
    packers = {"x.zip": _zip, "x.tar": _tar, "deep": _upper_case, "bmp": _bmp}
    if name in packers:
        packers[name](path, lasting / fake)
    else:
        _array(images, path)
    found = score(name, "--ref", f"./{real}")
    assert found["samples"]["fingerprint"] == base["samples"]["fingerprint"]
    assert found["samples"]["n"] == N
    alike(values(found), values(base))


def test_another_order_is_another_set(score: Run, lasting: Path, real: Path, images: U8, base: Any) -> None:
    np.savez(lasting / "reversed.npz", images[::-1])
    found = score("reversed.npz", "--ref", f"./{real}", "--metrics", "fid,precision_recall")
    assert found["samples"]["fingerprint"] != base["samples"]["fingerprint"]
    for key, value in values(found).items():
        assert value == pytest.approx(base["metrics"][key]["value"], rel=1e-6)


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_batch_size_changes_nothing(
    score: Run, lasting: Path, real: Path, images: U8, folder_of: Run, alike: Run, backend: str
) -> None:
    folder_of(lasting / "dozen", images[:12])
    ask = ("dozen", "--ref", "./dozen2", "--metrics", "fid,kid,precision_recall,density_coverage")
    folder_of(lasting / "dozen2", images[12:24])
    one, seven, all_at_once = (values(score(*ask, "--batch-size", size, backend=backend)) for size in (1, 7, 32))
    alike(one, all_at_once)
    alike(seven, all_at_once)
    plain = values(score(*ask))
    for key, value in plain.items():
        assert one[key] == pytest.approx(value, rel=1e-4), f"{key}: one back-end beside another"


def test_the_same_again(run: Run, fake: Path, real: Path, alike: Run) -> None:
    asked = ("eval", fake, "--ref", f"./{real}", *EMBEDDED, "--json", "-")
    first, second = (json.loads(run(*asked).out) for _ in range(2))
    for result in (first, second):
        del result["timings"]
    alike(second, first)


def test_num_draws_with_the_seed(score: Run, fake: Path, real: Path, base: Any, alike: Run) -> None:
    ask = (fake, "--ref", f"./{real}", "--metrics", "fid", "--num", 20)
    first, again, other = score(*ask), score(*ask), score(*ask, "--seed", 7)
    for result in (first, other):
        assert result["samples"]["n"] == result["metrics"]["frechet_distance"]["n_fake"] == 20
    assert first["samples"]["fingerprint"] == again["samples"]["fingerprint"]
    alike(again["metrics"], first["metrics"])
    assert other["samples"]["fingerprint"] != first["samples"]["fingerprint"]
    assert values(other) != values(first)
    whole = score(fake, "--ref", f"./{real}", "--metrics", "fid", "--num", N)
    assert whole["samples"]["fingerprint"] == base["samples"]["fingerprint"]


# ---------------------------------------------------------------- what the numbers mean


def test_a_set_against_itself(score: Run, fake: Path) -> None:
    found = score(fake, "--ref", f"./{fake}")
    got = values(found)
    assert abs(got["frechet_distance"]) < 1e-4
    assert got["precision"] == got["recall"] == got["coverage"] == 1
    assert any("very images of the reference" in text for text in found["warnings"])


@pytest.mark.parametrize("name", ["digits", "fashion-mnist"])
def test_noise_makes_the_distance_rise(run: Run, score: Run, lasting: Path, folder_of: Run, name: str) -> None:
    """60 real images, and the same with Gaussian noise of 8, 16, 32 grey levels."""
    done = run("data", "export", name, "--split", "test", "--out", f"{name}-0", "--num", 60, "--offline")
    if done.code == 1:
        pytest.skip(f"{name} is not on this machine; on Debian: apt install dataset-fashion-mnist")
    clean = np.stack([np.asarray(Pillow.open(file)) for file in sorted((lasting / f"{name}-0").glob("*.png"))])
    assert clean.shape == (60, *((32, 32, 3) if name == "digits" else (28, 28, 3)))
    noise = np.random.default_rng(0).normal(size=clean.shape)
    distances = []
    for level in (0, 8, 16, 32):
        if level:
            folder_of(lasting / f"{name}-{level}", (clean + level * noise).round().clip(0, 255).astype(np.uint8))
        found = score(f"{name}-{level}", "--ref", name, "--metrics", "fid")
        distances.append(values(found)["frechet_distance"])
    assert distances == sorted(distances)
    assert distances[3] > 1.5 * distances[0]


def test_the_reference_decides_the_protocol(run: Run, fake: Path) -> None:
    """`digits` is shipped for `embedded`: nothing else needs to be said, and nothing downloaded."""
    done = run("eval", fake, "--ref", "digits", "--metrics", "kid", "--backend", "torch", "--offline", "--json", "-")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["protocol"]["name"] == "embedded"
    assert (found["reference"]["name"], found["reference"]["split"], found["reference"]["n"]) == (
        "digits",
        "train",
        899,
    )
    images = run("eval", fake, "--ref", f"./{fake}", "--offline")
    assert images.code == 1
    assert "pt_inception" in images.message, "images as the reference mean tf"


def test_duplicates_and_lossy_files_are_warned_of(
    score: Run, lasting: Path, real: Path, images: U8, folder_of: Run
) -> None:
    folder = folder_of(lasting / "twice", images[[0, 1, 2, 3, 0, 1]])
    for i in (4, 5, 6):
        Pillow.fromarray(images[i + 2]).save(folder / f"{i}.jpg", quality=75)
    found = score("twice", "--ref", f"./{real}", "--metrics", "fid")
    assert any("2 of 9 samples have exactly the pixels" in text for text in found["warnings"])
    assert any("3 of 9 samples come from lossy files" in text for text in found["warnings"])


def test_conversions_are_noted(score: Run, lasting: Path, real: Path, images: U8) -> None:
    folder = lasting / "modes"
    folder.mkdir()
    picture = Pillow.fromarray(images[0])
    Pillow.fromarray(images[0][..., 0]).save(folder / "gray.png")
    picture.quantize(16).save(folder / "palette.png")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    Pillow.fromarray(images[0][..., 0].astype(np.uint16) * 257).save(folder / "gray16.png")
    rgba = np.dstack([images[0], np.full((32, 32), 128, np.uint8)])
    Pillow.fromarray(rgba).save(folder / "rgba.png")
    Pillow.fromarray(images[1][:20, :31]).save(folder / "small.png")
    found = score("modes", "--ref", f"./{real}", "--metrics", "fid")
    assert found["samples"]["n"] == 6
    notes = " ".join(found["samples"]["notes"])
    for part in ("RGBA laid over white (1 images)", "16-bit gray", "CMYK"):
        assert part in notes
    assert "palette" not in notes.lower()


# ---------------------------------------------------------------- several samples, and the page


def test_several_samples(
    run: Run, lasting: Path, fake: Path, real: Path, images: U8, folder_of: Run, base: Any, alike: Run
) -> None:
    folder_of(lasting / "other", images[::2])
    asked = ("eval", fake, "other", "--ref", f"./{real}", *EMBEDDED, "--metrics", "fid")
    done = run(*asked, "--json", "-")
    assert done.code == 0
    first, second = json.loads(done.out)
    assert (first["samples"]["source"], second["samples"]["source"]) == ("fake", "other")
    alike(values(first)["frechet_distance"], values(base)["frechet_distance"])
    assert second["samples"]["n"] == N // 2
    table = run(*asked)
    assert "fake against real" in table.out
    assert "other against real" in table.out
    assert run(*asked, "--html", "r.html").code == 2


class Outside(HTMLParser):
    """Collects what a page would fetch, and the text of its heading and cells."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "srcset", "href", "data", "action", "poster", "xlink:href") and value:
                if value.startswith("data:image/"):
                    self.images += 1
                elif not value.startswith(("#", "data:,")):  # empty data: the browser shall not ask for an icon
                    self.fetched.append(f"{tag} {name}={value[:80]}")


def test_the_page(run: Run, lasting: Path, fake: Path, real: Path, base: Any) -> None:
    done = run("eval", fake, "--ref", f"./{real}", *EMBEDDED, "--html", "page.html")
    assert done.code == 0
    text = (lasting / "page.html").read_text(encoding="utf-8")
    page = Outside()
    page.feed(text)
    assert page.fetched == []
    assert not {"script", "iframe", "object", "base"} & set(page.tags)
    assert "@import" not in text
    assert "url(http" not in text.replace(" ", "").replace("'", "").replace('"', "")
    assert page.images >= 3, "a contact sheet of samples and one of the reference, and pairs"
    for part in ("Precision", "Coverage", "95 % interval", "fake", "real", "embedded", "fewer than the 1280"):
        assert part in text
    for result in (base["protocol"], base["samples"], base["reference"]):
        assert result["fingerprint"][:12] in text


def test_names_are_no_markup(run: Run, lasting: Path, real: Path, images: U8, folder_of: Run) -> None:
    """Names of strangers' files stand in the page as text."""
    name = "<img src=x onerror=alert(1)>"
    folder_of(lasting / name, images[:4])
    (lasting / name / "000.png").rename(lasting / name / "<script>alert(2)<script>.png")
    done = run("eval", name, "--ref", f"./{real}", *EMBEDDED, "--metrics", "fid", "--html", "evil.html")
    assert done.code == 0
    page = Outside()
    page.feed((lasting / "evil.html").read_text(encoding="utf-8"))
    assert page.fetched == []
    assert "script" not in page.tags


# ---------------------------------------------------------------- results side by side


@pytest.fixture(scope="module")
def results(lasting: Path, base: Any, fake: Path, real: Path, images: U8, folder_of: Run) -> dict[str, Path]:
    """Two results that compare, and some that do not."""
    from ganbench.cli.main import main

    folder_of(lasting / "worse", (images.astype(int) + 60).clip(0, 255).astype(np.uint8))
    folder_of(lasting / "real2", images[:20])
    made = {"base": lasting / "base.json"}
    for name, arguments in {
        "worse": ("worse", "--ref", f"./{real}"),
        "fewer": (fake, "--ref", f"./{real}", "--num", "20"),
        "elsewhere": (fake, "--ref", "./real2"),
        "seeded": (fake, "--ref", f"./{real}", "--seed", "1"),
    }.items():
        made[name] = lasting / f"{name}.json"
        assert main(["eval", *map(str, arguments), *EMBEDDED, "--quiet", "--json", str(made[name])]) == 0
    changed = json.loads(made["worse"].read_text())
    changed["protocol"] |= {"fingerprint": "0" * 64, "name": "clean"}
    made["protocol"] = lasting / "protocol.json"
    made["protocol"].write_text(json.dumps(changed))
    return made


def test_compare(run: Run, results: dict[str, Path]) -> None:
    done = run("compare", results["base"], results["worse"])
    assert done.code == 0
    for part in ("FD", "Recall", "base", "worse"):
        assert part in done.out
    told = run("compare", results["base"], results["worse"], "--json", "-")
    assert told.code == 0
    assert json.loads(told.out, parse_constant=refuse)


@pytest.mark.parametrize(
    ("other", "parts"),
    [
        ("protocol", ("protocol", "embedded", "clean")),
        ("elsewhere", ("reference", "real2")),
        ("fewer", ("20", "24")),
        ("seeded", ("seed", "2020")),
    ],
)
def test_compare_refuses(run: Run, results: dict[str, Path], other: str, parts: tuple[str, ...]) -> None:
    done = run("compare", results["base"], results[other])
    assert done.code == 2
    for part in (*parts, other):
        assert part in done.message


def test_compare_needs_two(run: Run, results: dict[str, Path]) -> None:
    assert run("compare", results["base"]).code == 2
    assert run("compare").code == 2


# ---------------------------------------------------------------- references


def test_a_reference_round_trip(
    run: Run, score: Run, lasting: Path, fake: Path, real: Path, base: Any, alike: Run
) -> None:
    made = run("ref", "make", "mine", "--from", real, *EMBEDDED, "--json", "-")
    assert made.code == 0, made.err
    about = json.loads(made.out)
    assert (about["name"], about["split"], about["n"]) == ("mine", "train", N + 4)
    listed = json.loads(run("ref", "list", "--json", "-").out)
    assert ("mine", "store") in [(row["name"], row["where"]) for row in listed]
    assert {"digits", "fashion-mnist", "cifar10"} <= {row["name"] for row in listed}
    shown = json.loads(run("ref", "show", "mine", "--json", "-").out)
    assert shown["stored"] is True
    assert shown["fingerprint"] == about["fingerprint"]
    assert run("ref", "verify", "mine").code == 0

    found = score(fake, "--ref", "mine")
    for key, metric in base["metrics"].items():
        assert found["metrics"][key]["value"] == pytest.approx(metric["value"], rel=1e-6), key
        assert found["metrics"][key]["n_real"] == metric["n_real"]

    assert run("ref", "export", "mine", "mine.npz", "--protocol", "embedded").code == 0
    with np.load(lasting / "mine.npz") as file:
        assert {"mu", "sigma"} <= set(file.files)
        assert (file["mu"].shape, file["sigma"].shape) == ((1280,), (1280, 1280))
        assert file["mu"].dtype == file["sigma"].dtype == np.float64
    direct = score(fake, "--ref", "mine.npz")
    assert run("ref", "import", "mine.npz", "--as", "theirs", "--protocol", "embedded").code == 0
    theirs = score(fake, "--ref", "theirs")
    for result in (direct, theirs):
        distance = result["metrics"]["frechet_distance"]
        assert distance["value"] == pytest.approx(base["metrics"]["frechet_distance"]["value"], rel=1e-6)
        for key in ("kernel_distance", "precision", "recall", "density", "coverage"):
            assert result["metrics"][key]["value"] is None, "moments alone do not give it"
            assert "features" in result["metrics"][key]["reason"]
        alike(result["metrics"]["inception_score"], base["metrics"]["inception_score"])
    assert run("ref", "verify").code == 0


def test_a_reference_from_a_dataset_by_name(run: Run, lasting: Path) -> None:
    np.savez(lasting / "few.npz", np.zeros((3, 4, 4, 3), np.uint8))
    done = run("ref", "make", "half:test", "--from", "few.npz", *EMBEDDED)
    assert done.code == 0, done.err
    assert "half:test" in done.out
    assert run("ref", "show", "half:test").code == 0


def test_shipped_references(run: Run) -> None:
    verified = run("ref", "verify", "--json", "-")
    assert verified.code == 0
    rows = [(row["name"], row["split"], row["ok"]) for row in json.loads(verified.out)]
    for row in (("digits", "train", True), ("fashion-mnist", "train", True), ("fashion-mnist", "test", True)):
        assert row in rows
    shown = json.loads(run("ref", "show", "fashion-mnist", "--json", "-").out)
    assert shown["n"] == 60_000
    assert shown["heads"]["pool"]["rows"] == 10_000
    assert shown["heads"]["pool"]["dtype"] == "float16"
    assert shown["heads"]["pool"]["neighbours"] >= 5
    test = json.loads(run("ref", "show", "fashion-mnist:test", "--json", "-").out)
    assert (test["n"], test["heads"]["pool"]["moments"]) == (10_000, True)
    for record in (shown, test):
        assert record["info"]["source_fingerprint"]
        assert record["info"]["versions"]


# ---------------------------------------------------------------- weights, data, lists


def test_weights(run: Run, home: Path, tmp_path: Path) -> None:
    rows = json.loads(run("weights", "list", "--json", "-").out)
    by_name = {row["filename"]: row for row in rows}
    inception = by_name["pt_inception-2015-12-05-6726825d.pth"]
    assert inception["sha256"] == "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
    assert (inception["licence"], inception["path"]) == ("Apache-2.0", None)
    (ours,) = (row for row in rows if row["path"])
    assert "Apache-2.0" in ours["licence"]
    assert "UNKNOWN" in ours["licence"]

    (tmp_path / "renamed.bin").write_bytes(Path(ours["path"]).read_bytes())
    added = run("weights", "add", "renamed.bin", "--json", "-")
    assert added.code == 0
    place = Path(json.loads(added.out)["path"])
    assert place.is_relative_to(home / "weights")
    assert run("weights", "verify").code == 0
    place.write_bytes(place.read_bytes()[:-1])
    damaged = run("weights", "verify")
    assert damaged.code == 1
    assert str(place) in damaged.err


@pytest.mark.parametrize("out", ["folder", "file.zip", "file.npz"])
def test_exporting_twice_gives_the_same_bytes(run: Run, lasting: Path, out: str) -> None:
    for turn in ("one", "two"):
        (lasting / "export" / turn).mkdir(parents=True, exist_ok=True)
        done = run("data", "export", "digits", "--split", "test", "--num", 12, "--out", f"export/{turn}/{out}")
        assert done.code == 0
        assert "12 images" in done.out
    one, two = (lasting / "export" / turn / out for turn in ("one", "two"))
    pairs = [(one, two)] if one.is_file() else [(file, two / file.name) for file in sorted(one.iterdir())]
    assert len(pairs) == (13 if out == "folder" else 1), "twelve images and their labels"
    for first, second in pairs:
        assert first.read_bytes() == second.read_bytes()


def test_exports_hold_the_same_images_in_the_order_of_the_dataset(run: Run, lasting: Path) -> None:
    from sklearn.datasets import load_digits

    import ganbench

    prints = []
    for out in ("e/folder", "e/file.zip", "e/file.npz"):
        assert run("data", "export", "digits", "--num", 5, "--out", out).code == 0
        prints.append(ganbench.open_images(out).fingerprint)
    assert len(set(prints)) == 1
    with np.load(lasting / "e" / "file.npz") as file:
        images = file["arr_0"]
    assert (images.shape, images.dtype) == ((5, 32, 32, 3), np.uint8)
    digits = load_digits().images[::2][:5]  # train: the even ones
    wanted = [
        Pillow.fromarray((d * 255 / 16).astype(np.float32)).resize((32, 32), Pillow.Resampling.BICUBIC) for d in digits
    ]
    for image, float_image in zip(images, wanted, strict=True):
        exact = np.clip(np.asarray(float_image), 0, 255)
        assert np.abs(image.astype(float) - exact[..., None]).max() <= 1.0


def test_data_list(run: Run) -> None:
    rows = json.loads(run("data", "list", "--json", "-").out)
    by_name = {row["name"]: row for row in rows}
    assert {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100"} <= set(by_name)
    assert set(by_name["digits"]["splits"]) == {"train", "test"}
    assert all(row["licence"] for row in rows)
    assert "digits" in run("data", "list").out


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("metrics", {"fid", "kid", "inception_score", "precision_recall", "density_coverage"}),
        ("protocols", {"tf", "clean", "pytorch", "embedded"}),
        ("extractors", {"inception", "efficientnet_lite0"}),
        ("datasets", {"digits", "fashion-mnist", "mnist", "cifar10", "cifar100"}),
    ],
)
def test_list(run: Run, kind: str, names: set[str]) -> None:
    done = run("list", kind, "--json", "-")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert names <= {row["name"] for row in rows}
    assert all(set(row) == {"name", "summary"} and row["summary"] for row in rows)
    table = run("list", kind)
    assert all(row["name"] in table.out and row["summary"] in table.out for row in rows)


def test_doctor(run: Run) -> None:
    done = run("doctor")
    assert done.code == 0
    for part in ("devices", "cpu", "back-ends", "openvino", "weights", "references", "digits", "datasets", "torch"):
        assert part in done.out
    assert json.loads(run("doctor", "--json", "-").out)["versions"]["ganbench"]


# ---------------------------------------------------------------- the commands


def _commands() -> list[tuple[str, ...]]:
    return [
        (), ("eval",), ("compare",), ("ref",), ("weights",), ("data",), ("list",), ("doctor",), ("quickstart",),
        *(("ref", name) for name in ("list", "show", "make", "verify", "import", "export")),
        *(("weights", name) for name in ("list", "add", "verify")),
        *(("data", name) for name in ("list", "get", "export")),
    ]  # fmt: skip


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_help(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(('ganbench', *words))}")


def test_the_version(run: Run) -> None:
    import ganbench

    done = run("--version")
    assert done.code == 0
    assert ganbench.__version__ in done.out


def test_help_and_lists_import_nothing_heavy(lasting: Path) -> None:
    """That is how `ganbench --help` answers at once."""
    code = (
        "import sys; from ganbench.cli.main import main\n"
        "for line in (['--help'], ['eval', '--help'], *(['list', k] for k in ('metrics', 'datasets', 'protocols'))):\n"
        "    assert main(line) == 0\n"
        "heavy = {'torch', 'torchvision', 'scipy', 'sklearn', 'pandas', 'timm', 'openvino'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_process_of_its_own(shell: Run, fake: Path, real: Path, base: Any, alike: Run) -> None:
    done = shell("eval", fake, "--ref", f"./{real}", *EMBEDDED, "--json", "-")
    assert done.code == 0
    assert done.err == ""
    found = json.loads(done.out, parse_constant=refuse)
    assert found["command"] == f"ganbench eval fake --ref ./{real} --protocol embedded --backend torch --json -"
    alike(values(found), values(base))


@pytest.mark.slow
def test_an_interrupt_ends_cleanly(command: list[str], lasting: Path, pictures: Run) -> None:
    np.savez(lasting / "many.npz", np.tile(pictures(20, seed=3), (1000, 1, 1, 1)))
    process = subprocess.Popen(
        [*command, "eval", "many.npz", "--ref", "digits", "--backend", "torch", "--json", "interrupted.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        # A shell may have started us with the signal ignored, which a child inherits.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        # Features that are being kept show that the pass has begun; minutes of images lie before it.
        until = time.monotonic() + 300
        while process.poll() is None and not _kept_so_far(lasting / "home"):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert process.poll() is None, "it ended before it could be interrupted"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert "Stopped" in err
    assert "Traceback" not in err
    assert not list(lasting.glob("*interrupted*"))
    assert not _kept_so_far(lasting / "home"), "nothing half-written stays"


def _kept_so_far(home: Path) -> int:
    """Bytes of features of a pass that has not ended."""
    return sum(path.stat().st_size for path in home.glob("features/.part-*/*.f32"))
