"""Whether the clock is believed when files are deleted by rule: one that jumped must not make files old.

A desk may be started with a date years ahead, or with one long ago that is put right a moment later. So what the clock
says is held against the time that was believed last, which stands in the database and is moved on with each look (once
an hour). Up to a day further, it follows: desks may be off over night. Else it is in doubt, and nothing is deleted by
rule until

- it follows again, because somebody (NTP) has put it right, or
- it has gone on steadily for a day, and the jump was of two weeks at most: a desk that was off over a weekend, or
- an administrator says that it is right.

Files that come while it is in doubt count from when it is believed again. Several desks share one memory of the time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import insert_missing
from desk.keeping.tables import ClockRow
from desk.problems import Problem
from desk.sessions.store import Store
from desk.tables import ArtifactRow, AuditRow

log = logging.getLogger(__name__)

DAY_S = 86400.0
BACK_S = 3600.0
"""So far may it go back: desks differ by moments, and NTP puts right what has drifted."""
STEP_S = DAY_S
GRACE_S = DAY_S
AWAY_S = 14 * DAY_S
"""A larger jump is believed by nobody's word but an administrator's."""
THE_ONE = "clock"


@dataclass(frozen=True, slots=True)
class Known:
    """good_s: the newest time that was believed. since_s, seen_s: first and newest of the time that is in doubt; None:
    none is. Seconds since 1970."""

    good_s: float
    since_s: float | None = None
    seen_s: float = 0.0

    @property
    def believed_from_s(self) -> float | None:
        """When it is believed by itself; None: never."""
        if self.since_s is None or abs(self.since_s - self.good_s) > AWAY_S:
            return None
        return self.since_s + GRACE_S


def step(known: Known, now_s: float) -> Known:
    """What is known after a look at the clock. Pure."""
    if _follows(known.good_s, now_s):
        return Known(max(known.good_s, now_s))
    if known.since_s is None or not _follows(known.seen_s, now_s):
        return Known(known.good_s, now_s, now_s)
    if known.believed_from_s is not None and now_s >= known.believed_from_s:
        return Known(now_s)
    return Known(known.good_s, known.since_s, max(known.seen_s, now_s))


def _follows(before_s: float, now_s: float) -> bool:
    return before_s - BACK_S <= now_s <= before_s + STEP_S


class ClockView(Struct, frozen=True):
    """now_s: what the clock says; good_s: the newest time that was believed, both in seconds since 1970.
    believed_from_s: in doubt, and believed by itself then; 0: not by itself."""

    believed: bool
    now_s: float
    good_s: float
    believed_from_s: float


class Clock:
    """`now`: wall time. Every method is one transaction."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._begin, self._read, self._now = store.transactions.begin, store.transactions.read, now

    async def look(self) -> float | None:
        """The time, where files may be deleted by it."""
        now_s = self._now()
        async with self._begin() as db:
            row = await _row(db, now_s)
            known = _known(row)
            new = step(known, now_s)
            await _put(db, row, known, new, "")
        if new.since_s is not None and new.since_s != known.since_s:
            days = (now_s - new.good_s) / DAY_S
            log.error("the clock moved by %+.1f days: files are not deleted by rule until it is believed", days)
        return now_s if new.since_s is None else None

    async def view(self) -> ClockView:
        async with self._read() as db:
            row = await db.get(ClockRow, THE_ONE)
        known = _known(row) if row else Known(self._now())
        return ClockView(known.since_s is None, self._now(), known.good_s, known.believed_from_s or 0.0)

    async def believe(self, person: str, seen_s: float) -> None:
        """Somebody says that the clock is right. `seen_s`: what it said when they looked.

        Raises:
            Problem: it says something else by now.
        """
        now_s = self._now()
        if not _follows(seen_s, now_s) or now_s > seen_s + BACK_S:
            raise Problem(409, "other_time", "the clock says something else by now")
        async with self._begin() as db:
            row = await _row(db, now_s)
            await _put(db, row, _known(row), Known(now_s), person)


def _known(row: ClockRow) -> Known:
    return Known(row.good_s, row.since_s, row.seen_s)


async def _row(db: AsyncSession, now_s: float) -> ClockRow:
    """Ours until the end of the transaction. The first look goes by what was stored before there was one, and a second
    more: only what comes from now on may be from then."""
    if (row := await db.get(ClockRow, THE_ONE, with_for_update=True)) is None:
        stored = [await db.scalar(select(func.max(column))) for column in (ArtifactRow.verified_s, AuditRow.at_s)]
        good_s = max((at_s + 1.0 for at_s in stored if at_s is not None), default=now_s)
        await insert_missing(db, ClockRow, id=THE_ONE, good_s=good_s, since_s=None, seen_s=0.0)
        row = await db.get_one(ClockRow, THE_ONE, with_for_update=True)
    return row


async def _put(db: AsyncSession, row: ClockRow, known: Known, new: Known, person: str) -> None:
    row.good_s, row.since_s, row.seen_s = new.good_s, new.since_s, new.seen_s
    if new.since_s == known.since_s:
        return
    what = "clock_believed" if new.since_s is None else "clock_doubted"
    days = ((new.good_s if new.since_s is None else new.since_s) - known.good_s) / DAY_S
    db.add(AuditRow(at_s=new.since_s or new.good_s, person=person, what=what, outcome=f"{days:+.1f} days"))
    if new.since_s is None:  # desk.sessions.store never puts a file before the time that was believed last
        came = update(ArtifactRow).where(ArtifactRow.verified_s >= known.good_s).values(verified_s=new.good_s)
        await db.execute(came.execution_options(synchronize_session=False))
