"""A study served: many raters at once, a server that is killed, and everything that is refused."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from human_raters import OTHER, SMALL, Client, Rater, Reply, Running, Truth, make_study, serving, start, take_part

from ganbench.human.answers import Answer, Refused
from ganbench.human.create import Made
from ganbench.human.database import new_token
from ganbench.human.guard import Rate
from ganbench.human.score import score
from ganbench.human.session import Sessions

Run = Callable[..., Any]


class Served:
    """A small study with a server."""

    def __init__(self, folder: Path, made: Made, running: Running) -> None:
        self.folder, self.made, self.running, self.truth = folder, made, running, Truth(folder)
        self._next = 0

    def client(self, token: str | None = None) -> Client:
        return Client(self.running.port, self.fresh() if token is None else token)

    def fresh(self) -> str:
        """The link of a rater who was not here yet."""
        self._next += 1
        return self.made.raters[self._next - 1]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "s"
    made = make_study(folder, *SMALL, raters=40)
    with serving(folder) as running:
        yield Served(folder, made, running)


def error_of(reply: Reply) -> str:
    text: str = reply.json["error"]
    return text


# Many raters, and a server that dies


def test_thirty_raters_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, "images=12", raters=30)
    raters = [Rater(0.35, np.random.default_rng(i)) for i in range(30)]
    with serving(folder) as running, ThreadPoolExecutor(30) as pool:
        jobs = [
            pool.submit(take_part, Client(running.port, token), rater, Truth(folder))
            for token, rater in zip(made.raters, raters, strict=True)
        ]
        taken = [job.result(60) for job in jobs]
    everything = [trial for mine in taken for trial in mine]
    assert len(everything) == len(set(everything)) == 30 * (2 + 4 + 14) == Truth(folder).answers()
    found = score(folder)
    assert found.raters.counted == 30
    assert found.main.value == pytest.approx(sum(r.wrong for r in raters) / sum(r.judged for r in raters))
    assert [round(each.error * 12) for each in found.by_rater] == [rater.wrong for rater in raters]
    assert sum(each.answers for each in found.pictures) == 30 * 12


def test_a_server_that_is_killed_loses_no_answer(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, "trials=24", raters=6)
    truth = Truth(folder)
    raters = [Rater(0.5, np.random.default_rng(i)) for i in range(6)]
    running = start(folder)
    try:
        with ThreadPoolExecutor(6) as pool:
            jobs = [
                pool.submit(take_part, Client(running.port, token), rater, truth)
                for token, rater in zip(made.raters, raters, strict=True)
            ]
            for n in (40, 90):
                until = time.monotonic() + 60
                while truth.answers() < n:
                    assert time.monotonic() < until, [job.exception() for job in jobs if job.done()]
                    time.sleep(0.01)
                running.kill()
                before = truth.answers()
                assert before < 6 * 32
                running = start(folder, running.port)
            taken = [job.result(60) for job in jobs]
    finally:
        running.kill()
    stored = {row["trial"] for row in truth.rows("SELECT trial FROM answers")}
    assert len(stored) == 6 * (2 + 4 + 26)
    assert {trial for mine in taken for trial in mine} <= stored  # what was acknowledged is there
    found = score(folder)
    assert found.raters.counted == 6
    assert sum(each.answers for each in found.pictures) == 6 * 24


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_a_disk_that_is_full_loses_nothing(tmp_path: Path) -> None:
    import resource

    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=1)
    with serving(folder) as running:
        client = Client(running.port, made.raters[0])
        state = client.begin()
        client.get(f"/api/picture/{state['trial']}")
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        full = client.send(state, "real")
        assert (full.status, error_of(full)) == (503, "The study cannot store anything now.")
        assert Truth(folder).answers() == 0
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.send(state, "real").status == 200
    assert Truth(folder).answers() == 1


# What is refused


def test_without_a_link_nothing_is_to_be_had(served: Served) -> None:
    for token in ("", "x", "A" * 32, "../../study.sqlite"):
        client = Client(served.running.port, token)
        for path in ("/api/state", "/api/words", f"/api/picture/{'0' * 32}"):
            assert client.get(path).status == 401
        assert client.post("/api/consent", {}).status == 401
        answer = {"trial": "0" * 32, "answer": "real", "reaction_ms": 1}
        assert client.post("/api/answer", answer).status == 401


def test_a_second_raters_link_does_not_reach_the_first_ones_trial(served: Served) -> None:
    one, two = served.client(), served.client()
    mine, theirs = one.begin(), two.begin()
    assert one.get(f"/api/picture/{theirs['trial']}").status == 404
    refused = one.send(theirs, "real")
    assert (refused.status, error_of(refused)) == (403, "This trial is another rater's.")
    assert one.get("/api/state").json["trial"] == mine["trial"]
    assert two.judge(theirs, "real").status == 200


def test_a_guessed_picture_is_refused(served: Served) -> None:
    client = served.client()
    state = client.begin()
    name = served.truth.rows("SELECT image FROM trials WHERE id = ?", state["trial"])[0]["image"]
    later = served.truth.rows(
        "SELECT id FROM trials WHERE rater = (SELECT rater FROM trials WHERE id = ?) AND position = 5", state["trial"]
    )[0]["id"]
    for guess in (name, f"{name}.png", later, "0" * 32, "study.sqlite", "f" * 31, "%00", "F" * 32):
        assert client.get(f"/api/picture/{guess}").status == 404, guess
    assert client.get(f"/api/picture/{state['trial']}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/picture/../study.sqlite",
        "/api/picture/..%2fstudy.sqlite",
        "/api/picture/..%2f..%2f..%2fetc%2fpasswd",
        "/api/picture/%2e%2e/study.json",
        "/../study.sqlite",
        "/study.json",
        "/images/",
        "/r/../../study.json",
        "/results/../study.sqlite",
        "//etc/passwd",
    ],
)
def test_a_path_leads_out_of_nothing(served: Served, path: str) -> None:
    client = served.client(served.made.raters[-1])
    reply = client.get(path)
    assert reply.status in (403, 404)
    assert b"SQLite" not in reply.body
    assert b"ganbench.human" not in reply.body


def test_an_answer_counts_once(served: Served) -> None:
    client = served.client()
    state = client.begin()
    assert client.judge(state, "real").status == 200
    before = served.truth.answers()
    for answer in ("real", "fake"):
        again = client.send(state, answer)
        assert again.status == 409
        assert "The first answer stands" in error_of(again)
    assert served.truth.answers() == before


def test_two_tabs_do_not_count_twice(served: Served) -> None:
    """Both send at the same moment, picture after picture."""
    token = served.fresh()
    tabs = [served.client(token), served.client(token)]
    state = tabs[0].begin()
    done = 0
    while "trial" in state:
        assert tabs[0].get(f"/api/picture/{state['trial']}").status == 200
        truth = served.truth.of(state["trial"])["kind"]
        gate = threading.Barrier(2)

        def send(tab: Client, gate: threading.Barrier = gate, now: Any = state, answer: str = truth) -> Reply:
            gate.wait(10)
            return tab.send(now, answer)

        with ThreadPoolExecutor(2) as pool:
            replies = list(pool.map(send, tabs))
        assert sorted(reply.status for reply in replies) == [200, 409]
        done += 1
        state = tabs[0].get("/api/state").json
    assert done == 2 + 4 + 14


def test_a_closed_tab_goes_on_where_it_was(served: Served) -> None:
    token = served.fresh()
    first = served.client(token)
    state = first.begin()
    for _ in range(3):
        state = first.judge(state, served.truth.of(state["trial"])["kind"]).json["next"]
    again = served.client(token).get("/api/state").json
    assert again == state
    assert again["progress"] == {"done": 1, "total": 4, "block_done": 1, "blocks": 1}
    assert served.client(token).post("/api/consent", {}).json == state  # agreeing again begins nothing anew


@pytest.mark.parametrize("size", [5_000, 3_000_000])
def test_an_oversized_body_is_refused(served: Served, size: int) -> None:
    client = served.client(served.made.raters[-1])
    try:
        assert client.post("/api/answer", b" " * size).status == 413
    except OSError:  # the server hung up while the body was still being sent
        assert size > 100_000
    assert served.client(served.made.raters[-1]).get("/api/words").status == 200


def test_a_body_that_hides_its_size_is_refused(served: Served) -> None:
    client = served.client(served.made.raters[-1])
    chunks = b"1000\r\n" + b" " * 4096 + b"\r\n10\r\n" + b" " * 16 + b"\r\n0\r\n\r\n"
    import socket

    with socket.create_connection(("127.0.0.1", served.running.port)) as raw:
        head = f"POST /api/answer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
        raw.sendall(f"{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        assert b" 413 " in raw.recv(4096)


def good(state: dict[str, Any]) -> dict[str, Any]:
    return {"trial": state["trial"], "answer": "real", "reaction_ms": 500}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"answer": "maybe"}, 400),
        ({"answer": None}, 400),
        ({"answer": ["real"]}, 400),
        ({"reaction_ms": -1}, 400),
        ({"reaction_ms": 1e12}, 400),
        ({"reaction_ms": 10**3000}, 400),
        ({"reaction_ms": "5"}, 400),
        ({"reaction_ms": None}, 400),
        ({"reaction_ms": True}, 400),
        ({"shown_ms": -5}, 400),
        ({"frame_ms": 0}, 400),
        ({"frame_ms": 5000}, 400),
        ({"trial": 7}, 400),
        ({"trial": "0" * 31}, 400),
        ({"trial": "0" * 32}, 404),
        ({"correct": True}, 400),
    ],
)
def test_answers_that_are_none(served: Served, change: dict[str, Any], status: int) -> None:
    client = served.client(served.made.raters[-2])
    state = client.begin()
    client.get(f"/api/picture/{state['trial']}")
    assert client.post("/api/answer", good(state) | change).status == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 500, b'{"reaction_ms": NaN}'])
def test_bodies_that_are_none(served: Served, body: bytes) -> None:
    assert served.client(served.made.raters[-2]).post("/api/answer", body).status == 400


def test_a_form_of_another_site_is_refused(served: Served) -> None:
    client = served.client(served.made.raters[-2])
    reply = client.post("/api/answer", b"{}", **{"Content-Type": "text/plain"})
    assert reply.status == 415


def test_an_answer_without_looking_is_refused(served: Served) -> None:
    client = served.client()
    state = client.begin()
    refused = client.send(state, "real")
    assert (refused.status, error_of(refused)) == (409, "This picture was not shown yet.")


def test_an_answer_to_a_later_picture_is_refused(served: Served) -> None:
    client = served.client()
    state = client.begin()
    query = "SELECT id FROM trials WHERE rater = (SELECT rater FROM trials WHERE id = ?) AND position = 3"
    later = served.truth.rows(query, state["trial"])[0]["id"]
    refused = client.send({"trial": later}, "real")
    assert (refused.status, error_of(refused)) == (409, "This picture is not the next one.")


def test_methods_and_addresses_that_are_none(served: Served) -> None:
    client = served.client(served.made.raters[-2])
    assert client.ask("DELETE", "/api/state").status == 405
    assert client.get("/api/answer").status == 405
    assert client.get("/").status == 404
    assert client.get("/docs").status == 404
    elsewhere = client.get(f"/r/{client.token}/", Host="elsewhere.example")
    assert (elsewhere.status, elsewhere.headers.get("location")) == (404, None)


def test_a_rate_fills_again() -> None:
    clock = [0.0]
    rate = Rate(each_second=2, burst=3, clock=lambda: clock[0])

    def taken(sender: str, tries: int) -> int:
        n = 0
        for _ in range(tries):
            with contextlib.suppress(Refused):
                rate.take(sender)
                n += 1
        return n

    assert [taken("a", 9), taken("b", 2), taken("a", 9)] == [3, 2, 0]
    clock[0] += 1
    assert [taken("a", 9), taken("b", 9)] == [2, 3]
    clock[0] += 3600
    assert taken("a", 9) == 3


def test_too_many_requests_wait(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=2)
    with serving(folder) as running:
        stranger = Client(running.port, "A" * 32)
        assert {stranger.get("/api/state").status for _ in range(80)} == {401, 429}
        mine = Client(running.port, made.raters[0])  # whoever has a link does not suffer for strangers
        assert mine.get("/api/words").status == 200
        assert 429 in (mine.get("/api/words").status for _ in range(2000))
        assert Client(running.port, made.raters[1]).get("/api/words").status == 200
        time.sleep(0.3)
        assert mine.get("/api/words").status == 200


# What is told


def test_nothing_tells_the_answer_before_it_is_given(served: Served) -> None:
    client = served.client()
    words = client.get("/api/words")
    names = {row["name"] for row in served.truth.rows("SELECT name FROM images")}
    state, told = client.begin(), b""
    while "trial" in state:
        assert set(state) == {"phase", "progress", "block", "trial", "exposure_ms", "masks"}
        picture = client.get(f"/api/picture/{state['trial']}")
        assert picture.headers["cache-control"] == "no-store"
        told += str(sorted(picture.headers.items())).encode()
        about = served.truth.of(state["trial"])
        reply = client.send(state, about["kind"])
        told += reply.body
        assert reply.json["correct"] is (True if about["phase"] == "tutorial" else None)
        state = reply.json["next"]
    everything = (words.body + told).decode()
    assert not [name for name in names if name in everything]
    for word in ("fakes", "reals", "source", "check", str(served.folder), "noise"):
        assert word not in everything.lower().replace("resource-policy", ""), word


def test_both_kinds_look_the_same_from_outside(served: Served) -> None:
    """Headers differ in the length alone, which the pixels decide; none tells when a file was written."""
    client = served.client()
    state, found = client.begin(), dict[str, dict[str, str]]()
    while len(found) < 2:
        reply, about = client.get(f"/api/picture/{state['trial']}"), served.truth.of(state["trial"])
        found[about["kind"]] = {k: v for k, v in reply.headers.items() if k not in ("date", "content-length")}
        state = client.send(state, about["kind"]).json["next"]
    assert found["real"] == found["fake"]
    assert found["real"]["content-type"] == "image/png"
    assert set(found["real"]) == {
        "content-type", "cache-control", "x-content-type-options", "x-frame-options", "referrer-policy",
        "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy", "content-security-policy",
    }  # fmt: skip


def test_the_results_are_for_the_owner(served: Served) -> None:
    client = Client(served.running.port)
    for token in ("x", served.made.raters[0], "A" * 32):
        for file in ("", "/score.json", "/answers.csv"):
            refused = client.get(f"/results/{token}{file}")
            assert refused.status == 403
            assert b"HYPE" not in refused.body
    page = client.get(f"/results/{served.made.owner}")
    assert page.status == 200
    assert b"HYPE" in page.body
    assert "script-src" not in page.headers["content-security-policy"]
    assert client.get(f"/results/{served.made.owner}/score.json").json["schema"] == "ganbench.human-score/1"
    assert client.get(f"/results/{served.made.owner}/answers.csv").body.startswith(b"rater,phase,")
    assert client.get(f"/results/{served.made.owner}/study.sqlite").status == 404
    assert Client(served.running.port, served.made.owner).get("/api/state").status == 401


def test_the_page_loads_nothing_from_elsewhere(served: Served) -> None:
    reply = Client(served.running.port).get(f"/r/{served.made.raters[0]}")
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    text = reply.body.decode()
    assert "http:" not in text
    assert "https:" not in text
    assert served.made.raters[0] not in text


# The shared link


def test_one_link_for_all_closes_when_the_places_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=3, shared=True)
    assert made.raters == []
    with serving(folder) as running:
        shared = Client(running.port, str(made.shared))
        assert shared.get("/api/words", **{"X-Shared": "1"}).status == 200
        assert shared.get("/api/state").status == 401  # it is no rater's link
        with ThreadPoolExecutor(8) as pool:
            mine = [new_token() for _ in range(8)]
            raters = [Client(running.port, str(made.shared)) for _ in mine]
            joined = list(pool.map(lambda rater, token: rater.post("/api/join", {"token": token}), raters, mine))
        assert sorted(reply.status for reply in joined) == [201] * 3 + [403] * 5
        assert "All places of this study are taken" in error_of(next(r for r in joined if r.status == 403))
        tokens = [token for token, reply in zip(mine, joined, strict=True) if reply.status == 201]
        for token in tokens:
            assert Client(running.port, token).get("/api/state").json["phase"] == "tutorial"
            assert Client(running.port, token).post("/api/join", {"token": new_token()}).status == 401
            assert shared.post("/api/join", {"token": token}).status == 201  # the reply was lost: it is the same place
        assert Client(running.port, "A" * 32).post("/api/join", {"token": new_token()}).status == 401
        assert len(Truth(folder).rows("SELECT id FROM raters")) == 3


def test_a_token_of_ones_own_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, raters=3, shared=True)
    with serving(folder) as running:
        shared = Client(running.port, str(made.shared))
        assert shared.post("/api/join", []).status == 400
        for mine in (None, 5, "x", "A" * 33, "é" * 32, made.shared):
            assert shared.post("/api/join", {"token": mine}).status == 400
        strangers = {Client(running.port, "B" * 32).post("/api/join", {}).status for _ in range(80)}
        assert strangers == {401, 429}
        # Whoever has the link comes in nevertheless: behind a server with HTTPS all have one address.
        assert shared.post("/api/join", {"token": new_token()}).status == 201


# HYPE time, without a browser


def test_nobody_answers_before_a_picture_was_shown(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, "trials=6", "blocks=1", "countdown_ms=30000", protocol="time", raters=1)
    with serving(folder) as running:
        client = Client(running.port, made.raters[0])
        state = client.begin()
        assert state["exposure_ms"] == 500
        assert len(state["masks"]) == 4
        assert client.get(f"/api/picture/{state['trial']}").status == 200
        assert client.get(f"/api/picture/{state['masks'][0]}").status == 200
        hasty = client.send(state, "real", shown_ms=500.0, frame_ms=16.7)
        assert hasty.status == 409
        assert "before the picture can have been shown" in error_of(hasty)


def test_answers_have_a_time_from_which_they_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s"
    made = make_study(folder, *SMALL, "trials=6", "blocks=1", protocol="time", raters=1)
    sessions, clock = Sessions(folder), [1e9]
    monkeypatch.setattr("ganbench.human.session.now", lambda: clock[0])
    rater = sessions.rater(made.raters[0])
    sessions.consent(rater)
    for later in (1.5, -3600):  # half a second each for 3, 2, 1, the cross and the picture; then a clock is set back
        trial = sessions.state(rater)["trial"]
        sessions.picture(rater, trial)
        given = Answer(trial=trial, answer="real", reaction_ms=1.0, shown_ms=500.0, frame_ms=16.7)
        clock[0] += 1.3
        with pytest.raises(Refused, match="before the picture can have been shown"):
            sessions.answer(rater, given)
        clock[0] += later - 1.3
        assert sessions.answer(rater, given)["correct"] is not None


def test_the_staircase_is_the_servers(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    quick = ("countdown_ms=0", "fixation_ms=0", "start_ms=30", "lowest_ms=10", "highest_ms=60", "tutorial=0")
    made = make_study(folder, "trials=12", "blocks=3", "qualification=0", "checks=0", *quick, protocol="time", raters=1)
    with serving(folder) as running:
        client, truth = Client(running.port, made.raters[0]), Truth(folder)
        state, asked, told = client.begin(), list[int](), ""
        while "trial" in state:
            asked.append(state["exposure_ms"])
            told += str(state)
            kind = truth.of(state["trial"])["kind"]
            answer = kind if len(asked) % 2 else OTHER[kind]
            client.get(f"/api/picture/{state['trial']}")
            time.sleep(0.07)
            late = 40.0 if len(asked) == 5 else 0.0
            reply = client.send(state, answer, shown_ms=state["exposure_ms"] + late, frame_ms=16.7)
            assert reply.json["correct"] is (answer == kind)
            state = reply.json["next"]
    assert not [row["name"] for row in truth.rows("SELECT name FROM images") if row["name"] in told]
    assert asked == [30, 20, 50, 40] * 3  # right, wrong, right, wrong; each block begins anew
    found = score(folder)
    assert found.exposures is not None
    assert (found.exposures.n, found.exposures.off, found.exposures.largest_ms) == (12, 1, 40.0)
    assert found.by_rater[0].modes_ms == [40, 40, 40]
