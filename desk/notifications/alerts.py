"""Who was told of what, in the database: so a desk that is started again goes on, and several of them tell once.

A *alert* is one request, or one ringing; there is one row of each. `look` compares it with the session as it is now
and writes down whom to tell: at its beginning those who are responsible, each time nobody has reacted in time the next
group, at its end those who were told. It may be called by any desk, at any time and as often as it likes. What it wrote
down is sent by whichever desk takes it (`take`): a desk that dies with a message in its hands has it taken over, and
only then somebody may be told twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Select, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from desk.config import Member, Notifications
from desk.database import Transactions, insert_missing
from desk.notifications.channels import hours_of, targets_of, wishes_of
from desk.notifications.quiet import quiet_until
from desk.notifications.tables import AlertMessageRow, AlertPersonRow, AlertRow, WishRow
from desk.notifications.told import list_for_told
from desk.people.accounts import member_of
from desk.people.tables import AccountRow
from desk.sessions.intake import people_of
from desk.sessions.notices import Notices
from desk.sessions.open_pages import looking
from desk.sessions.store_lost import shown
from desk.tables import SessionRow
from kiosk.session.record import Session
from kiosk.session.states import State

Kind = Literal["push", "address", "mail", "channel"]
What = Literal["told", "over"]

REQUEST = "request"
STALE_S = 120.0
"""A desk that has had a message for so long is dead; longer than any sending takes."""
MOST_TRIES = 4
MOST_LOOKS = 200
"""So many sessions at a time, so that what is written down already is sent in between."""
LOOK_AGAIN_S = 60.0
"""Whether it still rings."""
PAGE_FIRST_S = 15.0
"""Who has a page open, at whichever desk, hears of it there at once: their other ways wait for so long, and are left
out where they look at the request meanwhile. A page may be open where nobody sits, so it is not for longer."""
BACKOFF_S = (10.0, 60.0, 300.0)
KEPT_S = 2 * 86400.0
"""So long after its alert is settled is a message kept."""


@dataclass(frozen=True, slots=True)
class Message:
    """target: a browser, an address, an account (mail), the number of a channel. level: 0 to those responsible."""

    id: int
    session: str
    key: str
    what: What
    kind: Kind
    target: str
    account: str | None
    level: int
    tries: int


class Alerts:
    """`push_key`: which subscriptions are good. `now`: wall time, which several desks share well enough. By `notices`
    the open pages of those hear of it who see the session only from now on."""

    def __init__(
        self,
        transactions: Transactions,
        notices: Notices,
        settings: Notifications,
        push_key: str,
        now: Callable[[], float],
    ) -> None:
        self._notices = notices
        self._begin, self._read = transactions.begin, transactions.read
        self._settings, self._push_key, self._now = settings, push_key, now
        self._wait_s = settings.escalate_minutes * 60

    # --- what there is to tell ----------------------------------------------------------------------------------------

    async def due(self) -> list[str]:
        """Sessions that want a look: nobody was told yet (a desk died before), a group is due, or it is over."""
        over = or_(
            and_(AlertRow.key == REQUEST, SessionRow.state != State.REQUESTED.value),
            and_(AlertRow.key != REQUEST, SessionRow.state != State.CONFIRMED.value),
        )
        query = (
            select(AlertRow.session)
            .join(SessionRow, SessionRow.id == AlertRow.session)
            .where(AlertRow.settled_s.is_(None), or_(AlertRow.due_s <= self._now(), over))
            .distinct()
        )
        begun = select(AlertRow.key).where(AlertRow.session == SessionRow.id, AlertRow.key == REQUEST).exists()
        missing = select(SessionRow.id).where(SessionRow.state == State.REQUESTED.value, ~begun)
        async with self._read() as db:
            return [*await db.scalars(query.limit(MOST_LOOKS)), *await db.scalars(missing.limit(MOST_LOOKS))]

    async def look(self, session_id: str) -> None:
        async with self._begin() as db:
            row = await db.get(SessionRow, session_id, with_for_update=True)  # one desk at a time
            if row is None or not row.document:
                return
            session = (await shown(db, [row]))[0]
            key = alert_key(session)
            open_ones = select(AlertRow).where(AlertRow.session == session_id, AlertRow.settled_s.is_(None))
            for alert in await db.scalars(open_ones):
                if alert.key != key:
                    await self._settle(db, alert)
            if key:
                await self._go_on(db, session, key)

    async def _go_on(self, db: AsyncSession, session: Session, key: str) -> None:
        now_s = self._now()
        plain = {"level": 0, "due_s": None, "seen": False, "begun_s": now_s, "settled_s": None}
        begins = await insert_missing(db, AlertRow, session=session.id, key=key, **plain)
        alert = await db.get_one(AlertRow, (session.id, key))
        reached = await self._tell(db, session, alert, await _responsible(db, session))
        if key != REQUEST:
            alert.settled_s, alert.due_s = None, now_s + LOOK_AGAIN_S
            return
        if begins:
            alert.due_s = self._next_s(0, now_s if reached else now_s - self._wait_s)
        elif alert.settled_s is not None:  # the kiosk had lost it, and has it after all
            alert.settled_s, alert.due_s = None, self._next_s(alert.level, now_s)
        if session.seen_by:
            await self._spare(db, alert, {person.id for person in session.seen_by})
        if session.seen_by and not alert.seen:  # somebody looks at it: as long again to do something about it
            alert.seen = True
            alert.due_s = alert.due_s and max(alert.due_s, now_s + self._wait_s)
        while alert.due_s is not None and alert.due_s <= now_s:
            await self._escalate(db, session, alert)

    async def _escalate(self, db: AsyncSession, session: Session, alert: AlertRow) -> None:
        """A group in which there is nobody new is passed over."""
        now_s, groups = self._now(), self._settings.escalate_to[alert.level :]
        if not groups:  # the settings have fewer than they had
            alert.due_s = None
            return
        alert.level += 1
        await self._wake(db, alert)
        reached = await self._tell(db, session, alert, await _group(db, groups[0]))
        alert.due_s = self._next_s(alert.level, now_s if reached else now_s - self._wait_s)

    async def _spare(self, db: AsyncSession, alert: AlertRow, people: set[str]) -> None:
        """They have looked: what still waits for them would say what they know."""
        mine = and_(AlertMessageRow.session == alert.session, AlertMessageRow.key == alert.key)
        waits = and_(mine, AlertMessageRow.state == "waiting", AlertMessageRow.what == "told")
        await db.execute(delete(AlertMessageRow).where(waits, AlertMessageRow.account.in_(people)))

    async def _wake(self, db: AsyncSession, alert: AlertRow) -> None:
        """Who has quiet hours, but wants to be told when nobody else reacts."""
        willing = select(WishRow.account).where(WishRow.even_then.is_(True))
        asleep = and_(AlertMessageRow.state == "waiting", AlertMessageRow.tries == 0)
        mine = and_(AlertMessageRow.session == alert.session, AlertMessageRow.key == alert.key)
        woken = update(AlertMessageRow).where(mine, asleep, AlertMessageRow.account.in_(willing))
        woken = woken.values(due_s=self._now(), level=alert.level)
        await db.execute(woken.execution_options(synchronize_session=False))

    def _next_s(self, level: int, since_s: float) -> float | None:
        left = self._wait_s > 0 and level < len(self._settings.escalate_to)
        return since_s + self._wait_s if left else None

    # --- whom ---------------------------------------------------------------------------------------------------------

    async def _tell(self, db: AsyncSession, session: Session, alert: AlertRow, people: Sequence[Member]) -> bool:
        """Whether there was somebody who had not been told; whoever was stays so."""
        new = [
            member
            for member in people
            if await insert_missing(db, AlertPersonRow, session=session.id, account=member.id) or alert.key != REQUEST
        ]
        ids = [member.id for member in new]
        if set(ids) - people_of(session):
            await list_for_told(db, [session.id])
            await self._notices.add(db, "session", [session.id])
        targets = await targets_of(db, ids, self._push_key)
        rows = {row.account: row for row in await db.scalars(select(WishRow).where(WishRow.account.in_(ids)))}
        at_page = await looking(db, ids, self._now())
        for member in new:
            wishes = wishes_of(rows.get(member.id))
            hours = hours_of(wishes) if alert.level == 0 or not wishes.even_then else None
            due_s = quiet_until(hours, self._now()) if hours else self._now()
            if member.id in at_page:
                due_s = max(due_s, self._now() + PAGE_FIRST_S)
            mail = [("mail", member.id)] if wishes.mail and member.email and self._settings.mail_file else []
            for kind, target in targets[member.id] + mail:
                await self._write(db, alert, "told", kind, target, member.id, due_s)
        await self._tell_channels(db, alert)
        return bool(new)

    async def _tell_channels(self, db: AsyncSession, alert: AlertRow) -> None:
        at = "escalation" if alert.level else "request"
        for n, channel in enumerate(self._settings.channels):
            if channel.at == at and alert.key == REQUEST:
                await self._write(db, alert, "told", "channel", str(n), None, self._now())

    async def _write(
        self, db: AsyncSession, alert: AlertRow, what: What, kind: str, target: str, account: str | None, due_s: float
    ) -> None:
        values = {"what": what, "kind": kind, "target": target, "account": account, "level": alert.level}
        plain = {"state": "waiting", "due_s": due_s, "tries": 0, "desk": "", "taken_s": 0.0}
        await insert_missing(db, AlertMessageRow, session=alert.session, key=alert.key, **values, **plain)

    async def _settle(self, db: AsyncSession, alert: AlertRow) -> None:
        """What waits is not sent any more; what browsers show is replaced."""
        alert.settled_s, alert.due_s = self._now(), None
        mine = and_(AlertMessageRow.session == alert.session, AlertMessageRow.key == alert.key)
        await db.execute(delete(AlertMessageRow).where(mine, AlertMessageRow.state == "waiting"))
        told = select(AlertMessageRow).where(mine, AlertMessageRow.kind == "push", AlertMessageRow.what == "told")
        for row in list(await db.scalars(told.where(AlertMessageRow.state.in_(("sending", "done"))))):
            await self._write(db, alert, "over", "push", row.target, row.account, self._now())

    # --- sending ------------------------------------------------------------------------------------------------------

    async def waits(self) -> bool:
        """Whether there is something to take: asked before, because taking locks."""
        async with self._read() as db:
            return await db.scalar(self._takable().limit(1)) is not None

    async def take(self, desk: str, most: int) -> list[Message]:
        """They are this desk's from now on."""
        now_s = self._now()
        query = self._takable().order_by(AlertMessageRow.due_s, AlertMessageRow.id).limit(most)
        async with self._begin() as db:
            rows = list(await db.scalars(query.with_for_update(skip_locked=True)))
            for row in rows:
                row.state, row.desk, row.taken_s, row.tries = "sending", desk, now_s, row.tries + 1
                if row.tries > MOST_TRIES:  # it has ended a desk each time
                    row.state = "failed"
            return [_message(row) for row in rows if row.state == "sending"]

    def _takable(self) -> Select[AlertMessageRow]:
        """In order: no notification comes after the one that takes its place."""
        row, before = AlertMessageRow, aliased(AlertMessageRow)
        same = and_(before.session == row.session, before.key == row.key, before.target == row.target)
        on_its_way = select(before.id).where(same, before.what == "told", before.state == "sending").exists()
        alert = and_(AlertRow.session == row.session, AlertRow.key == row.key)
        still = select(AlertRow.key).where(alert, AlertRow.settled_s.is_(None)).exists()
        left = and_(row.state == "sending", row.taken_s <= self._now() - STALE_S)
        free = or_(and_(row.what == "told", still), and_(row.what == "over", ~on_its_way))
        return select(row).where(or_(row.state == "waiting", left), free, row.due_s <= self._now())

    async def done(self, message: Message, desk: str) -> None:
        await self._change(message, desk, state="done")

    async def failed(self, message: Message, desk: str, wait_s: float | None = None) -> None:
        """`wait_s`: to be tried again, not before then; None: for good."""
        if wait_s is None or message.tries >= MOST_TRIES:
            await self._change(message, desk, state="failed")
        else:
            wait_s = max(wait_s, BACKOFF_S[min(message.tries, len(BACKOFF_S)) - 1])
            await self._change(message, desk, state="waiting", due_s=self._now() + wait_s)

    async def give_back(self, desk: str) -> None:
        """This desk ends: another one, or the next start, goes on at once."""
        async with self._begin() as db:
            mine = and_(AlertMessageRow.desk == desk, AlertMessageRow.state == "sending")
            values = {"state": "waiting", "tries": AlertMessageRow.tries - 1}
            await db.execute(update(AlertMessageRow).where(mine).values(**values))

    async def _change(self, message: Message, desk: str, **values: str | float) -> None:
        async with self._begin() as db:
            mine = and_(AlertMessageRow.id == message.id, AlertMessageRow.desk == desk)
            await db.execute(update(AlertMessageRow).where(mine, AlertMessageRow.state == "sending").values(**values))

    # --- the rest -----------------------------------------------------------------------------------------------------

    async def member(self, account: str) -> Member | None:
        """None where this person may not sign in any more."""
        async with self._read() as db:
            row = await db.get(AccountRow, account)
            return member_of(row) if row and not row.locked and row.removed_s is None else None

    async def tidy(self) -> None:
        settled = select(AlertRow.session, AlertRow.key).where(AlertRow.settled_s < self._now() - KEPT_S)
        old = settled.where(AlertRow.session == AlertMessageRow.session, AlertRow.key == AlertMessageRow.key)
        async with self._begin() as db:
            gone = delete(AlertMessageRow).where(old.exists())
            await db.execute(gone.execution_options(synchronize_session=False))


def alert_key(session: Session) -> str:
    """What there is to react to now; empty: nothing."""
    if session.state is State.REQUESTED:
        return REQUEST
    if session.state is State.CONFIRMED and session.ringing and session.ringing.by == "code_user":
        return f"ring-{hashlib.sha256(session.ringing.at.encode()).hexdigest()[:16]}"
    return ""


async def _responsible(db: AsyncSession, session: Session) -> list[Member]:
    return await _members(db, {person.id for person in (*session.asked, *session.assigned)})


async def _group(db: AsyncSession, group: str) -> list[Member]:
    members = await _members(db)
    return [m for m in members if (m.moderates if group == "moderators" else m.helps)]


async def _members(db: AsyncSession, ids: set[str] | None = None) -> list[Member]:
    """Who may sign in; `ids`: of these."""
    query = select(AccountRow).where(AccountRow.locked.is_(False), AccountRow.removed_s.is_(None))
    query = query if ids is None else query.where(AccountRow.id.in_(ids))
    return [member_of(row) for row in await db.scalars(query.order_by(AccountRow.id))]


def _message(row: AlertMessageRow) -> Message:
    return Message(**{name: getattr(row, name) for name in Message.__slots__})
