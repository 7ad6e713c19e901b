"""From a name to statistics: the order of places, what is kept, and what is said where nothing can be had."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import GanbenchError, Unavailable, UsageError
from ganbench.features import published_stats, reference_inventory, reference_names, reference_search
from ganbench.features.reference_files import save
from ganbench.features.reference_making import Origin, build_reference
from ganbench.features.reference_search import at_hand, check_protocol_of, made_from, resolve
from ganbench.features.references import Reference
from ganbench.features.stats import Features
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import ImageSource, open_images
from ganbench.progress import Progress, silent
from ganbench.protocol import Protocol, get_protocol

X = np.random.default_rng(1).gamma(2.0, 1.0, (60, 9))
TF, EMBEDDED = get_protocol("tf"), get_protocol("embedded")


class Toys:
    """A dataset whose presence the test decides."""

    splits = ("train", "test")
    ways = ("ask a child",)
    here: bool = False
    network: bool = False

    @classmethod
    def find(cls, split: str) -> ImageSource | None:
        pixels = np.zeros((4, 4, 3), dtype=np.uint8)
        return IndexedSource(f"toys:{split}", 60, read=lambda i: pixels) if cls.here else None

    @classmethod
    def locate(cls, split: str) -> Path | None:
        return Path("/somewhere") if cls.here else None

    @classmethod
    def download(cls, split: str, *, progress: Progress) -> None:
        if not cls.network:
            raise Unavailable("http://toys.example cannot be reached (no network).")
        cls.here = True


class Datasets:
    def names(self) -> list[str]:
        return ["toys"]

    def get(self, name: str) -> type[Toys]:
        assert name == "toys"
        return Toys


@dataclass
class House:
    """The places that are searched, and what happened."""

    root: Path
    built: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    protocol: Protocol = TF

    @property
    def store(self) -> Path:
        return self.root / "home" / "references"

    def build(self, source: ImageSource, name: str, split: str) -> Reference:
        self.built.append(f"{name}:{split} from {source.name}")
        return reference(name, split, self.protocol)

    def ask(self, spec: str, *, offline: bool = False, cache: bool = True) -> Reference:
        return resolve(
            spec, self.protocol, build=self.build, offline=offline, cache=cache, progress=silent, warn=self.told.append
        )


def reference(name: str, split: str, protocol: Protocol) -> Reference:
    origin = Origin(name=name, split=split, source="images", source_fingerprint="0")
    return build_reference(origin, {"pool": Features(X.astype(np.float32))}, protocol=protocol)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANBENCH_MIRROR", raising=False)
    for module in (reference_search, reference_names, reference_inventory):
        monkeypatch.setattr(module, "DATASETS", Datasets())
        monkeypatch.setattr(module, "shipped_references", lambda: tmp_path / "shipped")
    monkeypatch.setattr(Toys, "here", False)
    monkeypatch.setattr(Toys, "network", False)
    folder = tmp_path / "cleanfid"
    (folder / "stats").mkdir(parents=True)
    # Nothing listens on port 9 of this machine: a test that forgets the server fails at once.
    (folder / "features.py").write_text("def get_reference_statistics():\n    base_url = 'http://127.0.0.1:9/stats/'\n")
    monkeypatch.setattr(published_stats, "_package", lambda: folder)
    return House(tmp_path)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Offers the files of `served/` on 127.0.0.1 and counts requests."""
    (tmp_path / "served").mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            httpd.requests.append(self.path)  # type: ignore[attr-defined]

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "served")))
    httpd.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    monkeypatch.setenv("GANBENCH_MIRROR", f"http://127.0.0.1:{httpd.server_port}")
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def publish(folder: Path, name: str = "cifar10_legacy_tensorflow_train_32.npz") -> None:
    np.savez_compressed(folder / name, mu=X.mean(axis=0), sigma=np.cov(X, rowvar=False))


# --- the order of places ---------------------------------------------------------------------------------------


def test_shipped_comes_first(house: House) -> None:
    Toys.here = True
    save(reference("toys", "train", TF), house.root / "shipped")
    save(reference("toys", "train", TF), house.store)
    assert house.ask("toys").spec == "toys:train"
    (house.store / "toys-train-tf.npz").write_bytes(b"never looked at")
    house.ask("toys")
    assert (house.built, house.told) == ([], [])


