"""A rater's way through a study: what comes next, whether an answer may stand, which picture may be seen.

Everything is read from the database each time, so a server that was killed goes on where it was.
"""

import re
import secrets
import sqlite3
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.errors import BadInput
from ganbench.human.answers import ID, Answer, Refused, is_off
from ganbench.human.database import Database, digest, now
from ganbench.human.plan import Names, masks_of, plan
from ganbench.human.study import IMAGES, Study, read_study
from ganbench.hype import KINDS

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_EARLY_MS = 100  # each step of a flash may end half a frame early
_STRANGER = "This link is not one of the study's. Ask whoever sent it for another."
_SEEN = "UPDATE trials SET views = views + 1, served_at = coalesce(served_at, ?) WHERE id = ?"


class Sessions:
    """The raters of one study.

    Raises BadInput where the folder holds no study, or its text is not the one that its database was made with.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.study, self.database = folder, read_study(folder), Database(folder)
        with self.database.reading() as db:
            self._meta = {row["key"]: row["value"] for row in db.execute("SELECT key, value FROM meta")}
        self.database.hold()
        check_same(self.study, self._meta, folder)

    @cached_property
    def _images(self) -> Names:
        """Names of files by role and kind, in the study's order."""
        found: dict[tuple[str, Any], list[str]] = {}
        with self.database.reading() as db:
            for row in db.execute("SELECT role, kind, name FROM images ORDER BY role, kind, place"):
                found.setdefault((row["role"], row["kind"]), []).append(row["name"])
        return found

    @property
    def _masks(self) -> list[str]:
        return [name for kind in KINDS for name in self._images.get(("mask", kind), ())]

    def is_owner(self, token: str) -> bool:
        """Whether this is the owner's token."""
        return secrets.compare_digest(digest(token), self._meta["owner"])

    def rater(self, token: str) -> int:
        """The number of the rater with this token. Raises Refused (401)."""
        if _TOKEN.fullmatch(token):
            with self.database.reading() as db:
                row = db.execute("SELECT id FROM raters WHERE token_sha256 = ?", [digest(token)]).fetchone()
            if row is not None:
                return int(row["id"])
        raise Refused(401, _STRANGER)

    def check_shared(self, token: str) -> None:
        """Raises Refused (401) where this is not the shared link of the study."""
        shared = self._meta.get("shared")
        if shared is None or not secrets.compare_digest(digest(token), shared):
            raise Refused(401, _STRANGER)

    def join(self, token: str, mine: Any) -> None:
        """A place for someone with the shared link. Raises Refused (400, 401, 403).

        Args:
            token: of the shared link.
            mine: the rater's own token, drawn by the page. Who asks again with it, because the reply was lost, takes no
                second place.
        """
        self.check_shared(token)
        if not isinstance(mine, str) or not _TOKEN.fullmatch(mine) or mine == token:
            raise Refused(400, "token must be 32 letters, digits, - or _, drawn at random.")
        with self.database.writing() as db:
            if db.execute("SELECT 1 FROM raters WHERE token_sha256 = ?", [digest(mine)]).fetchone():
                return
            (n,) = db.execute("SELECT count(*) FROM raters").fetchone()
            if n >= self.study.raters:
                raise Refused(403, "All places of this study are taken. Thank you for your interest.")
            db.execute("INSERT INTO raters (id, token_sha256, consented_at) VALUES (?, ?, ?)", [n, digest(mine), now()])
            self._enter_plan(db, n)

    def consent(self, rater: int) -> None:
        """The rater agrees to take part; a second time changes nothing."""
        with self.database.writing() as db:
            done = db.execute("SELECT consented_at FROM raters WHERE id = ?", [rater]).fetchone()
            if done["consented_at"] is None:
                db.execute("UPDATE raters SET consented_at = ? WHERE id = ?", [now(), rater])
                self._enter_plan(db, rater)

    def _enter_plan(self, db: sqlite3.Connection, rater: int) -> None:
        db.executemany(
            "INSERT INTO trials (id, rater, position, phase, block, image) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (secrets.token_hex(16), rater, position, each.phase, each.block, each.image)
                for position, each in enumerate(plan(self.study, rater, self._images))
            ],
        )

    def state(self, rater: int) -> dict[str, Any]:
        """What a page needs for the next step, and nothing of what the answer is."""
        with self.database.reading() as db:
            return self._state(db, rater)

    def _state(self, db: sqlite3.Connection, rater: int) -> dict[str, Any]:
        me = db.execute("SELECT consented_at, ended FROM raters WHERE id = ?", [rater]).fetchone()
        if me["consented_at"] is None:
            return {"phase": "consent"}
        if me["ended"] is not None:
            return {"phase": me["ended"]}
        trial = _current(db, rater)
        assert trial is not None, "a rater without a next trial has ended"
        return {
            "phase": trial["phase"],
            "progress": _progress(db, rater, trial),
            "block": trial["block"],
            "trial": trial["id"],
            "exposure_ms": self._exposure(db, rater, trial),
            "masks": masks_of(self.study, rater, trial["position"]) if self._flashes(trial) else [],
        }

    def _flashes(self, trial: sqlite3.Row) -> bool:
        return self.study.protocol == "time" and trial["phase"] != "qualification"

    def _exposure(self, db: sqlite3.Connection, rater: int, trial: sqlite3.Row) -> int | None:
        """How long a trial's picture is to be shown; None: until the answer. Checks stand outside the staircase."""
        if not self._flashes(trial):
            return None
        settings = self.study.settings
        if trial["phase"] == "tutorial":
            return settings.start_ms
        if trial["role"] == "check":
            return settings.highest_ms
        right = db.execute(
            "SELECT correct FROM answers JOIN trials ON trials.id = answers.trial JOIN images ON images.name = image "
            "WHERE rater = ? AND phase = 'trial' AND block = ? AND role = 'trial' ORDER BY position",
            [rater, trial["block"]],
        )
        return settings.staircase.next_ms([bool(row["correct"]) for row in right])

    def picture(self, rater: int, address: str) -> Path:
        """The file behind an address: the picture of the rater's current trial, or a mask. Raises Refused (404).

        An address is the id of a trial, or the number of a mask. It is looked up among what this rater may see now, and
        never becomes part of a path.
        """
        refused = Refused(404, "There is no such picture for you now.")
        masks = {str(i): name for i, name in enumerate(self._masks)}
        if not ID.fullmatch(address) and address not in masks:
            raise refused
        with self.database.writing(synced=False) as db:
            trial = _current(db, rater)
            if trial is None:
                raise refused
            if address == trial["id"]:
                db.execute(_SEEN, [now(), address])
                name = trial["image"]
            elif self._flashes(trial) and address in masks:
                name = masks[address]
            else:
                raise refused
        return self.folder / IMAGES / f"{name}.png"

    def answer(self, rater: int, given: Answer) -> dict[str, Any]:
        """Takes an answer, in one transaction, and tells what comes next. Raises Refused (403, 404, 409)."""
        with self.database.writing() as db:
            trial = self._answerable(db, rater, given.trial)
            asked = self._exposure(db, rater, trial)
            correct = given.answer == trial["kind"]
            db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [given.trial, given.answer, correct, asked, given.shown_ms, given.frame_ms, is_off(asked, given),
                 given.reaction_ms, trial["views"], now()],
            )  # fmt: skip
            self._end(db, rater, trial["phase"])
            told = trial["phase"] == "tutorial" or (self.study.settings.feedback and trial["phase"] == "trial")
            return {"correct": correct if told else None, "next": self._state(db, rater)}

    def _answerable(self, db: sqlite3.Connection, rater: int, address: str) -> sqlite3.Row:
        asked = db.execute("SELECT rater FROM trials WHERE id = ?", [address]).fetchone()
        if asked is None:
            raise Refused(404, "There is no such trial.")
        if asked["rater"] != rater:
            raise Refused(403, "This trial is another rater's.")
        if db.execute("SELECT 1 FROM answers WHERE trial = ?", [address]).fetchone():
            raise Refused(409, "This picture was answered already, perhaps in another tab. The first answer stands.")
        trial = _current(db, rater)
        if trial is None or trial["id"] != address:
            raise Refused(409, "This picture is not the next one.")
        if trial["served_at"] is None:
            raise Refused(409, "This picture was not shown yet.")
        self._check_pace(db, rater, trial)
        return trial

    def _check_pace(self, db: sqlite3.Connection, rater: int, trial: sqlite3.Row) -> None:
        """Nobody can answer before the picture can have been shown."""
        exposure, settings = self._exposure(db, rater, trial), self.study.settings
        if exposure is None:
            return
        before = settings.countdown_ms + settings.fixation_ms + exposure
        since = 1000 * (now() - trial["served_at"])
        if 0 <= since < before - _EARLY_MS:  # less than 0: the clock of this machine was set back meanwhile
            raise Refused(409, "This answer came before the picture can have been shown.")

    def _end(self, db: sqlite3.Connection, rater: int, phase: str) -> None:
        """Ends the way of a rater who has answered everything, or has not qualified."""
        left = _current(db, rater)
        if phase == "qualification" and (left is None or left["phase"] != "qualification"):
            shares = db.execute(
                "SELECT avg(correct) AS share FROM answers JOIN trials ON trials.id = trial "
                "JOIN images ON name = image WHERE rater = ? AND phase = 'qualification' GROUP BY kind",
                [rater],
            )
            if any(row["share"] < self.study.settings.pass_rate for row in shares):
                db.execute("UPDATE raters SET ended = 'failed', ended_at = ? WHERE id = ?", [now(), rater])
                return
        if left is None:
            db.execute("UPDATE raters SET ended = 'done', ended_at = ? WHERE id = ?", [now(), rater])


