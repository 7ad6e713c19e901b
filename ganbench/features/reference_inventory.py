"""Which references there are: in files, to be made from datasets on this machine, to be downloaded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ganbench.errors import CorruptFile
from ganbench.features.published_stats import PUBLISHED, own_files
from ganbench.features.reference_files import Stored, check_bytes, content_matches, load, stored_in
from ganbench.features.reference_names import SHIPPED_UNDER, store
from ganbench.images.datasets._base import DATASETS
from ganbench.places import shipped_references
from ganbench.progress import Warn
from ganbench.protocol import protocol_names

Where = Literal["shipped", "store", "dataset", "clean-fid", "published"]


@dataclass(frozen=True, kw_only=True)
class Available:
    """A reference that `--ref` can name.

    Attributes:
        name, split: as `--ref` takes them.
        protocols: under which it can be had.
        n: images behind it; None where that is not known before it is made.
        features: feature rows that are kept; None where it is not made yet.
        where: shipped with ganbench; in the user's store; made from a dataset found here; in clean-fid's folder;
            published by clean-fid.
        place: the file or folder, or "" for what is to be downloaded.
    """

    name: str
    split: str
    protocols: tuple[str, ...]
    n: int | None
    features: int | None
    where: Where
    place: str


def inventory(*, warn: Warn) -> list[Available]:
    """All references that can be named here, in the order in which a name is looked up. Reads side-cars alone.

    What comes later lists only the protocols under which nothing comes earlier.
    """
    files = [*_files(shipped_references(), "shipped", warn), *_files(store(), "store", warn)]
    seen = {(a.name, a.split, a.protocols[0]) for a in files}
    found = files
    for way in [*_datasets(), *_cleanfid()]:
        new = tuple(p for p in way.protocols if (way.name, way.split, p) not in seen)
        seen |= {(way.name, way.split, p) for p in new}
        found += [replace(way, protocols=new)] if new else []
    return found


def _files(folder: Path, where: Where, warn: Warn) -> Iterator[Available]:
    for stored in stored_in(folder, warn=warn):
        record = stored.record
        yield Available(
            name=record.name,
            split=record.split,
            protocols=(record.protocol[0],),
            n=record.n,
            features=max(head.rows for head in record.heads.values()),
            where=where,
            place=str(stored.path),
        )


def _datasets() -> Iterator[Available]:
    for name in DATASETS.names():
        dataset = DATASETS.get(name)
        first = SHIPPED_UNDER.get(name)
        protocols = sorted(protocol_names(), key=lambda protocol: (protocol != first, protocol))
        for split in dataset.splits:
            place = dataset.locate(split)
            if place is not None:
                yield Available(
                    name=name,
                    split=split,
                    protocols=tuple(protocols),
                    n=None,
                    features=None,
                    where="dataset",
                    place=str(place),
                )


def _cleanfid() -> Iterator[Available]:
    for entry, path in own_files():
        protocols = tuple(p for p in entry.protocols if entry.filename(p) == path.name)
        yield Available(
            name=entry.name,
            split=entry.split,
            protocols=protocols,
            n=entry.n,
            features=0,
            where="clean-fid",
            place=str(path),
        )
    for entry in PUBLISHED:
        yield Available(
            name=entry.name,
            split=entry.split,
            protocols=entry.protocols,
            n=entry.n,
            features=0,
            where="published",
            place="",
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a file still holds what was written; `problem` says what is wrong, or is empty."""

    name: str
    split: str
    protocol: str
    file: str
    problem: str


def verify(stored: Stored) -> Verdict:
    """Compares a file's bytes with its side-car, and its numbers with the digest of the numbers."""
    problem = ""
    try:
        check_bytes(stored.path)
        if not content_matches(load(stored.path), stored.record):
            problem = f"{stored.path}: the numbers are not those that the side-car was written for."
    except CorruptFile as error:
        problem = str(error)
    record = stored.record
    return Verdict(
        name=record.name,
        split=record.split,
        protocol=record.protocol[0],
        file=str(stored.path),
        problem=problem,
    )
