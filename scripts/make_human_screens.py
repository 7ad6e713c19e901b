"""Takes the pictures of docs/human/: every screen of a study, at a desk and on a phone, in a real Chromium.

    python scripts/make_human_screens.py [--chromium /usr/bin/chromium]

The study shows digits against digits that are blurred. Its times are long, so that there is time for a picture of what
flashes up in a study of people.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[1]
OUT = REPOSITORY / "docs" / "human"
sys.path.insert(0, str(REPOSITORY / "tests" / "shared"))

from human_pages import Viewer  # noqa: E402
from human_raters import Rater, Truth, make_study, serving  # noqa: E402

from ganbench.degrade import blur  # noqa: E402
from ganbench.images.datasets._base import open_dataset  # noqa: E402
from ganbench.images.derived import Mapped  # noqa: E402

DESKTOP = {"viewport": {"width": 1024, "height": 640}}
PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
DEVICES: dict[str, dict[str, Any]] = {"desktop": DESKTOP, "phone": PHONE}
COLOURS = 96
SMALL = ("tutorial=1", "qualification=2", "checks=2", "picture_px=300")
SLOW = ("trials=6", "blocks=3", "countdown_ms=3000", "fixation_ms=1500", "start_ms=2500", "highest_ms=2500",
        "mask_ms=2500", "masks=1")  # fmt: skip
# The first screen of its kind, by what Viewer tells of it, and the file that it goes to.
SCREENS = {
    "Taking part": "consent", "How it works": "instructions", "tutorial tutorial": "practice", "solution": "solution",
    "Qualification": "qualification", "qualification qualification": "qualifying", "The pictures": "trials",
    "trial trial": "trial", "trial check": "check", "Thank you": "thanks",
}  # fmt: skip


@dataclass
class Camera:
    """Saves screens of one page; each name once."""

    page: Page
    device: str
    names: dict[str, str]
    taken: set[str] = field(default_factory=set)

    def __call__(self, screen: str) -> None:
        """Takes a screen where it is one that is wanted."""
        name = self.names.get(screen)
        if name is not None and name not in self.taken:
            self.take(name)

    def take(self, name: str) -> None:
        """Takes what is to be seen, in few colours: small files."""
        self.taken.add(name)
        data = self.page.screenshot()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        small = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        path = OUT / f"{name}-{self.device}.png"
        small.save(path, optimize=True)
        print(f"{path.relative_to(REPOSITORY)}  {path.stat().st_size:,} bytes", file=sys.stderr)


def sources() -> dict[str, Any]:
    """Digits, and digits of the other half that are blurred a little, as if a model had made them."""
    blurred = Mapped(open_dataset("digits", "test"), "a-model", lambda pixels, _: blur(pixels, 1.2))
    return {"real": ("digits", open_dataset("digits", "train")), "fake": ("a-model", blurred)}


def infinity(browser: Browser, folder: Path) -> None:
    """The screens of HYPE infinity, of someone who fails, and the results."""
    study = folder / "infinity"
    made = make_study(study, *SMALL, "trials=40", "images=40", raters=9, title="Which digits are real?", **sources())
    truth, rng = Truth(study), np.random.default_rng(0)
    with serving(study) as running:
        links = iter(enumerate(f"{running.url}/r/{token}" for token in made.raters))
        for device, settings in DEVICES.items():
            for rater, names in ((Rater(0.3, rng), SCREENS), (Unsure(0, rng), {"Thank you": "failed"})):
                number, link = next(links)
                page = browser.new_page(**settings)
                page.goto(link)
                Viewer(page, rater, truth, number, bool(settings.get("has_touch")), Camera(page, device, names)).go_on()
                page.close()
        for number, link in links:
            page = browser.new_page()
            page.goto(link)
            Viewer(page, Rater(0.2 + 0.05 * number, rng), truth, number).go_on()
            page.close()
        for device, settings in DEVICES.items():
            page = browser.new_page(**settings)
            page.goto(f"{running.url}/results/{made.owner}")
            camera = Camera(page, device, {})
            camera.take("results")
            page.evaluate("() => document.getElementById('raters').scrollIntoView()")
            camera.take("results-raters")
            page.evaluate("() => document.getElementById('fooled').scrollIntoView()")
            camera.take("results-pictures")
            page.close()


class Unsure(Rater):
    """Takes everything for real, and does not qualify."""

    def answer(self, *_: str) -> str:
        """Real."""
        return "real"


def time(browser: Browser, folder: Path) -> None:
    """What only HYPE time has: countdown, cross, exposure, mask, question, break."""
    study = folder / "time"
    made = make_study(study, *SMALL, *SLOW, protocol="time", raters=2, title="Which digits are real?", **sources())
    with serving(study) as running:
        for number, (device, settings) in enumerate(DEVICES.items()):
            page = browser.new_page(**settings)
            page.goto(f"{running.url}/r/{made.raters[number]}")
            camera = Camera(page, device, {"trial trial": "time-question", "Time for a break": "time-break"})
            viewer = Viewer(page, Rater(0.0, np.random.default_rng(0)), Truth(study), number, seen=camera)
            viewer.go_on(6)  # practice and qualification, and up to the first trial
            for name, when in flashes(page):
                when()
                camera.take(name)
            viewer.go_on(4)
            page.close()


def flashes(page: Page) -> Iterator[tuple[str, Callable[[], object]]]:
    """The parts of a flash, each with what waits for it."""
    page.wait_for_selector("#fake:enabled:visible")
    page.keyboard.press("f")
    yield "time-countdown", lambda: page.wait_for_selector("#signal:text('2')")
    yield "time-cross", lambda: page.wait_for_selector("#signal:text('+')")
    yield "time-picture", lambda: page.wait_for_selector("#stage img:first-of-type.seen, #stage img:last-of-type.seen")
    yield "time-mask", lambda: page.wait_for_timeout(2600)


def main() -> None:
    """Takes all of them."""
    parser = argparse.ArgumentParser(description="Takes the pictures of docs/human/.")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        infinity(browser, Path(folder))
        time(browser, Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
