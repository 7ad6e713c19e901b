"""Whole studies in a real browser: raters who err as often as is known, at a desk and on a phone."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from human_raters import QUICK, SMALL, Client, Rater, Truth, make_study, serving, start

from ganbench.human.create import Made
from ganbench.human.database import new_token
from ganbench.human.score import collect, score

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

from human_pages import CHROMIUM, Viewer  # noqa: E402 - it imports playwright

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed: apt install chromium")
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
RATES = [0.10, 0.35, 0.50]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with playwright.sync_playwright() as tools:
        found = tools.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


Open = Callable[..., "Page"]

# When frames began, and at which of them the picture of a trial came and went.
RECORDER = """
window.recorded = { frames: [], turns: [] };
requestAnimationFrame(function note(now) {
  recorded.frames.push(now);
  requestAnimationFrame(note);
});
new MutationObserver((changes) => {
  for (const { target, oldValue } of changes) {
    const [is, was] = [target.className, oldValue || ""].map((names) => names.split(" ").includes("seen"));
    if (target.tagName === "IMG" && is !== was && target === target.parentElement.lastElementChild)
      recorded.turns.push([is, document.timeline.currentTime]);
  }
}).observe(document, { subtree: true, attributeFilter: ["class"], attributeOldValue: true });
"""


@dataclass(frozen=True)
class Exposure:
    """How long a picture was there, and whether the display had every frame meanwhile."""

    ms: float
    frames_kept: bool


def exposures_in(recorded: dict[str, list[Any]]) -> list[Exposure]:
    """What the recorder saw; a picture that stays, as beside its solution, is no exposure."""
    frames, turns = np.array(recorded["frames"]), recorded["turns"]
    usual, found = float(np.median(np.diff(frames))), list[Exposure]()
    for (came, since), (stays, until) in pairwise(turns):
        if came and not stays:
            during = frames[(frames >= since - 0.05) & (frames <= until + 0.05)]
            found.append(Exposure(until - since, bool(np.diff(during).max() < 1.5 * usual)))
    return found


@pytest.fixture
def opened(browser: "Browser") -> Iterator[Open]:
    """`opened(address, ...)`: a page, closed in the end, which may ask its own server alone and must not complain."""
    with contextlib.ExitStack() as stack:
        complaints: list[str] = []

        def call(address: str, *, beside: "Page | None" = None, before: str = "", **device: Any) -> "Page":
            context = beside.context if beside else stack.enter_context(browser.new_context(**device))
            page = context.new_page()
            page.add_init_script(before)
            origin = "/".join(address.split("/")[:3])
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "request",
                lambda request: (
                    None if request.url.startswith((origin, "blob:", "data:")) else complaints.append(request.url)
                ),
            )
            page.goto(address)
            return page

        yield call
        assert complaints == []


def links(made: Made, url: str) -> list[str]:
    return [f"{url}/r/{token}" for token in made.raters]


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_a_whole_study_without_time_limit(opened: Open, tmp_path: Path, device: dict[str, Any]) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, "trials=20", "tutorial=1", "qualification=2", "checks=2", "images=10", raters=3)
    raters = [Rater(rate, np.random.default_rng(5)) for rate in RATES]
    with serving(folder) as running:
        for number, (link, rater) in enumerate(zip(links(made, running.url), raters, strict=True)):
            page = opened(link, **device)
            assert Viewer(page, rater, Truth(folder), number, touch=bool(device)).go_on() == "Thank you"
            page.close()
    found = score(folder)
    assert found.raters.counted == 3
    assert [round(20 * each.error) for each in found.by_rater] == [rater.wrong for rater in raters]
    for rate, each in zip(RATES, found.by_rater, strict=True):
        assert each.error == pytest.approx(rate, abs=3 * (rate * (1 - rate) / 20) ** 0.5)
    assert all(each.reaction_ms > 0 and each.views == 1 for each in collect(folder).judgements)


@pytest.mark.slow
def test_a_whole_study_of_exposures_and_their_truth(opened: Open, tmp_path: Path) -> None:
    """201 exposures: those further than a frame from what was asked are flagged, and at most 5 % are.

    A recorder beside the page's own script times them too, and sees which frames the display lost: a machine with too
    much to do shows nothing on time, whatever a page does. The 5 % are of the exposures during which none was lost.
    """
    folder = tmp_path / "s"
    settings = ("trials=66", "blocks=3", "tutorial=1", "qualification=2", "checks=1", "images=33")
    exposures = ("start_ms=120", "lowest_ms=100", "highest_ms=220", "right_ms=20")
    made = make_study(folder, *settings, *exposures, *QUICK, "fixation_ms=0", protocol="time", raters=3)
    raters = [Rater(rate, np.random.default_rng(11)) for rate in RATES]
    recorded: list[Exposure] = []
    with serving(folder) as running:
        for number, (link, rater) in enumerate(zip(links(made, running.url), raters, strict=True)):
            page = opened(link, before=RECORDER)
            assert Viewer(page, rater, Truth(folder), number).go_on() == "Thank you"
            recorded += exposures_in(page.evaluate("() => recorded"))[-67:]
            page.close()
    found, answers = score(folder), collect(folder)
    assert [round(66 * each.error) for each in found.by_rater] == [rater.wrong for rater in raters]
    shown = [each for each in answers.judgements if each.phase == "trial"]
    assert len(shown) == 201
    for each, exposure in zip(shown, recorded, strict=True):
        assert each.shown_ms == pytest.approx(exposure.ms, abs=0.5)
        assert each.shown_ms is not None
        assert each.asked_ms is not None
        assert each.frame_ms is not None
        assert each.off == (abs(each.shown_ms - each.asked_ms) > each.frame_ms)
    for rater in range(3):
        for block in range(3):
            mine = [e for e in shown if (e.rater, e.block, e.check) == (rater, block, False)]
            steps = answers.study.settings.staircase.exposures([each.correct for each in mine])
            assert [each.asked_ms for each in mine] == steps[:-1]
    assert found.exposures is not None
    assert (found.exposures.n, found.exposures.off) == (201, sum(each.off for each in shown))
    # Who errs more looks longer.
    modes = [float(np.mean(each.modes_ms)) for each in found.by_rater]
    assert modes[0] < modes[2]
    judged = [each for each, exposure in zip(shown, recorded, strict=True) if exposure.frames_kept]
    if len(judged) < 100:
        pytest.skip(
            f"this machine lost frames of the display in {201 - len(judged)} of 201 exposures: none can be judged"
        )
    off = sum(each.off for each in judged)
    assert off <= 0.05 * len(judged), f"{off} of {len(judged)} off, the largest by {found.exposures.largest_ms} ms"


def test_who_does_not_qualify_is_thanked(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=1)
    with serving(folder) as running:
        page = opened(links(made, running.url)[0])

        class Wrong(Rater):
            def answer(self, kind: str, role: str, phase: str) -> str:
                return "real"

        assert Viewer(page, Wrong(0, np.random.default_rng(0)), Truth(folder), 0).go_on() == "Thank you"
        assert "needs more right answers" in page.inner_text("#paragraphs")
        page.reload()
        page.wait_for_selector("text=needs more right answers")
    assert score(folder).raters.failed_qualification == 1


def test_a_page_that_is_loaded_again_and_two_tabs(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=1)
    truth = Truth(folder)
    with serving(folder) as running:
        link = links(made, running.url)[0]
        page = opened(link)
        viewer = Viewer(page, Rater(0, np.random.default_rng(0)), truth, 0)
        viewer.go_on(8)
        assert truth.answers() == 8
        page.reload()
        page.wait_for_selector("text=You are back where you were.")
        page.click("#go")
        page.wait_for_selector("#fake:enabled:visible")
        tab = opened(link, beside=page)
        other = Viewer(tab, viewer.rater, truth, 0)
        other.go_on(1)
        assert truth.answers() == 9
        page.keyboard.press("f")  # the picture that the other tab has answered
        page.wait_for_selector("#told:text('answered already, perhaps in another tab')")
        assert truth.answers() == 9
        page.wait_for_selector("#fake:enabled:visible")
        assert viewer.go_on() == "Thank you"
        tab.keyboard.press("f")
        tab.wait_for_selector("#heading:text('Thank you')")
    assert truth.answers() == 20
    assert score(folder).raters.counted == 1


def test_a_server_that_is_away_for_a_moment(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=1)
    truth, running = Truth(folder), start(folder)
    try:
        page = opened(links(made, running.url)[0])
        viewer = Viewer(page, Rater(0, np.random.default_rng(0)), truth, 0)
        viewer.go_on(6)
        page.route("**/api/answer", lambda route: route.fulfill(status=503, body="full"))
        page.keyboard.press(truth.current(0)["kind"][0])  # type: ignore[index]
        page.wait_for_selector("#trouble:text('The server cannot answer now')")
        page.unroute("**/api/answer")
        page.wait_for_selector("#fake:enabled:visible")
        assert truth.answers() == 7
        running.kill()
        kind = truth.current(0)["kind"]  # type: ignore[index]
        page.keyboard.press(kind[0])
        page.wait_for_selector("#trouble:visible")
        assert "what you have answered is kept" in page.inner_text("#trouble")
        running = start(folder, running.port)
        assert viewer.go_on() == "Thank you"
        assert not page.locator("#trouble").is_visible()
    finally:
        running.kill()
    assert truth.answers() == 20


def test_a_hidden_page_shows_nothing(opened: Open, tmp_path: Path) -> None:
    """What would flash up unseen is not shown, and asked for again."""
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, *QUICK[1:], "countdown_ms=900", "trials=6", "blocks=1", protocol="time", raters=1)
    with serving(folder) as running:
        page = opened(links(made, running.url)[0])
        page.click("#go")
        page.wait_for_selector("text=Start the practice")
        page.evaluate("() => Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
        page.click("#go")
        page.wait_for_selector("#heading:text('Paused')")
        page.evaluate("() => delete document.hidden")
        page.click("#go")
        page.wait_for_selector("#fake:enabled:visible")
    assert Truth(folder).answers() == 0


def test_one_link_for_all(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=2, shared=True)
    with serving(folder) as running:
        link = f"{running.url}/join/{made.shared}"
        page = opened(link)
        lost: list[int] = []

        def lose(route: Any) -> None:  # the server has given the place, and its reply is lost
            lost.append(route.fetch().status)
            route.abort()

        page.route("**/api/join", lose, times=1)
        page.click("#go")
        page.wait_for_url("**/r/*")
        assert lost == [201]
        viewer = Viewer(page, Rater(0, np.random.default_rng(0)), Truth(folder), 0)
        viewer.go_on(3)
        page.goto(link)  # the same browser comes back to its own place
        page.wait_for_selector("text=You are back where you were.")
        assert len(Truth(folder).rows("SELECT id FROM raters")) == 1
        assert Client(running.port, str(made.shared)).post("/api/join", {"token": new_token()}).status == 201
        late = opened(link, **PHONE)
        late.click("#go")
        late.wait_for_selector("text=All places of this study are taken.")


def test_the_page_reads_aloud(opened: Open, tmp_path: Path) -> None:
    """Names and roles as a screen reader finds them; the focus goes where something new begins."""
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=1)
    with serving(folder) as running:
        page = opened(links(made, running.url)[0])
        page.get_by_role("heading", name="Taking part", level=1).wait_for()
        assert page.evaluate("() => document.activeElement.id") == "heading"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="How it works").wait_for()
        page.get_by_role("button", name="Start the practice").click()
        page.get_by_role("img", name="The picture to judge").wait_for()
        assert page.evaluate("() => document.activeElement.id") == "question"
        assert page.get_by_role("group", name="Is this picture real or fake?").get_by_role("button").count() == 2
        assert page.get_by_role("progressbar", name="Practice 1 of 2").count() == 1
        page.get_by_role("button", name="Real").click()
        page.get_by_role("button", name="Next picture").wait_for()
        assert page.locator("[aria-live=polite]").inner_text().startswith(("Right: ", "Wrong: "))
        assert page.evaluate("() => document.activeElement.id") == "next"


def test_nothing_is_wider_than_the_screen(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, "picture_px=2000", raters=2)
    with serving(folder) as running:
        for link, (width, height) in zip(links(made, running.url), [(320, 568), (1280, 640)], strict=True):
            page = opened(link, viewport={"width": width, "height": height})
            sizes: list[int] = []

            def seen(_: str, page: Any = page, sizes: Any = sizes) -> None:
                sizes.append(page.evaluate("() => document.documentElement.scrollWidth"))

            number = links(made, running.url).index(link)
            Viewer(page, Rater(0, np.random.default_rng(0)), Truth(folder), number, seen=seen).go_on(4)
            assert sizes
            assert max(sizes) <= width
            assert page.locator("#real").bounding_box()["y"] < height  # type: ignore[index]
