"""Input that cannot be used: one message that says what was found, what was wanted and what to do, and the status."""

import errno
import io
import os
import pickle
import socket
import stat
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import ganbench
from ganbench.errors import BadInput, GanbenchError

Run = Callable[..., Any]
QUICK = ("--protocol", "embedded", "--metrics", "fid", "--backend", "torch")


@pytest.fixture(autouse=True)
def _in(home: Path) -> None:
    """Every test has an empty GANBENCH_HOME and stands in its own folder."""


@pytest.fixture
def good(tmp_path: Path, pictures: Run, folder_of: Run) -> Path:
    """Four images that nothing is wrong with."""
    folder: Path = folder_of(tmp_path / "good", pictures(4, seed=1))
    return folder


def png(seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Mine:
    """Unpickling this makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


def says(message: str, *parts: str) -> None:
    for part in parts:
        assert part in message, f"{part!r} is not in {message!r}"


# ---------------------------------------------------------------- paths


def test_no_such_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    done = run("eval", "sampels", "--ref", "digits")
    assert done.code == 2
    says(done.message, "sampels", "Did you mean samples?", "Wanted", "folder of images", ".zip", ".npz")


def test_no_such_path_as_reference(run: Run, good: Path) -> None:
    done = run("eval", good, "--ref", "./nowhere", "--protocol", "embedded")
    assert done.code == 2
    says(done.message, "There is no file or folder nowhere", "Wanted", "folder of images")


def test_empty_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("eval", "empty", "--ref", "digits")
    assert done.code == 2
    says(done.message, "The folder empty is empty", "Wanted image files", "png", "Was it written to another place?")


def test_folder_without_images(run: Run, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for name in ("a.txt", "b.txt", "samples.npz"):
        (tmp_path / "texts" / name).write_text("hello")
    done = run("eval", "texts", "--ref", "digits")
    assert done.code == 2
    says(
        done.message, "texts holds no images", "3 files", ".txt (2)", ".npz (1)", "Wanted image files", "Give the .npz"
    )


def test_an_image_file_instead_of_a_set(run: Run, good: Path) -> None:
    done = run("eval", good / "000.png", "--ref", "digits")
    assert done.code == 2
    says(done.message, "one single image", "a set is wanted", "Give the folder")


# ---------------------------------------------------------------- images


def test_truncated_png(run: Run, good: Path) -> None:
    whole = (good / "002.png").read_bytes()
    (good / "002.png").write_bytes(whole[: len(whole) // 2])
    done = run("eval", good, "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "002.png is damaged", "PNG data cannot be decoded", "Replace it", "--on-bad-image skip")


def test_text_named_png(run: Run, good: Path) -> None:
    (good / "note.png").write_text("these are my samples, enjoy")
    done = run("eval", good, "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "note.png is no image", "it is text", "these are my", "wanted PNG, JPEG", "--on-bad-image skip")


def test_a_bomb_by_its_header(run: Run, good: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    (good / "bomb.png").write_bytes(bomb + chunk(b"IEND", b""))
    done = run("eval", good, "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "bomb.png is 60000 x 60000 pixels", "at most 67,108,864", "Scale it down", "--on-bad-image skip")


def test_a_bomb_that_unpacks_for_real(run: Run, good: Path) -> None:
    """20,000 x 20,000 pixels of one bit, 50 MB unpacked, 1.2 GB as RGB, in a file of 50 kB."""
    Pillow.new("1", (20_000, 20_000)).save(good / "bomb.png", optimize=False)
    assert (good / "bomb.png").stat().st_size < 200_000
    done = run("eval", good, "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "bomb.png is 20000 x 20000 pixels", "at most 67,108,864")


def test_an_array_that_unpacks_to_far_more(run: Run, tmp_path: Path) -> None:
    """A header that announces a terabyte in a file of some hundred bytes."""
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        array, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1024, 1024, 3)}
    )
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", array.getvalue() + bytes(100))
    done = run("eval", "bomb.npz", "--ref", "digits")
    assert done.code == 2
    says(done.message, "bomb.npz", "announces the shape (1000000, 1024, 1024, 3)", "cut off or damaged")


def test_one_image(run: Run, tmp_path: Path, good: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(png())
    done = run("eval", "one", "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "one: found 1 usable image", "at least 2 are needed")


def test_one_reference_image(run: Run, tmp_path: Path, good: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(png())
    done = run("eval", good, "--ref", "./one", *QUICK)
    assert done.code == 2
    says(done.message, "one: found 1 usable image", "at least 2 are needed")


def test_on_bad_image_skip(run: Run, tmp_path: Path, good: Path, pictures: Run, folder_of: Run, alike: Run) -> None:
    samples = folder_of(tmp_path / "samples", pictures(6, seed=2))
    clean = run("eval", samples, "--ref", good, *QUICK, "--json", "clean.json")
    assert clean.code == 0
    (samples / "001a.png").write_text("no image")
    (samples / "003a.png").write_bytes(png()[:60])
    done = run("eval", samples, "--ref", good, *QUICK, "--json", "skipped.json", "--on-bad-image", "skip")
    assert done.code == 0
    says(done.err, "001a.png", "003a.png")
    first, second = (_read(tmp_path / f"{name}.json") for name in ("clean", "skipped"))
    assert (second["samples"]["n"], second["samples"]["skipped"]) == (6, 2)
    assert first["samples"]["skipped"] == 0
    assert second["samples"]["fingerprint"] == first["samples"]["fingerprint"]
    alike(second["metrics"], first["metrics"])
    assert any("2 image(s) could not be read" in warning and "001a.png" in warning for warning in second["warnings"])


def test_all_bad_and_skipped(run: Run, tmp_path: Path, good: Path) -> None:
    (tmp_path / "bad").mkdir()
    for i in range(3):
        (tmp_path / "bad" / f"{i}.png").write_text("no image")
    done = run("eval", "bad", "--ref", good, *QUICK, "--on-bad-image", "skip", "--quiet")
    assert done.code == 2
    says(done.message, "bad: found 0 usable image", "at least 2 are needed")


def _read(path: Path) -> Any:
    import json

    return json.loads(path.read_text())


# ---------------------------------------------------------------- archives and arrays


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "..\\x.png"])
def test_a_zip_entry_that_climbs_out(run: Run, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("a.png", png())
        info = zipfile.ZipInfo("b.png")
        info.filename = name  # as a hostile program writes it
        archive.writestr(info, png())
    before = set(tmp_path.rglob("*")) | set(tmp_path.parent.glob("*"))
    done = run("eval", "evil.zip", "--ref", "digits")
    assert done.code == 2
    says(done.message, "evil.zip", "x.png", "climbs out", "wanted plain relative names", "Do not trust this file")
    assert set(tmp_path.rglob("*")) | set(tmp_path.parent.glob("*")) == before


def test_a_tar_entry_that_climbs_out(run: Run, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        info = tarfile.TarInfo("../x.png")
        info.size = len(png())
        archive.addfile(info, io.BytesIO(png()))
    done = run("eval", "evil.tar", "--ref", "digits")
    assert done.code == 2
    says(done.message, "evil.tar", "'../x.png'", "climbs out", "wanted plain relative names")


@pytest.mark.parametrize("name", ["evil.zip", "evil.tar", "evil.npz", "evil.npy", "evil.pt", "evil.safetensors"])
def test_a_file_that_is_not_what_its_name_says(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind " * 40)
    done = run("eval", name, "--ref", "digits")
    assert done.code == 2
    says(done.message, name, "gain")  # "copy it again", "save it again", "make it again"


@pytest.mark.parametrize("name", ["evil.npz", "evil.npy"])
def test_pickled_objects(run: Run, tmp_path: Path, name: str) -> None:
    trace = tmp_path / "unpickled"
    objects = np.array([Mine(trace), Mine(trace)], dtype=object)
    if name.endswith(".npz"):
        np.savez(tmp_path / name, objects)
    else:
        np.save(tmp_path / name, objects, allow_pickle=True)
    done = run("eval", name, "--ref", "digits")
    assert done.code == 2
    says(done.message, name, "pickled objects, which are never read", "Save a plain array of uint8 or float")
    assert not trace.exists()


def test_pickled_objects_in_a_tensor_file(run: Run, tmp_path: Path) -> None:
    trace = tmp_path / "unpickled"
    torch.save({"images": Mine(trace)}, tmp_path / "evil.pt")
    done = run("eval", "evil.pt", "--ref", "digits")
    assert done.code == 2
    says(done.message, "evil.pt", "is never run", "torch.save(images, path)")
    assert not trace.exists()


def test_pickled_objects_in_statistics(run: Run, good: Path, tmp_path: Path) -> None:
    trace = tmp_path / "unpickled"
    np.savez(tmp_path / "evil.npz", mu=np.array([Mine(trace)], dtype=object), sigma=np.eye(1))
    done = run("eval", good, "--ref", "evil.npz", "--protocol", "tf")
    assert done.code == 2
    says(done.message, "evil.npz", "pickled")
    assert not trace.exists()


def test_pickled_objects_in_weights(run: Run, good: Path, tmp_path: Path) -> None:
    trace = tmp_path / "unpickled"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Mine(trace)))
    torch.save(Mine(trace), tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        done = run("eval", good, "--ref", good, *QUICK, "--weights", name, "--allow-unverified-weights")
        assert done.code == 2
        says(done.message, name)
        assert not trace.exists()


def test_floats_out_of_range(run: Run, tmp_path: Path, good: Path) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", values)
    done = run("eval", "x.npz", "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "x.npz", "holds values from -0.9", "wanted 0 to 1", "--value-range -1,1")
    assert run("eval", "x.npz", "--ref", good, *QUICK, "--value-range", "-1,1").code == 0


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (np.full((4, 8, 8, 3), 200.0), ("200", "wanted 0 to 1", "--value-range 0,255")),
        (np.full((4, 8, 8, 3), 300.0), ("300", "wanted 0 to 1", "Scale them to 0..1, or save uint8")),
        (np.full((4, 8, 8, 3), np.nan), ("NaN or infinite", "Look at how the images were made")),
        (np.zeros((4, 8, 8, 3), dtype=np.int64), ("int64", "wanted uint8 or float", "Convert it")),
        (np.zeros((4, 8, 8, 7)), ("(4, 8, 8, 7)", "wanted uint8 or float images as (n, h, w, c)")),
        (np.zeros((8, 8, 3), dtype=np.uint8), ("one single image", "Stack the images")),
        (np.zeros((0, 8, 8, 3), dtype=np.uint8), ("(0, 8, 8, 3)", "no images")),
    ],
)
def test_arrays_that_are_no_images(run: Run, tmp_path: Path, good: Path, values: Any, parts: tuple[str, ...]) -> None:
    np.savez(tmp_path / "x.npz", values)
    done = run("eval", "x.npz", "--ref", good, *QUICK)
    assert done.code == 2
    says(done.message, "x.npz", *parts)


def test_an_npz_with_several_arrays(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros((4, 8, 8, 3)), b=np.zeros(4))
    done = run("eval", "x.npz", "--ref", "digits")
    assert done.code == 2
    says(done.message, "x.npz holds the arrays a, b", "wanted the images as arr_0", "numpy.savez")


# ---------------------------------------------------------------- features


@pytest.mark.parametrize("side", ["fake", "real"])
@pytest.mark.parametrize("metric", ["fid", "kid", "precision_recall", "density_coverage"])
def test_features_with_nan(metric: str, side: str) -> None:
    rng = np.random.default_rng(0)
    features = {"fake": rng.normal(size=(50, 4)), "real": rng.normal(size=(50, 4))}
    features[side][7, 2] = np.nan
    with pytest.raises(BadInput, match=r"(?i)nan") as caught:
        ganbench.score(metric, **features)
    assert caught.value.exit_code == 2


def test_logits_with_infinity() -> None:
    logits = np.zeros((50, 10))
    logits[3, 3] = np.inf
    with pytest.raises(BadInput, match=r"infinit"):
        ganbench.score("inception_score", fake=logits)


# ---------------------------------------------------------------- names and numbers


def test_unknown_reference(run: Run, good: Path) -> None:
    done = run("eval", good, "--ref", "fashion-mnst")
    assert done.code == 2
    says(
        done.message, "Unknown reference 'fashion-mnst'", "Did you mean 'fashion-mnist'?", "digits", "ganbench ref make"
    )


def test_unknown_split(run: Run, good: Path) -> None:
    done = run("eval", good, "--ref", "digits:tset")
    assert done.code == 2
    says(done.message, "'digits' has no split 'tset'", "it has: test, train", "Give digits:test")


def test_unknown_metric(run: Run, good: Path) -> None:
    done = run("eval", good, "--ref", "digits", "--metrics", "fid,recal")
    assert done.code == 2
    says(done.message, "Unknown metric 'recal'", "precision_recall", "inception_score", "kid")


def test_unknown_metric_with_a_near_name(run: Run, good: Path) -> None:
    done = run("eval", good, "--ref", "digits", "--metrics", "fidd")
    assert done.code == 2
    says(done.message, "Unknown metric 'fidd'", "Did you mean 'fid'?")


def test_unknown_protocol(run: Run, good: Path) -> None:
    done = run("eval", good, "--ref", "digits", "--protocol", "claen")
    assert done.code == 2
    says(done.message, "Unknown protocol 'claen'", "Did you mean 'clean'?", "embedded", "pytorch", "tf")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--num", "5"), ("--num asks for 5 images", "good has 4")),
        (("--num", "1"), ("--num is 1", "at least 2")),
        (("--batch-size", "0"), ("--batch-size is 0", "1 or more")),
        (("--seed", "-1"), ("--seed is -1", "0 or more")),
        (("--device", "tpu"), ("tpu", "cpu", "cuda")),
        (("--backend", "tensorrt"), ("tensorrt", "openvino", "torch")),
        (("--value-range", "0,2"), ("0,2", "-1,1", "0,255")),
        (("--metrics", ""), ("No metric was named", "fid")),
        (("--on-bad-image", "ignore"), ("ignore", "error", "skip")),
        (("--weights", "nowhere.pth"), ("no file of weights", "nowhere.pth")),
        (("--nosuch",), ("--nosuch",)),
    ],
)
def test_options_that_cannot_be(run: Run, good: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    done = run("eval", "good", "--ref", "digits", *arguments)
    assert done.code == 2
    says(done.message, *parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("evla", "x"), ("Unknown command 'evla'", "Did you mean 'eval'?")),
        (("eval",), ("SAMPLES",)),
        (("eval", "good"), ("--ref",)),
        (("list", "metrcs"), ("metrcs", "metrics", "protocols", "extractors", "datasets")),
        (("data", "export", "digts", "--out", "x"), ("Unknown dataset 'digts'", "Did you mean 'digits'?")),
        (("data", "export", "digits", "--split", "tets", "--out", "x"), ("'tets'", "Did you mean 'test'?")),
        (("data", "export", "digits", "--num", "99999", "--out", "x"), ("99999 images", "digits:train has 899")),
        (("data", "export", "digits", "--out", "x.tar"), ("x.tar", "not written", "FILE.zip or FILE.npz")),
        (("data", "export", "digits", "--out", "good"), ("good is not empty",)),
        (("ref", "show", "digts"), ("Unknown reference 'digts'", "Did you mean 'digits'?")),
        (("ref", "verify", "nosuch"), ("nosuch", "ganbench ref list")),
        (("ref", "make", "mine", "--from", "nosuch"), ("nosuch",)),
        (("ref", "make", "a/b", "--from", "good"), ("a/b", "NAME")),
        (("ref", "import", "nosuch.npz", "--as", "x"), ("There is no file nosuch.npz",)),
        (("ref", "export", "digits", "x.txt"), ("x.txt", ".npz")),
        (("weights", "add", "nosuch.pth"), ("no file of weights", "nosuch.pth")),
        (("weights", "add", "good/000.png"), ("000.png", "sha256", "no network asks for")),
        (("compare", "good/000.png", "good/001.png"), ("000.png", "not JSON", "ganbench eval --json")),
        (("compare", "nosuch.json", "x.json"), ("nosuch.json", "cannot be read")),
    ],
)
def test_commands_that_cannot_be(run: Run, good: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.code == 2
    says(done.message, *parts)


# ---------------------------------------------------------------- statistics and weights


@pytest.fixture
def mine(run: Run, good: Path) -> str:
    """A reference `mine`, made under `embedded`."""
    assert run("ref", "make", "mine", "--from", good, "--protocol", "embedded", "--backend", "torch").code == 0
    return "mine"


def test_statistics_of_another_protocol(run: Run, good: Path, home: Path, mine: str) -> None:
    """However they are named, and before weights of the other protocol are asked for: the mistake is the user's."""
    file = next((home / "references").glob("mine*.npz"))
    for arguments in (
        ("--ref", mine),  # auto is tf, whatever is stored
        ("--ref", mine, "--protocol", "tf"),
        ("--ref", file, "--protocol", "clean"),
    ):
        done = run("eval", good, *arguments, "--offline")
        assert done.code == 2, done.err
        says(done.message, "mine", "another protocol", "embedded", "--protocol embedded")


def test_foreign_statistics_need_their_protocol(run: Run, good: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "stats.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    done = run("eval", good, "--ref", "stats.npz")
    assert done.code == 2
    says(done.message, "stats.npz holds mu and sigma", "--protocol", "tf", "pytorch", "clean")


def test_foreign_statistics_of_another_width(run: Run, good: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "stats.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    done = run("eval", good, "--ref", "stats.npz", *QUICK)
    assert done.code == 2
    says(done.message, "stats.npz", "2048 features", "embedded has 1280", "Name the protocol")


@pytest.mark.parametrize(
    ("mu", "sigma", "parts"),
    [
        (np.full(8, np.nan), np.eye(8), ("NaN",)),
        (np.zeros(8), np.eye(9), ("sigma", "(9, 9)", "(8, 8)")),
        (np.zeros(8), np.triu(np.ones((8, 8))), ("not symmetric",)),
        (np.zeros(8), -np.eye(8), ("negative",)),
    ],
)
def test_statistics_that_are_none(
    run: Run, good: Path, tmp_path: Path, mu: Any, sigma: Any, parts: tuple[str, ...]
) -> None:
    np.savez(tmp_path / "stats.npz", mu=mu, sigma=sigma)
    done = run("eval", good, "--ref", "stats.npz", "--protocol", "embedded")
    assert done.code == 2
    says(done.message, "stats.npz", *parts)


def test_statistics_as_samples(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "stats.npz", mu=np.zeros(8), sigma=np.eye(8))
    done = run("eval", "stats.npz", "--ref", "digits")
    assert done.code == 2
    says(done.message, "stats.npz holds statistics", "--ref")


def test_weights_with_the_wrong_sha(run: Run, good: Path, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "mine.pth")
    done = run("eval", good, "--ref", good, "--weights", "mine.pth")
    assert done.code == 2
    says(done.message, "mine.pth has the sha256", "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2")
    says(done.message, "pt_inception-2015-12-05-6726825d.pth", "--allow-unverified-weights")


def test_weights_of_something_else(run: Run, good: Path, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "mine.pth")
    done = run("eval", good, "--ref", good, "--weights", "mine.pth", "--allow-unverified-weights")
    assert done.code == 2
    says(done.message, "mine.pth", "Inception")


# ---------------------------------------------------------------- the store


def _spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["a byte", "cut", "side-car", "no file"])
def test_a_corrupted_reference_is_made_again(
    run: Run, good: Path, home: Path, tmp_path: Path, mnist: Run, monkeypatch: pytest.MonkeyPatch, alike: Run, how: str
) -> None:
    monkeypatch.setenv("GANBENCH_DATA", str(mnist(tmp_path / "data", 12)))
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "0")  # with stored scores the reference is not looked at again
    ask = ("eval", good, "--ref", "mnist", *QUICK, "--json", "-")
    first = run(*ask)
    assert first.code == 0, first.err
    (file,) = (home / "references").glob("mnist-train-*.npz")
    match how:
        case "a byte":
            _spoil(file)
        case "cut":
            file.write_bytes(file.read_bytes()[:1000])
        case "side-car":
            file.with_suffix(".json").write_text("{")
        case "no file":
            file.unlink()
    second = run(*ask)
    assert second.code == 0, second.err
    says(second.err, file.name.removesuffix(".npz"))
    assert any(word in second.err for word in ("corrupted", "no side-car", "cannot be read")), second.err
    alike(_values(second.out), _values(first.out))
    third = run(*ask)
    assert third.code == 0
    assert third.err == "", "what was made again is whole"
    assert run("ref", "verify", "mnist").code == 0


def test_a_corrupted_factor_is_made_again(
    run: Run, good: Path, home: Path, tmp_path: Path, mnist: Run, monkeypatch: pytest.MonkeyPatch, alike: Run
) -> None:
    monkeypatch.setenv("GANBENCH_DATA", str(mnist(tmp_path / "data", 12)))
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "0")  # with stored scores the reference is not looked at again
    ask = ("eval", good, "--ref", "mnist", *QUICK, "--json", "-")
    first = run(*ask)
    caches = [p for p in (home / "references").rglob("*.npy") if p.stat().st_size]
    assert caches, "the factor of the covariance is kept"
    for path in caches:
        _spoil(path)
    second = run(*ask)
    assert (first.code, second.code) == (0, 0)
    says(second.err, "corrupted")
    alike(_values(second.out), _values(first.out))
    assert run(*ask).err == ""


