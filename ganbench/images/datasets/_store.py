"""Files of datasets in our own store: fetched whole, checked against their sums when fetched and when read."""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ganbench.download import download
from ganbench.errors import CorruptFile, Unavailable
from ganbench.files import CHUNK, atomic_write, locked, sha256_file, write_text
from ganbench.images.datasets._base import store
from ganbench.progress import Progress


def torchvision_class(name: str) -> Any:
    """torchvision's class of a dataset, for the addresses and md5 sums that it knows. Imports torch."""
    return getattr(import_module("torchvision.datasets"), name)


def fetch(urls: Sequence[str], target: Path, *, md5: str, progress: Progress) -> None:
    """Fetches a file from the first address that gives it, unless it is there. Several processes may do so at once.

    Args:
        urls: the addresses, best first.
        target: where the file goes; its sha256 is written beside it.
        md5: what the file must have.
        progress: told of the bytes.

    Raises:
        Unavailable: no address gives a file with that sum.
    """
    with locked(target):
        if target.exists() and _intact(target):
            return
        incoming = target.with_name(f".{target.name}.incoming")
        failures = []
        for url in urls:
            try:
                download(url, incoming, progress=progress)
            except Unavailable as error:
                failures.append(str(error))
                continue
            if (found := _md5(incoming)) == md5:
                write_text(_sum_of(target), sha256_file(incoming))
                os.replace(incoming, target)
                return
            incoming.unlink()
            failures.append(f"{url} gave a file with the md5 sum {found}, wanted {md5}.")
        raise Unavailable(" ".join(failures))


def fetch_members(url: str, folder: Path, *, md5: str, members: Sequence[str], progress: Progress) -> None:
    """Fetches a tar.gz and keeps the files `members` of it, by their last names, in `folder`.

    Raises:
        Unavailable: the address does not give the archive, or the archive lacks one of them.
    """
    archive = store() / url.rpartition("/")[2]
    with locked(folder):
        if all((folder / name).exists() for name in members):
            return
        fetch([url], archive, md5=md5, progress=progress)
        missing = set(members)
        try:
            with tarfile.open(archive, "r:gz") as packed:
                for member in packed:
                    name = member.name.rpartition("/")[2]
                    content = packed.extractfile(member) if member.isreg() and name in missing else None
                    if content is not None:
                        _keep(content, folder / name)
                        missing.remove(name)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise Unavailable(f"{archive} cannot be unpacked: {error}. Remove it and try again.") from error
        if missing:
            raise Unavailable(f"{url} lacks {', '.join(sorted(missing))}.")
        archive.unlink()
        _sum_of(archive).unlink()


def _keep(content: Any, target: Path) -> None:
    digest = hashlib.sha256()
    with atomic_write(target) as file:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    write_text(_sum_of(target), digest.hexdigest())


def verified(path: Path) -> Path:
    """Returns the path of a file that has the bytes that were fetched, or that we did not fetch.

    Raises CorruptFile, and takes the file away, where its bytes have changed.
    """
    if _intact(path):
        return path
    with locked(path):
        if path.exists() and not _intact(path):
            path.unlink()
            raise CorruptFile(
                f"{path} no longer has the bytes that were fetched, and was removed. "
                f"The same command, with a network, fetches it anew."
            )
    return path


def _intact(path: Path) -> bool:
    wanted = _sum_of(path)
    return not wanted.exists() or sha256_file(path) == wanted.read_text(encoding="ascii", errors="replace").strip()


def _sum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
