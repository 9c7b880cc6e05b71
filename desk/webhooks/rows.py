"""Webhooks and their outbox in the database.

What is to be told is written in the transaction that takes the change itself, so it is there if and only if the change
is. Each delivery is claimed by one process; of a process that died, the claim is over after LEASE_S, and another tells
it again, under the same id.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec
from sqlalchemy import and_, case, delete, or_, select, update
from sqlalchemy import event as sql_event
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import Transactions, insert_missing
from desk.problems import Problem, not_found
from desk.webhooks.events import Told, event_of, kind_of, news
from desk.webhooks.signature import Sealed, new_secret
from desk.webhooks.tables import DeliveryRow, WebhookRow
from kiosk.errors import Full
from kiosk.session.record import Session

LEASE_S = 60.0
MOST_WEBHOOKS = 50
KEPT = 100
"""So many deliveries of each webhook stay to be looked at, and none longer than KEPT_S."""
KEPT_S = 30 * 86400.0


class Webhook(msgspec.Struct, frozen=True):
    id: str
    name: str
    url: str
    kinds: list[str]
    active: bool
    created_s: float
    failures: int
    pause_until_s: float


class Delivery(msgspec.Struct, frozen=True):
    """state: waiting, done or failed (given up). status: of the last answer; 0: there was none, and error says why.
    again: it was given up, and can be sent again."""

    id: int
    event: str
    kind: str
    session: str
    state: str
    made_s: float
    due_s: float
    tries: int
    status: int
    error: str
    took_ms: int
    ended_s: float
    again: bool


@dataclass(frozen=True, slots=True)
class Job:
    """One that this process has claimed. `tries` counts this one."""

    id: int
    webhook: str
    url: str
    secret: str
    event: str
    kind: str
    body: bytes
    made_s: float
    tries: int
    failures: int


class WebhookRows:
    """`now`: wall time, which several desks share well enough for leases. `url`: of the desk, for links."""

    def __init__(self, transactions: Transactions, sealed: Sealed, url: str, now: Callable[[], float]) -> None:
        self._begin, self._read = transactions.begin, transactions.read
        self._sealed, self._url, self._now = sealed, url, now
        self.due = asyncio.Event()
        """Something is to be told now, by this desk or another."""

    # --- who wants to be told -----------------------------------------------------------------------------------------

    async def all(self) -> list[Webhook]:
        async with self._read() as db:
            return [_webhook(row) for row in await db.scalars(select(WebhookRow).order_by(WebhookRow.created_s))]

    async def add(self, name: str, url: str, kinds: Collection[str]) -> tuple[Webhook, str]:
        """And its secret, which is shown this once.

        Raises:
            Full: there are enough of them.
        """
        webhook, secret = f"wh-{secrets.token_hex(8)}", new_secret()
        async with self._begin() as db:
            if len(list(await db.scalars(select(WebhookRow.id)))) >= MOST_WEBHOOKS:
                raise Full(f"at most {MOST_WEBHOOKS} webhooks are told")
            row = WebhookRow(id=webhook, name=name, url=url, kinds=" ".join(kinds), active=True, failures=0)
            row.secret, row.created_s, row.pause_until_s = self._sealed.seal(webhook, secret), self._now(), 0.0
            db.add(row)
            return _webhook(row), secret

    async def change(self, webhook: str, name: str, url: str, kinds: Collection[str], active: bool) -> Webhook:
        """
        Raises:
            Problem: there is none.
        """
        async with self._begin() as db:
            row = await _found(db, webhook)
            row.name, row.url, row.kinds, row.active = name, url, " ".join(kinds), active
            row.failures, row.pause_until_s = 0, 0.0  # it is tried at once, at its new address
            return _webhook(row)

    async def renew_secret(self, webhook: str) -> tuple[Webhook, str]:
        secret = new_secret()
        async with self._begin() as db:
            row = await _found(db, webhook)
            row.secret = self._sealed.seal(webhook, secret)
            return _webhook(row), secret

    async def remove(self, webhook: str) -> None:
        async with self._begin() as db:
            await db.delete(await _found(db, webhook))

    async def deliveries(self, webhook: str, limit: int = KEPT) -> list[Delivery]:
        """Newest first."""
        async with self._read() as db:
            await _found(db, webhook, lock=False)
            mine = select(DeliveryRow).where(DeliveryRow.webhook == webhook)
            return [_delivery(row) for row in await db.scalars(mine.order_by(DeliveryRow.id.desc()).limit(limit))]

    # --- what is to be told -------------------------------------------------------------------------------------------

    async def note(self, db: AsyncSession, told: Session, before: Session | None) -> None:
        """Within the transaction that takes the session."""
        changes = news(told, before)
        if not changes:
            return
        for webhook, kinds in await self._active(db):
            for n, change in changes:
                if kind_of(change) in kinds.split():
                    await self._put(db, webhook, event_of(told, n, change, self._url), told.id)

    async def _active(self, db: AsyncSession) -> list[tuple[str, str]]:
        """(id, kinds) of those that are told, looked up once in a transaction: it may take hundreds of sessions."""
        if "webhooks" not in db.info:
            rows = await db.execute(select(WebhookRow.id, WebhookRow.kinds).where(WebhookRow.active))
            db.info["webhooks"] = [(id_, kinds) for id_, kinds in rows]
        found: list[tuple[str, str]] = db.info["webhooks"]
        return found

    async def put_test(self, webhook: str, event: Told) -> None:
        async with self._begin() as db:
            row = await _found(db, webhook)
            row.pause_until_s = 0.0
            await self._put(db, webhook, event, None)

    async def again(self, webhook: str, deliveries: Collection[int]) -> int:
        """These, or where none is named all that were given up, are told once more, with all their tries; how many.

        Raises:
            Problem: there is no such webhook, it is switched off, or nothing of that was given up.
        """
        mine = [DeliveryRow.webhook == webhook, DeliveryRow.state == "failed", DeliveryRow.body != b""]
        mine += [DeliveryRow.id.in_(deliveries)] if deliveries else []
        async with self._begin() as db:
            row = await _found(db, webhook)
            if not row.active:
                raise Problem(409, "switched_off", "this webhook is switched off")
            values = {"state": "waiting", "due_s": self._now(), "tries": 0, "desk": "", "claimed_s": 0.0}
            values |= {"status": 0, "error": ""}
            done = await db.execute(update(DeliveryRow).where(*mine).values(**values))
            if not (n := int(getattr(done, "rowcount", 0))):
                raise Problem(409, "not_given_up", "nothing of that was given up")
            row.failures, row.pause_until_s = 0, 0.0
            sql_event.listen(db.sync_session, "after_commit", lambda _: self.due.set(), once=True)
            return n

    async def _put(self, db: AsyncSession, webhook: str, event: Told, session: str | None) -> None:
        """Once, however often it is noted."""
        now_s = self._now()
        names = {"webhook": webhook, "event": event.id, "kind": event.type, "session": session}
        empty = {"tries": 0, "desk": "", "claimed_s": 0.0, "status": 0, "error": "", "took_ms": 0, "ended_s": 0.0}
        times = {"state": "waiting", "made_s": now_s, "due_s": now_s}
        await insert_missing(db, DeliveryRow, **names, **times, **empty, body=msgspec.json.encode(event))
        sql_event.listen(db.sync_session, "after_commit", lambda _: self.due.set(), once=True)

    # --- telling it ---------------------------------------------------------------------------------------------------

    async def take(self, desk: str, limit: int, but_not: Collection[str] = ()) -> list[Job]:
        """Those that are due longest, of webhooks that do not pause: this desk's until LEASE_S is over. `but_not`:
        webhooks that are told enough at once."""
        now_s = self._now()
        free = or_(DeliveryRow.desk == "", DeliveryRow.claimed_s <= now_s - LEASE_S)
        due = and_(DeliveryRow.state == "waiting", DeliveryRow.due_s <= now_s, free)
        ready = and_(WebhookRow.active, WebhookRow.pause_until_s <= now_s, WebhookRow.id.not_in(list(but_not)))
        query = (
            select(DeliveryRow, WebhookRow)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook)
            .where(due, ready)
            .order_by(DeliveryRow.due_s, DeliveryRow.id)
            .limit(limit)
            .with_for_update(of=DeliveryRow, skip_locked=True)
        )
        async with self._begin() as db:
            rows = [(delivery, webhook) for delivery, webhook in (await db.execute(query)).all()]
            for delivery, _ in rows:
                delivery.desk, delivery.claimed_s = desk, now_s
                delivery.tries += 1
            return [self._job(delivery, webhook) for delivery, webhook in rows]

    async def ended(self, job: Job, desk: str, status: int, error: str, took_ms: int, again_s: float | None) -> None:
        """`again_s`: it failed and is tried again at that time; None: it is told (a status of 2xx) or given up."""
        done = again_s is None and 200 <= status < 300
        values = {"status": status, "error": error[:200], "took_ms": took_ms, "desk": "", "ended_s": self._now()}
        if again_s is None:
            values |= {"state": "done", "body": b""} if done else {"state": "failed"}
        else:
            values |= {"due_s": again_s}
        mine = and_(DeliveryRow.id == job.id, DeliveryRow.desk == desk, DeliveryRow.tries == job.tries)
        async with self._begin() as db:
            held = await db.execute(update(DeliveryRow).where(mine).values(**values))
            if not getattr(held, "rowcount", 0):
                return  # the lease was over, and another one tells it
            counted = {"failures": 0 if done else WebhookRow.failures + 1}
            await db.execute(update(WebhookRow).where(WebhookRow.id == job.webhook).values(**counted))

    async def pause(self, webhook: str, until_s: float) -> None:
        """Nothing of it is tried before: it does not answer, or asks for that. The longest of several pauses holds."""
        longest = case((WebhookRow.pause_until_s > until_s, WebhookRow.pause_until_s), else_=until_s)
        async with self._begin() as db:
            await db.execute(update(WebhookRow).where(WebhookRow.id == webhook).values(pause_until_s=longest))

    async def give_back(self, desk: str) -> None:
        """This desk ends: whoever comes next begins at once, and it counts as no try."""
        async with self._begin() as db:
            mine = and_(DeliveryRow.desk == desk, DeliveryRow.state == "waiting")
            await db.execute(update(DeliveryRow).where(mine).values(desk="", tries=DeliveryRow.tries - 1))

    async def tidy(self) -> None:
        """Lets go of what is over and neither new nor among the last of its webhook."""
        async with self._begin() as db:
            over = DeliveryRow.state != "waiting"
            await db.execute(delete(DeliveryRow).where(over, DeliveryRow.made_s < self._now() - KEPT_S))
            for webhook in list(await db.scalars(select(WebhookRow.id))):
                mine = select(DeliveryRow.id).where(DeliveryRow.webhook == webhook, over)
                last = await db.scalar(mine.order_by(DeliveryRow.id.desc()).offset(KEPT).limit(1))
                if last is not None:
                    old = (DeliveryRow.webhook == webhook, over, DeliveryRow.id <= last)
                    await db.execute(delete(DeliveryRow).where(*old))

    def _job(self, delivery: DeliveryRow, webhook: WebhookRow) -> Job:
        return Job(
            id=delivery.id,
            webhook=webhook.id,
            url=webhook.url,
            secret=self._sealed.open(webhook.id, webhook.secret),
            event=delivery.event,
            kind=delivery.kind,
            body=delivery.body,
            made_s=delivery.made_s,
            tries=delivery.tries,
            failures=webhook.failures,
        )


async def _found(db: AsyncSession, webhook: str, lock: bool = True) -> WebhookRow:
    row = await db.get(WebhookRow, webhook, with_for_update=lock or None)
    if row is None:
        raise not_found("webhook")
    return row


def _webhook(row: WebhookRow) -> Webhook:
    kinds = row.kinds.split()
    return Webhook(row.id, row.name, row.url, kinds, row.active, row.created_s, row.failures, row.pause_until_s)


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        event=row.event,
        kind=row.kind,
        session=row.session or "",
        state=row.state,
        made_s=row.made_s,
        due_s=row.due_s,
        tries=row.tries,
        status=row.status,
        error=row.error,
        took_ms=row.took_ms,
        ended_s=row.ended_s,
        again=row.state == "failed" and bool(row.body),
    )
