"""The store of features and scores."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganbench.errors import CorruptFile, UsageError
from ganbench.features.extract import Extraction
from ganbench.features.store import FeatureStore, limit
from ganbench.features.store_entry import CorruptEntry, Stored
from ganbench.results import MetricResult

ROWS = {"pool": np.arange(12, dtype=np.float32).reshape(4, 3), "logits": np.ones((4, 2), dtype=np.float32)}


def extraction(n: int = 4) -> Extraction:
    return Extraction(
        features={},
        fingerprint="f" * 64,
        used=np.arange(n, dtype=np.int64),
        skipped=["a.png: no image"],
        notes=Counter({"RGBA laid over white": 2}),
        lossy=1,
        duplicates=0,
    )


def put(store: FeatureStore, key: str) -> Stored:
    writer = store.writer(key, {head: rows.shape[1] for head, rows in ROWS.items()}, n=4)
    assert writer is not None
    for head, rows in ROWS.items():
        writer.keepers[head].append(rows[:1])
        writer.keepers[head].append(rows[1:])
    with writer:
        writer.finish(extraction(), {"device": "cpu"})
    found = store.find(key)
    assert found is not None
    return found


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    found = put(FeatureStore(tmp_path), "k1")
    for head, rows in ROWS.items():
        np.testing.assert_array_equal(found.rows(head), rows)
    back = found.extraction(frozenset({"pool"}), seed=7)
    assert (back.fingerprint, back.skipped, back.lossy, back.notes["RGBA laid over white"]) == (
        "f" * 64, ["a.png: no image"], 1, 2,
    )  # fmt: skip
    assert list(back.features) == ["pool"]
    assert back.features["pool"].seed == 7
    assert found.entry.environment == {"device": "cpu"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".part")]


def test_nothing_is_found_under_another_key(tmp_path: Path) -> None:
    put(FeatureStore(tmp_path), "k1")
    assert FeatureStore(tmp_path).find("k2") is None


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    found = put(FeatureStore(tmp_path), "k1")
    data = bytearray((found.folder / "pool.f32").read_bytes())
    data[5] ^= 1
    (found.folder / "pool.f32").write_bytes(data)
    with pytest.raises(CorruptFile, match=r"pool\.f32 is corrupted"):
        found.rows("pool")
    np.testing.assert_array_equal(found.rows("logits"), ROWS["logits"])


def test_a_damaged_entry_is_told_and_taken_out(tmp_path: Path) -> None:
    told: list[str] = []
    found = put(FeatureStore(tmp_path), "k1")
    (found.folder / "entry.json").write_text("{")
    assert FeatureStore(tmp_path, warn=told.append).find("k1") is None
    assert len(told) == 1
    assert not found.folder.exists()


def test_what_is_left_of_an_entry_half_taken_out_is_replaced(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    (put(store, "k1").folder / "entry.json").unlink()
    assert store.find("k1") is None
    np.testing.assert_array_equal(put(store, "k1").rows("pool"), ROWS["pool"])


def test_an_entry_whose_use_cannot_be_marked_is_used_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path, warn=pytest.fail)
    put(store, "k1")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ganbench.features.store.os.utime", refuse)
    found = store.find("k1")
    assert found is not None
    np.testing.assert_array_equal(found.rows("pool"), ROWS["pool"])


def test_scores_are_kept_beside_their_features(tmp_path: Path) -> None:
    found = put(FeatureStore(tmp_path), "k1")
    result = MetricResult(
        value=1.5, label="FD", direction="lower", params={"k": 3}, n_fake=4, n_real=None, ci95=(1.0, 2.0),
        series={"x": [1.0, 2.0]},
    )  # fmt: skip
    assert found.score("s") is None
    found.keep_score("s", {"frechet_distance": result})
    assert found.score("s") == {"frechet_distance": result}
    (found.folder / "score-s.json").write_text("nonsense")
    assert found.score("s") is None


def test_the_ones_unused_for_longest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "8K")
    store = FeatureStore(tmp_path)
    for age, key in enumerate(["old", "older", "new"]):
        folder = put(store, key).folder
        (folder / "pool.f32").write_bytes(b"x" * 3000)
        os.utime(folder, (1e9 - age if key != "new" else 2e9,) * 2)
    store.find("older")  # used now
    put(store, "newest")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "newest", "older"]
    entries, size = store.usage()
    assert entries == 3
    assert size == sum(path.stat().st_size for path in tmp_path.glob("*/*"))


def test_what_is_beyond_the_limit_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "1K")
    assert FeatureStore(tmp_path, warn=told.append).writer("k", {"pool": 1000}, n=10) is None
    assert "beyond the store's limit" in told[0]
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "0")
    assert FeatureStore(tmp_path, warn=told.append).writer("k", {"pool": 1}, n=1) is None
    assert len(told) == 1, "who wants no store is not told each time"


@pytest.mark.parametrize(("given", "wanted"), [("", 8 << 30), ("20G", 20 << 30), ("1.5 MiB", 3 << 19), ("700", 700)])
def test_the_limit_is_a_size(given: str, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", given)
    assert limit() == wanted


def test_no_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "much")
    with pytest.raises(UsageError, match="GANBENCH_STORE_LIMIT is 'MUCH'; wanted a size such as 500M"):
        limit()


def test_an_entry_that_did_not_end_leaves_nothing(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    writer = store.writer("k", {"pool": 3}, n=4)
    assert writer is not None
    writer.keepers["pool"].append(ROWS["pool"])
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
    assert store.find("k") is None


def test_two_that_write_the_same_do_not_meet(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    first, second = (store.writer("k", {"pool": 3}, n=4) for _ in range(2))
    assert first is not None
    assert second is not None
    for writer in (first, second):
        writer.keepers["pool"].append(ROWS["pool"])
        with writer:
            writer.finish(extraction(), {})
    found = store.find("k")
    assert found is not None
    np.testing.assert_array_equal(found.rows("pool"), ROWS["pool"])
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


# ---------------------------------------------------------------- other processes


RESULT = {"fd": MetricResult(value=1.0, label="FD", direction="lower", params={}, n_fake=4, n_real=4)}


def while_listed(monkeypatch: pytest.MonkeyPatch, gone: Path) -> None:
    """Whatever lists files from here on finds `gone`, which another process then takes out at once."""
    listed = Path.glob

    def glob(self: Path, pattern: str) -> Iterator[Path]:
        found = list(listed(self, pattern))
        if gone.is_dir():
            shutil.rmtree(gone)
        gone.unlink(missing_ok=True)
        return iter(found)

    monkeypatch.setattr(Path, "glob", glob)


def test_an_entry_that_goes_while_entries_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path)
    stays, goes = put(store, "stays").folder, put(store, "goes").folder
    while_listed(monkeypatch, goes)
    assert store.usage() == (1, sum(path.stat().st_size for path in stays.iterdir()))


def test_a_file_that_goes_while_bytes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another process writes a score under a temporary name."""
    store = FeatureStore(tmp_path)
    folder = put(store, "k1").folder
    wanted = sum(path.stat().st_size for path in folder.iterdir())
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([*listed(self), self / ".score-x.json-y.part"]))
    assert store.usage() == (1, wanted)


