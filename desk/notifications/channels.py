"""Where people want to be told: browsers with Web Push, addresses for Apprise, e-mail, and when not. In the database.

What was entered is sealed and never shown again: of an address only the name that its person gave it and the service.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from desk.addresses import web_target
from desk.database import Transactions, insert_missing
from desk.notifications.keys import PlaceBox, unb64
from desk.notifications.quiet import QuietHours, zone_of
from desk.notifications.tables import AddressRow, PushRow, WishRow
from desk.problems import Problem, not_found

MOST_BROWSERS = 20
MOST_ADDRESSES = 10

Minute = Annotated[int, Meta(ge=0, lt=24 * 60)]


class Subscription(Struct, frozen=True):
    """What a browser says of itself (PushSubscription.toJSON)."""

    endpoint: Annotated[str, Meta(max_length=1000)]
    p256dh: Annotated[str, Meta(max_length=100)]
    auth: Annotated[str, Meta(max_length=40)]


class PushBrowser(Struct, frozen=True):
    """failed: why the last notification did not arrive; empty: it did. used_s: when one did; 0: never."""

    id: str
    name: str
    created_s: float
    used_s: float
    failed: str


class Address(Struct, frozen=True):
    id: str
    name: str
    service: str
    created_s: float
    used_s: float
    failed: str


class Quiet(Struct, frozen=True):
    """From `begin` to `end`, minutes after midnight in this time zone."""

    begin: Minute
    end: Minute
    zone: Annotated[str, Meta(min_length=1, max_length=64)]


class Wishes(Struct, frozen=True):
    """mail: to the account's own address, where the desk can. even_then: in quiet hours too, if nobody else reacts."""

    quiet: Quiet | None = None
    even_then: bool = False
    mail: bool = False


class Channels:
    def __init__(self, transactions: Transactions, box: PlaceBox, now: Callable[[], float]) -> None:
        self._begin, self._read = transactions.begin, transactions.read
        self._box, self._now = box, now

    # --- browsers -----------------------------------------------------------------------------------------------------

    async def browsers(self, account: str) -> list[PushBrowser]:
        query = select(PushRow).where(PushRow.account == account).order_by(PushRow.created_s)
        async with self._read() as db:
            return [_browser(row) for row in await db.scalars(query)]

    async def subscribe(self, account: str, subscription: Subscription, name: str) -> PushBrowser:
        """A browser has one subscription: it is whose it was told last. Of too many the oldest goes.

        Raises:
            Problem: 400, it is none that a push service would give.
        """
        check_subscription(subscription)
        key = subscription_id(subscription.endpoint)
        row = PushRow(id=key, account=account, key=self._box.id, name=_plain(name), failed="", used_s=None)
        row.created_s, row.sealed = self._now(), self._box.seal(key, msgspec.json.encode(subscription).decode())
        async with self._begin() as db:
            await db.merge(row)
            await db.flush()
            mine = select(PushRow.id).where(PushRow.account == account).order_by(PushRow.created_s.desc(), PushRow.id)
            too_many = list(await db.scalars(mine.offset(MOST_BROWSERS)))
            await db.execute(delete(PushRow).where(PushRow.id.in_(too_many)))
        return _browser(row)

    async def subscription(self, browser: str) -> Subscription | None:
        """None where it is gone, or good for another key than today's."""
        async with self._read() as db:
            row = await db.get(PushRow, browser)
        content = self._box.open(row.id, row.sealed) if row and row.key == self._box.id else ""
        return msgspec.json.decode(content, type=Subscription) if content else None

    async def unsubscribe(self, account: str, browser: str) -> None:
        """
        Raises:
            Problem: 404, this person has no such browser.
        """
        async with self._begin() as db:
            gone = await db.execute(delete(PushRow).where(PushRow.id == browser, PushRow.account == account))
            if not getattr(gone, "rowcount", 0):
                raise not_found("browser")

    async def drop(self, browser: str) -> None:
        """It wants no more, as its push service says."""
        async with self._begin() as db:
            await db.execute(delete(PushRow).where(PushRow.id == browser))

    # --- addresses ----------------------------------------------------------------------------------------------------

    async def addresses(self, account: str) -> list[Address]:
        query = select(AddressRow).where(AddressRow.account == account).order_by(AddressRow.created_s)
        async with self._read() as db:
            return [_address(row) for row in await db.scalars(query)]

    async def add_address(self, account: str, name: str, service: str, address: str) -> Address:
        """
        Raises:
            Problem: 409, there are enough.
        """
        key = secrets.token_hex(8)
        row = AddressRow(id=key, account=account, name=_plain(name, 100), service=_plain(service, 100), failed="")
        row.created_s, row.used_s, row.sealed = self._now(), None, self._box.seal(key, address)
        async with self._begin() as db:
            mine = select(func.count()).select_from(AddressRow).where(AddressRow.account == account)
            if (await db.scalar(mine) or 0) >= MOST_ADDRESSES:
                raise Problem(409, "full", f"at most {MOST_ADDRESSES} addresses")
            db.add(row)
        return _address(row)

    async def address(self, address: str) -> str:
        """What was entered; empty where it is gone, or was sealed with another secret."""
        async with self._read() as db:
            row = await db.get(AddressRow, address)
        return self._box.open(row.id, row.sealed) if row else ""

    async def remove_address(self, account: str, address: str) -> None:
        """
        Raises:
            Problem: 404, this person has no such address.
        """
        async with self._begin() as db:
            gone = await db.execute(delete(AddressRow).where(AddressRow.id == address, AddressRow.account == account))
            if not getattr(gone, "rowcount", 0):
                raise not_found("address")

    async def note(self, kind: str, target: str, failed: str) -> None:
        """How the last message to it went."""
        values = {"failed": failed} if failed else {"failed": "", "used_s": self._now()}
        async with self._begin() as db:
            if kind == "push":
                await db.execute(update(PushRow).where(PushRow.id == target).values(**values))
            elif kind == "address":
                await db.execute(update(AddressRow).where(AddressRow.id == target).values(**values))

    # --- wishes -------------------------------------------------------------------------------------------------------

    async def wishes(self, account: str) -> Wishes:
        async with self._read() as db:
            return wishes_of(await db.get(WishRow, account))

    async def wish(self, account: str, wishes: Wishes) -> None:
        """
        Raises:
            Problem: 400, quiet hours without a length or without a time zone that there is.
        """
        quiet = wishes.quiet
        if quiet:
            check_quiet(quiet)
        hours = {"zone": quiet.zone, "quiet_from": quiet.begin, "quiet_to": quiet.end} if quiet else NO_HOURS
        values = {"mail": wishes.mail, "even_then": wishes.even_then, **hours}
        async with self._begin() as db:
            if not await insert_missing(db, WishRow, account=account, **values):
                await db.execute(update(WishRow).where(WishRow.account == account).values(**values))


