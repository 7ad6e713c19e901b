"""Fetching one file over http: streamed beside its place, checked, then renamed into it.

`$GANBENCH_MIRROR` names a server that offers the same files under their own names, for machines that cannot reach
the published addresses. What has a known hash is checked against it, wherever it came from.
"""

import hashlib
import http.client
import os
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from ganbench.errors import Unavailable, UsageError
from ganbench.files import CHUNK, atomic_write, locked, sha256_file
from ganbench.progress import Progress, silent

TIMEOUT = 30.0  # seconds without a byte


def filename_of(url: str) -> str:
    """The last part of the address's path: the name under which the file is published."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def mirrored(url: str) -> str:
    """The address to ask: `url` itself, or the file of that name at `$GANBENCH_MIRROR`.

    Raises UsageError where the mirror is no http address.
    """
    base = os.environ.get("GANBENCH_MIRROR", "")
    if not base:
        return url
    if urlsplit(base).scheme not in ("http", "https"):
        raise UsageError(f"GANBENCH_MIRROR is {base!r}; give it an address such as http://127.0.0.1:8000.")
    return f"{base.rstrip('/')}/{urlsplit(url).path.rpartition('/')[2]}"


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress = silent,
) -> None:
    """Fetches `url` to `target`, which appears whole and checked, or stays as it was.

    Several processes may do this at once: one fetches, the others wait and find it done.

    Args:
        url: the published address, http or https; `$GANBENCH_MIRROR` is minded.
        target: where the file goes. With `sha256`, a file there that has it is kept and nothing is fetched.
        sha256: what the bytes must have, 64 hexadecimal digits; None where that is not known.
        size: of the file in bytes, where that is known.
        progress: told of the bytes.

    Raises:
        Unavailable: the address did not answer in time, or what it gave has another size or sha256.
        GanbenchError: the disk is full.
        UsageError: the place cannot be written, or the address is none.
    """
    address = mirrored(url)
    if urlsplit(address).scheme not in ("http", "https"):
        raise UsageError(f"{address} is no http address; nothing else is fetched.")
    with locked(target):
        if sha256 and target.is_file() and sha256_file(target) == sha256:
            return
        with atomic_write(target) as file:
            found = _stream(address, file, size=size, stage=f"downloading {filename_of(url)}", progress=progress)
            if sha256 and found != sha256:
                raise Unavailable(f"{address} gave a file with the sha256 {found}, wanted {sha256}; it was not kept.")


def _stream(address: str, file: IO[bytes], *, size: int | None, stage: str, progress: Progress) -> str:
    """Copies what the address gives into `file` and returns its sha256."""
    digest, done = hashlib.sha256(), 0
    with _opened(address) as response:
        total = _total(response, address, size)
        progress(stage, 0, total)
        while chunk := _read(response, address, done):
            done += len(chunk)
            if total is not None and done > total:
                break
            digest.update(chunk)
            file.write(chunk)
            progress(stage, done, total)
    if total is not None and done != total:
        raise Unavailable(f"{address} gave {done:,} bytes or more, wanted {total:,}. Try again.")
    return digest.hexdigest()


def _opened(address: str) -> http.client.HTTPResponse:
    request = Request(address, headers={"User-Agent": "ganbench", "Accept-Encoding": "identity"})  # noqa: S310 - checked
    try:
        response: http.client.HTTPResponse = urlopen(request, timeout=TIMEOUT)  # noqa: S310 - http or https, checked
    except HTTPError as error:
        error.close()
        raise Unavailable(f"{address} answered {error.code} {error.reason}.") from error
    except URLError as error:
        raise Unavailable(f"{address} cannot be reached ({error.reason}).") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{address} cannot be reached ({str(error) or type(error).__name__}).") from error
    return response


def _total(response: http.client.HTTPResponse, address: str, size: int | None) -> int | None:
    """How many bytes will come. Raises Unavailable where that is not what is wanted."""
    stated = response.headers.get("Content-Length", "")
    offered = int(stated) if stated.isdecimal() else None
    if size is not None and offered is not None and offered != size:
        raise Unavailable(f"{address} offers {offered:,} bytes, wanted {size:,}.")
    return size if size is not None else offered


def _read(response: http.client.HTTPResponse, address: str, done: int) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{address} broke off after {done:,} bytes ({reason}). Try again.") from error
