"""A study as its text file has it, `study.json`: everything that is needed to repeat it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ganbench.errors import BadInput, UsageError
from ganbench.human.staircase import Staircase
from ganbench.hype import Protocol, SourceInfo
from ganbench.json_files import read_stated
from ganbench.registry import unknown
from ganbench.serialize import canonical_sha256, from_json, plain, to_json

SCHEMA = "ganbench.human/1"
FILE, DATABASE, IMAGES = "study.json", "study.sqlite", "images"
_LARGEST = 16 << 20  # bytes
StaircaseName = Literal["default", "paper"]

CONSENT = (
    "You are asked to look at pictures and to say of each whether it is real or made by a computer.",
    "Your answers, and how long they took, are stored under a number, without your name or address. They are used to "
    "measure how real the computer's pictures look.",
    "Taking part is voluntary. You may stop at any time by closing this page; the same link goes on where you were.",
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a rater is shown, and by which rule raters are set apart. All of it is fixed when a study is made.

    Attributes:
        images: pictures of each kind, real and fake, that the study draws raters' trials from.
        trials: judgements of each rater that count, half of them of fakes.
        blocks: parts of equal length with a pause between them; in HYPE time each has a staircase of its own.
        tutorial: pictures of each kind to learn the task on, with the solution told.
        qualification: pictures of each kind in the qualification; 0: none is held.
        pass_rate: the share that must be right on each kind to qualify.
        checks: attention checks among the trials: pictures of a word that tells what to answer.
        wrong_checks: who answers more of them wrong is set apart from the score.
        feedback: whether raters are told after each trial if they were right.
        picture_px: the side of the square that pictures are shown in, in CSS pixels; less on narrow screens.
        smooth: enlarge small pictures smoothly; false shows their pixels as squares.
        start_ms: the first exposure of a block, and those of the tutorial.
        lowest_ms: no exposure is shorter.
        highest_ms: none is longer; attention checks are shown so long, outside the staircase.
        wrong_ms: by how much a wrong answer lengthens the next exposure.
        right_ms: by how much right answers shorten it.
        rights: how many right answers in a row do so.
        countdown_ms: how long 3, 2, 1 takes in all.
        fixation_ms: how long a cross is shown before a picture.
        masks: how many masks, pictures of noise, follow a picture.
        mask_ms: how long each is shown.
        mask_pool: how many different ones the study has.
    """

    images: int = 250
    trials: int = 100
    blocks: int = 1
    tutorial: int = 5
    qualification: int = 50
    pass_rate: float = 0.65
    checks: int = 6
    wrong_checks: int = 1
    feedback: bool = False
    picture_px: int = 320
    smooth: bool = True
    start_ms: int = 500
    lowest_ms: int = 100
    highest_ms: int = 1000
    wrong_ms: int = 30
    right_ms: int = 10
    rights: int = 1
    countdown_ms: int = 500
    fixation_ms: int = 500
    masks: int = 4
    mask_ms: int = 30
    mask_pool: int = 16

    @property
    def staircase(self) -> Staircase:
        """The steps of HYPE time."""
        return Staircase(**{each.name: getattr(self, each.name) for each in fields(Staircase)})

    @property
    def judged(self) -> int:
        """Pictures of each kind that a rater judges in the trials."""
        return self.trials // 2


# What differs from the defaults. HYPE time tells raters after each answer whether it was right; so does the paper.
_TIME = {"images": 375, "trials": 150, "blocks": 3, "feedback": True}
# The steps as printed: 10 ms up, 30 ms down, "3-up/1-down"; three blocks of 150; 500 ms for each of 3, 2, 1.
_PAPER = {"images": 1125, "trials": 450, "wrong_ms": 10, "right_ms": 30, "rights": 3, "countdown_ms": 1500}


