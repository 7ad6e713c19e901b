"""What a page may send, read as strictly as anyone's text must be, and what is not granted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganbench.hype import KINDS

ID = re.compile(r"[0-9a-f]{32}")
_LONGEST_MS = 86_400_000.0  # a day
_FRAME_MS = (1.0, 200.0)  # displays refresh between these


class Refused(Exception):
    """A request that is not granted: the status of the answer, and one sentence for whoever sent it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a page sends.

    Attributes:
        trial: its id, 32 hexadecimal digits.
        answer: "real" or "fake".
        reaction_ms: from when the buttons could be pressed, after the last mask or with the picture, to the answer.
        shown_ms: how long the picture was on the display, by the times of frames; None where it stays.
        frame_ms: between two frames of the display; None there too.
    """

    trial: str
    answer: str
    reaction_ms: float
    shown_ms: float | None = None
    frame_ms: float | None = None


def read_answer(given: Any) -> Answer:
    """Checks what was sent, as strictly as anyone's text must be. Raises Refused (400)."""
    names = ("trial", "answer", "reaction_ms", "shown_ms", "frame_ms")
    if not isinstance(given, dict) or not set(given) <= set(names):
        raise Refused(400, f"An answer has {', '.join(names)} and nothing else.")
    if not isinstance(given.get("trial"), str) or not ID.fullmatch(given["trial"]):
        raise Refused(400, "trial must be an id of 32 hexadecimal digits.")
    if given.get("answer") not in KINDS:
        raise Refused(400, "answer must be real or fake.")
    reaction = _number(given, "reaction_ms", 0.0, _LONGEST_MS)
    if reaction is None:
        raise Refused(400, "reaction_ms must be a number.")
    return Answer(
        trial=given["trial"],
        answer=given["answer"],
        reaction_ms=reaction,
        shown_ms=_number(given, "shown_ms", 0.0, _LONGEST_MS),
        frame_ms=_number(given, "frame_ms", *_FRAME_MS),
    )


def _number(given: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(400, f"{name} must be a number.")
    if not low <= value <= high:  # also false of nan; and it compares integers that are too large for a float
        raise Refused(400, f"{name} must be between {low:g} and {high:g}.")
    return float(value)


def is_off(asked: int | None, given: Answer) -> bool:
    """Whether an exposure was further than one frame from what was asked, or was not measured."""
    if asked is None:
        return False
    if given.shown_ms is None or given.frame_ms is None:
        return True
    return abs(given.shown_ms - asked) > given.frame_ms
