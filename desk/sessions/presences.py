"""Presences into the tables, many at once: when a broker comes back, ten thousand kiosks tell theirs in a moment.

Used by desk.sessions.store inside of its transactions. What two desks take at once is put in order by the kiosks' rows,
locked in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from desk.sessions.intake import insert_these, remember
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
_UPDATE = (
    update(KioskRow)
    .where(KioskRow.__table__.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}") for name in ("online", "boot", "connection", "old_boots", "changed_s")})
)


async def take_presences(
    db: AsyncSession, told: Mapping[str, Presence], now_s: float
) -> tuple[list[str], list[SessionRow]]:
    """(kiosks that came or went, sessions that are lost by what their kiosk says it holds, or found again). A late will
    of a former boot or connection changes nothing."""
    rows = await _rows(db, told)
    new = {kiosk: told[kiosk] for kiosk, row in rows.items() if not is_late(row, told[kiosk])}
    changed = [k for k, presence in new.items() if rows[k].online != presence.online or not rows[k].changed_s]
    values = [_values(rows[k], presence, now_s if k in changed else rows[k].changed_s) for k, presence in new.items()]
    if values := [each for each in values if each["b_id"] in changed or _differs(rows[each["b_id"]], each)]:
        await (await db.connection()).execute(_UPDATE, values)
    return changed, await _take_held(db, {k: p for k, p in new.items() if p.held is not None}, now_s)


async def _rows(db: AsyncSession, told: Collection[str]) -> dict[str, Any]:
    """Ours alone until the end of the transaction; of kiosks that were unknown too."""
    columns = (KioskRow.id, KioskRow.online, KioskRow.boot, KioskRow.connection, KioskRow.old_boots, KioskRow.changed_s)
    query = select(*columns).where(KioskRow.id.in_(told)).order_by(KioskRow.id).with_for_update()
    rows = {row.id: row for row in await db.execute(query)}
    if unknown := sorted(set(told) - rows.keys()):
        await insert_these(db, KioskRow, [EMPTY | {"id": k, "search": k} for k in unknown], KioskRow.id)
        rows = {row.id: row for row in await db.execute(query)}
    return rows


def is_late(row: Any, told: Presence) -> bool:
    if told.boot == row.boot:
        return bool(told.connection < row.connection)
    return told.boot in row.old_boots.split()


def _values(row: Any, told: Presence, changed_s: float) -> dict[str, Any]:
    olds = remember(row.old_boots, row.boot) if row.boot and told.boot != row.boot else row.old_boots
    values = {"online": told.online, "boot": told.boot, "connection": told.connection, "old_boots": olds}
    return {f"b_{name}": value for name, value in (values | {"id": row.id, "changed_s": changed_s}).items()}


def _differs(row: Any, values: Mapping[str, Any]) -> bool:
    return any(getattr(row, name.removeprefix("b_")) != value for name, value in values.items())


async def _take_held(db: AsyncSession, told: Mapping[str, Presence], now_s: float) -> list[SessionRow]:
    """A word that is not newer than the one before says nothing. In one boot a kiosk loses nothing that it goes on
    naming: only otherwise the many that are over are looked at as well."""
    if not told:
        return []
    known = {row.kiosk: row for row in await db.execute(select(HeldRow.__table__).where(HeldRow.kiosk.in_(told)))}
    new = {k: p for k, p in told.items() if k not in known or known[k].boot != p.boot or p.n > known[k].n}
    if not new:
        return []
    values = [{"kiosk": k, "boot": p.boot, "n": p.n, "ids": " ".join(p.held or ())} for k, p in new.items()]
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    put = dialect.insert(HeldRow)
    put = put.on_conflict_do_update(
        index_elements=["kiosk"], set_={name: put.excluded[name] for name in ("boot", "n", "ids")}
    )
    await db.execute(put, values)
    same = {
        k for k, p in new.items() if k in known and (known[k].boot, known[k].ids) == (p.boot, " ".join(p.held or ()))
    }
    return await look_at(db, {k: frozenset(p.held or ()) for k, p in new.items()}, new.keys() - same, now_s)
