"""Studies and raters that are made up: raters who know the truth, and err as often as a test says."""

import contextlib
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.human.create import Asked, Made, create
from ganbench.human.study import settings_of
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import ImageSource

REPOSITORY = Path(__file__).parents[2]
OTHER = {"real": "fake", "fake": "real"}
# Small studies: short, with everything in them.
SMALL = ("trials=12", "tutorial=1", "qualification=2", "checks=2")
QUICK = ("countdown_ms=0", "fixation_ms=20", "mask_ms=20", "masks=2")


def noise(n: int, seed: int, *, side: int = 16) -> ImageSource:
    """n pictures of noise, no two alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8)
    return array_source(pixels, f"noise-{seed}")


def array_source(pixels: NDArray[np.uint8], name: str) -> ImageSource:
    """uint8 (n, 3, h, w) as a source."""
    rows = pixels.transpose(0, 2, 3, 1)
    return IndexedSource(name, len(rows), read=lambda i: rows[i])


def make_study(folder: Path, *settings: str, protocol: Any = "infinity", n: int = 60, **asked: Any) -> Made:
    """A study of n pictures of noise of each kind."""
    return create(
        folder,
        Asked(
            protocol=protocol,
            title=asked.pop("title", "A study"),
            fake=asked.pop("fake", ("fakes", noise(n, 1))),
            real=asked.pop("real", ("reals", noise(n, 2))),
            settings=settings_of(protocol, asked.pop("staircase", "default"), settings),
            **asked,
        ),
    )


class Truth:
    """What a rater cannot know: the answers, out of the study's database."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "study.sqlite"

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=20)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(query, values).fetchall()

    def of(self, trial: str) -> sqlite3.Row:
        """Kind and role of the picture of a trial, and its phase."""
        query = "SELECT kind, role, phase FROM trials JOIN images ON name = image WHERE id = ?"
        return self.rows(query, trial)[0]

    def current(self, rater: int) -> sqlite3.Row | None:
        """The same of what a rater sees now."""
        query = (
            "SELECT id, kind, role, phase FROM trials JOIN images ON name = image WHERE rater = ? AND NOT EXISTS "
            "(SELECT 1 FROM answers WHERE trial = id) ORDER BY position LIMIT 1"
        )
        return next(iter(self.rows(query, rater)), None)

    def answers(self) -> int:
        return int(self.rows("SELECT count(*) AS n FROM answers")[0]["n"])


@dataclass
class Rater:
    """Errs in the trials with the probability `error`; is right in practice, qualification and checks."""

    error: float
    rng: np.random.Generator
    judged: int = 0
    wrong: int = 0

    def answer(self, kind: str, role: str, phase: str) -> str:
        if phase != "trial" or role == "check":
            return kind
        errs = bool(self.rng.random() < self.error)
        self.judged, self.wrong = self.judged + 1, self.wrong + errs
        return OTHER[kind] if errs else kind


@dataclass
class Reply:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """One rater's requests, over one connection that is opened again when it was lost."""

    port: int
    token: str = ""
    connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """A request as the page sends it; bytes are sent as they are."""
        connection = self.connection or self._connect()
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, sent | headers)
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except (OSError, http.client.HTTPException):
            connection.close()
            self.connection = None
            raise

    def _connect(self) -> http.client.HTTPConnection:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        weakref.finalize(self, self.connection.close)
        return self.connection

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.ask("POST", path, body, **headers)

    def begin(self) -> dict[str, Any]:
        """Agrees to take part; the first state."""
        state: dict[str, Any] = self.post("/api/consent", {}).json
        return state

    def judge(self, state: dict[str, Any], answer: str, **more: Any) -> Reply:
        """Looks at the picture and answers."""
        assert self.get(f"/api/picture/{state['trial']}").status == 200
        return self.send(state, answer, **more)

    def send(self, state: dict[str, Any], answer: str, **more: Any) -> Reply:
        return self.post("/api/answer", {"trial": state["trial"], "answer": answer, "reaction_ms": 500.0} | more)


def take_part(client: Client, rater: Rater, truth: Truth, *, patience: float = 30.0) -> list[str]:
    """A whole way through a study; a server that is away is asked again. Returns the trials whose answer was taken."""
    taken: list[str] = []
    state, until = None, time.monotonic() + patience
    while state is None or "trial" in state:
        try:
            if state is None:
                state = client.get("/api/state").json
                if state["phase"] == "consent":
                    state = client.begin()
                continue
            about = truth.of(state["trial"])
            assert client.get(f"/api/picture/{state['trial']}").status == 200
            before = rater.judged, rater.wrong
            reply = client.send(state, rater.answer(about["kind"], about["role"], about["phase"]))
            if reply.status == 409:  # taken before the server died, and its reply was lost
                rater.judged, rater.wrong = before
                state = None
                continue
            assert reply.status == 200, reply.body
            taken.append(state["trial"])
            state, until = reply.json["next"], time.monotonic() + patience
        except (OSError, http.client.HTTPException):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
            state = None
    return taken


@dataclass
class Running:
    """A server as a process of its own."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


def start(folder: Path, port: int = 0) -> Running:
    """`ganbench human serve`, listening."""
    code = "import sys; from ganbench.cli.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "human", "serve", str(folder), "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])},
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    assert found, line + process.stderr.read()
    return Running(process, int(found[1]))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Running]:
    """A server while it is needed."""
    running = start(folder)
    try:
        yield running
    finally:
        running.process.terminate()
        try:
            running.process.wait(10)
        finally:
            running.process.kill()
            assert running.process.stderr is not None
            running.process.stderr.close()


Psychometric = Callable[[float], float]


def logistic(threshold: float, width: float = 40.0) -> Psychometric:
    """Right half of the time at no exposure, three quarters of the time at the threshold."""
    return lambda exposure: 0.5 + 0.5 / (1 + float(np.exp((threshold - exposure) / width)))
