"""Presences into the tables, many at once: when a broker comes back, ten thousand kiosks tell theirs in a moment.

Used by desk.sessions.store inside of its transactions. What two desks take at once is put in order by the kiosks' rows,
locked in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from desk.sessions.intake import remember
from desk.sessions.many import Many, among
from desk.sessions.store_lost import look_at
from desk.tables import HeldRow, KioskRow, SessionRow
from kiosk.wire.messages import Presence

EMPTY: dict[str, Any] = {
    "online": False,
    "boot": "",
    "connection": 0,
    "old_boots": "",
    "device_id": "",
    "device_name": "",
    "changed_s": 0.0,
}
_STATE = ("online", "boot", "connection", "old_boots", "changed_s")
_UNKNOWN = Many(KioskRow, "id", ("search", *EMPTY))
_CHANGED = Many(KioskRow, "id", _STATE)
_HELD = Many(HeldRow, "kiosk", ("boot", "n", "ids"))


async def take_presences(
    db: AsyncSession, told: Mapping[str, Presence], now_s: float
) -> tuple[list[str], list[SessionRow]]:
    """(kiosks that came or went, sessions that are lost by what their kiosk says it holds, or found again). A late will
    of a former boot or connection changes nothing."""
    rows = await kiosk_rows(db, told, *_STATE)
    new = {kiosk: told[kiosk] for kiosk, row in rows.items() if not is_late(row, told[kiosk])}
    changed = [k for k, presence in new.items() if rows[k].online != presence.online or not rows[k].changed_s]
    values = [_values(rows[k], presence, now_s if k in changed else rows[k].changed_s) for k, presence in new.items()]
    await _CHANGED.update(db, [each for each in values if _differs(rows[each["id"]], each)])
    return changed, await _take_held(db, {k: p for k, p in new.items() if p.held is not None}, now_s)


async def kiosk_rows(db: AsyncSession, kiosks: Collection[str], *columns: str) -> dict[str, Any]:
    """Ours alone until the end of the transaction, by id; of kiosks that were unknown too."""
    wanted = select(KioskRow.id, *(getattr(KioskRow, name) for name in columns))
    query = wanted.where(among(db, KioskRow.id, kiosks)).order_by(KioskRow.id).with_for_update()
    rows = {row.id: row for row in await db.execute(query)}
    if unknown := sorted(set(kiosks) - rows.keys()):
        await _UNKNOWN.insert(db, [EMPTY | {"id": k, "search": k} for k in unknown])
        rows = {row.id: row for row in await db.execute(query)}
    return rows


def is_late(row: Any, told: Presence) -> bool:
    if told.boot == row.boot:
        return bool(told.connection < row.connection)
    return told.boot in row.old_boots.split()


def _values(row: Any, told: Presence, changed_s: float) -> dict[str, Any]:
    olds = remember(row.old_boots, row.boot) if row.boot and told.boot != row.boot else row.old_boots
    values = {"online": told.online, "boot": told.boot, "connection": told.connection, "old_boots": olds}
    return values | {"id": row.id, "changed_s": changed_s}


def _differs(row: Any, values: Mapping[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in values.items())


async def _take_held(db: AsyncSession, told: Mapping[str, Presence], now_s: float) -> list[SessionRow]:
    """A word that is not newer than the one before says nothing. In one boot a kiosk loses nothing that it goes on
    naming: only otherwise the many that are over are looked at as well."""
    if not told:
        return []
    before = select(HeldRow.__table__).where(among(db, HeldRow.kiosk, told))
    known = {row.kiosk: row for row in await db.execute(before)}
    new = {k: p for k, p in told.items() if k not in known or known[k].boot != p.boot or p.n > known[k].n}
    if not new:
        return []
    values = [{"kiosk": k, "boot": p.boot, "n": p.n, "ids": " ".join(p.held or ())} for k, p in new.items()]
    await _HELD.put(db, values)
    same = {
        k for k, p in new.items() if k in known and (known[k].boot, known[k].ids) == (p.boot, " ".join(p.held or ()))
    }
    return await look_at(db, {k: frozenset(p.held or ()) for k, p in new.items()}, new.keys() - same, now_s)
