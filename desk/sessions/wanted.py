"""Which sessions (and kiosks) somebody wants to see: the one place where filters and search become a query.

Pages go by key, not by number: `after` names the last one of the page before, so a page costs the same however far
down it is, and what is new meanwhile shifts nothing. Which index of desk.tables serves what:

- newest first, and from when to when: `ix_sessions_created_s`; in a state: `ix_sessions_state`;
- of a device or a kiosk: `sessions_by_device`, `ix_sessions_kiosk`;
- somebody's own: `session_people_newest`;
- of a provider: its kiosks by `ix_kiosks_provider`, then `ix_sessions_kiosk`;
- words: none; `sessions.search` is the folded text, looked through by LIKE '%word%'.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import aliased

from desk.tables import KioskRow, SessionPersonRow, SessionRow
from kiosk.errors import Malformed
from kiosk.session.record import Session

MAX_WORDS = 8


class Wanted(Struct, frozen=True, kw_only=True):
    """What is left empty does not matter; the rest must all fit.

    seen_by: only what this person was asked for, is assigned to, or was told of as nobody reacted. assigned: only what
    this person is responsible for. since_s, until_s: created in that time (seconds since 1970; until is not part of
    it). words: each is found in what `search_text` is made of. after: as the page before said.
    """

    seen_by: str | None = None
    assigned: str = ""
    states: tuple[str, ...] = ()
    kiosk: str = ""
    device: str = ""
    provider: str = ""
    since_s: float = 0.0
    until_s: float = 0.0
    words: tuple[str, ...] = ()
    after: str = ""
    limit: int = 100


def words_of(text: str) -> tuple[str, ...]:
    return tuple(text.casefold().split()[:MAX_WORDS])


def search_text(session: Session) -> str:
    """What a search looks through: all that the list shows of a session in words, folded."""
    tickets = (word for t in session.tickets for word in (t.id, t.title))
    people = (p.name for p in session.assigned)
    own = (session.device.name, session.device.id, session.reason, session.requester, session.note, session.id)
    return "\n".join((*own, *tickets, *people)).casefold()


def sessions_query(wanted: Wanted) -> Select[SessionRow]:
    """Newest first; one more than `limit`, by which one knows that there are more.

    Raises:
        Malformed: `after` is nothing that a page said.
    """
    query, created_s = _whose(wanted)
    conditions = [*_which(wanted, created_s), *(_has_word(SessionRow.search, word) for word in wanted.words)]
    if wanted.after:
        at_s, last = _place(wanted.after)
        later = and_(created_s == at_s, SessionRow.id > last)
        # the first condition alone is what an index can begin at; the second leaves out what was there before
        conditions += [created_s <= at_s, or_(created_s < at_s, later)]
    return query.where(*conditions).order_by(created_s.desc(), SessionRow.id).limit(wanted.limit + 1)


def _whose(wanted: Wanted) -> tuple[Select[SessionRow], Any]:
    """The query so far, and the column with the time of creation in the table that is gone through."""
    query = select(SessionRow)
    person = wanted.assigned or None if wanted.seen_by is None else wanted.seen_by
    if person is None:
        return query, SessionRow.created_s
    query = query.join(SessionPersonRow, SessionPersonRow.session == SessionRow.id)
    query = query.where(SessionPersonRow.person == person)
    if wanted.assigned == person:
        query = query.where(SessionPersonRow.assigned)
    elif wanted.assigned:
        theirs = aliased(SessionPersonRow)
        responsible = select(theirs.session).where(theirs.person == wanted.assigned, theirs.assigned)
        query = query.where(SessionRow.id.in_(responsible))
    return query, SessionPersonRow.created_s


def _which(wanted: Wanted, created_s: Any) -> Iterable[Any]:
    if wanted.states:
        yield SessionRow.state.in_(wanted.states)
    if wanted.kiosk:
        yield SessionRow.kiosk == wanted.kiosk
    if wanted.device:
        yield SessionRow.device_id == wanted.device
    if wanted.provider:
        yield SessionRow.kiosk.in_(select(KioskRow.id).where(KioskRow.provider == wanted.provider))
    if wanted.since_s:
        yield created_s >= wanted.since_s
    if wanted.until_s:
        yield created_s < wanted.until_s


def _has_word(column: Any, word: str) -> Any:
    return column.contains(word, autoescape=True)


def place_of(row: SessionRow) -> str:
    """What `after` is for the page behind this row."""
    return f"{row.created_s!r}~{row.id}"


def _place(after: str) -> tuple[float, str]:
    at, _, last = after.partition("~")
    try:
        at_s = float(at)
    except ValueError as error:
        raise Malformed("after: not a place in this list") from error
    if not (abs(at_s) < 1e12 and last):  # not a number and the infinities are refused by it too
        raise Malformed("after: not a place in this list")
    return at_s, last


def seconds(name: str, time: str) -> float:
    """Of an ISO 8601 time, which says its zone; 0 for an empty one.

    Raises:
        Malformed: it is none.
    """
    if not time:
        return 0.0
    try:
        at = datetime.fromisoformat(time)
    except ValueError as error:
        raise Malformed(f"{name}: not a time like 2026-03-01T10:00:00Z") from error
    if at.tzinfo is None:
        raise Malformed(f"{name}: say the time zone, as in 2026-03-01T10:00:00Z")
    return at.timestamp()


# --- kiosks -----------------------------------------------------------------------------------------------------------


class WantedKiosks(Struct, frozen=True, kw_only=True):
    """By name of the device. `after`: the id of the last one of the page before."""

    words: tuple[str, ...] = ()
    device: str = ""
    provider: str = ""
    online: bool | None = None
    after: str = ""
    limit: int = 100


def kiosks_query(wanted: WantedKiosks) -> Select[KioskRow]:
    """One more than `limit`."""
    conditions: list[Any] = [_has_word(KioskRow.search, word) for word in wanted.words]
    if wanted.device:
        conditions.append(KioskRow.device_id == wanted.device)
    if wanted.provider:
        conditions.append(KioskRow.provider == wanted.provider)
    if wanted.online is not None:
        conditions.append(KioskRow.online == wanted.online)
    if wanted.after:
        name = select(KioskRow.device_name).where(KioskRow.id == wanted.after).scalar_subquery()
        same_name = and_(KioskRow.device_name == name, KioskRow.id > wanted.after)
        conditions.append(or_(KioskRow.device_name > name, same_name))
    return select(KioskRow).where(*conditions).order_by(KioskRow.device_name, KioskRow.id).limit(wanted.limit + 1)