def test_the_store_comes_before_a_dataset(house: House) -> None:
    Toys.here = True
    save(reference("toys", "test", TF), house.store)
    house.ask("toys:test")
    assert house.built == []
    house.ask("toys")
    assert house.built == ["toys:train from toys:train"]


def test_what_was_made_is_kept(house: House) -> None:
    Toys.here = True
    first = house.ask("Toys")
    Toys.here = False
    again = house.ask("toys", offline=True)
    assert house.built == ["toys:train from toys:train"]
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.heads["pool"].moments.cov, first.heads["pool"].moments.cov)
    assert again.info["made"] == "dataset"


def test_without_cache_it_is_made_again_if_it_was_made_from_a_dataset(house: House) -> None:
    Toys.here = True
    house.ask("toys")
    house.ask("toys", cache=False)
    assert len(house.built) == 2
    save(reference("toys", "test", TF), house.store)
    house.ask("toys:test", cache=False)
    assert len(house.built) == 2, "what the user made or imported cannot be made again"


def test_each_protocol_has_its_own(house: House) -> None:
    Toys.here = True
    house.ask("toys")
    house.protocol = EMBEDDED
    assert house.ask("toys").protocol_name == "embedded"
    house.protocol = TF.with_weights("00" * 32)
    assert house.ask("toys").protocol_fingerprint == house.protocol.fingerprint
    assert len(house.built) == 3
    assert len(list(house.store.glob("*.npz"))) == 3


def test_a_dataset_is_downloaded_last(house: House) -> None:
    Toys.network = True
    assert house.ask("toys").spec == "toys:train"
    assert house.built == ["toys:train from toys:train"]


# --- what is damaged -------------------------------------------------------------------------------------------


def corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("part", ["npz", "json"])
def test_a_corrupted_file_is_made_again_and_that_is_said(house: House, part: str) -> None:
    Toys.here = True
    house.ask("toys")
    path = house.store / "toys-train-tf.npz"
    if part == "npz":
        corrupt(path)
    else:
        path.with_suffix(".json").write_text("{}")
    assert house.ask("toys").n == 60
    assert len(house.built) == 2
    assert len(house.told) == 1
    assert "It was moved aside as toys-train-tf.npz.corrupt." in house.told[0]
    assert (house.store / "toys-train-tf.npz.corrupt").exists()
    house.ask("toys")
    assert (len(house.built), len(house.told)) == (2, 1)


def test_a_corrupted_file_that_cannot_be_made_again_is_an_error_with_a_cure(house: House) -> None:
    path = save(reference("mine", "train", TF), house.store)
    corrupt(path)
    with pytest.raises(Unavailable, match="The reference mine:train for protocol tf cannot be had here") as caught:
        house.ask("mine")
    assert caught.value.exit_code == 1
    for text in ("is corrupted: its sha256 is", "ganbench ref make mine --from IMAGES --protocol tf", "ref import"):
        assert text in str(caught.value)


def test_a_corrupted_shipped_file_does_not_stop_the_work(house: House) -> None:
    Toys.here = True
    corrupt(save(reference("toys", "train", TF), house.root / "shipped"))
    assert house.ask("toys").n == 60
    assert house.built == ["toys:train from toys:train"]
    assert "reinstall it" in house.told[0]


# --- what is of another protocol, or nowhere -------------------------------------------------------------------


def test_statistics_of_another_protocol_are_refused(house: House) -> None:
    save(reference("mine", "train", EMBEDDED), house.store)
    with pytest.raises(UsageError, match="'mine:train' has statistics of another protocol") as caught:
        house.ask("mine")
    assert caught.value.exit_code == 2
    for text in (f"embedded ({EMBEDDED.fingerprint[:12]})", f"tf ({TF.fingerprint[:12]})", "--protocol embedded"):
        assert text in str(caught.value)


