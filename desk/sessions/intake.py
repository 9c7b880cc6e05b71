"""Session documents into the tables, many at once: what one transaction costs is paid once for all of them.

Used by desk.sessions.store inside of its transactions. Rows are locked in the order of their ids, so desks that take
the same documents at once wait for each other and never in a circle; who comes second finds them known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from desk.notifications.told import list_for_told
from desk.sessions.consents import FINE, ConsentCheck, check
from desk.sessions.lost import as_lost, is_lost
from desk.sessions.many import Many, among
from desk.sessions.wanted import search_text
from desk.tables import ConsentRow, HeldRow, LostRow, SessionPersonRow, SessionRow
from kiosk.session.record import Session
from kiosk.wire.codec import encode

REMEMBERED = 20
"""How many former boots and epochs are remembered, to know late messages of theirs."""


_CHANGING = ("device_id", "epoch", "rev", "old_epochs", "state", "document", "updated_s", "search")
_NEW = Many(SessionRow, "id", ("kiosk", "created_s", *_CHANGING))
_CHANGED = Many(SessionRow, "id", _CHANGING)
_LOST = Many(LostRow, "session", ("at_s",))
_PEOPLE = Many(SessionPersonRow, "session", ("person", "assigned", "created_s"))


class Told(Enum):
    """What became of a session document that a kiosk told."""

    NEW = "new"
    DOUBTED = "doubted"  # new, and its consent receipts contradict what is known, as those before it did not
    KNOWN = "known"  # this revision is here
    PAST = "past"  # a later one is here
    OLD = "old"  # of a life of the kiosk's store that is over
    FOREIGN = "foreign"  # the id is another kiosk's


@dataclass(slots=True)
class _Known:
    """What the database has of these sessions; `lost`: as it was noted, `held`: by kiosk, as it said last."""

    rows: dict[str, Any]
    consents: dict[str, ConsentCheck]
    lost: set[str]
    held: dict[str, set[str]]


@dataclass(slots=True)
class _Changes:
    lost: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    people: list[Session] = field(default_factory=list)
    consents: dict[str, ConsentCheck] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """A session that is other than `before`, as it is shown: a lost one is over."""

    session: Session
    before: Session | None


async def take_sessions(db: AsyncSession, told: list[Session], now_s: float) -> tuple[list[Told], list[News]]:
    """What became of each; all of different sessions. Only a higher revision, or a new epoch, changes anything."""
    known = await _known(db, told)
    outcomes = {t.id: _no_news(known.rows[t.id], t) for t in told if t.id in known.rows}
    fresh = sorted((t for t in told if t.id not in known.rows), key=lambda t: t.id)
    if fresh:
        values = [_first(t, now_s) | _values(t, known, now_s) for t in fresh]
        made = set(await _NEW.insert(db, values))
        late = [t for t in fresh if t.id not in made]
        if late:  # another desk was sooner by a moment
            known.rows |= await _rows(db, late)
            outcomes |= {t.id: _no_news(known.rows[t.id], t) for t in late}
    news = [t for t in told if outcomes.get(t.id) is None]
    await _update(db, [t for t in news if t.id in known.rows], known, now_s)
    before = {t.id: _document(known.rows.get(t.id)) for t in news}
    doubted = await _beside(db, news, before, known, now_s)
    taken = [outcomes.get(t.id) or (Told.DOUBTED if t.id in doubted else Told.NEW) for t in told]
    return taken, [News(_shown(t, known, now_s), before[t.id]) for t in news]


async def _known(db: AsyncSession, told: list[Session]) -> _Known:
    rows = await _rows(db, told)
    kiosks = {t.kiosk for t in told}
    held = await db.execute(select(HeldRow.kiosk, HeldRow.ids).where(among(db, HeldRow.kiosk, kiosks)))
    known = _Known(rows, {}, set(), {kiosk: set(ids.split()) for kiosk, ids in held})
    if rows:
        known.lost = set(await db.scalars(select(LostRow.session).where(among(db, LostRow.session, rows))))
        noted = select(ConsentRow.session, ConsentRow.found).where(among(db, ConsentRow.session, rows))
        consents = await db.execute(noted)
        known.consents = {session: msgspec.json.decode(found, type=ConsentCheck) for session, found in consents}
    return known


async def _rows(db: AsyncSession, told: list[Session]) -> dict[str, Any]:
    """Ours alone until the end of the transaction."""
    columns = (SessionRow.id, SessionRow.kiosk, SessionRow.epoch, SessionRow.rev, SessionRow.old_epochs)
    ids = among(db, SessionRow.id, [t.id for t in told])
    query = select(*columns, SessionRow.created_s, SessionRow.document).where(ids)
    found = await db.execute(query.order_by(SessionRow.id).with_for_update())
    return {row.id: row for row in found.all()}


def _first(told: Session, now_s: float) -> dict[str, Any]:
    return {"id": told.id, "kiosk": told.kiosk, "old_epochs": "", "created_s": _created_s(told, now_s)}


def _values(told: Session, known: _Known, now_s: float) -> dict[str, Any]:
    return {
        "device_id": told.device.id,
        "epoch": told.epoch,
        "rev": told.rev,
        "state": _shown(told, known, now_s).state.value,
        "document": encode(told),
        "updated_s": now_s,
        "search": search_text(told),
    }


def _shown(told: Session, known: _Known, now_s: float) -> Session:
    return as_lost(told, now_s) if is_lost(told, known.held.get(told.kiosk)) else told


def _document(row: Any) -> Session | None:
    return msgspec.json.decode(row.document, type=Session) if row else None


async def _update(db: AsyncSession, told: list[Session], known: _Known, now_s: float) -> None:
    values = []
    for t in told:
        row = known.rows[t.id]
        olds = row.old_epochs if t.epoch == row.epoch else remember(row.old_epochs, row.epoch)
        values.append(_values(t, known, now_s) | {"id": t.id, "old_epochs": olds})
    await _CHANGED.update(db, values)


async def _beside(
    db: AsyncSession, news: list[Session], befores: dict[str, Session | None], known: _Known, now_s: float
) -> set[str]:
    """The rows of other tables that belong to them; the ids of those that are doubted now and were not."""
    changes, doubted = _Changes(), set[str]()
    for told in news:
        before = befores[told.id]
        lost = is_lost(told, known.held.get(told.kiosk))
        if lost != (told.id in known.lost):
            (changes.lost if lost else changes.found).append(told.id)
        if before is None or (before.asked, before.assigned) != (told.asked, told.assigned):
            changes.people.append(told)
        was = known.consents.get(told.id, FINE)
        found = check(told, before, was)
        if found != was:
            changes.consents[told.id] = found
            if found != FINE:
                doubted.add(told.id)
    await _write(db, changes, known, now_s)
    return doubted


async def _write(db: AsyncSession, changes: _Changes, known: _Known, now_s: float) -> None:
    if changes.found:
        await db.execute(delete(LostRow).where(LostRow.session.in_(changes.found)))
    await _LOST.insert(db, [{"session": id_, "at_s": now_s} for id_ in changes.lost])
    if had := [told.id for told in changes.people if told.id in known.rows]:
        await db.execute(delete(SessionPersonRow).where(SessionPersonRow.session.in_(had)))
    people = [
        {"session": t.id, "person": p, "assigned": t.has_staff(p), "created_s": at_s}
        for t in changes.people
        for at_s in (known.rows[t.id].created_s if t.id in known.rows else _created_s(t, now_s),)
        for p in sorted(people_of(t))
    ]
    await _PEOPLE.insert(db, people)
    if had:
        await list_for_told(db, had)
    if changes.consents:
        await db.execute(delete(ConsentRow).where(ConsentRow.session.in_(changes.consents)))
    if doubts := [{"session": id_, "found": encode(c)} for id_, c in changes.consents.items() if c != FINE]:
        await (await db.connection()).execute(insert(ConsentRow), doubts)


def people_of(session: Session) -> set[str]:
    """Who may see it, besides moderators and those who were told of it (desk.notifications.told)."""
    return {p.id for p in (*session.asked, *session.assigned)}


def remember(known: str, newest: str) -> str:
    return " ".join([newest, *known.split()][:REMEMBERED])


def _no_news(row: Any, told: Session) -> Told | None:
    """Why a document changes nothing; None for one that does."""
    if row.kiosk != told.kiosk:
        return Told.FOREIGN
    if told.epoch in row.old_epochs.split():
        return Told.OLD
    if told.epoch != row.epoch or told.rev > row.rev:
        return None
    return Told.KNOWN if told.rev == row.rev else Told.PAST


def _created_s(session: Session, now_s: float) -> float:
    """The kiosk's time where its clock could be trusted: a kiosk has no RTC and may believe it is 1970."""
    if not session.history or not session.history[0].clock_ok:
        return now_s
    try:
        return datetime.fromisoformat(session.created_at).timestamp()
    except ValueError:
        return now_s
