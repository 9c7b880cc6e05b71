"""What one desk has changed, told to all of them: each reads it anew and tells its own open pages.

A notice names what changed and goes out with the transaction that changed it, so it is heard when that can be read, and
only then. Between desks on PostgreSQL it goes by LISTEN/NOTIFY; on SQLite there is one desk, which tells itself. Where
the way was broken for a while nobody knows what was missed: then `ANEW` is heard, and the pages load anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

log = logging.getLogger(__name__)

Kind = Literal["session", "kiosk", "upload", "anew"]
CHANNEL = "desk_notices"
PIECE = 100
"""So many ids go into one notice: PostgreSQL takes less than 8000 bytes."""
MOST = 5000
"""So much may wait; more, and it is as well to load anew."""
PULSE_S = 10.0
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Notice:
    """`id`: of the session or kiosk; of an upload its name on disk. Empty for `anew`."""

    kind: Kind
    id: str = ""


ANEW = Notice("anew")
_NOTIFY = text("SELECT pg_notify(:channel, piece) FROM unnest(CAST(:pieces AS text[])) AS piece")


class Notices:
    """`listen` is its task. `news` is for one reader."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._remote = engine.dialect.name == "postgresql"
        self._waiting: dict[Notice, None] = {}
        self._news = asyncio.Event()

    async def add(self, db: AsyncSession, kind: Kind, ids: Iterable[str]) -> None:
        """Told when this transaction is committed."""
        names = list(ids)
        if not self._remote:
            told = [Notice(kind, name) for name in names]
            event.listen(db.sync_session, "after_commit", lambda _: self._hear(told), once=True)
            return
        if names:
            pieces = [" ".join([kind, *names[start : start + PIECE]]) for start in range(0, len(names), PIECE)]
            await db.execute(_NOTIFY, {"channel": CHANNEL, "pieces": pieces})

    async def news(self) -> list[Notice]:
        """All that was heard since the last time, each once, in the order of its first; waits for something."""
        await self._news.wait()
        self._news.clear()
        heard, self._waiting = list(self._waiting), {}
        return [ANEW] if ANEW in heard else heard

    async def listen(self) -> None:
        """Until cancelled; comes back by itself where the database was away."""
        down = False
        while self._remote:
            try:
                await self._listen()
            except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                if not down:  # the edge, not each try
                    log.warning("not told what other desks change: %s", type(error).__name__)
                down = True
            else:
                down = False
            await asyncio.sleep(RETRY_S * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret

    async def _listen(self) -> None:
        """Over a connection of its own, until it breaks."""
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            over = asyncio.Event()
            driver.add_termination_listener(lambda _: over.set())
            try:
                await driver.add_listener(CHANNEL, lambda _db, _pid, _channel, payload: self._heard(payload))
                self._hear([ANEW])
                while not over.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(PULSE_S):
                            await over.wait()
                    if not over.is_set():
                        await asyncio.wait_for(driver.fetchval("SELECT 1"), PULSE_S)  # or a dead way stays unnoticed
                log.warning("the database's connection for notices is lost")
            finally:
                await connection.invalidate()  # one that listens must not go back to the others

    def _heard(self, payload: str) -> None:
        kind, *ids = payload.split(" ")
        known: dict[str, Kind] = {"session": "session", "kiosk": "kiosk", "upload": "upload"}
        if kind in known:  # a newer desk may say more
            self._hear([Notice(known[kind], name) for name in ids])

    def _hear(self, notices: Iterable[Notice]) -> None:
        self._waiting.update(dict.fromkeys(notices))
        if len(self._waiting) > MOST:
            self._waiting = {ANEW: None}
        self._news.set()