def test_a_corrupted_reference_that_was_made_by_hand(run: Run, good: Path, home: Path, mine: str) -> None:
    """Nothing can make it again here: status 1, with the ways."""
    (file,) = (home / "references").glob("mine*.npz")
    _spoil(file)
    verdict = run("ref", "verify", "mine")
    assert verdict.code == 1
    says(verdict.err, "corrupted", file.name)
    done = run("eval", good, "--ref", mine, *QUICK)
    assert done.code == 1
    says(done.err, "corrupted", "ganbench ref make mine --from")


def _values(out: str) -> dict[str, float]:
    import json

    return {name: metric["value"] for name, metric in json.loads(out)["metrics"].items()}


# ---------------------------------------------------------------- a full disk


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    place = tmp_path / "full"
    place.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(
    run: Run, tmp_path: Path, pictures: Run, folder_of: Run, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = folder_of(tmp_path / "images", pictures(60, seed=1))
    for out in ("x", "x.zip", "x.npz"):
        done = run("data", "export", "digits", "--out", full / out)
        assert done.code == 1, done.err
        says(done.message, "The disk is full", out)
        assert [p for p in full.rglob("*") if p.suffix != ".lock"] == [], "nothing half-written stays"
    monkeypatch.setenv("GANBENCH_HOME", str(full / "home"))
    made = run("ref", "make", "mine", "--from", images, "--protocol", "embedded", "--backend", "torch")
    assert made.code == 1
    says(made.message, "The disk is full")
    assert not [p for p in full.rglob("*") if p.is_file() and p.suffix != ".lock" and p.stat().st_size]


def test_a_full_home_does_not_cost_the_result(
    run: Run, good: Path, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is only kept for the next time is said not to be kept; the numbers come all the same."""
    monkeypatch.setenv("GANBENCH_HOME", str(full / "home"))
    done = run("eval", good, "--ref", good, *QUICK, "--json", "-")
    assert done.code == 0, done.err
    assert _values(done.out)["frechet_distance"] is not None


def test_a_full_disk_while_the_result_is_written(
    run: Run, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    done = run("eval", good, "--ref", good, *QUICK, "--json", "result.json", "--quiet")
    assert done.code == 1
    says(done.err, "The disk is full", "result.json", "Free some space")
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*result.json*"))


# ---------------------------------------------------------------- no network


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that nobody answers, as the mirror of every published file."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("GANBENCH_MIRROR", address)
    return address


WAYS = (
    "pt_inception-2015-12-05-6726825d.pth",
    "ganbench weights add",
    "--weights",
    "TORCH_HOME",
    "--protocol embedded",
)


def test_no_network(run: Run, good: Path, nowhere: str, home: Path) -> None:
    done = run("eval", good, "--ref", "cifar10")
    assert done.code == 1
    says(done.message, nowhere, "cannot be reached", *WAYS)
    assert not [p for p in home.rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_offline(run: Run, good: Path, nowhere: str) -> None:
    done = run("eval", good, "--ref", "cifar10", "--offline")
    assert done.code == 1
    says(done.message, "--offline", *WAYS)
    assert "cannot be reached" not in done.message


@pytest.mark.parametrize("extra", [(), ("--offline",)])
def test_no_images_of_the_reference(run: Run, good: Path, nowhere: str, extra: tuple[str, ...]) -> None:
    done = run("eval", good, "--ref", "cifar10", *QUICK, *extra)
    assert done.code == 1
    says(done.message, "cifar10:train", "embedded", "GANBENCH_DATA", "ganbench ref make cifar10 --from", "ref import")
    says(done.message, "--offline" if extra else "cannot be reached")


@pytest.mark.parametrize("extra", [(), ("--offline",)])
def test_no_dataset(run: Run, nowhere: str, extra: tuple[str, ...]) -> None:
    done = run("data", "get", "cifar10", *extra)
    assert done.code == 1
    says(done.message, "cifar10:train", "GANBENCH_DATA", "--offline" if extra else "cannot be reached")


def test_shipped_references_need_no_network(run: Run, good: Path, nowhere: str) -> None:
    done = run("eval", good, "--ref", "digits", "--metrics", "kid", "--backend", "torch", "--offline")
    assert done.code == 0, done.err


# ---------------------------------------------------------------- the process


def test_the_status_leaves_the_process(shell: Run) -> None:
    wrong = shell("eval", "nowhere", "--ref", "digits")
    assert wrong.code == 2
    says(wrong.message, "There is no file or folder nowhere")
    absent = shell("eval", "nowhere", "--ref", "digits", "--debug")
    assert absent.code == 2
    assert "Traceback" in absent.err
    assert shell("weights", "list", "--json", "-").code == 0


def test_debug_shows_where(run: Run) -> None:
    done = run("eval", "nowhere", "--ref", "digits", "--debug")
    assert done.code == 2
    assert "Traceback (most recent call last)" in done.err
    assert "BadInput" in done.err


def test_what_was_not_foreseen_is_one_message_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("ganbench.diagnosis.diagnose", broken)
    done = run("doctor")
    assert done.code == 1
    says(done.message, "did not foresee", "RuntimeError: boom", "--debug")


def test_every_error_is_ours() -> None:
    assert issubclass(BadInput, GanbenchError)
    assert (BadInput("x").exit_code, GanbenchError("x").exit_code) == (2, 1)


def test_a_reader_that_goes_away(command: list[str]) -> None:
    """`ganbench ... | head -1` is no error worth a word."""
    process = subprocess.Popen(
        [*command, "ref", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert "Traceback" not in said
    assert "did not foresee" not in said, said


@pytest.mark.parametrize("option", ["--html", "--json"])
@pytest.mark.parametrize("place", ["folder", "good/000.png/result"])
def test_a_place_that_cannot_be_written_does_not_cost_the_result(
    run: Run, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, place: str
) -> None:
    """Either the mistake is found before the work, or the numbers are printed all the same."""
    from ganbench.features import loading

    loaded: list[object] = []
    load = loading.load_extractor
    monkeypatch.setattr(loading, "load_extractor", lambda *a, **given: loaded.append(a) or load(*a, **given))
    (tmp_path / "folder").mkdir()
    done = run("eval", good, "--ref", good, *QUICK, option, place)
    assert done.code == 2
    says(done.err, place.partition("/")[0], "Choose a place that you may write to")
    assert "FD" in done.out or not loaded


def test_json_into_a_pipe(run: Run, good: Path, tmp_path: Path) -> None:
    """`--json >(jq ...)` and /dev/stdout: what is no plain file is written to, never replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = run("list", "protocols", "--json", pipe)
        assert done.code == 0, done.err
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert b"embedded" in os.read(reader, 65536)
    finally:
        os.close(reader)