def check_same(study: Study, meta: Mapping[str, str], folder: Path) -> None:
    """Raises BadInput where the text of a study was changed after its database was made."""
    if meta.get("study") != study.fingerprint:
        raise BadInput(
            f"{folder}/study.json is not the text that the study was made with: rules are fixed before the first "
            "answer. Put the old text back, or make another study."
        )


def _current(db: sqlite3.Connection, rater: int) -> sqlite3.Row | None:
    """The first trial of a rater that has no answer."""
    found: sqlite3.Row | None = db.execute(
        "SELECT trials.*, kind, role FROM trials JOIN images ON name = image "
        "WHERE rater = ? AND NOT EXISTS (SELECT 1 FROM answers WHERE trial = trials.id) ORDER BY position LIMIT 1",
        [rater],
    ).fetchone()
    return found


def _progress(db: sqlite3.Connection, rater: int, trial: sqlite3.Row) -> dict[str, int]:
    """How far a rater is in the present phase, and in the present block of it."""
    rows = db.execute(
        "SELECT block, count(*) AS total, count(answers.trial) AS done FROM trials "
        "LEFT JOIN answers ON answers.trial = trials.id WHERE rater = ? AND phase = ? GROUP BY block",
        [rater, trial["phase"]],
    ).fetchall()
    here = next(row for row in rows if row["block"] == trial["block"])
    return {
        "done": sum(row["done"] for row in rows),
        "total": sum(row["total"] for row in rows),
        "block_done": here["done"],
        "blocks": len(rows),
    }
