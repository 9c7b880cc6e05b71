"""What the book keeps on disk: sessions, answers to commands, what the desk has receipted, and the store's epoch.

One `save` is one generation: a session and the answer to the command that changed it are on disk together or not at
all. Blocking: called in a thread.

Where the disk takes nothing (full, read-only, broken) what should be on it is held in memory, and goes to it with the
first generation that it takes. What is held so is *loose*: a power cut loses it. So a session that changed since is
given an epoch of its own: its revisions may come again with another content after a restart, and must then never be
taken for those told before.

Where no copy of the book can be understood, the kiosk must come up all the same: what is there is set aside and kept, a
new book is begun in a new epoch, and `begun_anew` says so for the first SAID_S of its life.

There is no clock that can be trusted (no RTC): ages are counted in seconds that the kiosk has been running
(`lived_s`), which stand still while the power is off. So something is rather kept too long than too short.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from tinydb import TinyDB, where
from tinydb.middlewares import CachingMiddleware

from kiosk.book.storage import CrashSafeStorage
from kiosk.errors import StoreTrouble
from kiosk.session.record import Session
from kiosk.wire.messages import Answer

log = logging.getLogger(__name__)


SAID_S = 86_400.0


class Given(Struct, frozen=True):
    """An answer, and when in the kiosk's life it was given."""

    answer: Answer
    at_s: float


class Settled(Struct, frozen=True):
    """The last revision that the desk has receipted with everything uploaded, and since when."""

    rev: int
    at_s: float


class Kept(Struct):
    epoch: str
    sessions: dict[str, Session]
    answers: dict[str, Given]
    settled: dict[str, Settled]


class Store:
    """`trouble`: why the disk does not take what it should; empty while everything is on it."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        # Cached: nothing is written until flush() makes one generation of all changes.
        self._caching = CachingMiddleware(CrashSafeStorage)  # type: ignore[no-untyped-call]
        self._caching.WRITE_CACHE_SIZE = 1_000_000
        self._db = TinyDB(path, storage=self._caching)
        self._tables = {n: self._db.table(n, cache_size=0) for n in ("meta", "sessions", "answers", "settled")}
        # A save whose waiter was cancelled goes on in its thread: the next one, or close, waits for it.
        self._lock = threading.Lock()
        self._now, self._began_s, self._lived_before_s = now, now(), 0.0
        self._loose_epoch = ""
        self.trouble = ""

    def lived_s(self) -> float:
        """How long the kiosk has been running in its life, as far as that is known."""
        return self._lived_before_s + self._now() - self._began_s

    @property
    def begun_anew(self) -> str:
        """That this is not the kiosk's first book, in words; empty where it is, or when it has been said for long."""
        aside = self._caching.aside  # forwarded to the storage
        if not aside or self.lived_s() >= SAID_S:
            return ""
        return f"the book was damaged and begun anew, earlier sessions are not in it; kept as {', '.join(aside[-2:])}"

    def load(self) -> Kept:
        """What was kept; a new book where there is none, or none that can be understood."""
        with self._lock:
            try:
                kept = self._load()
            except StoreTrouble as error:
                log.error("%s: it is set aside and a new one begun", error.text)
                self._caching.begin_anew()  # forwarded to the storage
                self._caching.cache = None
                kept = self._load()
            if self._caching.fell_back:  # forwarded to the storage
                kept = self._begin_epoch(kept)
            self._flush()  # also where nothing is new: a disk that takes nothing is known from the start
        return kept

    def _load(self) -> Kept:
        """Raises StoreTrouble where what is there cannot be understood."""
        if not self._tables["meta"].all():
            self._tables["meta"].insert({"epoch": secrets.token_hex(8)})
        try:
            return self._read()
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            raise StoreTrouble(f"the book is of another kind: {error}") from error

    def _read(self) -> Kept:
        meta = self._tables["meta"].all()[0]
        self._lived_before_s = meta.get("lived_s", 0.0)
        born_s = self.lived_s()  # of what has no time yet
        sessions = [msgspec.convert(d["body"], Session) for d in self._tables["sessions"].all()]
        answers = [
            Given(msgspec.convert(d["body"], Answer), d.get("at_s", born_s)) for d in self._tables["answers"].all()
        ]
        return Kept(
            epoch=meta["epoch"],
            sessions={s.id: s for s in sessions},
            answers={a.answer.id: a for a in answers},
            settled={d["id"]: Settled(d["rev"], d.get("at_s", born_s)) for d in self._tables["settled"].all()},
        )

    def _begin_epoch(self, kept: Kept) -> Kept:
        """What was told last is lost with a damaged file: its revisions must never be taken for those to come."""
        epoch = secrets.token_hex(8)
        sessions = {s.id: replace(s, epoch=epoch) for s in kept.sessions.values()}
        self._tables["meta"].update({"epoch": epoch})
        self._tables["settled"].truncate()
        for session in sessions.values():
            self._put_session(session)
        return Kept(epoch, sessions, kept.answers, {})

    def save(
        self, session: Session | None = None, given: Given | None = None, forget: Collection[str] = ()
    ) -> Session | None:
        """Keeps both, and lets go of the answers to the commands `forget`; the session as it may be told now."""
        with self._lock:
            if forget:
                self._tables["answers"].remove(where("id").one_of(list(forget)))
            if given is not None:
                body = msgspec.to_builtins(given.answer)
                self._tables["answers"].insert({"id": given.answer.id, "at_s": round(given.at_s, 1), "body": body})
            if session is not None:
                self._put_session(session)
            self._flush()
            return self._loosened(session) if session is not None and self.trouble else session

    def _loosened(self, session: Session) -> Session:
        self._loose_epoch = self._loose_epoch or secrets.token_hex(8)
        session = replace(session, epoch=self._loose_epoch)
        self._put_session(session)
        return session

    def settle(self, session_id: str, settled: Settled) -> None:
        with self._lock:
            row = {"id": session_id, "rev": settled.rev, "at_s": round(settled.at_s, 1)}
            self._tables["settled"].upsert(row, where("id") == session_id)
            self._flush()

    def forget(self, session_id: str) -> None:
        with self._lock:
            for name in ("sessions", "settled"):
                self._tables[name].remove(where("id") == session_id)
            self._flush()

    def try_again(self) -> None:
        """What is held goes to the disk if it takes it by now."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        with self._lock:
            try:
                self._db.close()
            except StoreTrouble as error:
                log.error("the disk has not taken the last changes, they are lost: %s", error.text)

    def _put_session(self, session: Session) -> None:
        row = {"id": session.id, "body": msgspec.to_builtins(session)}
        self._tables["sessions"].upsert(row, where("id") == session.id)

    def _flush(self) -> None:
        """One generation of all changes, also of those that an earlier one could not write."""
        self._tables["meta"].update({"lived_s": round(self.lived_s(), 1)})
        try:
            self._caching.flush()  # type: ignore[no-untyped-call]
        except StoreTrouble as error:
            self.trouble = error.text
        else:
            self.trouble = self._loose_epoch = ""
