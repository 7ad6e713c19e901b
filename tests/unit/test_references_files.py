"""References as files: what is written comes back, and nothing else does."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import BadInput, CorruptFile
from ganbench.features.moments import Moments
from ganbench.features.npz import open_npz, write_npz
from ganbench.features.reference_content import content_sha256, packed, unpacked
from ganbench.features.reference_files import content_matches, load, read_record, save, stored_in
from ganbench.features.reference_making import Keep, Origin, build_reference, drawn
from ganbench.features.references import Reference
from ganbench.features.stats import Features
from ganbench.protocol import get_protocol
from ganbench.serialize import canonical_sha256

D = 12
ORIGIN = Origin(
    name="toys", split="train", source="toys.zip", source_fingerprint="ab" * 32, command="ganbench ref make"
)


def neighbours(x: np.ndarray, k: int) -> np.ndarray:
    x = x.astype(np.float64)
    distances = np.sort(np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1)), axis=1)
    return distances[:, 1 : k + 1]


def values(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, (n, D)).astype(np.float32)


def made(n: int = 40, *, keep: Keep | None = None, origin: Origin = ORIGIN) -> Reference:
    x = values(n)
    heads = {"pool": Features(x, moments=Moments.of(x))}
    return build_reference(origin, heads, protocol=get_protocol("embedded"), keep=keep, neighbours=neighbours)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    reference = made(40, keep=Keep(features=15))
    path = save(reference, tmp_path)
    assert path.name == "toys-train-embedded.npz"
    back = load(path)
    for name in ("name", "split", "n", "protocol_fingerprint", "fingerprint"):
        assert getattr(back, name) == getattr(reference, name)
    assert back.info == json.loads(json.dumps(dict(reference.info)))
    ours, theirs = reference.heads["pool"], back.heads["pool"]
    np.testing.assert_array_equal(theirs.moments.cov, ours.moments.cov)
    np.testing.assert_array_equal(theirs.moments.mean, ours.moments.mean)
    np.testing.assert_array_equal(theirs.values, ours.values)
    np.testing.assert_array_equal(theirs.neighbours, ours.neighbours)
    np.testing.assert_array_equal(back.indices, reference.indices)
    assert theirs.n == 40
    assert theirs.values.dtype == np.float32
    assert theirs.values.flags.writeable, "torch complains of arrays that are not"
    assert content_matches(back, read_record(path))


def test_the_side_car_says_what_made_it(tmp_path: Path) -> None:
    path = save(made(), tmp_path)
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["schema"] == "ganbench.reference/1"
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["size"] == path.stat().st_size
    info = record["info"]
    assert info["protocol"]["weights_sha256"] == get_protocol("embedded").weights_sha256
    assert (info["source"], info["source_fingerprint"], info["lossy"]) == ("toys.zip", "ab" * 32, 0)
    assert info["versions"]["numpy"] == np.__version__
    assert info["command"] == "ganbench ref make"


def test_the_same_reference_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = save(made(), tmp_path / "a"), save(made(), tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".json").read_bytes() == second.with_suffix(".json").read_bytes()
    again = save(load(first), tmp_path / "c")
    assert first.read_bytes() == again.read_bytes()


def test_plain_numpy_reads_the_file(tmp_path: Path) -> None:
    with np.load(save(made(40, keep=Keep(features=15)), tmp_path), allow_pickle=False) as file:
        assert set(file) == {"n", "indices", "pool_mean", "pool_cov", "pool_features", "pool_neighbours"}
        assert file["n"] == 40
        assert file["pool_cov"].shape == (D * (D + 1) // 2,)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_packing_is_exact(d: int) -> None:
    cov = Moments.of(np.random.default_rng(d).normal(size=(d + 5, d))).cov
    np.testing.assert_array_equal(unpacked(packed(cov), d), cov)


def test_of_few_images_the_features_are_kept_and_moments_follow(tmp_path: Path) -> None:
    path = save(made(D - 2), tmp_path)
    with np.load(path) as file:
        assert "pool_cov" not in file
    head = load(path).heads["pool"]
    assert head.factor.shape == (D, D - 3)
    np.testing.assert_allclose(head.factor @ head.factor.T, Moments.of(values(D - 2)).cov, atol=1e-12)
    np.testing.assert_allclose(head.moments.cov, Moments.of(values(D - 2)).cov, atol=1e-12)


def test_float16_rounds_before_neighbours_are_found(tmp_path: Path) -> None:
    path = save(made(40, keep=Keep(dtype="float16")), tmp_path)
    with np.load(path) as file:
        assert file["pool_features"].dtype == np.float16
    head = load(path).heads["pool"]
    np.testing.assert_array_equal(head.neighbours, neighbours(head.values, 5))
    np.testing.assert_array_equal(head.moments.cov, Moments.of(values(40)).cov)  # moments are of what was not rounded


def test_float16_refuses_what_it_cannot_hold() -> None:
    heads = {"pool": Features(values(20) * 1e5)}
    with pytest.raises(BadInput, match="beyond the range of float16"):
        build_reference(ORIGIN, heads, protocol=get_protocol("embedded"), keep=Keep(dtype="float16"))


def test_the_draw_is_seeded_sorted_and_of_all_images() -> None:
    rows = drawn(100, Keep(features=30))
    assert rows is not None
    assert len(set(rows.tolist())) == 30
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, drawn(100, Keep(features=30)))
    assert not np.array_equal(rows, drawn(100, Keep(features=30, seed=1)))
    assert drawn(30, Keep(features=30)) is None
    reference = made(100, keep=Keep(features=30))
    np.testing.assert_array_equal(reference.heads["pool"].values, values(100)[rows])
    np.testing.assert_array_equal(reference.heads["pool"].moments.cov, Moments.of(values(100)).cov)


def test_the_fingerprint_follows_images_and_protocol_and_not_names() -> None:
    fingerprint = made().fingerprint
    assert made(origin=replace(ORIGIN, name="other", source="elsewhere")).fingerprint == fingerprint
    assert made(origin=replace(ORIGIN, source_fingerprint="cd" * 32)).fingerprint != fingerprint
    assert made(keep=Keep(features=7)).fingerprint != fingerprint
    x = values(40)
    tf = build_reference(ORIGIN, {"pool": Features(x)}, protocol=get_protocol("tf"))
    assert tf.fingerprint != fingerprint
    moments_only = {"pool": Features(moments=Moments.of(x))}
    assert build_reference(ORIGIN, moments_only, protocol=get_protocol("embedded")).fingerprint == fingerprint


def test_content_is_told_apart() -> None:
    digests = {
        content_sha256(reference.heads, reference.n)
        for reference in (made(40), made(41), made(40, keep=Keep(features=9)), made(40, keep=Keep(features=0)))
    }
    assert len(digests) == 4


def test_moments_alone_can_be_kept(tmp_path: Path) -> None:
    head = load(save(made(40, keep=Keep(features=0)), tmp_path)).heads["pool"]
    assert head.values is None
    assert head.neighbours is None
    assert head.moments.n == 40


def test_weights_of_ones_own_are_stored_apart(tmp_path: Path) -> None:
    own = get_protocol("embedded").with_weights("00" * 32)
    path = save(made().asserted("toys", "train", protocol=own, made="imported"), tmp_path)
    assert path.name == f"toys-train-embedded-{own.fingerprint[:8]}.npz"
    assert load(path).protocol_fingerprint == own.fingerprint


@pytest.mark.parametrize("place", [0, 0.3, 0.9])
def test_a_flipped_byte_is_noticed(tmp_path: Path, place: float) -> None:
    path = save(made(), tmp_path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match="is corrupted: its sha256 is") as caught:
        load(path)
    assert caught.value.exit_code == 1


def test_a_cut_or_absent_file_is_noticed(tmp_path: Path) -> None:
    path = save(made(), tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFile, match=r"bytes, \d+ were written"):
        load(path)
    path.unlink()
    with pytest.raises(CorruptFile, match="cannot be read"):
        load(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CorruptFile, match="no readable side-car"):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no side-car of statistics"),
        ('{"schema": "ganbench.reference/1"}', "is no side-car of statistics"),
        (None, "schema 'ganbench.reference/9'"),
    ],
)
def test_a_side_car_that_is_none_is_noticed(tmp_path: Path, text: str | None, message: str) -> None:
    path = save(made(), tmp_path)
    sidecar = path.with_suffix(".json")
    sidecar.write_text(text or sidecar.read_text().replace("reference/1", "reference/9"))
    with pytest.raises(CorruptFile, match=message):
        load(path)
    told: list[str] = []
    assert stored_in(tmp_path, warn=told.append) == []
    assert message in told[0]


def test_a_side_car_that_describes_another_file_is_noticed(tmp_path: Path) -> None:
    path = save(made(), tmp_path)
    sidecar = path.with_suffix(".json")
    record = json.loads(sidecar.read_text())
    record["heads"]["pool"]["width"] = D + 1
    sidecar.write_text(json.dumps(record))
    with pytest.raises(CorruptFile, match=r"wanted float of shape \(13,\)"):
        load(path)


def test_two_processes_saving_at_once_both_end_well(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from ganbench.features.reference_files import save, load\n"
        "from ganbench.features.reference_making import *; from ganbench.features.stats import Features\n"
        "from ganbench.protocol import get_protocol\n"
        "x = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)\n"
        "origin = Origin(name='toys', split='train', source='s', source_fingerprint='0')\n"
        "reference = build_reference(origin, {'pool': Features(x)}, protocol=get_protocol('tf'))\n"
        "for _ in range(10): path = save(reference, Path(sys.argv[1]))\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [run.wait(300) for run in runs] == [0, 0]
    assert load(tmp_path / "toys-train-tf.npz").n == 300
    assert [p.name for p in tmp_path.iterdir() if p.suffix not in (".npz", ".json", ".lock")] == []


def test_a_reference_says_which_protocol_it_is_of() -> None:
    reference = made()
    assert reference.check_protocol(get_protocol("embedded")) is reference
    with pytest.raises(BadInput.__mro__[1], match="statistics of another protocol") as caught:
        reference.check_protocol(get_protocol("tf"))
    assert caught.value.exit_code == 2
    for part in ("'toys:train'", "found embedded", "wanted tf", get_protocol("tf").fingerprint[:12], "ref make toys"):
        assert part in str(caught.value)


# --- the arrays themselves -------------------------------------------------------------------------------------


def test_arrays_are_deflated_only_where_it_pays(tmp_path: Path) -> None:
    with open(tmp_path / "x.npz", "wb") as file:
        write_npz(file, {"noise": np.random.default_rng(0).normal(size=5000), "zeros": np.zeros(5000)})
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
    assert kinds == {"noise.npy": zipfile.ZIP_STORED, "zeros.npy": zipfile.ZIP_DEFLATED}


def lying(path: Path, shape: tuple[int, ...], data: bytes, dtype: str = "<f8") -> Path:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mu.npy", buffer.getvalue() + data)
    return path


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**12,), "claims 8000000000000 bytes; at most"),
        ((11,), "claims 88 bytes and the file holds 80"),
        ((9,), "claims 72 bytes and the file holds 80"),
        ((-1,), "claims the shape"),
    ],
)
def test_a_header_that_lies_takes_no_memory(tmp_path: Path, shape: tuple[int, ...], message: str) -> None:
    path = lying(tmp_path / "x.npz", shape, bytes(80))
    with open_npz(path) as file, pytest.raises(BadInput, match=message):
        file.read("mu", kind="f", shape=(None,), limit=1 << 60)


def test_an_archive_that_lies_about_its_sizes(tmp_path: Path) -> None:
    path = lying(tmp_path / "x.npz", (10,), bytes(80))
    data = bytearray(path.read_bytes())
    entry = zipfile.ZipFile(path).getinfo("mu.npy")
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (entry.file_size + 8).to_bytes(4, "little")  # uncompressed size
    path.write_bytes(data)
    with open_npz(path) as file, pytest.raises(BadInput, match="holds 88"):
        file.read("mu", kind="f", shape=(None,), limit=1 << 60)


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "x.npz", mu=np.array([Trap()], dtype=object))
    with open_npz(tmp_path / "x.npz") as file, pytest.raises(BadInput, match="pickled Python objects"):
        file.read("mu", kind="f", shape=(None,), limit=1 << 60)
    assert not (tmp_path / "sprung").exists()


def test_damage_inside_an_archive_is_one_message(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", mu=np.random.default_rng(0).normal(size=500))
    data = bytearray((tmp_path / "x.npz").read_bytes())
    for i in range(1500, 1520):
        data[i] ^= 0xFF
    (tmp_path / "x.npz").write_bytes(data)
    with open_npz(tmp_path / "x.npz") as file, pytest.raises(BadInput, match="The file is damaged"):
        file.read("mu", kind="f", shape=(None,), limit=1 << 60)


def test_other_files_are_no_npz(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("not a zip")
    with pytest.raises(BadInput, match="is not an npz file"), open_npz(tmp_path / "x.npz"):
        pass
    with pytest.raises(BadInput, match="There is no file"), open_npz(tmp_path / "y.npz"):
        pass


def test_another_shape_or_kind_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=np.arange(6).reshape(2, 3))
    with open_npz(tmp_path / "x.npz") as file:
        with pytest.raises(BadInput, match=r"'mu' is int64 of shape \(2, 3\); wanted float of shape \(any,\)"):
            file.read("mu", kind="f", shape=(None,), limit=1 << 20)
        with pytest.raises(BadInput, match="has no array 'sigma'; it has: mu"):
            file.header("sigma")


def test_fortran_order_is_kept_straight(tmp_path: Path) -> None:
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez(tmp_path / "x.npz", mu=x)
    with open_npz(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file.read("mu", kind="f", shape=(2, 3), limit=48), x)


def test_the_recipe_is_spelt_once() -> None:
    """The fingerprint is part of every result: a change of its recipe is a change of the interface."""
    protocol = get_protocol("embedded")
    recipe = {"images": "ab" * 32, "n": 40, "protocol": protocol.fingerprint, "features": 40, "dtype": "float32"}
    assert made().fingerprint == canonical_sha256({**recipe, "seed": None})
