"""The tables behind desk.sessions.lost: what kiosks hold, and which sessions are lost by it.

Used by desk.sessions.store, inside of its transactions.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import insert_missing
from desk.sessions.lost import as_lost, is_lost
from desk.tables import HeldRow, LostRow, SessionRow
from kiosk.session.record import Session
from kiosk.session.states import ENDED
from kiosk.wire.messages import Presence

ENDED_LOOKED_AT = 200
"""Of so many sessions of a kiosk that are over, the newest, is asked whether files of theirs were still to come."""

_OVER = tuple(state.value for state in ENDED)


def document(row: SessionRow) -> Session:
    """As it was told."""
    return msgspec.json.decode(row.document, type=Session)


async def shown(db: AsyncSession, rows: list[SessionRow]) -> list[Session]:
    """As they are shown: the lost ones as over."""
    ids = [row.id for row in rows]
    lost = {r.session: r.at_s for r in await db.scalars(select(LostRow).where(LostRow.session.in_(ids)))} if ids else {}
    return [as_lost(document(row), lost[row.id]) if row.id in lost else document(row) for row in rows]


async def take_held(db: AsyncSession, kiosk: str, told: Presence) -> bool:
    """Whether these are newer words than those before."""
    row = await db.get(HeldRow, kiosk, with_for_update=True)
    if told.held is None or (row is not None and row.boot == told.boot and told.n <= row.n):
        return False
    if row is None:
        row = HeldRow(kiosk=kiosk)
        db.add(row)
    row.boot, row.n, row.ids = told.boot, told.n, " ".join(told.held)
    return True


async def held_by(db: AsyncSession, kiosk: str) -> set[str] | None:
    row = await db.get(HeldRow, kiosk)
    return set(row.ids.split()) if row else None


async def look_at_all(db: AsyncSession, kiosk: str, now_s: float) -> list[str]:
    """The ids of this kiosk's sessions that are lost now and were not, or the other way round."""
    held = await held_by(db, kiosk)
    known = select(LostRow.session)
    doubtful = or_(SessionRow.state.not_in(_OVER), SessionRow.id.in_(known))
    ours = select(SessionRow).where(SessionRow.kiosk == kiosk)
    over = ours.where(not_(doubtful)).order_by(SessionRow.updated_s.desc()).limit(ENDED_LOOKED_AT)
    rows = [*await db.scalars(ours.where(doubtful)), *await db.scalars(over)]
    lost = set(await db.scalars(known.where(LostRow.session.in_([row.id for row in rows]))))
    told = ((row, document(row)) for row in rows)
    return [r.id for r, d in told if await _note(db, r, d, is_lost(d, held), r.id in lost, now_s)]


async def _note(db: AsyncSession, row: SessionRow, told: Session, lost: bool, known: bool, now_s: float) -> bool:
    """Whether it is news."""
    row.state = (as_lost(told, now_s) if lost else told).state.value
    if lost and not known:
        await insert_missing(db, LostRow, session=row.id, at_s=now_s)
    elif known and not lost:
        await db.execute(delete(LostRow).where(LostRow.session == row.id))
    return lost != known


async def lost_with_files(db: AsyncSession, kiosk: str) -> list[Session]:
    """Of this kiosk's lost sessions those whose files may still lie there, as they are shown."""
    rows = await db.scalars(
        select(SessionRow).join(LostRow, LostRow.session == SessionRow.id).where(SessionRow.kiosk == kiosk)
    )
    return [s for s in await shown(db, list(rows)) if any(a.waits for a in s.artifacts)]
