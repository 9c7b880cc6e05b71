"""Who has a page of any desk open, as all desks know it: each writes its own people down, again and again while they
stay. Of a desk that was killed nobody is there after GOOD_S; their pages have long been at another one by then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import Transactions
from desk.sessions.live import Hub
from desk.sessions.many import Many
from desk.sessions.tables import OpenPageRow

log = logging.getLogger(__name__)

LOOK_S = 1.0
RENEW_S = 20.0
GOOD_S = 60.0
_ROWS = Many(OpenPageRow, "person", ("desk", "until_s"))


class OpenPages:
    """`run` is its task. `now`: wall time, which several desks share well enough for GOOD_S."""

    def __init__(self, transactions: Transactions, hub: Hub, now: Callable[[], float]) -> None:
        self._begin, self._hub, self._now = transactions.begin, hub, now
        self._desk = f"desk-{secrets.token_hex(8)}"
        self._told: tuple[frozenset[str], float] = (frozenset(), float("-inf"))

    async def run(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Until cancelled; without the database nobody is told that pages are open, so people are told by other ways
        as well."""
        down = False
        try:
            while True:
                try:
                    await self.tell()
                    down = False
                except (SQLAlchemyError, OSError) as error:
                    if not down:
                        log.warning("who has a page open cannot be written: %s", type(error).__name__)
                    down = True
                await pause(LOOK_S)
        finally:
            with contextlib.suppress(SQLAlchemyError, OSError):  # else it is over in GOOD_S
                await self._write(frozenset())

    async def tell(self) -> None:
        """What is news, or was told too long ago."""
        here, now_s = self._hub.people, self._now()
        before, at_s = self._told
        if here == before and (not here or abs(now_s - at_s) < RENEW_S):
            return
        await self._write(here)
        self._told = (here, now_s)

    async def _write(self, people: frozenset[str]) -> None:
        now_s = self._now()
        rows = [{"person": person, "desk": self._desk, "until_s": now_s + GOOD_S} for person in sorted(people)]
        async with self._begin() as db:
            await db.execute(delete(OpenPageRow).where(OpenPageRow.desk == self._desk))
            await db.execute(delete(OpenPageRow).where(OpenPageRow.until_s < now_s - GOOD_S))
            await _ROWS.insert(db, rows)


async def looking(db: AsyncSession, people: Collection[str], now_s: float) -> set[str]:
    """Of these people those who have a page open, at whichever desk."""
    theirs = select(OpenPageRow.person).where(OpenPageRow.person.in_(people), OpenPageRow.until_s >= now_s)
    return set(await db.scalars(theirs))