def test_statistics_of_another_protocol_are_refused_before_any_work(house: House) -> None:
    save(reference("mine", "train", EMBEDDED), house.store)
    save(reference("toys", "train", EMBEDDED), house.store)
    save(reference("cifar10", "train", EMBEDDED), house.store)
    with pytest.raises(UsageError, match="'mine:train' has statistics of another protocol"):
        check_protocol_of("mine", TF)
    check_protocol_of("mine", EMBEDDED)
    check_protocol_of("mine", EMBEDDED.with_weights("00" * 32))
    check_protocol_of("toys", TF)  # can be made
    check_protocol_of("cifar10", TF)  # can be downloaded


def test_unknown_names_are_the_users_mistake(house: House) -> None:
    with pytest.raises(UsageError, match="Did you mean 'toys'"):
        house.ask("toy")


def test_offline_says_what_would_help(house: House) -> None:
    with pytest.raises(Unavailable) as caught:
        house.ask("cifar10", offline=True)
    message = str(caught.value)
    assert caught.value.exit_code == 1
    for text in (
        "cifar10:train for protocol tf cannot be had here",
        "clean-fid publishes cifar10_legacy_tensorflow_train_32.npz, and --offline forbids to get it",
        "without --offline",
        "ganbench ref make cifar10 --from IMAGES --protocol tf",
        "ganbench ref import FILE.npz --as cifar10 --protocol tf",
    ):
        assert text in message


def test_no_network_is_one_message(house: House) -> None:
    save(reference("toys", "train", EMBEDDED), house.store)
    with pytest.raises(GanbenchError, match="cannot be had here") as caught:
        house.ask("toys")
    assert caught.value.exit_code == 1
    for text in ("no network", "GANBENCH_DATA", "ask a child", "--protocol embedded"):
        assert text in str(caught.value)


def test_a_server_that_refuses_is_named(house: House) -> None:
    with pytest.raises(
        Unavailable, match=r"127\.0\.0\.1:9/stats/cifar10_legacy_tensorflow_train_32\.npz cannot be reached"
    ):
        house.ask("cifar10")


# --- what clean-fid publishes ----------------------------------------------------------------------------------


def test_published_statistics_are_downloaded_once(house: House, server: ThreadingHTTPServer) -> None:
    publish(house.root / "served")
    found = house.ask("cifar10")
    assert (found.n, found.heads["pool"].n) == (50_000, 50_000)
    np.testing.assert_array_equal(found.heads["pool"].moments.cov, np.cov(X, rowvar=False))
    assert found.protocol_fingerprint == TF.fingerprint
    assert found.info["made"] == "published"
    assert len(found.info["file_sha256"]) == 64
    os.remove(house.root / "served" / "cifar10_legacy_tensorflow_train_32.npz")
    again = house.ask("cifar10", offline=True, cache=False)
    assert again.fingerprint == found.fingerprint
    assert server.requests == ["/cifar10_legacy_tensorflow_train_32.npz"]  # type: ignore[attr-defined]


def test_each_protocol_has_its_own_file(house: House, server: ThreadingHTTPServer) -> None:
    publish(house.root / "served", "cifar10_clean_test_32.npz")
    house.protocol = get_protocol("clean")
    assert house.ask("cifar10:test").n == 10_000
    house.protocol = get_protocol("pytorch")
    with pytest.raises(Unavailable, match=r"cifar10_legacy_pytorch_test_32\.npz answered 404"):
        house.ask("cifar10:test")


def test_something_else_under_the_published_name_is_not_kept(house: House, server: ThreadingHTTPServer) -> None:
    (house.root / "served" / "cifar10_legacy_tensorflow_train_32.npz").write_text("<html>sign in first</html>")
    with pytest.raises(Unavailable, match="gave is no file of statistics"):
        house.ask("cifar10")
    assert list(house.store.rglob("*.npz")) == []


def test_a_corrupted_download_is_fetched_again(house: House, server: ThreadingHTTPServer) -> None:
    publish(house.root / "served")
    house.ask("cifar10")
    corrupt(house.store / "cifar10-train-tf.npz")
    assert house.ask("cifar10").n == 50_000
    assert "is corrupted" in house.told[0]


def test_published_statistics_are_not_for_weights_of_ones_own(house: House, server: ThreadingHTTPServer) -> None:
    publish(house.root / "served")
    house.protocol = TF.with_weights("00" * 32)
    with pytest.raises(Unavailable):
        house.ask("cifar10")
    assert server.requests == []  # type: ignore[attr-defined]