def settings_of(protocol: Protocol, staircase: StaircaseName, given: Sequence[str]) -> Settings:
    """The settings of a protocol, with those that a user gives as KEY=VALUE.

    Raises UsageError where a key is unknown, or the values do not go together.
    """
    if staircase == "paper" and protocol != "time":
        raise UsageError("--staircase is of HYPE time; --protocol infinity has none. Give --protocol time.")
    chosen = plain(Settings()) | (_TIME if protocol == "time" else {}) | (_PAPER if staircase == "paper" else {})
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set is {text!r}; wanted KEY=VALUE, such as trials=60.")
        if key not in chosen:
            raise unknown("setting", key, sorted(chosen))
        chosen[key] = _value(value)
        if key == "trials" and not any(each.startswith("images=") for each in given):
            chosen["images"] = 5 * max(int(chosen[key]) // 2, 1) if isinstance(chosen[key], int) else chosen["images"]
    try:
        settings = from_json(Settings, json.dumps(chosen), where="--set")
    except BadInput as error:
        raise UsageError(str(error)) from error
    check_settings(settings)
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_LIMITS = {
    "images": (1, 100_000), "trials": (2, 10_000), "blocks": (1, 100), "tutorial": (0, 100),
    "qualification": (0, 1000), "pass_rate": (0, 1), "checks": (0, 1000), "wrong_checks": (0, 1000),
    "picture_px": (32, 2048), "start_ms": (1, 60_000), "lowest_ms": (1, 60_000), "highest_ms": (1, 60_000),
    "wrong_ms": (0, 60_000), "right_ms": (0, 60_000), "rights": (1, 100), "countdown_ms": (0, 60_000),
    "fixation_ms": (0, 60_000), "masks": (0, 20), "mask_ms": (1, 10_000), "mask_pool": (1, 200),
}  # fmt: skip


def check_settings(settings: Settings) -> None:
    """Raises UsageError where the settings make no study."""
    for key, (low, high) in _LIMITS.items():
        value = getattr(settings, key)
        if not low <= value <= high:
            raise UsageError(f"The setting {key} is {value}; wanted {low} to {high}.")
    if settings.trials % (2 * settings.blocks):
        raise UsageError(
            f"{settings.trials} trials in {settings.blocks} blocks cannot be half real, half fake in each; "
            f"wanted a multiple of {2 * settings.blocks}."
        )
    if settings.images < settings.judged:
        raise UsageError(f"{settings.trials} trials need {settings.judged} images of each kind; found images="
                         f"{settings.images}.")  # fmt: skip
    if not settings.lowest_ms <= settings.start_ms <= settings.highest_ms:
        raise UsageError("The exposures must be lowest_ms <= start_ms <= highest_ms.")


@dataclass(frozen=True, kw_only=True)
class Study:
    """What stands in `study.json`.

    Attributes:
        title: what raters read above the page.
        protocol: `infinity`: no time limit, the score is an error rate. `time`: a staircase of exposures.
        fake, real: the sources.
        qualification_fake: where the fakes of tutorial and qualification come from; none: from `fake`.
        raters: how many there are places for.
        shared: whether they come in by one link.
        seed: of the draw of the pictures, the masks and of each rater's order.
        settings: all others.
        consent: paragraphs that a rater agrees to.
        selection: by role (tutorial, qualification, trial) and kind the positions in their sources, in the order drawn;
            positions in `qualification_fake` count through its sources one after the other.
        notes: what was noticed when the study was made, such as pictures of two sizes.
        command: that made it.
        versions: of the packages that made it.
    """

    schema: str = SCHEMA
    title: str
    protocol: Protocol
    fake: SourceInfo
    real: SourceInfo
    qualification_fake: list[SourceInfo] = field(default_factory=list)
    raters: int
    shared: bool
    seed: int
    settings: Settings
    consent: list[str]
    selection: dict[str, dict[str, list[int]]]
    notes: list[str]
    command: str
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that decides what raters see; not the command and the versions."""
        return canonical_sha256({k: v for k, v in plain(self).items() if k not in ("command", "versions", "notes")})

    def to_json(self) -> str:
        """The text of the file."""
        return to_json(self) + "\n"


def read_study(folder: Path) -> Study:
    """The study in a folder. Raises BadInput where there is none, or its text is not one."""
    if not (folder / FILE).is_file():
        raise BadInput(f"{folder} holds no study: there is no {FILE} in it. Make one: ganbench human new {folder} ...")
    found = read_stated(Study, folder / FILE, schema=SCHEMA, largest=_LARGEST, what="the text of a study")
    check_settings(found.settings)
    return found
