"""Raters before a browser: they read the screens of a study, press its buttons, and err as often as a test says."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from human_raters import Rater, Truth
from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
# What a page may show when it waits for someone: a button of a text, the next picture, an answer, or the end.
_WAITING = "#go:enabled:visible, #next:enabled:visible, #fake:enabled:visible, #text:not([hidden]):has(#go[hidden])"


@dataclass
class Viewer:
    """A rater with a page.

    Attributes:
        page: the page, at the rater's link.
        rater: how often they err.
        truth: what they know.
        number: theirs.
        touch: tap the buttons; else the keyboard is used.
        seen: told of each screen before it is answered: its heading, or the phase of its picture.
    """

    page: Page
    rater: Rater
    truth: Truth
    number: int
    touch: bool = False
    seen: Callable[[str], None] = lambda _: None

    def go_on(self, pictures: int = 10_000) -> str:
        """Answers so many pictures, or all there are; gives the heading of the last screen."""
        while True:
            found = self.page.wait_for_selector(_WAITING)
            assert found is not None
            name = found.get_attribute("id")
            if name == "go":
                self.seen(self.page.inner_text("#heading"))
                self._press("#go")
            elif name == "next":
                self.seen("solution")
                self._press("#next")
            elif name == "fake":
                if pictures == 0:
                    return ""
                pictures -= 1
                self._judge()
            else:
                heading = self.page.inner_text("#heading")
                self.seen(heading)
                return heading

    def _judge(self) -> None:
        now = self.truth.current(self.number)
        assert now is not None
        self.seen(f"{now['phase']} {now['role']}")
        answer = self.rater.answer(now["kind"], now["role"], now["phase"])
        if self.touch:
            self.page.tap(f"#{answer}")
        else:
            self.page.keyboard.press({"fake": "f", "real": "ArrowRight"}[answer])

    def _press(self, button: str) -> None:
        if self.touch:
            self.page.tap(button)
        else:
            self.page.click(button)