def test_files_of_clean_fid_are_used(house: House) -> None:
    publish(house.root / "cleanfid" / "stats")
    publish(house.root / "cleanfid" / "stats", "my_set_clean_custom_na.npz")
    assert house.ask("cifar10", offline=True).n == 50_000
    house.protocol = get_protocol("clean")
    assert house.ask("my_set:custom", offline=True).n is None
    assert house.told == []


def test_half_a_file_of_clean_fid_does_not_stop_the_work(house: House, server: ThreadingHTTPServer) -> None:
    publish(house.root / "served")
    (house.root / "cleanfid" / "stats" / "cifar10_legacy_tensorflow_train_32.npz").write_bytes(b"PK half a file")
    assert house.ask("cifar10").n == 50_000
    assert "is not an npz file" in house.told[0]
    assert "clean-fid's own folder" in house.told[0]


def test_two_at_once_make_it_once(house: House) -> None:
    Toys.here = True
    results: list[Reference] = []
    threads = [threading.Thread(target=lambda: results.append(house.ask("toys"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 4
    assert len(house.built) == 1


# --- images behind it, and the inventory -----------------------------------------------------------------------


def test_images_are_at_hand_only_where_they_are_the_very_ones(house: House) -> None:
    Toys.here = True
    images = at_hand(house.ask("toys"))
    assert images is not None
    assert images.name == "toys:train"
    assert at_hand(reference("toys", "train", TF)) is None, "made by hand, of images that may be others"
    Toys.here = False
    assert at_hand(house.ask("toys")) is None


def test_what_a_reference_was_made_from_is_taken_only_where_it_is_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "images.npy"
    pixels = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    np.save(place, pixels)
    plain = reference("mine", "train", TF)
    info = {**plain.info, "made": "by hand", "path": str(place), "source_fingerprint": open_images(place).fingerprint}
    found = made_from(replace(plain, info=info))
    assert found is not None
    assert found.name == str(place)
    assert made_from(plain) is None
    for other in ({"made": "imported"}, {"source_fingerprint": "0"}, {"path": None}, {"path": 7}):
        assert made_from(replace(plain, info=info | other)) is None, other
    for nowhere in ("", "gone.npy", "\0", "/" + "x" * 5000):  # a side-car may come from another machine
        assert made_from(replace(plain, info=info | {"path": nowhere})) is None, nowhere
    np.save(place, pixels[:59])
    assert made_from(replace(plain, info=info)) is None
    np.save(place, pixels.astype(np.float32))  # and cannot be read without --value-range
    assert made_from(replace(plain, info=info)) is None


def test_the_inventory_follows_the_order_of_the_search(house: House) -> None:
    Toys.here = True
    save(reference("shipped", "train", EMBEDDED), house.root / "shipped")
    save(reference("mine", "train", TF), house.store)
    publish(house.root / "cleanfid" / "stats")
    (house.store / "broken.json").write_text("{")
    found = reference_inventory.inventory(warn=house.told.append)
    places = [(a.where, a.name) for a in found if a.where != "published"]
    assert places == [
        ("shipped", "shipped"),
        ("store", "mine"),
        ("dataset", "toys"),
        ("dataset", "toys"),
        ("clean-fid", "cifar10"),
    ]
    assert (found[0].n, found[0].features, found[0].protocols) == (60, 60, ("embedded",))
    assert ("published", "lsun-church") in [(a.where, a.name) for a in found]
    cifar10 = [(a.where, a.protocols) for a in found if (a.name, a.split) == ("cifar10", "train")]
    assert cifar10 == [("clean-fid", ("tf",)), ("published", ("clean", "pytorch"))]
    assert "broken.json" in house.told[0]


def test_verdicts(house: House) -> None:
    save(reference("good", "train", TF), house.store)
    corrupt(save(reference("bad", "train", TF), house.store))
    verdicts = [reference_inventory.verify(stored) for stored in reference_names.local(warn=house.told.append)]
    assert [(v.name, bool(v.problem)) for v in verdicts] == [("bad", True), ("good", False)]
    assert "is corrupted" in verdicts[0].problem
