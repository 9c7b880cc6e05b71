"""The table behind desk.sessions.lost: which sessions are lost by what their kiosks hold.

Used by desk.sessions.store and desk.sessions.presences, inside of their transactions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import delete, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import insert_missing
from desk.sessions.lost import as_lost, is_lost
from desk.sessions.many import among
from desk.tables import LostRow, SessionRow
from kiosk.session.record import Session
from kiosk.session.states import ENDED

ENDED_LOOKED_AT = 200
"""Of so many sessions of a kiosk that are over, the newest, is asked whether files of theirs were still to come."""

_OVER = tuple(state.value for state in ENDED)


def document(row: SessionRow) -> Session:
    """As it was told."""
    return msgspec.json.decode(row.document, type=Session)


async def shown(db: AsyncSession, rows: list[SessionRow]) -> list[Session]:
    """As they are shown: the lost ones as over."""
    ids = [row.id for row in rows]
    noted = select(LostRow).where(among(db, LostRow.session, ids))
    lost = {r.session: r.at_s for r in await db.scalars(noted)} if ids else {}
    return [as_lost(document(row), lost[row.id]) if row.id in lost else document(row) for row in rows]


async def look_at(
    db: AsyncSession, held: Mapping[str, Collection[str]], over: Collection[str], now_s: float
) -> list[SessionRow]:
    """Of these kiosks' sessions those that are lost now and were not, or the other way round. `held`: by kiosk, what it
    holds; `over`: of which kiosks the sessions that are over are looked at as well."""
    known = select(LostRow.session)
    doubtful = or_(SessionRow.state.not_in(_OVER), SessionRow.id.in_(known))
    rows = list(await db.scalars(select(SessionRow).where(among(db, SessionRow.kiosk, held), doubtful)))
    if over:
        place = func.row_number().over(partition_by=SessionRow.kiosk, order_by=SessionRow.updated_s.desc())
        theirs = among(db, SessionRow.kiosk, over)
        ours = select(SessionRow.id, place.label("n")).where(theirs, not_(doubtful)).subquery()
        newest = select(SessionRow).join(ours, ours.c.id == SessionRow.id).where(ours.c.n <= ENDED_LOOKED_AT)
        rows += await db.scalars(newest)
    lost = set(await db.scalars(known.where(among(db, LostRow.session, [row.id for row in rows])))) if rows else set()
    told = ((row, document(row)) for row in rows)
    return [r for r, d in told if await _note(db, r, d, is_lost(d, held[r.kiosk]), r.id in lost, now_s)]


async def _note(db: AsyncSession, row: SessionRow, told: Session, lost: bool, known: bool, now_s: float) -> bool:
    """Whether it is news."""
    row.state = (as_lost(told, now_s) if lost else told).state.value
    if lost and not known:
        await insert_missing(db, LostRow, session=row.id, at_s=now_s)
    elif known and not lost:
        await db.execute(delete(LostRow).where(LostRow.session == row.id))
    return lost != known


async def lost_with_files(db: AsyncSession, kiosks: Collection[str]) -> list[Session]:
    """Of these kiosks' lost sessions those whose files may still lie there, as they are shown."""
    rows = await db.scalars(
        select(SessionRow).join(LostRow, LostRow.session == SessionRow.id).where(among(db, SessionRow.kiosk, kiosks))
    )
    return [s for s in await shown(db, list(rows)) if any(a.waits for a in s.artifacts)]