NO_HOURS: dict[str, str | int] = {"zone": "", "quiet_from": 0, "quiet_to": 0}


def wishes_of(row: WishRow | None) -> Wishes:
    if row is None:
        return Wishes()
    quiet = Quiet(row.quiet_from, row.quiet_to, row.zone) if row.zone else None
    return Wishes(quiet, row.even_then, row.mail)


def hours_of(wishes: Wishes) -> QuietHours | None:
    return QuietHours(wishes.quiet.begin, wishes.quiet.end, wishes.quiet.zone) if wishes.quiet else None


async def targets_of(db: AsyncSession, accounts: list[str], key: str) -> dict[str, list[tuple[str, str]]]:
    """Account -> (kind, target) of browsers that subscribed with this push key, and of addresses."""
    found: dict[str, list[tuple[str, str]]] = {account: [] for account in accounts}
    pushes = select(PushRow.account, PushRow.id).where(PushRow.account.in_(accounts), PushRow.key == key)
    for account, target in await db.execute(pushes):
        found[account].append(("push", target))
    for account, target in await db.execute(
        select(AddressRow.account, AddressRow.id).where(AddressRow.account.in_(accounts))
    ):
        found[account].append(("address", target))
    return found


def subscription_id(endpoint: str) -> str:
    """By which a page finds its own browser among them: the first 40 letters of the endpoint's SHA-256."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:40]


def check_subscription(subscription: Subscription) -> None:
    """
    Raises:
        Problem: 400, with what is wrong.
    """
    try:
        scheme, _, _ = web_target(subscription.endpoint)
        if scheme != "https":
            raise ValueError("push services are reached by https")
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(subscription.p256dh))
        if len(unb64(subscription.auth)) != 16:
            raise ValueError("`auth` is not 16 bytes long (RFC 8291, 3.2)")
    except ValueError as error:
        raise Problem(400, "malformed", f"no push subscription: {error}") from error


def check_quiet(quiet: Quiet) -> None:
    if quiet.begin == quiet.end:
        raise Problem(400, "quiet_hours", "quiet hours that begin when they end have no length")
    try:
        zone_of(quiet.zone)
    except ValueError as error:
        raise Problem(400, "time_zone", str(error)) from error


def _plain(text: str, most: int = 300) -> str:
    return "".join(c for c in text if c.isprintable())[:most]


def _browser(row: PushRow) -> PushBrowser:
    return PushBrowser(row.id, row.name, row.created_s, row.used_s or 0.0, row.failed)


def _address(row: AddressRow) -> Address:
    return Address(row.id, row.name, row.service, row.created_s, row.used_s or 0.0, row.failed)
