"""The SQLite database of a study: pictures, raters, their trials and answers. An answer is one transaction."""

import hashlib
import secrets
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ganbench.errors import BadInput
from ganbench.human.study import DATABASE

_WAIT = 20.0  # seconds that one writer waits for another
# The keys do the counting: a trial has one answer or none, whoever sends how many.
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE images (
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('real', 'fake')),
  role TEXT NOT NULL CHECK (role IN ('tutorial', 'qualification', 'trial', 'check', 'mask')),
  place INTEGER NOT NULL,
  source_index INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  UNIQUE (role, kind, place)
) STRICT;
CREATE TABLE raters (
  id INTEGER PRIMARY KEY,
  token_sha256 TEXT NOT NULL UNIQUE,
  consented_at REAL,
  ended_at REAL,
  ended TEXT CHECK (ended IN ('done', 'failed'))
) STRICT;
CREATE TABLE trials (
  id TEXT PRIMARY KEY,
  rater INTEGER NOT NULL REFERENCES raters (id),
  position INTEGER NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('tutorial', 'qualification', 'trial')),
  block INTEGER NOT NULL,
  image TEXT NOT NULL REFERENCES images (name),
  views INTEGER NOT NULL DEFAULT 0,
  served_at REAL,
  UNIQUE (rater, position)
) STRICT;
CREATE TABLE answers (
  trial TEXT PRIMARY KEY REFERENCES trials (id),
  answer TEXT NOT NULL CHECK (answer IN ('real', 'fake')),
  correct INTEGER NOT NULL CHECK (correct IN (0, 1)),
  asked_ms INTEGER,
  shown_ms REAL,
  frame_ms REAL,
  off INTEGER NOT NULL CHECK (off IN (0, 1)),
  reaction_ms REAL NOT NULL,
  views INTEGER NOT NULL,
  at REAL NOT NULL
) STRICT;
"""


def new_token() -> str:
    """192 random bits, as 32 letters that may stand in an address."""
    return secrets.token_urlsafe(24)


def digest(token: str) -> str:
    """What is stored of a token: enough to know it again, too little to make it."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(path: Path) -> None:
    """Makes an empty database."""
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.executescript(_SCHEMA)


class Database:
    """Connections to the database of a study; safe for many threads and processes, for each opens its own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / DATABASE
        self._held: sqlite3.Connection | None = None
        if not self._path.is_file():
            raise BadInput(f"{folder} holds no study: there is no {DATABASE} in it.")
        try:
            with self.reading() as db:
                db.execute("SELECT count(*) FROM answers").fetchone()
        except sqlite3.DatabaseError as error:
            raise BadInput(f"{self._path} cannot be read as the database of a study: {error}.") from error

    def hold(self) -> None:
        """Keeps one connection open. SQLite tidies up whenever the last one is closed, which takes long."""
        held = sqlite3.connect(self._path, check_same_thread=False)
        held.execute("SELECT count(*) FROM meta").fetchone()
        self._held = held
        weakref.finalize(self, held.close)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one look: what it sees does not change while it is open."""
        with closing(self._open()) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on the disk afterwards, or none where it raises. One writer at a time.

        Without `synced` it outlives a server that is killed, and perhaps not a machine that loses its power.
        """
        with closing(self._open()) as db:
            if not synced:
                db.execute("PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        return db


def now() -> float:
    """Seconds since 1970."""
    return time.time()
