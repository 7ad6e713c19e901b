"""Making a study: pictures drawn, written anew and entered; places and links for raters."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganbench.errors import UsageError
from ganbench.files import write_text, writing
from ganbench.human import database, pictures
from ganbench.human.sources import Draw, Drawn, differences, info_of, write_pixels
from ganbench.human.study import CONSENT, DATABASE, FILE, IMAGES, Settings, Study
from ganbench.hype import KINDS, Kind, Protocol
from ganbench.images.source import ImageSource
from ganbench.progress import Progress, Warn, silent, unheard
from ganbench.provenance import versions

Roles = dict[tuple[str, Kind], list[Drawn]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user asks for.

    Attributes:
        fake, real: the sources and how the user named them.
        qualification_fake: sources of the fakes in tutorial and qualification; none: from `fake`.
        exact: the number of images in `settings` was given, and is not to be lowered to what there is.
        shared: one link with a cap instead of one for each rater.
    """

    protocol: Protocol
    title: str
    fake: tuple[str, ImageSource]
    real: tuple[str, ImageSource]
    qualification_fake: Sequence[tuple[str, ImageSource]] = ()
    raters: int = 30
    shared: bool = False
    seed: int = 2020
    settings: Settings
    exact: bool = False
    consent: Sequence[str] = CONSENT
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A study with its tokens, which are told once: only their digests are stored."""

    study: Study
    owner: str
    raters: list[str]
    shared: str | None


def create(folder: Path, asked: Asked, *, progress: Progress = silent, warn: Warn = unheard) -> Made:
    """Makes a study in a new folder, whole or not at all.

    Raises:
        UsageError: the folder is there and not empty, or the sources have too few pictures.
        BadImage: a picture cannot be read.
        GanbenchError: the disk is full.
    """
    with _new_folder(folder) as place:
        (place / IMAGES).mkdir()
        drawn = _draw(asked, place / IMAGES, progress)
        settings = replace(asked.settings, images=len(drawn["trial", "fake"]))
        notes = list(differences(_of_kind(drawn, "real"), _of_kind(drawn, "fake")))
        for note in notes:
            warn(note)
        study = Study(
            title=asked.title,
            protocol=asked.protocol,
            fake=info_of(asked.fake[1], asked.fake[0], progress),
            real=info_of(asked.real[1], asked.real[0], progress),
            qualification_fake=[info_of(source, name, progress) for name, source in asked.qualification_fake],
            raters=asked.raters,
            shared=asked.shared,
            seed=asked.seed,
            settings=settings,
            consent=list(asked.consent),
            selection=_selection(drawn),
            notes=notes,
            command=asked.command,
            versions=versions(),
        )
        drawn |= _own_pictures(study, drawn, place / IMAGES)
        write_text(place / FILE, study.to_json())
        return _enter(place, study, drawn)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears when it is filled. Others on this machine cannot read it: it holds people's answers."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and not empty. Give the study a new folder.")
    with writing(folder):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", dir=folder.absolute().parent))
    try:
        with writing(folder):
            yield made
            os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _draw(asked: Asked, folder: Path, progress: Progress) -> Roles:
    """The pictures of each role and kind; no picture has two roles."""
    settings, found = asked.settings, Roles()
    seeds = np.random.SeedSequence(asked.seed).spawn(2 + len(asked.qualification_fake))
    draws = [
        Draw(source, np.random.default_rng(seed), folder)
        for (_, source), seed in zip([asked.real, asked.fake, *asked.qualification_fake], seeds, strict=True)
    ]
    real, fake, others = draws[0], draws[1], draws[2:] or [draws[1]]
    for other in others:
        other.taken = fake.taken  # the same samples may be in several of these sources
    for role, n in (("tutorial", settings.tutorial), ("qualification", settings.qualification)):
        found[role, "real"] = real.take(n)
        found[role, "fake"] = _evenly(others, n)
        for kind in KINDS:
            _check_enough(found[role, kind], n, role, kind, asked)
    wanted = settings.images
    for kind, draw in zip(KINDS, (real, fake), strict=True):
        found["trial", kind] = draw.take(wanted, f"{kind} pictures", progress)
        _check_enough(found["trial", kind], wanted if asked.exact else settings.judged, "trials", kind, asked)
    _balance(found, folder)
    return found


def _evenly(draws: Sequence[Draw], n: int) -> list[Drawn]:
    """n pictures, equally many of each source up to one; their positions count through the sources."""
    found, before = list[Drawn](), 0
    for i, draw in enumerate(draws):
        share = n // len(draws) + (i < n % len(draws))
        found += [replace(each, index=each.index + before) for each in draw.take(share)]
        before += len(draw.source)
    return found


def _check_enough(found: Sequence[Drawn], n: int, what: str, kind: Kind, asked: Asked) -> None:
    if len(found) >= n:
        return
    settings = asked.settings
    sources = [asked.real] if kind == "real" else [asked.fake]
    if kind == "fake" and what != "trials" and asked.qualification_fake:
        sources = list(asked.qualification_fake)
    names, there = " and ".join(name for name, _ in sources), sum(len(source) for _, source in sources)
    raise UsageError(
        f"{names} has too few different pictures ({there}). Each kind needs {settings.tutorial} for the tutorial, "
        f"{settings.qualification} for the qualification and at least "
        f"{settings.images if asked.exact else settings.judged} for the trials, none of them twice; those for the "
        f"{what} cannot be had. Give more, or ask for less: --set qualification=10 --set trials=40."
    )


def _balance(found: Roles, folder: Path) -> None:
    """Equally many reals and fakes: the rest is taken away again."""
    n = min(len(found["trial", kind]) for kind in KINDS)
    for kind in KINDS:
        for each in found["trial", kind][n:]:
            (folder / f"{each.name}.png").unlink()
        found["trial", kind] = found["trial", kind][:n]


def _of_kind(drawn: Roles, kind: Kind) -> list[Drawn]:
    return [each for (_, other), found in drawn.items() if other == kind for each in found]


def _selection(drawn: Roles) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = {}
    for (role, kind), each in drawn.items():
        found.setdefault(role, {})[kind] = [one.index for one in each]
    return found


def _own_pictures(study: Study, drawn: Roles, folder: Path) -> Roles:
    """Checks, and for HYPE time masks: textures of the study's own pictures, as many of reals as of fakes."""
    found = Roles()
    if study.settings.checks:
        for kind in KINDS:
            found["check", kind] = [write_pixels(pictures.check_of(kind), folder)]
    if study.protocol == "time" and study.settings.masks:
        rng = np.random.default_rng([study.seed, 1])
        for i in range(study.settings.mask_pool):
            kind = KINDS[i % 2]
            like = drawn["trial", kind][i // 2 % study.settings.images]
            mask = write_pixels(pictures.mask_of(pictures.read(folder / f"{like.name}.png"), rng), folder)
            found.setdefault(("mask", kind), []).append(mask)
    return found


def _enter(folder: Path, study: Study, drawn: Roles) -> Made:
    """Fills the database, and makes the tokens."""
    owner = database.new_token()
    raters = [] if study.shared else [database.new_token() for _ in range(study.raters)]
    shared = database.new_token() if study.shared else None
    database.create(folder / DATABASE)
    meta = {"owner": database.digest(owner), "study": study.fingerprint}
    if shared is not None:
        meta["shared"] = database.digest(shared)
    images = [
        (each.name, kind, role, place, each.index, each.sha256, each.width, each.height)
        for (role, kind), found in drawn.items()
        for place, each in enumerate(found)
    ]
    with database.Database(folder).writing() as db:
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        db.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?)", images)
        db.executemany(
            "INSERT INTO raters (id, token_sha256) VALUES (?, ?)",
            [(i, database.digest(token)) for i, token in enumerate(raters)],
        )
    return Made(study=study, owner=owner, raters=raters, shared=shared)
