"""What `--ref` can say: names before paths, one spelling, one message for what is not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from ganbench.errors import UsageError
from ganbench.features import published_stats
from ganbench.features.published_stats import PUBLISHED, address, downloaded, own_files, published
from ganbench.features.reference_files import stored_in
from ganbench.features.reference_inventory import verify
from ganbench.features.reference_names import (
    SHIPPED_UNDER,
    RefName,
    auto_protocol,
    check_name,
    looks_like_path,
    parse,
    splits,
)
from ganbench.places import shipped_references
from ganbench.protocol import get_protocol


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cleanfid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean-fid of which only the folder is there."""
    folder = tmp_path / "cleanfid"
    (folder / "stats").mkdir(parents=True)
    monkeypatch.setattr(published_stats, "_package", lambda: folder)
    return folder


@pytest.mark.parametrize(
    ("spec", "name", "split"),
    [
        ("cifar10", "cifar10", "train"),
        ("CIFAR10:Test", "cifar10", "test"),
        ("fashion_mnist", "fashion-mnist", "train"),
        ("my.set+2:trainval70k", "my.set+2", "trainval70k"),
    ],
)
def test_names_have_one_spelling(spec: str, name: str, split: str) -> None:
    assert parse(spec) == RefName(name, split)


@pytest.mark.parametrize("spec", ["", ":test", "a b", "cifar10:", "a:b:c", "-x", "samples.npz", "x" * 65, "ä"])
def test_other_texts_are_no_names(spec: str) -> None:
    with pytest.raises(UsageError, match="is no name of a reference; wanted NAME or NAME:SPLIT"):
        parse(spec)


def test_known_names_come_before_paths(here: Path) -> None:
    for name in ("digits", "mine"):
        (here / name).mkdir()
    assert not looks_like_path("digits")
    assert not looks_like_path("digits:test")
    assert looks_like_path("mine")
    for spec in ("./digits", "a/digits", "~/digits", "samples.zip", "absent.npz", ".."):
        assert looks_like_path(spec)
    assert not looks_like_path("digitz")


def test_auto_is_decided_by_the_name_alone() -> None:
    assert auto_protocol("digits") == auto_protocol("fashion-mnist:test") == auto_protocol("Digits") == "embedded"
    assert auto_protocol("cifar10") == auto_protocol("anything") == "tf"


def test_unknown_names_get_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="Unknown reference 'cifar1'") as caught:
        check_name("cifar1")
    assert caught.value.exit_code == 2
    for part in ("no such path", "Did you mean 'cifar10'?", "digits", "ffhq-256", "ganbench ref make NAME --from"):
        assert part in str(caught.value)
    with pytest.raises(UsageError) as caught:
        check_name("qqqqqqqq")
    assert "Did you mean" not in str(caught.value)


def test_unknown_splits_get_the_list() -> None:
    with pytest.raises(UsageError, match=r"'digits' has no split 'tset'; it has: test, train\. Give digits:test"):
        check_name("digits:tset")
    with pytest.raises(UsageError, match=r"'ffhq-256' has no split 'train'; it has: trainval, trainval70k"):
        check_name("ffhq-256")
    assert check_name("horse2zebra:test") == RefName("horse2zebra", "test")


def test_every_shipped_name_is_a_dataset_with_splits() -> None:
    for name in SHIPPED_UNDER:
        assert splits(name) == ["test", "train"]


def test_what_is_shipped_is_whole_and_of_the_protocol_that_auto_takes() -> None:
    shipped = stored_in(shipped_references(), warn=pytest.fail)
    assert {stored.path.name for stored in shipped} == {
        "digits-test-embedded.npz",
        "digits-train-embedded.npz",
        "fashion-mnist-test-embedded.npz",
        "fashion-mnist-train-embedded.npz",
    }
    for stored in shipped:
        assert stored.record.protocol[0] == SHIPPED_UNDER[stored.record.name]
        assert stored.record.protocol[1] == get_protocol(stored.record.protocol[0]).fingerprint
        assert verify(stored).problem == ""
    others = {path.suffix for path in shipped_references().iterdir()} - {".npz", ".json", ".md", ""}
    assert others == set(), "only statistics and side-cars are shipped"


# --- what clean-fid publishes ----------------------------------------------------------------------------------


def test_addresses_come_from_the_installed_clean_fid() -> None:
    pytest.importorskip("cleanfid", reason="clean-fid is not installed")
    assert address("x.npz").endswith("/stats/x.npz")
    assert address("x.npz").startswith("https://")
    assert "//" not in address("x.npz")[8:]


def test_clean_fid_is_asked_without_importing_it() -> None:
    code = (
        "import sys; from ganbench.features.published_stats import address, own_files; address('x.npz'); own_files()\n"
        "print(sorted({'torch', 'cleanfid', 'requests'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "split", "protocol", "filename"),
    [
        ("cifar10", "train", "tf", "cifar10_legacy_tensorflow_train_32.npz"),
        ("cifar10", "test", "clean", "cifar10_clean_test_32.npz"),
        ("cifar10", "test", "pytorch", "cifar10_legacy_pytorch_test_32.npz"),
        ("ffhq-1024", "trainval70k", "clean", "ffhq_clean_trainval70k_1024.npz"),
        ("lsun-church", "trainfull", "clean", "lsun_church_clean_trainfull_256.npz"),
    ],
)
def test_published_names(name: str, split: str, protocol: str, filename: str) -> None:
    entry = published(name, split, protocol)
    assert entry is not None
    assert entry.filename(protocol) == filename


def test_what_is_not_published() -> None:
    assert published("lsun-church", "trainfull", "tf") is None
    assert published("cifar10", "train", "embedded") is None
    assert published("fashion-mnist", "train", "tf") is None
    assert len({(entry.name, entry.split) for entry in PUBLISHED}) == len(PUBLISHED)


def test_a_clean_fid_that_changed_is_told(cleanfid: Path) -> None:
    from ganbench.errors import Unavailable

    with pytest.raises(Unavailable, match="cannot be read"):
        address("x.npz")
    (cleanfid / "features.py").write_text("def get_reference_statistics():\n    return 1\n")
    with pytest.raises(Unavailable, match="no longer says where the statistics are"):
        address("x.npz")
    (cleanfid / "features.py").write_text("def get_reference_statistics():\n    base_url = 'http://h/s/'\n")
    assert address("x.npz") == "http://h/s/x.npz"


def test_no_clean_fid_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.errors import Unavailable

    monkeypatch.setattr(published_stats, "_package", lambda: None)
    with pytest.raises(Unavailable, match="pip install clean-fid"):
        address("x.npz")
    assert own_files() == []
    assert downloaded("x.npz") is None


def test_files_in_clean_fids_own_folder_have_names(cleanfid: Path) -> None:
    for name in ("ffhq_clean_trainval_256", "my_set_clean_custom_na", "my_set_clean_custom_na_kid", "notes"):
        (cleanfid / "stats" / f"{name}.npz").touch()
    found = {(entry.name, entry.split, entry.protocols) for entry, _ in own_files()}
    assert found == {
        ("ffhq-256", "trainval", ("tf", "clean", "pytorch")),
        ("my-set", "custom", ("clean",)),
    }
    assert check_name("my_set:custom") == RefName("my-set", "custom")
    assert downloaded("my_set_clean_custom_na.npz") == cleanfid / "stats" / "my_set_clean_custom_na.npz"
    entry = published("my-set", "custom", "clean")
    assert entry is not None
    assert entry.filename("clean") == "my_set_clean_custom_na.npz"
