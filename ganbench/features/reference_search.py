"""From a name to statistics: shipped, stored, made from a dataset found here, downloaded, in this order."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganbench.download import download
from ganbench.errors import BadInput, CorruptFile, GanbenchError, Unavailable, UsageError
from ganbench.features.factors import FactorCache
from ganbench.features.foreign_stats import read_foreign
from ganbench.features.published_stats import Published, address, downloaded, published
from ganbench.features.reference_files import load, read_record, save, stem
from ganbench.features.reference_names import RefName, check_name, local, store
from ganbench.features.references import Reference, other_protocol
from ganbench.files import locked
from ganbench.images.datasets._base import DATASETS
from ganbench.images.source import ImageSource, open_images
from ganbench.places import shipped_references
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.protocol import Protocol

# (images, name, split) -> their statistics under the protocol of the search
Build = Callable[[ImageSource, str, str], Reference]


def resolve(
    spec: str,
    protocol: Protocol,
    *,
    build: Build,
    offline: bool = False,
    cache: bool = True,
    progress: Progress = silent,
    warn: Warn = unheard,
) -> Reference:
    """The statistics of NAME[:SPLIT] under a protocol; what had to be made or downloaded is stored for the next time.

    Args:
        spec: the name.
        protocol: under which they are wanted.
        build: makes them from images.
        offline: use no network.
        cache: False makes those again that were made from a dataset found here.
        progress: told of a download.
        warn: told of stored files that were corrupted, and what was done about it.

    Raises:
        UsageError: no such name or split, or its statistics are of another protocol.
        Unavailable: they cannot be had here; the message names the ways to get them.
    """
    return _Search(check_name(spec), protocol, build, offline, cache, progress, warn).run()


def check_protocol_of(spec: str, protocol: Protocol) -> None:
    """Raises UsageError where a name has stored statistics, none of them of this protocol, and none can be made or had.

    Judged by the protocol's name, before any network is loaded; `resolve` compares fingerprints.
    """
    asked = check_name(spec)
    found = [
        s.record.protocol for s in local(warn=unheard) if (s.record.name, s.record.split) == (asked.name, asked.split)
    ]
    elsewhere = asked.name in DATASETS.names() or published(asked.name, asked.split, protocol.name) is not None
    if found and not elsewhere and protocol.name not in {name for name, _ in found}:
        raise other_protocol(str(asked), found, protocol)


def recorded(asked: RefName, protocol: Protocol) -> Reference | None:
    """What the side-car of shipped or stored statistics says, without their numbers; None where there is none."""
    for folder in (shipped_references(), store()):
        path = folder / f"{stem(asked.name, asked.split, protocol.record())}.npz"
        try:
            record = read_record(path) if path.with_suffix(".json").exists() else None
        except CorruptFile:
            continue  # told when it is read
        if record is not None and record.protocol[1] == protocol.fingerprint:
            return Reference(
                record.name, record.split, record.n, record.protocol[1], {}, record.fingerprint, info=record.info
            )
    return None


@dataclass
class _Search:
    asked: RefName
    protocol: Protocol
    build: Build
    offline: bool
    cache: bool
    progress: Progress
    warn: Warn
    failures: list[str] = field(default_factory=list)

    def run(self) -> Reference:
        for step in (self._shipped, self._stored, self._found, self._published, self._fetched):
            reference = step()
            if reference is not None:
                return reference
        raise self._nowhere()

    @property
    def _file(self) -> Path:
        return store() / f"{stem(self.asked.name, self.asked.split, self.protocol.record())}.npz"

    def _shipped(self) -> Reference | None:
        path = shipped_references() / self._file.name
        try:
            return self._read(path)
        except CorruptFile as error:
            self._tell(f"{error} It came with ganbench: reinstall it.")
            return None

    def _stored(self) -> Reference | None:
        path = self._file
        try:
            reference = self._read(path)
        except CorruptFile:
            with locked(path):
                reference = self._read_or_set_aside(path)
        if reference is not None and not self.cache and reference.info.get("made") == "dataset":
            return None
        return reference

    def _read(self, path: Path) -> Reference | None:
        """What a file holds, if it is there and of this protocol. Raises CorruptFile."""
        if not path.with_suffix(".json").exists():
            return None
        if read_record(path).protocol[1] != self.protocol.fingerprint:
            return None
        return load(path, factors=FactorCache(warn=self.warn))

    def _read_or_set_aside(self, path: Path) -> Reference | None:
        """As `_read`, while nobody else writes; a file that is still corrupted then goes out of the way."""
        try:
            return self._read(path)
        except CorruptFile as error:
            for part in (path, path.with_suffix(".json")):
                if part.exists():
                    os.replace(part, part.with_name(f"{part.name}.corrupt"))
            self._tell(f"{error} It was moved aside as {path.name}.corrupt.")
            return None

    def _tell(self, message: str) -> None:
        self.warn(message)
        self.failures.append(message)

    def _found(self) -> Reference | None:
        source = self._images()
        return None if source is None else self._built(source)

    def _images(self) -> ImageSource | None:
        """The dataset of that name, if there is one and it is on this machine."""
        if self.asked.name not in DATASETS.names():
            return None
        try:
            return DATASETS.get(self.asked.name).find(self.asked.split)
        except CorruptFile as error:
            self._tell(str(error))
            return None

    def _built(self, source: ImageSource) -> Reference:
        """Makes the statistics unless another process is at it; then waits and takes those."""
        path = self._file
        with locked(path.with_suffix(".making")):
            if self.cache and (existing := self._stored()) is not None:
                return existing
            reference = self.build(source, self.asked.name, self.asked.split)
            return self._kept(replace(reference, info={**reference.info, "made": "dataset"}))

    def _kept(self, reference: Reference) -> Reference:
        """Puts it into the store and reads it back, so that this run uses what later ones will."""
        try:
            return load(save(reference, store()), factors=FactorCache(warn=self.warn))
        except GanbenchError as error:
            self.warn(f"The statistics of {reference.spec} could not be kept for the next run. {error}")
            return reference

    def _published(self) -> Reference | None:
        entry = published(self.asked.name, self.asked.split, self.protocol.name)
        if entry is None or not self.protocol.weights_verified:
            return None
        filename = entry.filename(self.protocol.name)
        own = downloaded(filename)
        if own is not None:
            try:
                return self._taken(own, entry, {"source": str(own)})
            except BadInput as error:  # clean-fid does not write atomically: what it left may be half a file
                self._tell(f"{error} It lies in clean-fid's own folder: delete it.")
        if self.offline:
            self.failures.append(f"clean-fid publishes {filename}, and --offline forbids to get it.")
            return None
        return self._downloaded(entry, filename)

    def _downloaded(self, entry: Published, filename: str) -> Reference | None:
        url = address(filename)
        target = store() / "downloads" / filename
        with locked(self._file.with_suffix(".making")):
            if (existing := self._stored()) is not None:
                return existing
            try:
                download(url, target, progress=self.progress)
                return self._taken(target, entry, {"source": url})
            except Unavailable as error:
                self.failures.append(str(error))
            except BadInput as error:
                self.failures.append(f"What {url} gave is no file of statistics: {error}")
            finally:
                target.unlink(missing_ok=True)
        return None

    def _taken(self, path: Path, entry: Published, info: dict[str, str]) -> Reference:
        reference = read_foreign(path, head=self.protocol.head, n=entry.n, factors=FactorCache(warn=self.warn))
        named = reference.asserted(self.asked.name, self.asked.split, protocol=self.protocol, made="published")
        return self._kept(replace(named, info={**named.info, **info}))

    def _fetched(self) -> Reference | None:
        name, split = self.asked.name, self.asked.split
        if name not in DATASETS.names():
            return None
        if self.offline:
            self.failures.append(f"The images of {name}:{split} are not here, and --offline forbids to get them.")
            return None
        try:
            DATASETS.get(name).download(split, progress=self.progress)
        except Unavailable as error:
            self.failures.append(str(error))
            return None
        return self._found()

    def _nowhere(self) -> GanbenchError:
        name, protocol = self.asked.name, self.protocol.name
        same = [s.record for s in local(warn=self.warn) if (s.record.name, s.record.split) == (name, self.asked.split)]
        if same and not self.failures:
            return other_protocol(str(self.asked), [record.protocol for record in same], self.protocol)
        ways = [
            f"make it from images that you have: ganbench ref make {name} --from IMAGES --protocol {protocol}",
            f"import statistics made elsewhere: ganbench ref import FILE.npz --as {name} --protocol {protocol}",
        ]
        if name in DATASETS.names():
            ways.insert(0, "put the dataset's files into a folder and name that folder in GANBENCH_DATA")
            ways += DATASETS.get(name).ways
        if self.offline:
            ways.insert(0, "run the same command with a network and without --offline")
        ways += [f"use the statistics that are here: --protocol {record.protocol[0]}" for record in same]
        found = "".join(f"\n  found: {failure}" for failure in self.failures)
        cure = "".join(f"\n  - {way}" for way in ways)
        return Unavailable(
            f"The reference {self.asked} for protocol {protocol} cannot be had here.{found}\nTo get it:{cure}"
        )


def at_hand(reference: Reference) -> ImageSource | None:
    """The very images behind a reference to a dataset, in its order, where the dataset is on this machine."""
    if reference.info.get("made") not in ("dataset", "published") or reference.name not in DATASETS.names():
        return None
    source = DATASETS.get(reference.name).find(reference.split or "")
    return source if source is not None and len(source) == reference.n else None


def made_from(reference: Reference) -> ImageSource | None:
    """The images that the user made a reference of, where they still lie there as they were. Decodes them all."""
    place = reference.info.get("path")
    if reference.info.get("made") != "by hand" or not isinstance(place, str):
        return None
    try:
        source = open_images(place)
        same = len(source) == reference.n and source.fingerprint == reference.info.get("source_fingerprint")
    except (UsageError, OSError):  # the place may be one of another machine, where the reference was made
        return None
    return source if same else None
