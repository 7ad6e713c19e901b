"""The page of a study: one HTML file with its style and script in it, which loads nothing from elsewhere."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from ganbench.human.study import Study

_FOLDER = Path(__file__).parent / "page"
_SECONDS = 4.0  # that people take for a picture, roughly


class Page:
    """The page, and the policy under which browsers run this style and this script and no other."""

    def __init__(self) -> None:
        style = _text("page.css")
        script = _text("timing.js") + _text("page.js")
        self.html = _text("page.html").replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
        self.policy = "; ".join([
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ])  # fmt: skip


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def words_of(study: Study) -> dict[str, Any]:
    """What the page says, and the times that it keeps; the same for all raters, and nothing of the sources."""
    settings = study.settings
    return {
        "title": study.title,
        "consent": study.consent,
        "minutes": minutes(study),
        "how": _how(study),
        "qualify": [
            f"Now {2 * settings.qualification} pictures without the solutions, and without a time limit. To go on to "
            f"the study, {settings.pass_rate:.0%} of the real ones and {settings.pass_rate:.0%} of the fake ones must "
            "be told right.",
            "Half of them are real.",
        ],
        "trials": _trials(study),
        "done": [
            "Thank you",
            "That was the last picture. Your answers are stored, and you may close this page.",
        ],
        "failed": [
            "Thank you",
            "The qualification needs more right answers than there were, so the study ends here. You may close this "
            "page.",
        ],
        "picture_px": settings.picture_px,
        "smooth": settings.smooth,
        "countdown_ms": settings.countdown_ms,
        "fixation_ms": settings.fixation_ms,
        "mask_ms": settings.mask_ms,
    }


def minutes(study: Study) -> int:
    """How long a rater takes, roughly."""
    settings = study.settings
    early = 2 * (settings.tutorial + settings.qualification)
    seconds = _SECONDS * (early + settings.trials + settings.checks)
    if study.protocol == "time":
        each = settings.countdown_ms + settings.fixation_ms + settings.masks * settings.mask_ms
        seconds += (settings.trials + settings.checks) * each / 1000
    return max(round(seconds / 60), 1)


def _how(study: Study) -> list[Any]:
    task = [
        "You see one picture after the other. Some are real; the others were made by a computer. Say of each which it "
        "is. Half of them are real."
    ]
    if study.protocol == "time":
        task.append(
            "Each picture is shown for a moment only: after 3, 2, 1 and a cross to look at, the picture flashes up, "
            "then a pattern, and then you answer."
        )
    keys = "^On a keyboard: F or the left arrow for fake, R or the right arrow for real."
    return [*task, keys]


def _trials(study: Study) -> list[Any]:
    settings = study.settings
    n = settings.trials + settings.checks
    parts = f", in {settings.blocks} parts with a break between them" if settings.blocks > 1 else ""
    points = [f"{n} pictures{parts}. Half of them are real."]
    if study.protocol == "time":
        points.append("They flash up for longer or shorter, as your answers go.")
    points.append("After each you are told if you were right." if settings.feedback else "The solutions are not told.")
    if settings.checks:
        points.append("A few show a word instead, which says what to answer: do as it says.")
    return [points, "There is no hurry to answer. If you close the page, the same link goes on where you were."]