def test_an_entry_that_goes_while_room_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_STORE_LIMIT", "1K")
    store = FeatureStore(tmp_path, warn=pytest.fail)
    while_listed(monkeypatch, put(store, "goes").folder)
    writer = store.writer("new", {"pool": 3}, n=4)
    assert writer is not None
    writer.abandon()


def test_an_abandoned_entry_that_another_clears_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path, warn=pytest.fail)
    left, goes = tmp_path / ".part-left", tmp_path / ".part-goes"
    for folder in (left, goes):
        folder.mkdir()
        os.utime(folder, (0, 0))
    while_listed(monkeypatch, goes)
    writer = store.writer("new", {"pool": 3}, n=4)
    assert writer is not None
    writer.abandon()
    assert not left.exists()


def test_a_store_that_goes_as_a_whole_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "glob", gone)
    assert FeatureStore(tmp_path).usage() == (0, 0)


def test_rows_that_went_name_their_entry(tmp_path: Path) -> None:
    found = put(FeatureStore(tmp_path), "k1")
    shutil.rmtree(found.folder)
    for read in (lambda: found.rows("pool"), lambda: found.extraction(frozenset(), seed=0)):
        with pytest.raises(CorruptEntry, match="cannot be read") as caught:
            read()
        assert caught.value.folder == found.folder


def test_no_score_is_kept_of_an_entry_that_went(tmp_path: Path) -> None:
    """Its folder would come back with nothing but a score in it, and count for nothing."""
    found = put(FeatureStore(tmp_path, warn=pytest.fail), "k1")
    shutil.rmtree(found.folder)
    found.keep_score("s", RESULT)
    assert not found.folder.exists()


# ---------------------------------------------------------------- folders that cannot be written


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on nothing can be made in any folder: who runs the tests may have leave to write everywhere."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("ganbench.files.tempfile.mkstemp", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    told: list[str] = []
    store = FeatureStore(tmp_path, warn=told.append)
    put(store, "k1")
    request.getfixturevalue("read_only")
    assert [store.writer(key, {"pool": 3}, n=4) for key in ("a", "b")] == [None, None]
    for key in ("s", "t", "u"):
        found = store.find("k1")
        assert found is not None
        found.keep_score(key, RESULT)
    assert len(told) == 1
    assert "not kept for the next run" in told[0]
    assert "Read-only file system" in told[0]
    assert FeatureStore(tmp_path, warn=told.append).writer("a", {"pool": 3}, n=4) is None
    assert len(told) == 2, "another evaluation says it again"
