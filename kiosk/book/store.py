"""What the book keeps on disk: sessions, answers to commands, what the desk has receipted, and the store's epoch.

One `save` is one generation: a session and the answer to the command that changed it are on disk together or not at
all. Blocking: called in a thread.
"""

from __future__ import annotations

import secrets
import threading
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

KEEP_ANSWERS = 1000
KEEP_ENDED = 100


class Kept(Struct):
    epoch: str
    sessions: dict[str, Session]
    answers: dict[str, Answer]
    settled: dict[str, int]  # session -> last rev that the desk has receipted with everything uploaded


class Store:
    def __init__(self, path: Path) -> None:
        # Cached: nothing is written until flush() makes one generation of all changes.
        self._caching = CachingMiddleware(CrashSafeStorage)  # type: ignore[no-untyped-call]
        self._caching.WRITE_CACHE_SIZE = 1_000_000
        self._db = TinyDB(path, storage=self._caching)
        self._tables = {n: self._db.table(n, cache_size=0) for n in ("meta", "sessions", "answers", "settled")}
        # A save whose waiter was cancelled goes on in its thread: the next one, or close, waits for it.
        self._lock = threading.Lock()

    def load(self) -> Kept:
        """Raises StoreTrouble where what is there cannot be understood."""
        with self._lock:
            if not self._tables["meta"].all():
                self._tables["meta"].insert({"epoch": secrets.token_hex(8)})
                self._flush()
            kept = self._load()
            if self._caching.fell_back:  # forwarded to the storage
                kept = self._begin_epoch(kept)
        return kept

    def _load(self) -> Kept:
        meta = self._tables["meta"].all()
        try:
            sessions = [msgspec.convert(d["body"], Session) for d in self._tables["sessions"].all()]
            answers = [msgspec.convert(d["body"], Answer) for d in self._tables["answers"].all()]
        except msgspec.ValidationError as error:
            raise StoreTrouble(f"the book is of another kind: {error}") from error
        return Kept(
            epoch=meta[0]["epoch"],
            sessions={s.id: s for s in sessions},
            answers={a.id: a for a in answers},
            settled={d["id"]: d["rev"] for d in self._tables["settled"].all()},
        )

    def _begin_epoch(self, kept: Kept) -> Kept:
        """What was told last is lost with a damaged file: its revisions must never be taken for those to come."""
        epoch = secrets.token_hex(8)
        sessions = {s.id: replace(s, epoch=epoch) for s in kept.sessions.values()}
        self._tables["meta"].update({"epoch": epoch})
        self._tables["settled"].truncate()
        for session in sessions.values():
            self._put("sessions", session.id, msgspec.to_builtins(session))
        self._flush()
        return Kept(epoch, sessions, kept.answers, {})

    def save(self, session: Session | None = None, answer: Answer | None = None) -> None:
        """Raises StoreTrouble; then nothing of it is kept."""
        with self._lock:
            if session is not None:
                self._put("sessions", session.id, msgspec.to_builtins(session))
            if answer is not None:
                self._put("answers", answer.id, msgspec.to_builtins(answer))
                self._drop_oldest("answers", KEEP_ANSWERS)
            self._flush()

    def settle(self, session_id: str, rev: int) -> None:
        with self._lock:
            self._tables["settled"].upsert({"id": session_id, "rev": rev}, where("id") == session_id)
            self._flush()

    def forget(self, session_id: str) -> None:
        with self._lock:
            for name in ("sessions", "settled"):
                self._tables[name].remove(where("id") == session_id)
            self._flush()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _put(self, table: str, key: str, body: object) -> None:
        self._tables[table].upsert({"id": key, "body": body}, where("id") == key)

    def _drop_oldest(self, table: str, keep: int) -> None:
        surplus = [d.doc_id for d in self._tables[table].all()][:-keep]
        if surplus:
            self._tables[table].remove(doc_ids=surplus)

    def _flush(self) -> None:
        try:
            self._caching.flush()  # type: ignore[no-untyped-call]
        except StoreTrouble:
            self._caching.cache = None  # what could not be written is not believed either: read anew
            self._caching._cache_modified_count = 0  # else close() would write the None
            raise
